import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Packet } from '../ruleset/packet.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { BudgetError, type Budget } from '../space/arena.ts'
import { ACCEPT, DROP, NOWHERE, REJECT, type Outcomes } from '../space/outcome.ts'
import { composeStated, type Way } from './compose.ts'
import { evaluateLinear, type Unknown } from './linear.ts'
import { outcomesAt, pointOf, type Point } from './packetPoint.ts'
import { PacketSpace } from './packetSpace.ts'
import { outcomeNames, type OutcomeName } from './compare.ts'
import { Reasons } from './reasons.ts'
import { settled } from './refused.ts'
import { linearOptions } from './replay.ts'

/** "Closed" only where nothing is accepted, "open" only where nothing else happens; all between is undecided, and says because of what. */
export type PacketVerdict =
  | { readonly kind: 'accepted' | 'dropped' | 'rejected' }
  | { readonly kind: 'undecided'; readonly outcomes: readonly OutcomeName[]; readonly because: readonly Unknown[] }
  | { readonly kind: 'undecided'; readonly outcomes: readonly OutcomeName[]; readonly because: 'budget' }

export interface DecideOptions {
  readonly way: Way
  readonly facts?: HostFacts
  readonly budget?: Budget
}

/** Answers for many packets of one ruleset: built once, a few hundred nanoseconds a packet. */
export class Decider {
  readonly #ruleset: Ruleset
  readonly #options: DecideOptions
  readonly #space: PacketSpace
  readonly #diagram: number | undefined
  #point: Point | undefined
  /** Made when the first packet is undecided. */
  #reasons: Reasons | 'none' | undefined

  constructor(ruleset: Ruleset, options: DecideOptions) {
    this.#ruleset = ruleset
    this.#options = options
    this.#space = new PacketSpace([ruleset], options.facts, options.budget)
    this.#diagram = this.#build()
  }

  /** What a packet states not is any value: the verdict is about the whole class. */
  decide(packet: Packet): PacketVerdict {
    if (this.#diagram === undefined) return { kind: 'undecided', outcomes: ['accept', 'drop', 'reject'], because: 'budget' }
    this.#point = pointOf(this.#space, packet, this.#point)
    const outcomes = settled(outcomesAt(this.#space, this.#diagram, this.#point), packet)
    return SURE[outcomes] ?? { kind: 'undecided', outcomes: outcomeNames(outcomes), because: this.#because(packet) }
  }

  #because(packet: Packet): readonly Unknown[] {
    this.#reasons ??= this.#makeReasons()
    const known = this.#reasons === 'none' ? undefined : this.#reasons.of(packet)
    if (known) return known
    const { way, facts } = this.#options
    return evaluateLinear(this.#ruleset, packet, linearOptions(way, facts)).unknowns
  }

  #makeReasons(): Reasons | 'none' {
    try {
      return new Reasons(this.#ruleset, this.#options)
    } catch (error) {
      if (error instanceof BudgetError) return 'none'
      throw error
    }
  }

  #build(): number | undefined {
    try {
      return composeStated(this.#space, this.#ruleset, this.#options.way)
    } catch (error) {
      if (error instanceof BudgetError) return undefined
      throw error
    }
  }
}

const SURE: Readonly<Record<Outcomes, PacketVerdict>> = {
  [ACCEPT]: { kind: 'accepted' },
  [DROP]: { kind: 'dropped' },
  [REJECT]: { kind: 'rejected' },
  // The stack itself lets no such packet through.
  [NOWHERE]: { kind: 'dropped' },
}
