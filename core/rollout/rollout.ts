import type { Fault, Text } from '../fault/fault.ts'
import type { CutStep, FlowsEnded } from '../plan/flowEnds.ts'
import type { Instant } from '../inventory/observation.ts'
import type { Gate, GateVerdict } from './gate.ts'
import type { HostTable } from './hostTable.ts'
import type { Wave } from './waves.ts'

export interface RolloutOptions {
  /** Hosts at a time; of one application never more than one. */
  readonly concurrencyMax: number
  /** Hosts that may fail before everything is put back. */
  readonly failuresMax: number
  /** How often a host that does not answer is tried before it has failed. */
  readonly attemptsMax: number
  readonly baselineSeconds: number
  readonly bakeSecondsMin: number
  /** After this a wave that is held is told of; it goes on being held. */
  readonly bakeSecondsMax: number
  readonly sampleSeconds: number
  /** A critical service that is interrupted for longer puts everything back. */
  readonly outageSecondsMax: number
  /** What is put back when a gate trips: the wave, or every wave. */
  readonly revertScope: RevertScope
  /** How long a host that cannot be put back is tried again. */
  readonly revertSecondsMax: number
  readonly confirmWithinSeconds: number
}

export type RevertScope = 'wave' | 'all'

export const ROLLOUT_DEFAULTS: RolloutOptions = {
  concurrencyMax: 32,
  failuresMax: 0,
  attemptsMax: 3,
  baselineSeconds: 30,
  bakeSecondsMin: 300,
  bakeSecondsMax: 3600,
  sampleSeconds: 5,
  outageSecondsMax: 60,
  revertScope: 'all',
  revertSecondsMax: 3600,
  confirmWithinSeconds: 60,
}

/**
 * `waiting`: untouched. `applying`, `settling`, `reverting`: something is being done. `changed`: has the new rules,
 * confirmed. `failed`: has its old rules. `reverted`: has its old rules again. `left`: could not be put back, or somebody
 * else has changed it since; told, never forgotten.
 */
export type HostPhase = 'waiting' | 'applying' | 'settling' | 'changed' | 'failed' | 'reverting' | 'reverted' | 'left'

export interface HostProgress {
  readonly phase: HostPhase
  readonly wave: number
  readonly app: string
  /** Counts what was begun on this host; each action has a number of its own. */
  readonly attempt: number
  /** Since when it is in this phase. */
  readonly since: Instant
  /** Not tried again before. */
  readonly notBefore?: Instant
  /** Tries of the same thing that failed. */
  readonly failures: number
  /** A controller that lost the rollout may still be at work on it: it is put back by a generation that outbids the other's. */
  readonly isContested: boolean
  readonly fault?: Fault
  /** Flows that are no longer let in; absent where all of them drain. */
  readonly cut?: CutProgress
}

/** The cutting of one host's flows. It begins when the host has the new rules, and is over before its wave is left. */
export interface CutProgress {
  /** Still to be done, in this order. */
  readonly steps: readonly CutStep[]
  readonly warnSeconds: number
  /** Who is warned, as the plan knew them: `10.0.0.7 → tcp/5432`; the first of many. */
  readonly clients: readonly string[]
  /** Counts what was begun; each action has a number of its own. */
  readonly attempt: number
  readonly failures: number
  readonly isAtWork: boolean
  /** Not tried again before. */
  readonly notBefore?: Instant
  /** Of all steps that are done. */
  readonly ended: FlowsEnded
  /** Why it is not known whether flows are left. */
  readonly fault?: Fault
}

export interface GateProgress {
  readonly verdict: GateVerdict
  /** When it was measured last. */
  readonly at: Instant
  /** Set while the service does not do what is asked of it. */
  readonly interruptedSince?: Instant
  /** All interruptions together, the present one up to `at`. */
  readonly interruptedMs: number
}

/** `approval`: waits for a person before the first core wave. */
export type RolloutPhase = 'baseline' | 'applying' | 'baking' | 'approval' | 'reverting' | 'ended'

/** `completed`: every wave. `reverted`: put back. `aborted`: stopped by hand, changed hosts keep their new rules. `incomplete`: hosts are left that could not be put back. */
export type RolloutOutcome = 'completed' | 'reverted' | 'aborted' | 'incomplete'

export interface Trip {
  readonly at: Instant
  readonly cause: 'gate' | 'outage' | 'budget' | 'asked'
  readonly scope: RevertScope
  readonly because: readonly Text[]
}

export interface RolloutAlert {
  readonly id: string
  readonly at: Instant
  readonly severity: 'info' | 'warning' | 'critical'
  readonly title: Text
  readonly lines: readonly Text[]
  readonly hosts: readonly string[]
}

export interface AlertProgress {
  readonly alert: RolloutAlert
  readonly attempt: number
  readonly isTold: boolean
  readonly notBefore?: Instant
}

/** How long the rollout was in one phase of one wave. */
export interface Stage {
  readonly phase: RolloutPhase
  readonly wave: number
  readonly from: Instant
  readonly until: Instant
}

/** All that a rollout has become, as it is written down: plain JSON. */
export interface RolloutState {
  readonly format: 1
  readonly id: string
  readonly plan: string
  readonly options: RolloutOptions
  readonly gates: readonly Gate[]
  readonly waves: readonly Wave[]
  readonly phase: RolloutPhase
  readonly outcome?: RolloutOutcome
  /** Index of the wave that is at work; 0 during the baseline. */
  readonly wave: number
  readonly isPaused: boolean
  readonly isAborting: boolean
  readonly hosts: Readonly<Record<string, HostProgress>>
  readonly measured: Readonly<Record<string, GateProgress>>
  /** Time that was watched in this phase; a gap counts no more than two measurings. */
  readonly watchedMs: number
  /** Since when the present phase. */
  readonly phaseSince: Instant
  readonly measuredAt?: Instant
  readonly coreApproval?: { readonly by: string; readonly at: Instant }
  /** The wave that a person let go on without its gates. */
  readonly promoted?: { readonly wave: number; readonly by: string }
  /** Who wants everything back. */
  readonly rollbackAsked?: { readonly by: string; readonly at: Instant }
  readonly trip?: Trip
  readonly alerts: Readonly<Record<string, AlertProgress>>
  readonly stages: readonly Stage[]
  readonly begun: Instant
  readonly ended?: Instant
}

/** The same as it is decided on; only `next` makes another one of it. */
export interface Rollout extends Omit<RolloutState, 'hosts'> {
  readonly hosts: HostTable
}

/** What a person asks for. `promote` ends the bake of the present wave; `approve` lets core hosts begin. */
export type Command = 'pause' | 'resume' | 'abort' | 'promote' | 'approve' | 'rollback'

/** Everything that can happen to a rollout. */
export type Signal =
  | { readonly kind: 'tick'; readonly at: Instant }
  /** A controller has taken the rollout: what was being done before is not known. */
  | { readonly kind: 'taken'; readonly at: Instant; readonly by: string }
  | { readonly kind: 'applied'; readonly at: Instant; readonly host: string; readonly attempt: number; readonly result: ApplyResult; readonly fault?: Fault }
  | { readonly kind: 'settled'; readonly at: Instant; readonly host: string; readonly attempt: number; readonly result: SettleResult; readonly fault?: Fault }
  | { readonly kind: 'putBack'; readonly at: Instant; readonly host: string; readonly attempt: number; readonly result: RevertResult; readonly fault?: Fault }
  | { readonly kind: 'cut'; readonly at: Instant; readonly host: string; readonly attempt: number; readonly ended?: FlowsEnded; readonly fault?: Fault }
  | { readonly kind: 'measured'; readonly at: Instant; readonly gates: readonly GateMeasured[] }
  | { readonly kind: 'told'; readonly at: Instant; readonly alert: string; readonly attempt: number; readonly isTold: boolean }
  | { readonly kind: 'asked'; readonly at: Instant; readonly by: string; readonly command: Command }

/** `kept`: the host has its old rules. `again`: the same, and it is worth another try. `unsettled`: not known. */
export type ApplyResult = 'changed' | 'kept' | 'again' | 'unsettled'
export type SettleResult = 'changed' | 'kept' | 'overtaken' | 'unreached'
export type RevertResult = 'reverted' | 'again' | 'overtaken'

export interface GateMeasured {
  readonly gate: string
  readonly verdict: GateVerdict
  /** Whether the service did what was asked of it on changed hosts; absent where that is not known. */
  readonly isGood?: boolean
}

/** What is to be done; each is done once for its attempt, and answered by a signal with the same attempt. */
export type Action =
  | { readonly kind: 'apply'; readonly host: string; readonly attempt: number }
  /** Ask the host what became of it. */
  | { readonly kind: 'settle'; readonly host: string; readonly attempt: number }
  | { readonly kind: 'putBack'; readonly host: string; readonly attempt: number; readonly isContested: boolean }
  /** Break off what is being applied; the host puts itself back. */
  | { readonly kind: 'cancel'; readonly host: string; readonly attempt: number }
  /** End flows of a changed host that are no longer let in. */
  | { readonly kind: 'cut'; readonly host: string; readonly attempt: number; readonly step: CutStep }
  | { readonly kind: 'tell'; readonly alert: RolloutAlert; readonly attempt: number }

export interface Step {
  readonly state: Rollout
  readonly actions: readonly Action[]
}
