import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { Arena, type Budget, type Diagram } from '../space/arena.ts'
import { Combiner } from '../space/combine.ts'
import { NO, UNKNOWN, YES } from '../space/outcome.ts'
import { rangesDiagram, type Chunks, type Range } from '../space/ranges.ts'
import { BOOLEANS_MAX, layLevels, type LevelField, type Levels } from './levels.ts'
import { nameClasses, type NameClass } from './names.ts'

/** What one analysis shares: one arena, the classes of interface names of all its rulesets, the named unknowns. */
export class PacketSpace {
  readonly arena: Arena
  readonly combiner: Combiner
  readonly levels: Levels
  readonly names: readonly NameClass[]
  readonly facts: HostFacts | undefined
  /** What is asked by each boolean level, by index. */
  readonly booleans: string[] = []

  constructor(rulesets: readonly Ruleset[], facts?: HostFacts, budget?: Budget) {
    this.names = nameClasses(rulesets, facts)
    this.levels = layLevels(this.names.length)
    this.arena = new Arena(this.levels.sizes, budget, edgesExpected(rulesets))
    this.combiner = new Combiner(this.arena)
    this.facts = facts
  }

  chunks(field: LevelField): Chunks {
    return this.levels.of[field]
  }

  /** The largest value of a field. */
  maxOf(field: LevelField): bigint {
    const { firstLevel, count, bits } = this.chunks(field)
    return count === 1 ? BigInt((this.levels.sizes[firstLevel] ?? 1) - 1) : (1n << BigInt(count * bits)) - 1n
  }

  /** Yes for values in the merged ranges. */
  test(field: LevelField, merged: readonly Range[]): Diagram {
    return rangesDiagram(this.arena, this.chunks(field), merged, YES, NO)
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

/** Rules of hosts leave about a hundred edges each behind while they are merged. */
function edgesExpected(rulesets: readonly Ruleset[]): number {
  const rules = rulesets.reduce((sum, { tables }) => sum + tables.reduce((all, { chains }) => all + chains.reduce((each, chain) => each + chain.rules.length, 0), 0), 0)
  return Math.min(4096 + rules * 96, 4_000_000)
}
