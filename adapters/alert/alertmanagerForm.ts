import type { Alert } from '@portcullis/engine/gates.ts'
import type { HttpForm } from './delivery.ts'
import { messageOf, type Language } from './message.ts'

/** An event has no end of its own: so long it is shown as firing, and repeated as the Alertmanager's routes say. */
const FIRING_MS = 60 * 60 * 1000

/** `POST /api/v2/alerts`. The labels name the alert, so that the same one told again is still one. */
export function alertmanagerForm(alert: Alert, language: Language, now: number): HttpForm {
  const { title, lines } = messageOf(alert, language)
  const rollout = alert.rollout === undefined ? {} : { rollout: alert.rollout }
  const labels = { alertname: 'PortcullisAlert', severity: alert.severity, alert_id: alert.id, ...rollout }
  const endsAt = new Date(Math.max(alert.at, now) + FIRING_MS).toISOString()
  return { body: JSON.stringify([{ labels, annotations: { summary: title, description: lines.join('\n') }, startsAt: new Date(alert.at).toISOString(), endsAt }]) }
}
