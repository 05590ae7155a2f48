import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { mergeRulesets } from '@portcullis/core/ruleset/dialect.ts'
import { parseIptablesSave } from '@portcullis/core/ruleset/iptables/parse.ts'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import type { RulesetTexts } from './rulesetTexts.ts'

export interface RulesetReading extends RulesetTexts {
  readonly host: string
  /** Sections that the host could not make. */
  readonly failures: readonly { readonly section: string; readonly because: string }[]
}

/**
 * All that a host enforces, of every table and backend. A listing that the host could not make is a fault, never an empty ruleset.
 * Faults: FACTS_NO_RULESET, RULESET_*, IPTABLES_*.
 */
export function hostRuleset(reading: RulesetReading): Result<Ruleset> {
  const failure = reading.failures.find(({ section }) => NEEDED.includes(section))
  if (failure) return fail(notTold(reading.host, `${failure.section} ${failure.because}`))
  const nft = nftRuleset(reading)
  if (!nft) return fail(notTold(reading.host, 'nft'))
  if (!nft.ok) return nft
  const legacy = [legacyRuleset(reading, 'iptables-legacy'), legacyRuleset(reading, 'ip6tables-legacy')]
  const rulesets = [nft.value]
  for (const each of legacy) {
    if (each && !each.ok) return each
    if (each) rulesets.push(each.value)
  }
  return mergeRulesets(rulesets)
}

/** What nf_tables holds, rules of iptables-nft in their own words where they can be read; undefined where the host does not tell. */
export function nftRuleset({ nftJson, iptablesNft, ip6tablesNft }: RulesetTexts): Result<Ruleset> | undefined {
  if (nftJson === undefined) return undefined
  const listed = parseNftJson(nftJson, 'nft')
  if (!listed.ok) return listed
  const saved = [
    ...(iptablesNft === undefined ? [] : [parseIptablesSave({ file: 'iptables-nft', dialect: 'iptables-save', text: iptablesNft })]),
    ...(ip6tablesNft === undefined ? [] : [parseIptablesSave({ file: 'ip6tables-nft', dialect: 'ip6tables-save', text: ip6tablesNft })]),
  ]
  // Without them an extension stays unmodelled; a table that only iptables-save makes up is none.
  const known = saved.flatMap((each) => (each.ok ? each.value.tables : []))
  const tables = known.filter((table) => listed.value.tables.some(({ family, name }) => family === table.family && name === table.name))
  const merged = mergeRulesets([listed.value, { tables, unmodelled: [] }])
  return merged.ok ? merged : succeed(listed.value)
}

/** Undefined where the host does not use it. */
export function legacyRuleset(texts: RulesetTexts, name: 'iptables-legacy' | 'ip6tables-legacy'): Result<Ruleset> | undefined {
  const text = name === 'iptables-legacy' ? texts.iptablesLegacy : texts.ip6tablesLegacy
  return text === undefined ? undefined : parseIptablesSave({ file: name, dialect: name === 'iptables-legacy' ? 'iptables-save' : 'ip6tables-save', text })
}

const NEEDED: readonly string[] = ['nft', 'iptables-legacy', 'ip6tables-legacy']

const notTold = (host: string, because: string): Fault => ({
  code: 'FACTS_NO_RULESET',
  what: { en: `${host} does not tell all of its rules: ${because}`, zh: `${host} 未给出完整规则：${because}` },
  next: { en: 'see that nft 1.0.6 or later works there for root', zh: '请确认该主机 root 可用 nft 1.0.6 或更高版本' },
})
