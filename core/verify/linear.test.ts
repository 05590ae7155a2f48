import { describe, expect, test } from 'vitest'
import { parseAddress } from '../net/address.ts'
import type { Packet } from '../ruleset/packet.ts'
import type { BaseChain, Field, Match, Ruleset, Source, Step, Value, Verdict } from '../ruleset/ruleset.ts'
import { evaluateLinear } from './linear.ts'

const source: Source = { dialect: 'nft', file: 'test', text: '' }
const input: BaseChain = { type: 'filter', hook: 'input', priority: 0, policy: 'accept' }
const accept: Verdict = { kind: 'accept' }
const drop: Verdict = { kind: 'drop' }

const value = (first: number, last = first): Value => ({ first: BigInt(first), last: BigInt(last) })
const is = (name: Field['name'], ...values: Value[]): Match => ({
  kind: 'lookup',
  fields: [{ name }],
  among: { kind: 'inline', elements: values.map((each) => ({ values: [each] })) },
  isNegated: false,
})
const not = (match: Match): Match => ({ ...match, isNegated: true })
const limit: Match = { kind: 'unknown', what: 'limit rate 5/second', isDeterministic: false, isNegated: false }
const owner: Match = { kind: 'unknown', what: 'owner uid 1000', isDeterministic: true, isNegated: false }

type Chains = Record<string, { base?: BaseChain; rules: Step[][] }>

const rulesetOf = (...tables: Chains[]): Ruleset => ({
  unmodelled: [],
  tables: tables.map((chains, index) => ({
    family: 'inet',
    backend: 'nft',
    name: `t${index}`,
    sets: [],
    isDormant: false,
    chains: Object.entries(chains).map(([name, chain]) => ({
      name,
      ...(chain.base ? { base: chain.base } : {}),
      rules: chain.rules.map((steps) => ({ steps, source })),
      source,
    })),
  })),
})

const address = (text: string): Packet['source'] => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const ssh: Packet = { source: address('198.51.100.7'), destination: address('192.0.2.1'), protocol: 6, sourcePort: 40_000, destinationPort: 22, tcpFlags: 2, iif: 'eth0', ct: 'new' }

const outcomes = (ruleset: Ruleset, packet: Partial<Packet> = {}): string[] =>
  [...evaluateLinear(ruleset, { ...ssh, ...packet }, { hook: 'input' }).outcomes].toSorted()

const ssh22 = is('dport', value(22))

describe('the linear evaluator', () => {
  test.each<[string, Chains[], Partial<Packet>, string[]]>([
    ['an empty ruleset accepts', [], {}, ['accept']],
    ['first match wins', [{ in: { base: input, rules: [[ssh22, accept], [drop]] } }], {}, ['accept']],
    ['no match: the next rule', [{ in: { base: input, rules: [[ssh22, accept], [drop]] } }], { destinationPort: 23 }, ['drop']],
    ['accept in one base chain, drop in a later one', [{ in: { base: input, rules: [[accept]] } }, { in: { base: { ...input, priority: 1 }, rules: [[drop]] } }], {}, ['drop']],
    ['policy drop', [{ in: { base: { ...input, policy: 'drop' }, rules: [] } }], {}, ['drop']],
    ['return at the top level is the policy', [{ in: { base: { ...input, policy: 'drop' }, rules: [[{ kind: 'return' }], [accept]] } }], {}, ['drop']],
    ['jump comes back', [{ in: { base: input, rules: [[{ kind: 'jump', chain: 'c' }], [drop]] }, c: { rules: [[{ kind: 'return' }], [accept]] } }], {}, ['drop']],
    ['goto does not come back: policy accept', [{ in: { base: input, rules: [[{ kind: 'goto', chain: 'c' }], [drop]] }, c: { rules: [] } }], {}, ['accept']],
    ['goto in a called chain returns to the caller', [{ in: { base: input, rules: [[{ kind: 'jump', chain: 'c' }], [drop]] }, c: { rules: [[{ kind: 'goto', chain: 'd' }], [accept]] }, d: { rules: [] } }], {}, ['drop']],
    ['an unknown limit leaves both', [{ in: { base: input, rules: [[limit, accept], [drop]] } }], {}, ['accept', 'drop']],
    ['a deterministic unknown is asked once', [{ in: { base: input, rules: [[owner, accept], [not(owner), accept], [drop]] } }], {}, ['accept']],
    ['an unknown limit is asked afresh', [{ in: { base: input, rules: [[limit, accept], [not(limit), accept], [drop]] } }], {}, ['accept', 'drop']],
    ['ports of ICMP do not match, negated neither', [{ in: { base: input, rules: [[is('tcpFlags', value(2)), drop], [not(is('tcpFlags', value(2))), drop]] } }], { protocol: 1 }, ['accept']],
    ['a later fragment has no ports', [{ in: { base: input, rules: [[ssh22, drop], [not(ssh22), drop]] } }], { fragment: 'later' }, ['accept']],
    ['a port that is not stated is unknown', [{ in: { base: input, rules: [[is('sport', value(1)), drop]] } }], { sourcePort: undefined as never }, ['accept', 'drop']],
    ['a mark set is read later', [{ in: { base: input, rules: [[{ kind: 'set-mark', field: 'mark', keep: 0n, flip: 5n }], [is('mark', value(5)), drop]] } }], {}, ['drop']],
    ['before connection tracking everything is invalid', [{ pre: { base: { ...input, hook: 'prerouting', priority: -300 }, rules: [[is('ctState', value(1)), drop]] } }], {}, ['drop']],
    ['notrack makes a packet untracked', [{ pre: { base: { ...input, hook: 'prerouting', priority: -300 }, rules: [[{ kind: 'notrack' }]] }, in: { base: input, rules: [[is('ctState', value(64)), drop]] } }], {}, ['drop']],
    ['destination NAT is seen by the next hook', [{ pre: { base: { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' }, rules: [[ssh22, { kind: 'nat', change: 'dnat', target: { kind: 'to', to: { ports: { first: 2222, last: 2222 } } } }]] }, in: { base: input, rules: [[is('dport', value(2222)), drop]] } }], {}, ['drop']],
    ['NAT chains are passed by established flows', [{ pre: { base: { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' }, rules: [[drop]] } }], { ct: 'established' }, ['accept']],
    ['a chain that is missing makes everything possible', [{ in: { base: input, rules: [[{ kind: 'jump', chain: 'nowhere' }]] } }], {}, ['accept', 'drop', 'reject']],
  ])('%s', (_, tables, packet, expected) => {
    expect(outcomes(rulesetOf(...tables), packet)).toEqual(expected)
  })

  test('names the unknown match and its rule', () => {
    const ruleset = rulesetOf({ in: { base: input, rules: [[limit, accept], [drop]] } })
    const [unknown] = evaluateLinear(ruleset, ssh, { hook: 'input' }).unknowns
    expect(unknown?.what).toBe('limit rate 5/second')
    expect(unknown?.rule).toBe(ruleset.tables[0]?.chains[0]?.rules[0])
  })

  test('traces the rules that matched, with their depth', () => {
    const ruleset = rulesetOf({ in: { base: input, rules: [[is('dport', value(1)), drop], [{ kind: 'jump', chain: 'c' }]] }, c: { rules: [[ssh22, accept]] } })
    const { trace } = evaluateLinear(ruleset, ssh, { hook: 'input', isTraced: true })
    expect(trace.map((line) => [line.depth, line.chain.name, line.effect])).toEqual([[0, 'in', 'jump c'], [1, 'c', 'accept']])
  })
})

describe('open questions without number', () => {
  const ownerOf = (id: number): Match => ({ kind: 'unknown', what: `owner uid ${id}`, isDeterministic: true, isNegated: false })
  /** Five chains of 30 questions, each rule of one jumps into the next. */
  const deep: Chains = Object.fromEntries(
    Array.from({ length: 5 }, (_, depth) => {
      const rules = Array.from({ length: 30 }, (__, index): Step[] => [ownerOf(depth * 30 + index), depth === 4 ? { kind: 'note', what: 'counter', isUnmodelled: false } : { kind: 'jump', chain: `c${depth + 1}` }])
      return [`c${depth}`, depth === 0 ? { base: input, rules: [...rules, [drop]] } : { rules }]
    }),
  )
  const wide: Chains = { in: { base: input, rules: Array.from({ length: 200 }, (_, index) => [ownerOf(index), { kind: 'set-mark', field: 'mark', keep: 0xffff_ffffn, flip: 1n }]) } }

  test('end: everything is said to be possible, and why', () => {
    const { outcomes: all, unknowns } = evaluateLinear(rulesetOf(deep), ssh, { hook: 'input' })
    expect([...all].toSorted()).toEqual(['accept', 'drop', 'reject'])
    expect(unknowns.map((unknown) => unknown.what)).toEqual(expect.arrayContaining(['owner uid 0', expect.stringMatching(/^budget: /)]))
  })

  test('that change nothing for the packet leave its verdict sure', () => {
    expect(outcomes(rulesetOf(wide))).toEqual(['accept'])
  })
})
