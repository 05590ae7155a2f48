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

/**
 * Nodes and edges, of 8 bytes, above which all of them are let go: 8 MB, with which ten hosts of 300 rules find one another's and what is asked
 * for again and again stays near the processor. Twice as many as the largest host has made, where that is more, up to 32 MB: 10,000 rules.
 */
const KEPT_MIN = 1 << 20
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
  readonly #grounds = new Map<string, KeptGround>()
  readonly #keptMin: number

  constructor(keptMin = KEPT_MIN) {
    this.#keptMin = keptMin
  }

  begin(levels: Levels, budget: Budget | undefined): Ground {
    const ground = this.#usable(levels.key) ?? { ...freshGround(new Arena(levels.sizes, budget), KEPT_MAX), largest: 0, topBefore: 0 }
    this.#grounds.delete(levels.key)
    this.#grounds.set(levels.key, ground)
    const [oldest] = this.#grounds.keys()
    if (this.#grounds.size > GROUNDS_MAX && oldest !== undefined) this.#grounds.delete(oldest)
    ground.combiner.arena.begin(budget)
    ground.topBefore = ground.combiner.arena.top
    return ground
  }

  /** One that has grown past its bounds is emptied, or left to the garbage collector where its room is large. */
  #usable(key: string): KeptGround | undefined {
    const ground = this.#grounds.get(key)
    if (!ground) return undefined
    const { combiner, natEffects } = ground
    const { arena } = combiner
    if (arena.room > KEPT_MAX * 2 || natEffects.all.length > EFFECTS_MAX) return undefined
    ground.largest = Math.max(ground.largest, arena.top - ground.topBefore)
    if (arena.top <= Math.max(this.#keptMin, Math.min(KEPT_MAX, ground.largest * 2))) return ground
    combiner.clear()
    ground.largest = 0
    return ground
  }
}

interface KeptGround extends Ground {
  /** Nodes and edges that one analysis has made, at most, since all were let go. */
  largest: number
  /** The arena's top when the latest analysis began. */
  topBefore: number
}
