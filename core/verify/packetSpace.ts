import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { Arena, type Budget, type Diagram } from '../space/arena.ts'
import type { Combiner } from '../space/combine.ts'
import { forgetLevels } from '../space/forget.ts'
import { BOTH, EITHER, INVERT, IS_YES, MASK, NO, PLAIN_OUTCOMES, UNKNOWN, YES } from '../space/outcome.ts'
import { mergeRanges, rangesDiagram, type Chunks, type Range } from '../space/ranges.ts'
import { BOOLEANS_MAX, layLevels, type LevelField, type Levels } from './levels.ts'
import type { NatEffects } from './natEffects.ts'
import { exampleOf, nameClasses, type NameClass } from './names.ts'
import { Routing } from './routing.ts'
import { freshGround, type SpaceMemory } from './spaceMemory.ts'

export interface SpaceOptions {
  /** What earlier analyses have left, which this one builds upon; it must be done before the next one begins. */
  readonly memory?: SpaceMemory | undefined
  /** Whose rulesets these are: they build upon earlier ones of the same name. */
  readonly subject?: string | undefined
  /** Only forwarded packets are asked about: the order of the levels may suit that. */
  readonly isForwarded?: boolean
}

/** What one analysis shares: one arena, the classes of interface names of all its rulesets, the named unknowns. */
export class PacketSpace {
  readonly arena: Arena
  readonly combiner: Combiner
  readonly levels: Levels
  readonly names: readonly NameClass[]
  /** Absent without facts. */
  readonly routing: Routing | undefined
  readonly natEffects: NatEffects
  /** What is asked by each boolean level, by index. */
  readonly booleans: string[] = []

  constructor(rulesets: readonly Ruleset[], facts?: HostFacts, budget?: Budget, { memory, subject = '', isForwarded = false }: SpaceOptions = {}) {
    this.names = nameClasses(rulesets, facts)
    this.levels = layLevels(this.names.length, isForwarded && areOfOneFamily(rulesets))
    const fresh = (): Arena => new Arena(this.levels.sizes, budget, edgesExpected(rulesets))
    const { combiner, natEffects } = memory?.begin(subject, this.levels, budget, fresh) ?? freshGround(fresh())
    this.combiner = combiner
    this.arena = combiner.arena
    this.natEffects = natEffects
    this.routing = facts && new Routing(facts)
  }

  chunks(field: LevelField): Chunks {
    return this.levels.of[field]
  }

  /** The largest value of a field. */
  maxOf(field: LevelField): bigint {
    return this.levels.maxima[field]
  }

  /** Yes for values in the merged ranges. */
  test(field: LevelField, merged: readonly Range[]): Diagram {
    return rangesDiagram(this.arena, this.chunks(field), merged, YES, NO)
  }

  /** Yes and no change places; unknown stays. */
  invert(match: Diagram): Diagram {
    return this.combiner.change(INVERT, match)
  }

  ifThenElse(test: Diagram, yes: Diagram, no: Diagram): Diagram {
    const { combiner } = this
    return combiner.combine(EITHER, combiner.combine(BOTH, test, yes), combiner.combine(BOTH, this.invert(test), no))
  }

  /** The diagram of outcomes where a field is in the ranges, nowhere else. */
  where(field: LevelField, merged: readonly Range[], diagram: Diagram): Diagram {
    return this.combiner.combine(MASK, this.surely(this.test(field, merged)), diagram)
  }

  /** One diagram of outcomes where a match answers yes, the other where it answers no. */
  choose(test: Diagram, yes: Diagram, no: Diagram): Diagram {
    if (yes === no) return yes
    const { combiner } = this
    return combiner.combine(PLAIN_OUTCOMES.union, combiner.combine(MASK, this.surely(test), yes), combiner.combine(MASK, this.surely(this.invert(test)), no))
  }

  /** 1 where the answer is surely yes, else 0. */
  surely(test: Diagram): Diagram {
    return this.combiner.change(IS_YES, test)
  }

  /** What every value of the fields leads to, together. */
  forget(fields: readonly LevelField[], diagram: Diagram): Diagram {
    const levels = fields.flatMap((field) => {
      const { firstLevel, count } = this.chunks(field)
      return Array.from({ length: count }, (_, chunk) => firstLevel + chunk)
    })
    return forgetLevels(this.combiner, diagram, new Set(levels), PLAIN_OUTCOMES.union)
  }

  /** A match for each interface by its name, which is undefined where there is none. It must not test levels above those of interfaces. */
  matchByInterface(side: 'iif' | 'oif', of: (name: string | undefined) => Diagram): Diagram {
    const children = this.#ofInterfaces(of)
    const mark = this.arena.open()
    for (const [index, child] of children.entries()) this.arena.emit(mark, index, child)
    return this.arena.close(mark, this.chunks(side).firstLevel)
  }

  /** Outcomes for each interface by its name. */
  byInterface(side: 'iif' | 'oif', of: (name: string | undefined) => Diagram): Diagram {
    const ranges = new Map<Diagram, Range[]>()
    for (const [index, child] of this.#ofInterfaces(of).entries()) {
      const known = ranges.get(child) ?? []
      known.push({ first: BigInt(index), last: BigInt(index) })
      ranges.set(child, known)
    }
    const parts = [...ranges].map(([child, indexes]) => this.where(side, mergeRanges(indexes), child))
    return this.combiner.combineAll(PLAIN_OUTCOMES.union, parts, 0)
  }

  #ofInterfaces(of: (name: string | undefined) => Diagram): Diagram[] {
    return this.names.map((each) => of(each.kind === 'none' ? undefined : exampleOf(each, this.names)))
  }

  /** A question of which only the text is known: a level of its own, and past 16 of them simply unknown. */
  askBoolean(what: string, isNegated: boolean): Diagram {
    let index = this.booleans.indexOf(what)
    if (index < 0) {
      if (this.booleans.length === BOOLEANS_MAX) return UNKNOWN
      index = this.booleans.push(what) - 1
    }
    const { firstLevel } = this.chunks('boolean')
    const mark = this.arena.open()
    this.arena.emit(mark, 0, isNegated ? YES : NO)
    this.arena.emit(mark, 1, isNegated ? NO : YES)
    return this.arena.close(mark, firstLevel + index)
  }
}

function areOfOneFamily(rulesets: readonly Ruleset[]): boolean {
  const families = new Set(rulesets.flatMap(({ tables }) => tables.map(({ family }) => family)))
  return families.size === 1 && !families.has('inet')
}

/** Rules of hosts leave about a hundred edges each behind while they are merged. Room that is not used takes no memory. */
function edgesExpected(rulesets: readonly Ruleset[]): number {
  const rules = rulesets.reduce((sum, { tables }) => sum + tables.reduce((all, { chains }) => all + chains.reduce((each, chain) => each + chain.rules.length, 0), 0), 0)
  return Math.min(4096 + rules * 128, 16_000_000)
}
