import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Step } from '../ruleset.ts'
import { parseNftJson } from './parse.ts'

const document = (...objects: unknown[]): string => JSON.stringify({ nftables: [{ table: { family: 'inet', name: 't', handle: 1 } }, ...objects] })
const chain = { chain: { family: 'inet', table: 't', name: 'c', handle: 1, type: 'filter', hook: 'input', prio: 0, policy: 'drop' } }
const rule = (...expr: unknown[]): unknown => ({ rule: { family: 'inet', table: 't', chain: 'c', handle: 2, expr } })
const match = (left: unknown, right: unknown, op = '=='): unknown => ({ match: { op, left, right } })
const payload = (protocol: string, field: string): unknown => ({ payload: { protocol, field } })

const parsed = (...objects: unknown[]) => {
  const result = parseNftJson(document(...objects), 'x.json')
  if (!result.ok) throw new Error(result.faults[0]?.what.en)
  return result.value
}
const stepsOf = (...expr: unknown[]): readonly Step[] => parsed(chain, rule(...expr)).tables[0]?.chains[0]?.rules[0]?.steps ?? []
const shown = (steps: readonly Step[]): string[] =>
  steps.map((step) => {
    if (step.kind !== 'lookup' || step.among.kind !== 'inline') return step.kind
    const fields = step.fields.map(({ name, mask }) => (mask === undefined ? name : `${name}&${mask}`)).join('.')
    const values = step.among.elements.map((each) => each.values.map((value) => ('name' in value ? value.name + (value.isPrefix ? '*' : '') : value.first === value.last ? String(value.first) : `${value.first}-${value.last}`)).join('.'))
    return `${step.isNegated ? 'not ' : ''}${fields} in ${values.join(',')}`
  })

describe('an expression becomes the matches that the kernel makes of it', () => {
  test.each<[string, unknown[], string[]]>([
    ['tcp dport needs its protocol first', [match(payload('tcp', 'dport'), 22)], ['l4proto in 6', 'dport in 22']],
    ['which is written once', [match(payload('tcp', 'sport'), 1), match(payload('tcp', 'dport'), 22)], ['l4proto in 6', 'sport in 1', 'dport in 22']],
    ['th dport needs none', [match(payload('th', 'dport'), 22)], ['dport in 22']],
    ['ip saddr needs its family', [match(payload('ip', 'saddr'), { prefix: { addr: '10.0.0.0', len: 8 } })], ['family in 4', 'saddr4 in 167772160-184549375']],
    ['icmp type needs both', [match(payload('icmp', 'type'), 'echo-request')], ['family in 4', 'l4proto in 1', 'icmpType in 8']],
    ['tcp flags syn: any of the bits', [match(payload('tcp', 'flags'), 'syn', 'in')], ['l4proto in 6', 'not tcpFlags&2 in 0']],
    ['tcp flags ! syn: none of the bits', [match(payload('tcp', 'flags'), 'syn', '!')], ['l4proto in 6', 'tcpFlags&2 in 0']],
    ['tcp flags & (syn|ack) == syn', [match({ '&': [payload('tcp', 'flags'), ['syn', 'ack']] }, 'syn')], ['l4proto in 6', 'tcpFlags&18 in 2']],
    ['ct state established,related: bits', [match({ ct: { key: 'state' } }, ['established', 'related'], 'in')], ['not ctState&6 in 0']],
    ['ct state != established,related: the whole value', [match({ ct: { key: 'state' } }, { '|': ['established', 'related'] }, '!=')], ['not ctState in 6']],
    ['a wildcard name', [match({ meta: { key: 'iifname' } }, 'eth*')], ['iif in eth*']],
    ['an index without a name', [match({ meta: { key: 'iif' } }, 7)], ['iifIndex in 7']],
    ['ports above', [match(payload('udp', 'dport'), 1023, '>')], ['l4proto in 17', 'dport in 1024-65535']],
    ['later fragments', [match({ '&': [payload('ip', 'frag-off'), 8191] }, 0, '!=')], ['family in 4', 'isLaterFragment in 1']],
    ['reverse path', [match({ fib: { result: 'oif', flags: ['saddr', 'iif'] } }, false)], ['saddrRouteIif in 0']],
    ['a concatenation', [match({ concat: [{ meta: { key: 'iifname' } }, payload('tcp', 'dport')] }, { set: [{ concat: ['lo', { range: [80, 90] }] }] })], ['l4proto in 6', 'iif.dport in lo.80-90']],
    ['what is not modelled is an unknown match by name', [match({ meta: { key: 'skuid' } }, 1000), { accept: null }], ['unknown', 'accept']],
    ['an unheard-of statement may do anything', [{ teleport: { to: 'mars' } }], ['unmodelled']],
    ['filling a set may break the rule off', [{ set: { op: 'update', elem: payload('ip', 'saddr'), set: '@s' } }, { accept: null }], ['family in 4', 'unknown', 'accept']],
  ])('%s', (_title, expr, expected) => {
    expect(shown(stepsOf(...expr))).toEqual(expected)
  })
})

describe('a document', () => {
  test('a set that a rule fills is dynamic, whatever its flags', () => {
    const set = { set: { family: 'inet', table: 't', name: 's', type: 'ipv4_addr', handle: 5, flags: ['timeout'] } }
    const ruleset = parsed(set, chain, rule({ set: { op: 'add', elem: payload('ip', 'saddr'), set: '@s' } }))
    expect(ruleset.tables[0]?.sets[0]?.isDynamic).toBe(true)
  })

  test('an element that will expire says when', () => {
    const set = { set: { family: 'inet', table: 't', name: 's', type: 'ipv4_addr', handle: 5, elem: [{ elem: { val: '10.0.0.1', timeout: 60, expires: 42 } }] } }
    expect(parsed(set).tables[0]?.sets[0]?.elements[0]?.expiresSeconds).toBe(42)
  })

  test('tables of other families, flowtables and elements not understood are named', () => {
    const ruleset = parsed(
      { table: { family: 'bridge', name: 'b', handle: 2 } },
      { chain: { family: 'bridge', table: 'b', name: 'c', handle: 1 } },
      { flowtable: { family: 'inet', name: 'ft', table: 't', handle: 3 } },
      { set: { family: 'inet', table: 't', name: 's', type: 'cgroupsv2', handle: 5 } },
    )
    expect(ruleset.unmodelled.map((each) => each.construct)).toEqual(['table bridge b', 'flowtable ft', 'set s: an element or type that is not modelled'])
    expect(ruleset.tables[0]?.sets[0]?.isDynamic).toBe(true)
  })

  test.each<[string, string, string]>([
    ['not JSON', '{"nftables": [', 'is not JSON'],
    ['another document', '{}', 'has no "nftables"'],
    ['a rule of an unknown chain', document(rule({ accept: null })), '/nftables/1/rule names a chain that is not listed before it'],
    ['a chain of an unknown table', JSON.stringify({ nftables: [chain] }), '/nftables/0/chain names a table that is not listed before it'],
    ['a jump to nowhere', document(chain, rule({ jump: {} })), '/nftables/2/rule/expr/0/jump has no "target"'],
    ['nesting without end', document(chain, rule(match(payload('tcp', 'flags'), 'deep'))).replace('"deep"', `${'['.repeat(50_000)}1${']'.repeat(50_000)}`), 'is nested deeper than 64'],
  ])('is refused with its place: %s', (_title, text, message) => {
    const result = parseNftJson(text, 'x.json')
    expect(result.ok ? '' : result.faults[0]?.what.en).toContain(message)
    expect(result.ok ? '' : result.faults[0]?.place?.file).toBe('x.json')
  })

  test('whatever the text, the answer is a ruleset or a fault with a place', () => {
    const valid = document(chain, rule(match(payload('tcp', 'dport'), { set: [22, { range: [80, 90] }] }), { accept: null }))
    const mutated = fc.tuple(fc.nat(valid.length), fc.nat(8), fc.string()).map(([at, cut, put]) => valid.slice(0, at) + put + valid.slice(at + cut))
    const other = fc.jsonValue().map((value) => document(chain, rule(value), { set: value }))
    fc.assert(
      fc.property(fc.oneof(mutated, other), (text) => {
        const result = parseNftJson(text, 'x.json')
        expect(result.ok || result.faults[0]?.place !== undefined).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})
