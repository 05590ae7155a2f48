import type { Chain, NamedSet, Rule, Step, Table } from './ruleset.ts'

/**
 * A table as nft lists it, with the rules of iptables extensions taken from iptables-save of the same table: nft's JSON tells of an extension
 * no more than its name. Rules are exchanged one by one, because iptables-save leaves out chains that are not its own, and only in chains that
 * hold the same rules in both; where they do not (the ruleset changed between the two listings), the extension stays unmodelled.
 */
export function withSavedRules(listed: Table, saved: Table): Table {
  const chains = listed.chains.map((chain) => {
    const same = saved.chains.find((each) => each.name === chain.name)
    return same && chain.rules.some(hasExtension) && areSameRules(chain, same) ? { ...chain, rules: chain.rules.map((rule, index) => exchanged(rule, same.rules[index])) } : chain
  })
  return { ...listed, chains, sets: [...listed.sets, ...saved.sets.filter((set) => !hasSet(listed, set))] }
}

const exchanged = (rule: Rule, saved: Rule | undefined): Rule => (saved && hasExtension(rule) ? saved : rule)

const hasExtension = (rule: Rule): boolean => rule.steps.some(isExtension)

/** As the nft parsers name it. */
const isExtension = (step: Step): boolean => step.kind === 'unmodelled' && step.what.startsWith('xt')

const hasSet = (table: Table, { name }: NamedSet): boolean => table.sets.some((set) => set.name === name)

/** As many rules, each ending in the same way as far as nft tells. */
const areSameRules = (listed: Chain, saved: Chain): boolean =>
  listed.rules.length === saved.rules.length &&
  listed.rules.every((rule, index) => {
    const ending = rule.steps.at(-1)
    const other = saved.rules[index]
    return other !== undefined && (isEndless(ending) || verdictOf(ending) === verdictOf(other.steps.at(-1)))
  })

/** The target is an extension too, or there is none. */
const isEndless = (step: Step | undefined): boolean => step === undefined || isExtension(step) || step.kind === 'note'

const verdictOf = (step: Step | undefined): string => (step ? `${step.kind} ${'chain' in step ? step.chain : ''}` : '')
