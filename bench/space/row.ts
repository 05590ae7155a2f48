import { parseIptablesSave } from '@portcullis/core/ruleset/iptables/parse.ts'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { composeWay, type Way } from '@portcullis/core/verify/compose.ts'
import { PacketSpace } from '@portcullis/core/verify/packetSpace.ts'
import { blocklistText, forwardText } from './largeRulesets.ts'
import { hostRules, nftJsonOf, type RuleMix, type RuleSpec } from './hostRules.ts'

/**
 * One row of the benchmark, in a process of its own so that its memory is its own:
 * `node row.ts '{"kind":"host","rules":1000,"seed":1}'` prints one JSON object.
 */
export type RowSpec =
  | ({ readonly kind: 'host' } & RuleMix)
  | { readonly kind: 'forward'; readonly rules: number }
  | { readonly kind: 'blocklist'; readonly prefixes: number }

/** Milliseconds; `changed` is the build of the ruleset with one port changed, in the same space, and the comparison of both. */
export interface RowRound {
  readonly parse: number
  readonly build: number
  readonly changed: number
}

export interface RowResult {
  readonly rounds: readonly RowRound[]
  readonly nodes: number
  readonly edges: number
  /** Resident set at its largest, of the whole process. */
  readonly megabytes: number
}

interface Subject {
  readonly way: Way
  readonly parse: () => Ruleset
  readonly parseChanged: () => Ruleset
}

/** Warm where a host would be warm: small rulesets are measured again and again. */
const repeatsOf = (rules: number): { readonly warm: number; readonly measured: number } =>
  rules <= 1_000 ? { warm: 200, measured: 200 } : rules <= 20_000 ? { warm: 1, measured: 3 } : { warm: 0, measured: 1 }

export function measureRow(spec: RowSpec): RowResult {
  const subject = subjectOf(spec)
  const { warm, measured } = repeatsOf(spec.kind === 'blocklist' ? spec.prefixes : spec.rules)
  for (let round = 0; round < warm; round += 1) measureRound(subject)
  const all = Array.from({ length: measured }, () => measureRound(subject))
  const last = all.at(-1)
  if (!last) throw new Error('nothing was measured')
  return { rounds: all.map(({ round }) => round), nodes: last.nodes, edges: last.edges, megabytes: Math.round(process.resourceUsage().maxRSS / 1000) }
}

function measureRound({ way, parse, parseChanged }: Subject): { readonly round: RowRound; readonly nodes: number; readonly edges: number } {
  const started = performance.now()
  const ruleset = parse()
  const parsed = performance.now()
  const changed = parseChanged()
  const ready = performance.now()
  const space = new PacketSpace([ruleset, changed], undefined, undefined, { isForwarded: way === 'forward' })
  const whole = composeWay(space, ruleset, way)
  const built = performance.now()
  if (composeWay(space, changed, way) === whole) throw new Error('the changed ruleset must differ')
  const ended = performance.now()
  return { round: { parse: parsed - started, build: built - ready, changed: ended - built }, nodes: space.arena.nodeCount, edges: space.arena.edgeCount }
}

function subjectOf(spec: RowSpec): Subject {
  if (spec.kind === 'host') {
    const rules = hostRules(spec)
    const [text, other] = [rules, withOnePortChanged(rules)].map((each) => nftJsonOf(each, spec.family))
    return { way: 'input', parse: () => nft(text ?? ''), parseChanged: () => nft(other ?? '') }
  }
  if (spec.kind === 'forward') return { way: 'forward', parse: () => iptables(forwardText(spec.rules)), parseChanged: () => iptables(forwardText(spec.rules, 7)) }
  const [text, other] = [blocklistText(spec.prefixes), blocklistText(spec.prefixes, 7)]
  return { way: 'input', parse: () => nft(text), parseChanged: () => nft(other) }
}

/** Of the first rule that names one port, which no rule before it can hide. */
export function withOnePortChanged(rules: readonly RuleSpec[]): RuleSpec[] {
  const at = rules.findIndex((rule) => rule.ports?.length === 1 && rule.sources === undefined && rule.interface === undefined)
  const port = rules[at]?.ports?.[0]?.[0] ?? 0
  return rules.map((rule, index) => (index === at ? { ...rule, ports: [[port ^ 1, port ^ 1]] } : rule))
}

function nft(text: string): Ruleset {
  const parsed = parseNftJson(text, 'bench')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

function iptables(text: string): Ruleset {
  const parsed = parseIptablesSave({ file: 'bench', dialect: 'iptables-save', text })
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

if (process.argv[1] === import.meta.filename) console.log(JSON.stringify(measureRow(JSON.parse(process.argv[2] ?? '') as RowSpec)))
