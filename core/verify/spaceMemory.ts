import { Arena, type Budget } from '../space/arena.ts'
import { Combiner } from '../space/combine.ts'
import type { Levels } from './levels.ts'
import { NatEffects } from './natEffects.ts'

/** What a diagram stands on: its nodes, what was made of them, and what terminals of NAT chains mean. */
export interface Ground {
  readonly combiner: Combiner
  readonly natEffects: NatEffects
}

export const freshGround = (arena: Arena, leftoversMax?: number): Ground => ({ combiner: new Combiner(arena, leftoversMax), natEffects: new NatEffects() })

/** Nodes and edges of 8 bytes: 32 MB. A host of 10,000 rules fits, or 40 different ones of 300. */
const KEPT_MAX = 1 << 22
/** Hosts with as many interface names share one ground. */
const GROUNDS_MAX = 4
/** Terminals hold numbers of sets of effects, see {@link NatEffects}. */
const EFFECTS_MAX = 1_000

/**
 * What analyses of one process leave to one another: a diagram that was made before is found, and two that were merged before are not merged
 * again. So a ruleset that is verified again costs its parts alone, and one that differs in a rule the O(log n) merges above that rule. What is
 * left depends on structure alone, never on whose rules they were. A space from here is valid until the next one begins.
 */
export class SpaceMemory {
  /** By how levels are laid, the latest last. */
  readonly #grounds = new Map<string, Ground>()
  readonly #keptMax: number

  /** `keptMax`: nodes and edges, 8 bytes each, above which all of them are let go. */
  constructor(keptMax = KEPT_MAX) {
    this.#keptMax = keptMax
  }

  begin(levels: Levels, budget: Budget | undefined): Ground {
    const ground = this.#usable(levels.key) ?? freshGround(new Arena(levels.sizes, budget), this.#keptMax)
    this.#grounds.delete(levels.key)
    this.#grounds.set(levels.key, ground)
    const [oldest] = this.#grounds.keys()
    if (this.#grounds.size > GROUNDS_MAX && oldest !== undefined) this.#grounds.delete(oldest)
    ground.combiner.arena.begin(budget)
    return ground
  }

  /** One that has grown past its bounds is left to the garbage collector, or emptied where its room is still small. */
  #usable(key: string): Ground | undefined {
    const ground = this.#grounds.get(key)
    if (!ground) return undefined
    const { combiner, natEffects } = ground
    if (combiner.arena.room > this.#keptMax * 2 || natEffects.all.length > EFFECTS_MAX) return undefined
    if (combiner.arena.top > this.#keptMax) combiner.clear()
    return ground
  }
}
