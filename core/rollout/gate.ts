import type { Text } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'

/** What must hold to leave a wave: something that is measured again and again, and how worse is told from before. */
export interface Gate {
  /** Unique in a rollout. */
  readonly name: string
  readonly measure: Measure
  /** The service that it watches, for the figures; the gate's own name without one. */
  readonly service?: string
  /** Whether an interruption longer than the rollout's limit puts everything back at once. */
  readonly isCritical: boolean
  /** No verdict but hold with fewer samples than this of changed hosts. */
  readonly samplesMin: number
}

/**
 * What is measured. `liveness`, `denied` and `tcp` need nothing but the hosts and the controller; the others are told of by
 * their adapter. `from` names the vantage that asks; the controller itself without one.
 */
export type Measure =
  | { readonly kind: 'liveness' }
  /** New connections that the host's own counters denied, from sources that it served before. */
  | { readonly kind: 'denied' }
  /** Connects to the port of each host, or of the named address. */
  | { readonly kind: 'tcp'; readonly port: number; readonly address?: string; readonly hosts?: readonly string[]; readonly from?: string }
  /** A probe, a query: `name` chooses the adapter, which reads the settings. */
  | { readonly kind: 'other'; readonly name: string; readonly settings: Readonly<Record<string, string | number | boolean>>; readonly from?: string }

/** One measurement. */
export interface GateSample {
  readonly at: Instant
  /** The managed host that was measured; absent where it is about all of them. */
  readonly host?: string
  /** Whether the service did what was asked of it. */
  readonly isGood: boolean
  /** In the gate's own unit: milliseconds, a count, what a query says. */
  readonly value?: number
  /** Why it is not good. */
  readonly because?: Text
}

/** What a measuring brought. No data is never an empty list of samples: it says why. */
export type GateReading =
  | { readonly kind: 'samples'; readonly samples: readonly GateSample[] }
  | { readonly kind: 'no-data'; readonly because: Text }

/** All that a verdict may look at: one gate's samples, sorted by time. */
export interface GateEvidence {
  readonly now: Instant
  /** Of hosts that have the new rules, since each has them. */
  readonly changed: readonly GateSample[]
  /** Of the same hosts before. */
  readonly baseline: readonly GateSample[]
  /** Of hosts that are not changed yet, since the wave began. */
  readonly control: readonly GateSample[]
  /** Why the newest measuring brought nothing; absent where it brought samples. */
  readonly noData?: Text
}

/** `pass`: shown to be no worse. `trip`: shown to be worse. `hold`: neither, which never promotes a wave. */
export interface GateVerdict {
  readonly kind: 'pass' | 'hold' | 'trip'
  /** At least one reason, whatever the verdict. */
  readonly because: readonly Text[]
  /** The newest value in words, and what would trip, for a person who watches. */
  readonly last?: Text
  readonly limit?: Text
}

export type GateJudge = (gate: Gate, evidence: GateEvidence) => GateVerdict
