import type { Chain, Rule, Ruleset, Table } from '../ruleset/ruleset.ts'
import type { Budget, Diagram } from '../space/arena.ts'
import { DROP, NEXT, PLAIN_OUTCOMES } from '../space/outcome.ts'
import { mapTerminals } from '../space/transform.ts'
import { ChainCompiler } from './compileChain.ts'
import { PacketSpace } from './packetSpace.ts'
import type { Stage } from './stage.ts'

/**
 * A rule that changes nothing. `shadowed`: earlier rules of its chain decide every packet that it matches, so it is never asked.
 * `redundant`: it is asked, and without it later rules and the policy do the same.
 */
export interface Finding {
  readonly kind: 'shadowed' | 'redundant'
  readonly table: Table
  readonly chain: Chain
  readonly rule: Rule
}

/** Beside the five outcomes: the rule was reached. */
const REACHED = 32

const ANYWHERE: Stage = {
  isBeforeTracking: false,
  hasNoIif: false,
  hasNoOif: false,
  isForwarded: false,
  isAddressNew: false,
  isPortNew: false,
  isSourceNew: false,
  linkSide: 'iif',
}

/**
 * Shadowed and redundant rules of every chain, each looked at within its chain alone. Rules without a verdict (counting, logging, marking) are not told;
 * NAT chains neither. Taking away all redundant rules at once is not safe: two may each stand in for the other.
 * Throws BudgetError past the budget. O(rules) merges a chain.
 */
export function findIdleRules(ruleset: Ruleset, budget?: Budget): Finding[] {
  const space = new PacketSpace([ruleset], undefined, budget)
  return ruleset.tables.flatMap((table) => {
    const compiler = new ChainCompiler(space, table, ANYWHERE)
    return table.chains.filter((chain) => chain.base?.type !== 'nat').flatMap((chain) => idleRulesOf(space, compiler, table, chain))
  })
}

function idleRulesOf(space: PacketSpace, compiler: ChainCompiler, table: Table, chain: Chain): Finding[] {
  const { combiner, arena } = space
  const { firstMatch } = PLAIN_OUTCOMES
  const rules = chain.rules.map((rule) => ({ rule, diagram: compiler.rule(rule) }))
  const after = suffixes(space, rules.map(({ diagram }) => diagram), chain.base?.policy === 'drop' ? DROP : NEXT)
  const whole = after[0] ?? NEXT
  const findings: Finding[] = []
  let before: Diagram = NEXT
  for (const [index, { rule, diagram }] of rules.entries()) {
    if (diagram !== NEXT && acts(rule)) {
      const probe = mapTerminals(arena, diagram, (outcomes) => (outcomes === NEXT ? NEXT : REACHED))
      if (combiner.combine(firstMatch, before, probe) === before) findings.push({ kind: 'shadowed', table, chain, rule })
      else if (combiner.combine(firstMatch, before, after[index + 1] ?? NEXT) === whole) findings.push({ kind: 'redundant', table, chain, rule })
    }
    before = combiner.combine(firstMatch, before, diagram)
  }
  return findings
}

/** What the rules from each index on do, the policy after the last. */
function suffixes(space: PacketSpace, diagrams: readonly Diagram[], policy: Diagram): Diagram[] {
  const after: Diagram[] = [policy]
  for (const diagram of diagrams.toReversed()) after.push(space.combiner.combine(PLAIN_OUTCOMES.firstMatch, diagram, after.at(-1) ?? policy))
  return after.reverse()
}

/** A rule that also marks, counts into a set or steers is not idle even where its verdict is. */
const acts = (rule: Rule): boolean =>
  rule.steps.every((step) => {
    if (step.kind === 'unknown') return step.fills === undefined
    return step.kind !== 'set-mark' && step.kind !== 'notrack' && !(step.kind === 'note' && step.isUnmodelled)
  })
