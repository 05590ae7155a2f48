import { createHmac } from 'node:crypto'
import type { Alert } from '@portcullis/engine/gates.ts'
import type { HttpForm } from './delivery.ts'

/**
 * The signed form of the Standard Webhooks specification: the receiver computes the same HMAC over `id.timestamp.body`,
 * refuses old timestamps, and knows by the id what it has had already.
 */
export function webhookForm(alert: Alert, secret: string | undefined, now: number): HttpForm {
  const body = JSON.stringify({ type: 'portcullis.alert', version: 1, ...alert, at: new Date(alert.at).toISOString() })
  const seconds = String(Math.floor(now / 1000))
  const headers = { 'webhook-id': headerText(alert.id), 'webhook-timestamp': seconds }
  if (secret === undefined) return { headers, body }
  const signature = createHmac('sha256', keyOf(secret)).update(`${headers['webhook-id']}.${seconds}.${body}`).digest('base64')
  return { headers: { ...headers, 'webhook-signature': `v1,${signature}` }, body }
}

/** `whsec_` and Base64, as the specification writes it; anything else is the key itself. */
const keyOf = (secret: string): Buffer => (secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret, 'utf8'))

/** A header holds visible ASCII; the dot separates what is signed. */
const headerText = (id: string): string => encodeURIComponent(id).replaceAll('.', '%2E')
