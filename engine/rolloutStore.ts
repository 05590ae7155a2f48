import type { Instant } from '@portcullis/core/inventory/observation.ts'
import type { Approval } from '@portcullis/core/plan/approval.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { GateSample } from '@portcullis/core/rollout/gate.ts'
import type { Action, Command, RolloutState, Signal } from '@portcullis/core/rollout/rollout.ts'

/**
 * What is remembered of rollouts: the signals that each has heard, in order. Its state is what `next` makes of them, so
 * that a snapshot only saves time. Whoever holds a rollout's lease, and nobody else, may write to it.
 */
export interface RolloutStore {
  /** False, and nothing stored, while another rollout is not over. */
  create(rollout: NewRolloutRecord): Promise<boolean>
  /** By id, or by an unambiguous start of it, at least 6 characters. */
  rollout(id: string): Promise<RolloutRecord | undefined>
  /** Of one rollout. Asked for apart from it: it holds the rules of every host, and whoever watches a rollout reads that again each second. */
  wayBack(id: string): Promise<ChangePlan | undefined>
  /** The one that is not over. */
  active(): Promise<RolloutRecord | undefined>
  /** Newest first. */
  rollouts(limit: number): Promise<readonly RolloutRecord[]>
  /** Oldest first, those with a larger sequence than `since`. */
  events(id: string, since: number): Promise<readonly RolloutEvent[]>

  /** Takes the lease when nobody has it, or whoever had it has not renewed it (or it ends later than one taken now: the store's clock was set back); undefined otherwise. Its epoch is larger than every one before. */
  claim(id: string, holder: string, durationMs: number): Promise<Lease | undefined>
  /** Renews the lease; false when somebody else has it. */
  renew(lease: Lease, durationMs: number): Promise<boolean>
  release(lease: Lease): Promise<void>
  holds(lease: Lease): Promise<boolean>
  /** All or nothing. False, and nothing written, when the lease is lost or `since` is not the newest sequence. */
  append(lease: Lease, entry: RolloutEntry): Promise<boolean>

  /** What a person asks for, from any process; whoever holds the lease takes it with `append`. */
  ask(id: string, asked: Omit<AskedCommand, 'sequence'>): Promise<void>
  /** Not taken yet, oldest first. */
  asked(id: string): Promise<readonly AskedCommand[]>

  /** One person's word for a plan; said again, it counts from then on. */
  approve(approval: Approval): Promise<void>
  /** Oldest first. */
  approvals(plan: string): Promise<readonly Approval[]>

  addSamples(id: string, samples: readonly StoredSample[]): Promise<void>
  /** Of one gate, oldest first; the newest `limit` where there are more. */
  samples(id: string, gate: string, limit: number): Promise<readonly GateSample[]>
}

export interface NewRolloutRecord {
  readonly id: string
  readonly created: Instant
  readonly by: string
  readonly plan: string
  /** What brings every host back, sealed before anything is changed; becomes a plan of its own when it is first needed. */
  readonly wayBack: ChangePlan
  readonly state: RolloutState
}

export interface RolloutRecord extends Omit<NewRolloutRecord, 'wayBack'> {
  /** `state` is what the events up to this one have made. */
  readonly sequence: number
  readonly isOver: boolean
  /** Who has the lease at this moment. */
  readonly holder?: string
}

export interface Lease {
  readonly rollout: string
  readonly holder: string
  readonly epoch: number
}

export type NewRolloutEvent = { readonly kind: 'signal'; readonly signal: Signal } | { readonly kind: 'action'; readonly action: Action; readonly at: Instant }
export type RolloutEvent = NewRolloutEvent & { readonly sequence: number }

export interface RolloutEntry {
  /** The newest sequence that the writer knows; the first event gets the next one. */
  readonly since: number
  readonly events: readonly NewRolloutEvent[]
  /** What the events make, where it is to be kept. */
  readonly snapshot?: RolloutState
  readonly isOver: boolean
  /** Commands up to this sequence are among the signals. */
  readonly takenUpTo?: number
}

export interface AskedCommand {
  readonly sequence: number
  readonly command: Command
  readonly by: string
  readonly at: Instant
}

export interface StoredSample extends GateSample {
  readonly gate: string
}
