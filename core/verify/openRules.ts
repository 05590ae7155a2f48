import type { Match, Rule, Ruleset, Step, Table } from '../ruleset/ruleset.ts'

/**
 * Rules whose effect the model cannot tell because they ask something that is answered afresh each time (a limit, what a dynamic set holds),
 * or do something that it does not have. In the order of the ruleset; chains that are not registered included.
 */
export const openRules = (ruleset: Ruleset): Rule[] =>
  ruleset.tables.flatMap((table) => table.chains.flatMap((chain) => chain.rules.filter((rule) => rule.steps.some((step) => isOpen(step, table)))))

/** Whether two rulesets leave the same open: the same rules, word for word in the neutral form, one after the other. */
export const haveSameOpenRules = (a: Ruleset, b: Ruleset): boolean => openRules(a).map(meaning).join('\n') === openRules(b).map(meaning).join('\n')

function isOpen(step: Step, table: Table): boolean {
  if (step.kind === 'unknown') return !step.isDeterministic
  if (step.kind === 'any-of') return step.alternatives.flat().some((match: Match) => isOpen(match, table))
  if (step.kind === 'lookup' || step.kind === 'vmap') return step.among.kind === 'named' && isDynamic(table, step.among.name)
  if (step.kind === 'nat') return step.target.kind === 'unknown'
  return step.kind === 'queue' || step.kind === 'unmodelled'
}

const isDynamic = (table: Table, name: string): boolean => table.sets.find((set) => set.name === name)?.isDynamic ?? true

/** Steps that decide; notes do not. */
const meaning = (rule: Rule): string =>
  JSON.stringify(
    rule.steps.filter((step) => step.kind !== 'note'),
    (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
  )
