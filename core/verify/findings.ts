import type { Chain, Rule, Ruleset, Table } from '../ruleset/ruleset.ts'
import type { Budget, Diagram } from '../space/arena.ts'
import { DROP, MASK, NEXT, PLAIN_OUTCOMES, REJECT } from '../space/outcome.ts'
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
/** Refused by a reset. */
const RESET = 64

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
 * NAT chains neither. A rule is not redundant where it keeps packets from a later one that logs or fills a set, enters a chain that does, or refuses
 * in words of its own. Taking away all redundant rules at once is not safe: two may each stand in for the other.
 * Throws BudgetError past the budget. O(rules) merges a chain.
 */
export function findIdleRules(ruleset: Ruleset, budget?: Budget): Finding[] {
  const space = new PacketSpace([ruleset], undefined, budget)
  return ruleset.tables.flatMap((table) => {
    const compiler = new ChainCompiler(space, table, ANYWHERE)
    const leaving = chainsThatLeave(table)
    return table.chains.filter((chain) => chain.base?.type !== 'nat').flatMap((chain) => idleRulesOf({ space, compiler, table, leaving }, chain))
  })
}

interface Place {
  readonly space: PacketSpace
  readonly compiler: ChainCompiler
  readonly table: Table
  /** Chains of the table in which something is left behind. */
  readonly leaving: ReadonlySet<string>
}

function idleRulesOf({ space, compiler, table, leaving }: Place, chain: Chain): Finding[] {
  const { combiner, arena } = space
  const { firstMatch } = PLAIN_OUTCOMES
  const rules = chain.rules.map((rule) => ({ rule, diagram: refusalTold(space, rule, compiler.rule(rule)) }))
  const after = suffixes(space, rules.map(({ diagram }) => diagram), chain.base?.policy === 'drop' ? DROP : NEXT)
  const left = leftBehind(space, compiler, rules.map(({ rule }) => rule), leaving)
  const whole = after[0] ?? NEXT
  const findings: Finding[] = []
  let before: Diagram = NEXT
  for (const [index, { rule, diagram }] of rules.entries()) {
    if (diagram !== NEXT && !leavesBehind(rule, leaving) && !isChanging(rule)) {
      const probe = mapTerminals(arena, diagram, (outcomes) => (outcomes === NEXT ? NEXT : REACHED))
      const isKept = combiner.combine(MASK, mapTerminals(arena, probe, (outcomes) => (outcomes === REACHED ? 1 : 0)), left[index + 1] ?? 0) !== 0
      if (combiner.combine(firstMatch, before, probe) === before) findings.push({ kind: 'shadowed', table, chain, rule })
      else if (!isKept && combiner.combine(firstMatch, before, after[index + 1] ?? NEXT) === whole) findings.push({ kind: 'redundant', table, chain, rule })
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

/** 1 for packets of which the rules from each index on may leave something behind, if they come there. */
function leftBehind(space: PacketSpace, compiler: ChainCompiler, rules: readonly Rule[], leaving: ReadonlySet<string>): Diagram[] {
  const behind: Diagram[] = [0]
  for (const rule of rules.toReversed()) {
    const own = leavesBehind(rule, leaving) ? mapTerminals(space.arena, compiler.rule(asIfDropping(rule)), (outcomes) => (outcomes & DROP ? 1 : 0)) : 0
    behind.push(space.combiner.combine(PLAIN_OUTCOMES.union, own, behind.at(-1) ?? 0))
  }
  return behind.reverse()
}

/** The rule's matches with a verdict that can be seen. */
const asIfDropping = (rule: Rule): Rule => ({ ...rule, steps: [...rule.steps.filter((step) => step.kind === 'lookup' || step.kind === 'any-of' || step.kind === 'unknown'), { kind: 'drop' }] })

/** A reset is another answer than an error by ICMP. */
const refusalTold = (space: PacketSpace, rule: Rule, diagram: Diagram): Diagram =>
  rule.steps.some((step) => step.kind === 'reject' && step.with === 'tcp-reset') ? mapTerminals(space.arena, diagram, (outcomes) => (outcomes & REJECT ? (outcomes & ~REJECT) | RESET : outcomes)) : diagram

/** Logs, fills a set, counts where somebody looks, or enters a chain that does. */
const leavesBehind = (rule: Rule, leaving: ReadonlySet<string>): boolean =>
  rule.steps.some((step) => {
    if (step.kind === 'unknown') return step.fills !== undefined
    if (step.kind === 'note') return LEAVING.test(step.what)
    if (step.kind === 'jump' || step.kind === 'goto') return leaving.has(step.chain)
    return step.kind === 'vmap' && leaving.size > 0
  })

/** What nft and iptables write of it; a counter of the rule's own is part of most rules. */
const LEAVING = /^(?:log\b|counter name|add |update |N?F?LOG\b|ULOG|AUDIT|TRACE)/

function chainsThatLeave(table: Table): Set<string> {
  const leaving = new Set<string>()
  for (let before = -1; before !== leaving.size; ) {
    before = leaving.size
    for (const chain of table.chains) if (chain.rules.some((rule) => leavesBehind(rule, leaving))) leaving.add(chain.name)
  }
  return leaving
}

/** A rule that also marks or steers is not idle even where its verdict is. */
const isChanging = (rule: Rule): boolean => rule.steps.some((step) => step.kind === 'set-mark' || step.kind === 'notrack' || (step.kind === 'note' && step.isUnmodelled))
