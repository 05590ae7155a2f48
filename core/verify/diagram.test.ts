import fc from 'fast-check'
import { describe, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Packet } from '../ruleset/packet.ts'
import type { BaseChain, Chain, Element, Field, LookupMatch, Match, Ruleset, Source, Step, Value, Verdict, VerdictElement } from '../ruleset/ruleset.ts'
import { outcomeNames } from './compare.ts'
import { composeWay } from './compose.ts'
import { evaluateLinear } from './linear.ts'
import { outcomesAt, pointOf } from './packetPoint.ts'
import { PacketSpace } from './packetSpace.ts'

/**
 * The two evaluators share no matching code; here they are asked the same. Values are few and packets are drawn from the edges of the
 * values, so that matches meet. A failure prints ruleset and packet.
 */
const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const IPV4 = ['10.0.0.0', '10.0.0.1', '10.0.0.255', '10.0.1.0', '10.255.255.255', '192.0.2.1', '198.51.100.7', '224.0.0.1'].map(address)
const IPV6 = ['fe80::1', 'fd00::', 'fd00::ffff', '2001:db8::1', 'ff02::1'].map(address)
const PORTS = [0, 21, 22, 23, 79, 80, 443, 1023, 1024, 65_535]
const PROTOCOLS = [6, 6, 6, 17, 17, 1, 58, 132, 47]
const NAMES = ['lo', 'eth0', 'eth1', 'br-a', 'wlan0']
const FLAGS = [0, 2, 16, 18, 4, 1, 255]

const one = (value: number | bigint): Value => ({ first: BigInt(value), last: BigInt(value) })
const interval = (values: readonly (number | bigint)[]): fc.Arbitrary<Value> =>
  fc.tuple(fc.constantFrom(...values), fc.constantFrom(...values)).map(([a, b]) => {
    const [first, last] = BigInt(a) <= BigInt(b) ? [BigInt(a), BigInt(b)] : [BigInt(b), BigInt(a)]
    return { first, last }
  })
const name: fc.Arbitrary<Value> = fc.constantFrom(
  ...NAMES.map((each) => ({ name: each, isPrefix: false })),
  { name: 'eth', isPrefix: true },
  { name: 'br-', isPrefix: true },
  { name: '', isPrefix: false },
)

interface Kind {
  readonly field: Field
  readonly value: fc.Arbitrary<Value>
}
const kind = (field: Field['name'], value: fc.Arbitrary<Value>, mask?: number): Kind => ({ field: mask === undefined ? { name: field } : { name: field, mask: BigInt(mask) }, value })

const KINDS: readonly Kind[] = [
  kind('family', fc.constantFrom(one(4), one(6))),
  kind('l4proto', fc.constantFrom(...PROTOCOLS.map(one))),
  kind('nexthdr', fc.constantFrom(one(0), one(6), one(17), one(44), one(58))),
  kind('saddr4', interval(IPV4.map((each) => each.value))),
  kind('daddr4', interval(IPV4.map((each) => each.value))),
  kind('saddr6', interval(IPV6.map((each) => each.value))),
  kind('daddr6', interval(IPV6.map((each) => each.value))),
  kind('saddr4', fc.constantFrom(one(IPV4[1]?.value ?? 0), one(0)), 0xff00_00ff),
  kind('daddr4', interval(IPV4.map((each) => each.value)), 0xffff_0000),
  kind('dport', interval(PORTS)),
  kind('sport', interval(PORTS)),
  kind('dport', fc.constantFrom(one(22), one(80)), 0xff),
  kind('tcpFlags', fc.constantFrom(...FLAGS.map(one))),
  kind('tcpFlags', fc.constantFrom(one(0), one(2)), 18),
  kind('icmpType', fc.constantFrom(one(0), one(8), one(128))),
  kind('isLaterFragment', fc.constantFrom(one(0), one(1))),
  kind('iif', name),
  kind('oif', name),
  kind('ctState', fc.constantFrom(one(1), one(2), one(4), one(8), one(64), one(6))),
  kind('ctState', fc.constant(one(0)), 6),
  kind('ctDirection', fc.constantFrom(one(0), one(1))),
  kind('mark', fc.constantFrom(one(0), one(1), one(5), one(0x4000))),
  kind('mark', fc.constantFrom(one(0), one(1)), 1),
  kind('ttl', interval([1, 64, 255])),
  kind('dscp', fc.constantFrom(one(0), one(8))),
  kind('length', interval([40, 60, 1500])),
  kind('pkttype', fc.constantFrom(one(0), one(1))),
  kind('ctStatus', fc.constant(one(0)), 32),
  kind('ctOriginalDport', interval(PORTS)),
  kind('ctOriginalDaddr4', interval(IPV4.map((each) => each.value))),
  kind('daddrType', fc.constantFrom(one(1), one(2), one(3), one(5))),
  kind('saddrType', fc.constantFrom(one(1), one(2), one(5))),
]

const anyKind = fc.constantFrom(...KINDS)

const lookup: fc.Arbitrary<LookupMatch> = fc
  .tuple(fc.array(anyKind, { minLength: 1, maxLength: 3 }), fc.nat(3), fc.boolean())
  .chain(([kinds, dice, isNegated]) => {
    const fields = dice === 0 ? kinds : kinds.slice(0, 1)
    return elementsFor(fields).map((elements) => ({ kind: 'lookup', fields: fields.map(({ field }) => field), among: { kind: 'inline', elements }, isNegated }) as const)
  })

function elementsFor(kinds: readonly Kind[]): fc.Arbitrary<Element[]> {
  return fc.array(fc.tuple(...kinds.map(({ value }) => value)).map((values) => ({ values })), { minLength: 1, maxLength: 3 })
}

const unknown: fc.Arbitrary<Match> = fc.record({
  kind: fc.constant('unknown' as const),
  what: fc.constantFrom('owner uid 0', 'string "x"', 'limit rate 1/second'),
  isNegated: fc.boolean(),
  isDeterministic: fc.constant(true),
}).map((match) => (match.what.startsWith('limit') ? { ...match, isDeterministic: false, isNegated: false } : match))

const anyOf: fc.Arbitrary<Match> = fc
  .record({ alternatives: fc.array(fc.array(lookup, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 2 }), isNegated: fc.boolean() })
  .map((each) => ({ kind: 'any-of', ...each }))

const protocolFirst: Match = { kind: 'lookup', fields: [{ name: 'l4proto' }], among: { kind: 'inline', elements: [{ values: [one(6)] }] }, isNegated: false }

const verdict = (chains: readonly string[]): fc.Arbitrary<Verdict> =>
  fc.constantFrom<Verdict>(
    { kind: 'accept' },
    { kind: 'drop' },
    { kind: 'reject', with: 'icmp' },
    { kind: 'return' },
    { kind: 'queue', number: 1, isBypass: false },
    ...chains.flatMap((chain): Verdict[] => [{ kind: 'jump', chain }, { kind: 'goto', chain }]),
  )

const vmap = (chains: readonly string[]): fc.Arbitrary<Step> =>
  anyKind.chain((each) =>
    fc
      .array(fc.tuple(each.value, verdict(chains)), { minLength: 1, maxLength: 3 })
      .map((pairs) => disjoint(pairs.map(([value, then]) => ({ values: [value], verdict: then }))))
      .map((elements) => ({ kind: 'vmap', fields: [each.field], among: { kind: 'inline', elements } }) as const),
  )

/** The kernel stores no overlapping elements in a map. */
function disjoint(elements: readonly VerdictElement[]): VerdictElement[] {
  const kept: VerdictElement[] = []
  for (const element of elements) if (!kept.some((other) => overlaps(other.values[0], element.values[0]))) kept.push(element)
  return kept
}

function overlaps(a: Value | undefined, b: Value | undefined): boolean {
  if (!a || !b) return false
  if ('name' in a || 'name' in b) return 'name' in a && 'name' in b && (a.isPrefix || b.isPrefix || a.name === b.name)
  return a.first <= b.last && b.first <= a.last
}

const statement: fc.Arbitrary<Step> = fc.constantFrom<Step>(
  { kind: 'note', what: 'counter', isUnmodelled: false },
  { kind: 'set-mark', field: 'mark', keep: 0n, flip: 5n },
  { kind: 'set-mark', field: 'mark', keep: 0xffff_bfffn, flip: 0x4000n },
  { kind: 'notrack' },
)

const match = fc.oneof({ weight: 8, arbitrary: lookup }, { weight: 1, arbitrary: anyOf }, { weight: 1, arbitrary: unknown })

const rule = (chains: readonly string[], writes: boolean): fc.Arbitrary<Step[]> =>
  fc
    .tuple(
      fc.boolean(),
      fc.array(match, { maxLength: 3 }),
      fc.array(statement, { maxLength: writes ? 1 : 0 }),
      fc.oneof({ weight: 5, arbitrary: verdict(chains) }, { weight: 1, arbitrary: vmap(chains) }),
    )
    .map(([isTcp, matches, statements, end]) => [...(isTcp ? [protocolFirst] : []), ...matches, ...statements, end])

const source: Source = { dialect: 'nft', file: 'test', text: '' }
const chainOf = (chainName: string, rules: readonly Step[][], base?: BaseChain): Chain => ({ name: chainName, rules: rules.map((steps) => ({ steps, source })), source, ...(base ? { base } : {}) })

const base = (hook: BaseChain['hook']): fc.Arbitrary<BaseChain> =>
  fc.record({ type: fc.constant('filter' as const), hook: fc.constant(hook), priority: fc.constantFrom(-300, -150, 0, 10), policy: fc.constantFrom('accept', 'drop') })

const table = (tableName: string, hooks: readonly BaseChain['hook'][], writes: boolean): fc.Arbitrary<Ruleset['tables'][number]> =>
  fc
    .record({
      family: fc.constantFrom('inet', 'inet', 'ip', 'ip6'),
      bases: fc.array(fc.tuple(fc.constantFrom(...hooks).chain(base), fc.array(rule(['one', 'two'], writes), { maxLength: 4 })), { minLength: 1, maxLength: 2 }),
      one: fc.array(rule(['two'], writes), { maxLength: 3 }),
      two: fc.array(rule([], writes), { maxLength: 3 }),
    })
    .map(({ family, bases, one: first, two }) => ({
      family,
      backend: 'nft',
      name: tableName,
      sets: [],
      isDormant: false,
      chains: [...bases.map(([each, rules], index) => chainOf(`base${index}`, rules, each)), chainOf('one', first), chainOf('two', two)],
    }))

const ruleset = (hooks: readonly BaseChain['hook'][], writes: boolean): fc.Arbitrary<Ruleset> =>
  fc.tuple(table('a', hooks, writes), table('b', hooks, writes)).map((tables) => ({ tables, unmodelled: [] }))

const packet: fc.Arbitrary<Packet> = fc
  .record({
    isIPv4: fc.boolean(),
    addresses: fc.tuple(fc.constantFrom(...IPV4), fc.constantFrom(...IPV4), fc.constantFrom(...IPV6), fc.constantFrom(...IPV6)),
    protocol: fc.constantFrom(...PROTOCOLS),
    ports: fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom(...PORTS)),
    icmp: fc.constantFrom(0, 8, 128),
    flags: fc.constantFrom(...FLAGS),
    fragment: fc.constantFrom('no', 'no', 'no', 'first', 'later'),
    extension: fc.constantFrom(undefined, undefined, 0, 44),
    ct: fc.constantFrom('new', 'new', 'established', 'related', 'invalid', 'untracked'),
    rest: fc.record({ iif: fc.constantFrom(...NAMES), oif: fc.constantFrom(...NAMES), ttl: fc.constantFrom(1, 64, 255), dscp: fc.constantFrom(0, 8), length: fc.constantFrom(40, 60, 1500), pkttype: fc.constantFrom(0, 1) }),
    isReply: fc.boolean(),
  })
  .map(({ isIPv4, addresses: [from4, to4, from6, to6], protocol, ports, icmp, flags, fragment, extension, ct, rest, isReply }) => ({
    source: isIPv4 ? from4 : from6,
    destination: isIPv4 ? to4 : to6,
    protocol,
    fragment,
    ct,
    ctDirection: isReply && ct === 'established' ? 'reply' : 'original',
    ctMark: 0,
    ctStatus: 0,
    ...rest,
    ...(isIPv4 || extension === undefined ? {} : { extension }),
    ...([6, 17, 132].includes(protocol) ? { sourcePort: ports[0], destinationPort: ports[1] } : {}),
    ...(protocol === 6 ? { tcpFlags: flags } : {}),
    ...([1, 58].includes(protocol) ? { icmpType: icmp, icmpCode: 0 } : {}),
  }))

const FACTS: HostFacts = {
  interfaces: NAMES.map((each, index) => ({ index: index + 1, name: each, type: each === 'lo' ? 772 : 1, addresses: [] })),
  routes: [
    { type: 'local', table: 'local', metric: 0, oif: 'eth0', destination: { family: 4, value: IPV4[5]?.value ?? 0n, length: 32 } },
    { type: 'broadcast', table: 'local', metric: 0, oif: 'eth1', destination: { family: 4, value: IPV4[2]?.value ?? 0n, length: 32 } },
    { type: 'unicast', table: 'main', metric: 0, oif: 'eth1', destination: { family: 4, value: IPV4[0]?.value ?? 0n, length: 24 } },
    { type: 'unicast', table: 'main', metric: 0, oif: 'eth0', destination: { family: 4, value: 0n, length: 0 } },
    { type: 'local', table: 'local', metric: 0, oif: 'eth0', destination: { family: 6, value: IPV6[3]?.value ?? 0n, length: 128 } },
    { type: 'unicast', table: 'main', metric: 0, oif: 'eth1', destination: { family: 6, value: 0n, length: 0 } },
  ],
  isForwarding: { 4: true, 6: false },
  unmodelled: [],
}

function bothSay(rules: Ruleset, packets: readonly Packet[], way: 'input' | 'forward' | 'output' | 'arrival'): void {
  const space = new PacketSpace([rules], FACTS)
  const diagram = composeWay(space, rules, way)
  const asksOrigin = print(rules).includes('ctOriginal')
  for (const each of packets) {
    const asked = way === 'output' ? { ...each, iif: '' } : way === 'arrival' || way === 'input' ? withoutOif(each) : each
    const linear = evaluateLinear(rules, asked, { facts: FACTS, ...(way === 'arrival' ? {} : { hook: way }) }).outcomes
    const point = pointOf(space, asked)
    const said = outcomeNames(outcomesAt(space, diagram, point))
    const isSame = said.join() === [...linear].toSorted().join()
    // Where ports or a known flow's origin cannot be read the diagram remembers more of what it has asked: it may be surer, never the other way round.
    const isOpen = ![6, 17, 132].includes(each.protocol) || (asksOrigin && each.ct !== 'new')
    const isSurer = isOpen && said.length > 0 && said.every((outcome) => linear.has(outcome))
    if (!isSame && !isSurer) throw new Error(`diagram ${said.join()}, linear ${[...linear].join()}: ${print(each)}\n${print(rules)}`)
  }
}

const print = (value: unknown): string => JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? each.toString() : each))

/** Destination NAT in prerouting in front of two filter tables. */
const natTable: fc.Arbitrary<Ruleset['tables'][number]> = fc
  .array(fc.tuple(fc.boolean(), fc.array(lookup, { maxLength: 2 }), newDestination()), { minLength: 1, maxLength: 3 })
  .map((rules) => ({
    family: 'ip',
    backend: 'legacy',
    name: 'nat',
    sets: [],
    isDormant: false,
    chains: [
      chainOf('pre', rules.map(([isTcp, matches, end]) => [...(isTcp ? [protocolFirst] : []), ...matches, end]), { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' }),
    ],
  }))

function newDestination(): fc.Arbitrary<Verdict> {
  const target = fc.constantFrom(...IPV4.slice(0, 6)).map((each) => ({ first: each, last: each }))
  const port = fc.constantFrom(22, 80, 1024).map((each) => ({ first: each, last: each }))
  const to = fc.oneof(fc.record({ addresses: target }), fc.record({ ports: port }), fc.record({ addresses: target, ports: port }))
  return to.map((each) => ({ kind: 'nat', change: 'dnat', target: { kind: 'to', to: each } }))
}

const withNat = fc.tuple(natTable, ruleset(['prerouting', 'input', 'forward'], false)).map(([nat, rest]) => ({ ...rest, tables: [nat, ...rest.tables] }))
/** Of a known flow the linear evaluator takes the packet as not translated; the diagram takes both as possible. */
const unmapped = packet.filter(({ ct }) => ct === 'new' || ct === 'invalid' || ct === 'untracked').map(({ ctStatus: _status, ...rest }) => rest)

const withoutOif = ({ oif: _oif, ...rest }: Packet): Packet => rest

const packets = fc.array(packet, { minLength: 20, maxLength: 20 })
const RUNS = { numRuns: 40, endOnFailure: true }

describe('the diagram says of every packet what the linear evaluator says', { timeout: 60_000 }, () => {
  test('input: prerouting, then input, two tables', () => {
    fc.assert(fc.property(ruleset(['prerouting', 'input'], false), packets, (rules, some) => bothSay(rules, some, 'input')), RUNS)
  })
  test('forward', () => {
    fc.assert(fc.property(ruleset(['prerouting', 'forward'], false), packets, (rules, some) => bothSay(rules, some, 'forward')), RUNS)
  })
  test('output', () => {
    fc.assert(fc.property(ruleset(['output'], false), packets, (rules, some) => bothSay(rules, some, 'output')), RUNS)
  })
  test('arrival: the routes decide between input and forward', () => {
    fc.assert(fc.property(ruleset(['prerouting', 'input', 'forward'], false), packets, (rules, some) => bothSay(rules, some, 'arrival')), RUNS)
  })
  test('destination NAT, then routing by the new destination', () => {
    fc.assert(fc.property(withNat, fc.array(unmapped, { minLength: 20, maxLength: 20 }), (rules, some) => bothSay(rules, some, 'arrival')), RUNS)
  })
  test('marks and untracking: rules change what later ones read', () => {
    fc.assert(fc.property(ruleset(['prerouting', 'input'], true), packets, (rules, some) => bothSay(rules, some, 'input')), RUNS)
  })
})
