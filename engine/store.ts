import type { Fault } from '@portcullis/core/fault/fault.ts'
import type { Instant, Observation } from '@portcullis/core/inventory/observation.ts'
import type { RecordedUsage, UsageSpan } from '@portcullis/core/inventory/usageDays.ts'
import type { IntentText } from '@portcullis/core/plan/intentText.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'

/**
 * What Portcullis remembers. Everything is append-only: observations, facts, policies and plans are dated claims and
 * never change; a host's generations only grow. A method that returns has made its data durable.
 * A store that cannot be reached throws a FaultError with code STORE_*.
 */
export interface Store {
  /** All of them or, when it throws, none; also of a stream, however long, and also when the stream itself throws. */
  addObservations(observations: readonly Observation[] | AsyncIterable<readonly Observation[]>): Promise<void>
  /** Oldest first. */
  observations(filter: ObservationFilter): Promise<readonly Observation[]>
  /** What the observations tell of the use of these hosts, kept day by day as they are added. In the order given; also of hosts of which nothing is known. */
  usage(hosts: readonly string[], span: UsageSpan): AsyncIterable<RecordedUsage>

  saveFacts(snapshot: FactsSnapshot): Promise<void>
  /** The newest snapshot of the host by `at`. */
  latestFacts(host: string): Promise<FactsSnapshot | undefined>

  /** Saving the same digest again keeps the first `seenAt`. */
  savePolicy(policy: SeenPolicy): Promise<void>
  policy(digest: string): Promise<SeenPolicy | undefined>

  /** Saving the same id again changes nothing: a plan is named by its content. */
  savePlan(plan: ChangePlan): Promise<void>
  /** By full id or by an unambiguous start of it, at least 6 characters; undefined when none or several match. */
  plan(id: string): Promise<ChangePlan | undefined>
  /** Newest first by `created`, then by order of saving. */
  plans(limit: number): Promise<readonly ChangePlan[]>

  /** Records what a host has confirmed. False, and nothing stored, when the host already has this or a later generation. */
  addGeneration(generation: ConfirmedGeneration): Promise<boolean>
  /** Newest generation first. */
  generations(host: string, limit: number): Promise<readonly ConfirmedGeneration[]>
  /** The newest generation of every host, sorted by host. */
  latestGenerations(): Promise<readonly ConfirmedGeneration[]>

  /** Returns once the entry is durable; its `sequence` is larger than that of every entry returned before. */
  appendJournal(entry: NewJournalEntry): Promise<JournalEntry>
  /** Oldest first; with `limit`, the newest that many. */
  journal(filter: JournalFilter): Promise<readonly JournalEntry[]>

  close(): Promise<void>
}

export interface ObservationFilter {
  readonly host?: string
  readonly kinds?: readonly Observation['kind'][]
  readonly sensors?: readonly string[]
  /** Only those with `at` at or after this. */
  readonly since?: Instant
}

/** What a host answered to `facts`, word for word, so that every later step can be recomputed from it. */
export interface FactsSnapshot {
  readonly host: string
  /** The controller's clock when the answer was complete. */
  readonly at: Instant
  /** How long the round trip took; the host's clock can be judged no finer than this. */
  readonly durationMs: number
  /** The output of the verb `facts`; up to 64 MiB. */
  readonly text: string
}

export interface SeenPolicy {
  /** SHA-256 in hex of `text`. */
  readonly digest: string
  readonly file: string
  readonly text: string
  readonly seenAt: Instant
}

/** A generation that a host has confirmed and boots into. One per host and generation. */
export interface ConfirmedGeneration {
  readonly host: string
  readonly generation: number
  readonly rulesetDigest: string
  readonly plan: string
  readonly intent: IntentText
  readonly confirmedAt: Instant
}

/** Steps of a confirmed apply, in order; `revert` is the way back out of any of them. */
export const APPLY_STEPS = ['connect', 'version', 'stage', 'check', 'arm', 'swap', 'verify', 'probe', 'confirm', 'revert'] as const
export type ApplyStep = (typeof APPLY_STEPS)[number]

/**
 * One line of the journal. An `action` is written before it is done, a `signal` when its answer has come: an action
 * without a signal after it was interrupted, and what became of it is asked of the host.
 */
export interface NewJournalEntry {
  /** One id for one run of one command. */
  readonly run: string
  readonly at: Instant
  readonly kind: 'action' | 'signal'
  /** An ApplyStep, or `begin`, `end`, `install`, `observe`, `cut`, `warn`. */
  readonly name: string
  readonly host?: string
  readonly plan?: string
  readonly generation?: number
  /** Small, plain JSON values; never a secret. */
  readonly detail?: Readonly<Record<string, string | number | boolean>>
  readonly fault?: Fault
}

export interface JournalEntry extends NewJournalEntry {
  readonly sequence: number
}

export interface JournalFilter {
  readonly run?: string
  readonly plan?: string
  readonly host?: string
  readonly limit?: number
}
