import type { Packet } from '../ruleset/packet.ts'
import type { Match, Rule, Ruleset, Step, Table } from '../ruleset/ruleset.ts'
import { TERMINALS, type Diagram } from '../space/arena.ts'
import type { DecideOptions } from './decide.ts'
import { composeStated } from './compose.ts'
import type { Unknown } from './linear.ts'
import { describeLookup } from './linearMatch.ts'
import { pointOf, type Point } from './packetPoint.ts'
import { PacketSpace } from './packetSpace.ts'

/**
 * On which unknown matches a packet's fate depends, for many packets of one ruleset. Each unknown match is given a level of its own in a second
 * diagram; those that are left in a packet's place are the reasons. Built once; then about as quick as deciding. Throws BudgetError past the budget.
 */
export class Reasons {
  readonly #space: PacketSpace
  readonly #diagram: Diagram
  readonly #questions: ReadonlyMap<string, Unknown>
  readonly #known = new Map<Diagram, readonly Unknown[] | undefined>()
  #point: Point | undefined

  constructor(ruleset: Ruleset, { way, facts, budget }: DecideOptions) {
    const named = nameQuestions(ruleset)
    this.#questions = named.questions
    this.#space = new PacketSpace([named.ruleset], facts, budget)
    this.#diagram = composeStated(this.#space, named.ruleset, way)
  }

  /** Undefined where they cannot be told so: the packet leaves a field open, or there are more unknown matches than levels. */
  of(packet: Packet): readonly Unknown[] | undefined {
    const { arena } = this.#space
    const { firstLevel } = this.#space.chunks('boolean')
    this.#point = pointOf(this.#space, packet, this.#point)
    let at = this.#diagram
    while (at >= TERMINALS && arena.levelOf(at) < firstLevel) {
      const value = this.#point[arena.levelOf(at)] ?? -1
      // Not stated.
      if (value < 0) return undefined
      at = arena.childAt(at, value)
    }
    if (!this.#known.has(at)) this.#known.set(at, this.#below(at, firstLevel))
    return this.#known.get(at)
  }

  #below(diagram: Diagram, firstLevel: number): readonly Unknown[] | undefined {
    const { arena, booleans } = this.#space
    const asked = new Set<number>()
    let isSure = true
    const walk = (node: Diagram): void => {
      if (node < TERMINALS) {
        if (node & (node - 1)) isSure = false
        return
      }
      asked.add(arena.levelOf(node) - firstLevel)
      for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) walk(arena.childOf(edge))
    }
    walk(diagram)
    if (!isSure) return undefined
    return [...asked].toSorted((a, b) => a - b).flatMap((index) => this.#questions.get(booleans[index] ?? '') ?? [])
  }
}

export interface NamedQuestions {
  readonly ruleset: Ruleset
  readonly questions: ReadonlyMap<string, Unknown>
}

/** The same ruleset with every unknown match under a name of its own, as if its answer were the packet's. */
export function nameQuestions(ruleset: Ruleset): NamedQuestions {
  const questions = new Map<string, Unknown>()
  const tables = ruleset.tables.map((table) => ({
    ...table,
    chains: table.chains.map((chain) => ({ ...chain, rules: chain.rules.map((rule) => ({ ...rule, steps: rule.steps.map((step) => named(step, { table, rule, questions })) })) })),
  }))
  return { ruleset: { ...ruleset, tables }, questions }
}

interface Naming {
  readonly table: Table
  readonly rule: Rule
  readonly questions: Map<string, Unknown>
}

function named<T extends Step | Match>(step: T, naming: Naming): T {
  if (step.kind === 'any-of') return { ...step, alternatives: step.alternatives.map((matches) => matches.map((match) => named(match, naming))) }
  if (step.kind === 'unknown') return { ...step, what: nameOf(step.what, step.isDeterministic, naming), isDeterministic: true }
  if (step.kind !== 'lookup' || step.among.kind !== 'named') return step
  const { name } = step.among
  const isKnown = naming.table.sets.some((set) => set.name === name && !set.isDynamic)
  return isKnown ? step : ({ kind: 'unknown', what: nameOf(describeLookup(step), false, naming), isDeterministic: true, isNegated: step.isNegated } as T)
}

function nameOf(what: string, isDeterministic: boolean, { rule, questions }: Naming): string {
  const name = isDeterministic ? what : `${questions.size} ${what}`
  if (!questions.has(name)) questions.set(name, { what, rule })
  return name
}
