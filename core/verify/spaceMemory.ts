import type { Arena, Budget } from '../space/arena.ts'
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
 * Nodes and edges, of 8 bytes, above which those of one subject are let go: four times as many as its largest analysis has made, 1 MB at least
 * and 32 MB at most, which is 10,000 rules. Not more: what is asked for again and again should stay near the processor.
 */
const KEPT_MIN = 1 << 17
const KEPT_MAX = 1 << 22
/** Of all subjects: 128 MB, some 200 hosts of 300 rules. */
const ROOM_MAX = 1 << 24
/** Terminals hold numbers of sets of effects, see {@link NatEffects}. */
const EFFECTS_MAX = 1_000

/**
 * What analyses of one process leave to later ones of the same subject: a diagram that was made before is found, and two that were merged before
 * are not merged again. So a ruleset that is verified again costs its parts alone, and one that differs in a rule the O(log n) merges above that
 * rule. What is left depends on structure alone, never on whose rules they were. A space from here is valid until the subject's next one begins.
 */
export class SpaceMemory {
  /** By subject and how levels are laid, the latest last. */
  readonly #grounds = new Map<string, KeptGround>()
  readonly #keptMin: number
  readonly #roomMax: number

  constructor(keptMin = KEPT_MIN, roomMax = ROOM_MAX) {
    this.#keptMin = keptMin
    this.#roomMax = roomMax
  }

  /** `subject`: whose rules, as a host's name. `fresh`: makes the arena where nothing is kept. */
  begin(subject: string, levels: Levels, budget: Budget | undefined, fresh: () => Arena): Ground {
    const key = `${levels.key} ${subject}`
    const ground = this.#usable(key) ?? { ...freshGround(fresh(), KEPT_MAX), largest: 0, topBefore: 0 }
    this.#grounds.delete(key)
    this.#makeRoom()
    this.#grounds.set(key, ground)
    ground.combiner.arena.begin(budget)
    ground.topBefore = ground.combiner.arena.top
    return ground
  }

  /** Lets go of the subjects that were not asked about for longest. */
  #makeRoom(): void {
    let room = 0
    for (const { combiner } of this.#grounds.values()) room += combiner.arena.room
    for (const [key, { combiner }] of this.#grounds) {
      if (room <= this.#roomMax) return
      this.#grounds.delete(key)
      room -= combiner.arena.room
    }
  }

  /** One that has grown past its bounds is emptied, or left to the garbage collector where its room is large. */
  #usable(key: string): KeptGround | undefined {
    const ground = this.#grounds.get(key)
    if (!ground) return undefined
    const { combiner, natEffects } = ground
    const { arena } = combiner
    if (arena.room > KEPT_MAX * 2 || natEffects.all.length > EFFECTS_MAX) return undefined
    ground.largest = Math.max(ground.largest, arena.top - ground.topBefore)
    if (arena.top <= Math.max(this.#keptMin, Math.min(KEPT_MAX, ground.largest * 4))) return ground
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
