import type { NatAddress } from '../ruleset/ruleset.ts'
import { outcomeOperations, type OutcomeOperations, type Outcomes } from '../space/outcome.ts'

/** What a NAT rule does to a packet. `redirect`: to the host itself. `unknown`: somewhere. `source`: another source, the same destination. */
export type NatEffect =
  | { readonly kind: 'to'; readonly to: NatAddress }
  | { readonly kind: 'redirect'; readonly to: NatAddress }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'source' }

const OUTCOME_BITS = 5
/** Terminals are below 2^20. Past it an effect is said to be unknown. */
const SETS_MAX = 1 << 15
const UNKNOWN_SET = 1

/**
 * Outcomes of NAT chains: beside the five plain ones, each effect. A terminal is the plain bits and, above them,
 * the number of a set of effects. One for all rulesets of an arena, which remembers how sets join.
 */
export class NatEffects {
  readonly all: NatEffect[] = [{ kind: 'unknown' }]
  readonly #byText = new Map<string, number>()
  readonly #sets: (readonly number[])[] = [[], [0]]
  readonly #setByText = new Map<string, number>([['', 0], ['0', UNKNOWN_SET]])
  readonly operations: OutcomeOperations = outcomeOperations(16, (a, b) => this.#join(a, b))

  /** The terminal "that is done". */
  terminalOf(effect: NatEffect): Outcomes {
    const text = JSON.stringify(effect, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
    const known = effect.kind === 'unknown' ? 0 : this.#byText.get(text)
    const index = known ?? this.all.push(effect) - 1
    this.#byText.set(text, index)
    return this.#setOf([index]) << OUTCOME_BITS
  }

  /** Indexes of the effects that a terminal holds. */
  effectsOf(terminal: Outcomes): readonly number[] {
    return this.#sets[terminal >> OUTCOME_BITS] ?? []
  }

  #join(a: Outcomes, b: Outcomes): Outcomes {
    const bits = (a | b) & ((1 << OUTCOME_BITS) - 1)
    const left = a >> OUTCOME_BITS
    const right = b >> OUTCOME_BITS
    const set = left === right || right === 0 ? left : left === 0 ? right : this.#setOf([...this.effectsOf(a), ...this.effectsOf(b)])
    return (set << OUTCOME_BITS) | bits
  }

  #setOf(indexes: readonly number[]): number {
    const sorted = [...new Set(indexes)].toSorted((a, b) => a - b)
    const text = sorted.join(',')
    const known = this.#setByText.get(text)
    if (known !== undefined) return known
    if (this.#sets.length === SETS_MAX) return UNKNOWN_SET
    const set = this.#sets.push(sorted) - 1
    this.#setByText.set(text, set)
    return set
  }
}
