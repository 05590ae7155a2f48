import type { NatAddress } from '../ruleset/ruleset.ts'
import { outcomeOperations, type OutcomeOperations, type Outcomes } from '../space/outcome.ts'

/** Where a NAT rule sends a packet. `redirect`: to the host itself. `unknown`: somewhere. */
export type NewDestination = { readonly kind: 'to'; readonly to: NatAddress } | { readonly kind: 'redirect'; readonly to: NatAddress } | { readonly kind: 'unknown' }

const OUTCOME_BITS = 5

/**
 * Outcomes of NAT chains: beside the five plain ones, each destination. A terminal is the plain bits and, above them,
 * the number of a set of destinations.
 */
export class NatTargets {
  readonly destinations: NewDestination[] = []
  readonly #byText = new Map<string, number>()
  readonly #sets: (readonly number[])[] = [[]]
  readonly #setByText = new Map<string, number>([['', 0]])
  readonly operations: OutcomeOperations = outcomeOperations(16, (a, b) => this.#join(a, b))

  /** The terminal "goes there". */
  terminalOf(destination: NewDestination): Outcomes {
    const text = JSON.stringify(destination, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
    const known = this.#byText.get(text)
    const index = known ?? this.destinations.push(destination) - 1
    this.#byText.set(text, index)
    return this.#setOf([index]) << OUTCOME_BITS
  }

  /** Indexes of the destinations that a terminal holds. */
  destinationsOf(terminal: Outcomes): readonly number[] {
    return this.#sets[terminal >> OUTCOME_BITS] ?? []
  }

  #join(a: Outcomes, b: Outcomes): Outcomes {
    const bits = (a | b) & ((1 << OUTCOME_BITS) - 1)
    const left = a >> OUTCOME_BITS
    const right = b >> OUTCOME_BITS
    const set = left === right || right === 0 ? left : left === 0 ? right : this.#setOf([...this.destinationsOf(a), ...this.destinationsOf(b)])
    return (set << OUTCOME_BITS) | bits
  }

  #setOf(indexes: readonly number[]): number {
    const sorted = [...new Set(indexes)].toSorted((a, b) => a - b)
    const text = sorted.join(',')
    const known = this.#setByText.get(text)
    if (known !== undefined) return known
    const set = this.#sets.push(sorted) - 1
    this.#setByText.set(text, set)
    return set
  }
}
