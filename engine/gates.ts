import type { FlowObservation, Instant } from '@portcullis/core/inventory/observation.ts'
import type { Text } from '@portcullis/core/fault/fault.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { Gate, GateReading } from '@portcullis/core/rollout/gate.ts'
import type { HostStanding } from '@portcullis/core/rollout/watchRound.ts'
import type { Cancellation } from './ports.ts'

/** The doors through which a rollout measures and tells; beside those of `ports.ts`, because only rollouts need them. */

export interface Gates {
  /**
   * Measures what the gate says on these hosts: something that can only be measured now is measured once, something that
   * is kept elsewhere is read for the whole window. Never throws for what is measured: that is a sample, or no data.
   */
  sample(gate: Gate, window: GateWindow, signal?: Cancellation): Promise<GateReading>
}

export interface GateWindow {
  readonly since: Instant
  readonly until: Instant
  readonly hosts: readonly Host[]
  /** What the rollout has to do with each of them; all are of its wave without it. */
  readonly standingOf?: (host: string) => HostStanding
  /** Whether the plan says in so many words that such a flow is to be cut: that its client is denied from then on is no surprise. */
  readonly isMeant?: (flow: Pick<FlowObservation, 'host' | 'protocol' | 'port' | 'source'>) => boolean
  /** No answer after this is a failed sample, or no data. */
  readonly timeoutMs: number
}

export interface Alerts {
  /**
   * Hands an alert over. It is durable when this returns, and told at least once to each receiver; the same id handed
   * over again changes nothing. Throws a FaultError where it could not be made durable: then it is handed over again.
   */
  raise(alert: Alert): Promise<void>
}

export interface Alert {
  /** Stable: the same event has the same id whatever crashes in between. */
  readonly id: string
  readonly at: Instant
  readonly severity: 'info' | 'warning' | 'critical'
  readonly title: Text
  /** One line each; never a secret. */
  readonly lines: readonly Text[]
  readonly rollout?: string
  readonly plan?: string
  readonly hosts?: readonly string[]
}
