import type { Text } from '@portcullis/core/fault/fault.ts'
import type { Alert, Alerts } from '@portcullis/engine/gates.ts'
import type { Receiver, Severity } from './receivers.ts'

/**
 * What is to be told to whom. An entry is never removed before it was told, and never given up: a receiver that was set up
 * wrongly gets everything when it has been put right.
 */
export interface AlertOutbox {
  /** Durable when it returns; what is there already stays as it is. */
  add(alert: Alert, receivers: readonly string[]): Promise<void>
  /** Takes entries that are due, oldest first, for so long; no two holders have one at a time. */
  claim(claim: { readonly holder: string; readonly now: number; readonly forMs: number; readonly limit: number; readonly receivers: readonly string[] }): Promise<readonly ClaimedAlert[]>
  delivered(entry: ClaimedAlert, at: number): Promise<void>
  failed(entry: ClaimedAlert, notBefore: number, because: Text): Promise<void>
  /** Not told yet, oldest first. */
  waiting(limit: number): Promise<readonly WaitingAlert[]>
}

export interface ClaimedAlert {
  readonly sequence: number
  readonly receiver: string
  readonly alert: Alert
  /** 1 for the first. */
  readonly attempt: number
  readonly holder: string
}

export interface WaitingAlert {
  readonly receiver: string
  readonly alert: Alert
  readonly attempts: number
  readonly notBefore: number
  readonly because?: Text
}

const SEVERITIES: readonly Severity[] = ['info', 'warning', 'critical']

/** Alerts as the engine sees them: into the outbox, one entry for each receiver that wants it. */
export const outboxAlerts = (outbox: AlertOutbox, receivers: readonly Receiver[]): Alerts => ({
  raise: (alert) => outbox.add(alert, receivers.filter(({ severityMin }) => SEVERITIES.indexOf(alert.severity) >= SEVERITIES.indexOf(severityMin)).map(({ name }) => name)),
})

/** 5 s, then twice as long each time, at most an hour. */
const PAUSE_MS = 5_000
export const PAUSE_MS_MAX = 3_600_000
const TIMEOUT_MS = 15_000
/** Longer than a try takes, so that nobody tells again what is just being told. */
const CLAIM_MS = 4 * TIMEOUT_MS
const BATCH = 20

export const pauseAfter = (attempt: number): number => Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** Math.min(attempt - 1, 20))

export interface Posted {
  readonly delivered: number
  readonly failed: number
}

/**
 * Tells everything that is due. Told and then noted: whoever is killed in between tells again, with the same id. So it is
 * at least once, and exactly once where the receiver knows ids.
 */
export async function deliverDue(outbox: AlertOutbox, receivers: readonly Receiver[], holder: string, now: () => number): Promise<Posted> {
  const byName = new Map(receivers.map((receiver) => [receiver.name, receiver]))
  let posted: Posted = { delivered: 0, failed: 0 }
  for (;;) {
    const claimed = await outbox.claim({ holder, now: now(), forMs: CLAIM_MS, limit: BATCH, receivers: [...byName.keys()] })
    if (claimed.length === 0) return posted
    const results = await Promise.all(claimed.map((entry) => deliverOne(outbox, byName, entry, now)))
    const told = results.filter(Boolean).length
    posted = { delivered: posted.delivered + told, failed: posted.failed + results.length - told }
  }
}

async function deliverOne(outbox: AlertOutbox, receivers: ReadonlyMap<string, Receiver>, entry: ClaimedAlert, now: () => number): Promise<boolean> {
  const outcome = await receivers.get(entry.receiver)?.deliver(entry.alert, now(), TIMEOUT_MS)
  if (outcome?.kind === 'delivered') {
    await outbox.delivered(entry, now())
    return true
  }
  const because = outcome?.because ?? { en: 'no such receiver', zh: '没有此接收方' }
  await outbox.failed(entry, Math.max(now() + pauseAfter(entry.attempt), Math.min(outcome?.notBefore ?? 0, now() + PAUSE_MS_MAX)), because)
  return false
}
