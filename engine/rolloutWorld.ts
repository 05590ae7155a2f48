import type { GateJudge } from '@portcullis/core/rollout/gate.ts'
import type { RolloutRules } from '@portcullis/core/rollout/next.ts'
import type { confirmedApply } from './confirmedApply.ts'
import type { Alerts, Gates } from './gates.ts'
import type { Cancellation } from './ports.ts'
import type { RolloutEvent, RolloutStore } from './rolloutStore.ts'
import type { World } from './world.ts'

/** Everything outside the engine that a rollout needs. */
export interface RolloutWorld extends World {
  readonly rollouts: RolloutStore
  readonly gates: Gates
  readonly judge: GateJudge
  readonly alerts: Alerts
  /** The platform's AbortController has this shape. */
  readonly canceller: () => Canceller
  /** Called with each event once it is durable, and before what it announces is done. */
  readonly reportRollout: (event: RolloutEvent) => void
  /** Replaced only by tests that show what happens without them. */
  readonly pieces?: Partial<RolloutPieces>
}

export interface Canceller {
  readonly signal: Cancellation
  abort(reason?: unknown): void
}

export interface RolloutPieces {
  readonly rules: RolloutRules
  readonly applyHost: typeof confirmedApply
}
