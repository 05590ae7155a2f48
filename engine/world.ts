import type { Result } from '@portcullis/core/fault/fault.ts'
import type { Instant, Observation } from '@portcullis/core/inventory/observation.ts'
import type { ControllerPath, ForeignRefusal } from '@portcullis/core/plan/draft.ts'
import type { Comparison, Digest } from '@portcullis/core/plan/seal.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { HostFacts as Topology } from '@portcullis/core/ruleset/hostfacts.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import type { SpaceMemory } from '@portcullis/core/verify/spaceMemory.ts'
import type { Clock, Hosts, Probe, Random } from './ports.ts'
import type { FactsSnapshot, JournalEntry, Store } from './store.ts'

/** Everything outside the engine, handed to each of its operations. */
export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly hosts: Hosts
  readonly store: Store
  readonly probe: Probe
  readonly rules: Rules
  readonly facts: FactsReader
  readonly digest: Digest
  /** What comparisons leave to one another; without it each starts anew. */
  readonly memory?: SpaceMemory
  /** Called with each journal entry once it is durable and before the action it announces is done. */
  readonly report: (entry: JournalEntry) => void
}

/** The dialect that hosts enforce, with its comparison against the intent. */
export interface Rules {
  /** The whole text for `stage`; the same bytes for the same intent. */
  render(intent: Intent): string
  /** Re-reads the very text and compares it with the intent. */
  compare(intent: Intent, text: string): Comparison
  /** Compares what the kernel says it enforces now with the intent. */
  compareLive(intent: Intent, snapshot: FactsSnapshot): Comparison
}

export interface FactsReader {
  /** Reads the output of the verb `facts`, and of `holders` where the host was asked for them. Faults: FACTS_*. */
  readFacts(snapshot: FactsSnapshot, holders?: string): Result<HostFacts>
  /** Reads the output of the verb `counters`. */
  readCounters(host: string, at: Instant, text: string): Result<readonly Observation[]>
  /** All that the host enforces, of every table and backend, and where it stands. Faults: FACTS_*, RULESET_*, IPTABLES_*: never an empty ruleset. */
  readRuleset(snapshot: FactsSnapshot): Result<LiveRuleset>
  /** Needs of the intent that tables other than ours refuse. */
  foreignRefusals(intent: Intent, snapshot: FactsSnapshot): readonly ForeignRefusal[]
}

export interface LiveRuleset {
  readonly ruleset: Ruleset
  /** Interfaces, addresses and routes. */
  readonly topology: Topology
}

/** What planning needs of a host's facts. */
export interface HostFacts {
  readonly observations: readonly Observation[]
  /** The host's own clock when it answered. */
  readonly clock?: Instant
  readonly controller?: ControllerPath
}
