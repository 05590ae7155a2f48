import fc from 'fast-check'
import { describe, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import type { HostFacts, Route } from '../ruleset/hostfacts.ts'
import type { FlowEnds, Packet } from '../ruleset/packet.ts'
import type { BaseChain, Chain, Element, Field, LookupMatch, Match, Ruleset, Source, Step, Value, Verdict, VerdictElement } from '../ruleset/ruleset.ts'
import { BudgetError } from '../space/arena.ts'
import { outcomeNames } from './compare.ts'
import { composeStated } from './compose.ts'
import { evaluateLinear } from './linear.ts'
import { outcomesAt, pointOf } from './packetPoint.ts'
import { PacketSpace } from './packetSpace.ts'
import { settled } from './refused.ts'

/**
 * The two evaluators share no matching code; here they are asked the same. Values are few and packets are drawn from the edges of the
 * values, so that matches meet. A failure prints ruleset and packet.
 */
const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const IPV4 = ['10.0.0.0', '10.0.0.1', '10.0.0.255', '10.0.1.0', '10.255.255.255', '192.0.2.1', '198.51.100.7', '224.0.0.1', '255.255.255.255', '0.0.0.0', '172.16.0.1'].map(address)
const IPV6 = ['fe80::1', 'fe80::2', 'fd00::', 'fd00::ffff', '2001:db8::1', 'ff02::1', '2001:db8:b::1', '::'].map(address)
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
  kind('ctStatus', fc.constantFrom(one(0), one(2), one(14), one(32))),
  kind('ctStatus', fc.constantFrom(one(0), one(512)), 514),
  kind('ctMark', fc.constantFrom(one(0), one(1), one(5))),
  kind('ctMark', fc.constantFrom(one(0), one(1)), 1),
  kind('ctOriginalDport', interval(PORTS)),
  kind('ctOriginalSport', interval(PORTS)),
  kind('ctOriginalProtocol', fc.constantFrom(one(6), one(17))),
  kind('ctOriginalSaddr4', interval(IPV4.map((each) => each.value))),
  kind('ctOriginalSaddr6', interval(IPV6.map((each) => each.value))),
  kind('ctOriginalDaddr6', interval(IPV6.map((each) => each.value))),
  kind('ctOriginalDaddr4', interval(IPV4.map((each) => each.value))),
  kind('daddrType', fc.constantFrom(one(1), one(2), one(3), one(5))),
  kind('saddrType', fc.constantFrom(one(1), one(2), one(5))),
  kind('daddrTypeIif', fc.constantFrom(one(1), one(2), one(7))),
  kind('saddrTypeOif', fc.constantFrom(one(1), one(2))),
  kind('saddrRoute', fc.constantFrom(one(0), one(1))),
  kind('saddrRouteIif', fc.constantFrom(one(0), one(1))),
  kind('iifIndex', fc.constantFrom(one(0), one(2))),
  kind('iifType', fc.constantFrom(one(1), one(772))),
  kind('macSaddr', fc.constantFrom(one(5), one(6))),
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
  { kind: 'set-mark', field: 'ctMark', keep: 0n, flip: 5n },
  { kind: 'set-mark', field: 'ctMark', keep: 0xffn, flip: 1n, copyFrom: 'mark' },
  { kind: 'set-mark', field: 'mark', keep: 0xffff_ffffn, flip: 0n, copyFrom: 'ctMark' },
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
  fc.record({ type: fc.constant('filter' as const), hook: fc.constant(hook), priority: fc.constantFrom(-300, -200, -150, 0, 10, 100, 200), policy: fc.constantFrom('accept', 'drop') })

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
    ct: fc.constantFrom('new', 'new', 'established', 'established', 'related', 'invalid', 'untracked'),
    flow: fc.record({ status: fc.constantFrom(0, 2, 14, 16, 32, 48, 46), mark: fc.constantFrom(0, 1, 5), ports: fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom(...PORTS)), index: fc.nat(4) }),
    rest: fc.record({ iif: fc.constantFrom(...NAMES), oif: fc.constantFrom(...NAMES), ttl: fc.constantFrom(1, 2, 64, 255), dscp: fc.constantFrom(0, 8), length: fc.constantFrom(40, 60, 1500), pkttype: fc.constantFrom(0, 0, 0, 1), macSource: fc.constantFrom(5n, 6n) }),
    isReply: fc.boolean(),
  })
  .map(({ isIPv4, addresses: [from4, to4, from6, to6], protocol, ports, icmp, flags, fragment, extension, ct, rest, isReply, flow }) => ({
    source: isIPv4 ? from4 : from6,
    destination: isIPv4 ? to4 : to6,
    protocol,
    fragment,
    ct,
    ctDirection: isReply && ct === 'established' ? 'reply' : 'original',
    ctMark: ct === 'new' ? 0 : flow.mark,
    ctStatus: ct === 'new' ? 0 : flow.status,
    ctOriginal: endsOf(isIPv4, protocol, flow.index, flow.ports),
    ctReply: endsOf(isIPv4, protocol, flow.index + 1, flow.ports),
    ...rest,
    ...(isIPv4 || extension === undefined ? {} : { extension }),
    ...([6, 17, 132].includes(protocol) ? { sourcePort: ports[0], destinationPort: ports[1] } : {}),
    ...(protocol === 6 ? { tcpFlags: flags } : {}),
    ...([1, 58].includes(protocol) ? { icmpType: icmp, icmpCode: 0 } : {}),
  }))

function endsOf(isIPv4: boolean, protocol: number, index: number, [sourcePort, destinationPort]: readonly [number, number]): FlowEnds {
  const [source, destination] = (isIPv4 ? IPV4 : IPV6).slice(index)
  return { source: source ?? address('::'), destination: destination ?? address('::'), protocol, sourcePort, destinationPort }
}

const at = (index: number, addresses: readonly string[]): HostFacts['interfaces'][number]['addresses'] => addresses.map((text) => ({ address: address(text), prefixLength: index }))
const route = (type: Route['type'], table: Route['table'], oif: string, text: string, length: number, metric = 0): Route => ({ type, table, oif, metric, destination: { ...address(text), length } })

const FACTS: HostFacts = {
  interfaces: [
    { index: 1, name: 'lo', type: 772, addresses: at(8, ['127.0.0.1', '::1']) },
    { index: 2, name: 'eth0', type: 1, addresses: at(24, ['192.0.2.1', '2001:db8::1', 'fe80::1']) },
    { index: 3, name: 'eth1', type: 1, addresses: at(24, ['10.0.1.0']) },
    { index: 4, name: 'br-a', type: 1, addresses: at(64, ['fd00::ffff', 'fe80::2']) },
  ],
  routes: [
    route('local', 'local', 'lo', '127.0.0.0', 8),
    route('local', 'local', 'lo', '::1', 128),
    route('local', 'local', 'eth0', '192.0.2.1', 32),
    route('local', 'local', 'eth1', '10.0.1.0', 32),
    route('broadcast', 'local', 'eth1', '10.0.0.255', 32),
    route('unicast', 'main', 'eth1', '10.0.0.0', 24),
    route('unicast', 'main', 'eth0', '0.0.0.0', 0),
    route('unicast', 'main', 'eth1', '172.16.0.0', 12, 5),
    route('unicast', 'main', 'eth0', '172.16.0.0', 12, 5),
    route('blackhole', 'main', 'lo', '172.16.0.0', 12, 9),
    route('blackhole', 'main', 'lo', '10.255.0.0', 16),
    route('local', 'local', 'eth0', '2001:db8::1', 128),
    route('anycast', 'local', 'br-a', 'fd00::', 128),
    route('local', 'local', 'br-a', 'fd00::ffff', 128),
    route('local', 'local', 'eth0', 'fe80::1', 128),
    route('local', 'local', 'br-a', 'fe80::2', 128),
    route('unicast', 'main', 'eth0', 'fe80::', 64, 256),
    route('unicast', 'main', 'eth1', 'fe80::', 64, 256),
    route('unicast', 'main', 'br-a', 'fd00::', 64, 256),
    route('throw', 'main', 'lo', '2001:db8:b::', 48),
    route('unicast', 'default', 'eth1', '::', 0),
  ],
  isForwarding: { 4: true, 6: true },
  unmodelled: [],
}

/**
 * Where the linear evaluator could answer everything that it was asked, both say the same. Where it could not, the diagram remembers more of
 * how questions hang together and may be surer, never say something else.
 */
function bothSay(rules: Ruleset, packets: readonly Packet[], way: 'input' | 'forward' | 'output' | 'arrival'): void {
  const space = new PacketSpace([rules], FACTS, BUDGET)
  const diagram = withinBudget(() => composeStated(space, rules, way))
  for (const each of diagram === undefined ? [] : packets) {
    const asked = way === 'output' ? { ...each, iif: '' } : way === 'arrival' || way === 'input' ? withoutOif(each) : each
    const { outcomes, unknowns } = evaluateLinear(rules, asked, { facts: FACTS, ...(way === 'arrival' ? {} : { hook: way }) })
    const composed = outcomeNames(settled(outcomesAt(space, diagram ?? 0, pointOf(space, asked)), asked))
    // The stack itself refuses what does not get to a hook, and the linear evaluator says so.
    const said = composed.length === 0 ? ['drop' as const] : composed
    const isSame = said.length === outcomes.size && said.every((outcome) => outcomes.has(outcome))
    const isSurer = unknowns.length > 0 && said.every((outcome) => outcomes.has(outcome))
    if (!isSame && !isSurer) throw new Error(`diagram ${composed.join()}, linear ${[...outcomes].join()} (open: ${unknowns.map(({ what }) => what).join()}): ${print(each)}\n${listing(rules)}`)
  }
}

/** Random masks and ranges in many fields at once grow past any use: of those nothing is said. */
const BUDGET = { edgesMax: 400_000 }

function withinBudget(compose: () => number): number | undefined {
  try {
    return compose()
  } catch (error) {
    if (error instanceof BudgetError) return undefined
    throw error
  }
}

const print = (value: unknown): string => JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? each.toString() : each)).replaceAll('"', '')

/** A ruleset to read: a line a rule. */
const listing = (rules: Ruleset): string =>
  rules.tables
    .flatMap((table) => [
      `${table.family} ${table.name}`,
      ...table.chains.flatMap((chain) => [`  ${chain.name} ${chain.base ? `${chain.base.type} ${chain.base.hook} ${chain.base.priority} ${chain.base.policy}` : ''}`, ...chain.rules.map((rule) => `    ${rule.steps.map(print).join(' ')}`)]),
    ])
    .join('\n')

/** NAT in front of or behind two filter tables. */
const natTable = (writes: boolean): fc.Arbitrary<Ruleset['tables'][number]> =>
  fc
    .record({ pre: natRules(newDestination(), writes), post: natRules(newSource, writes), input: natRules(newSource, writes), family: fc.constantFrom('ip', 'ip', 'inet'), policy: fc.constantFrom('accept', 'accept', 'drop') })
    .map(({ pre, post, input, family, policy }) => ({
      family,
      backend: 'legacy',
      name: 'nat',
      sets: [],
      isDormant: false,
      chains: [
        chainOf('pre', pre, { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' }),
        chainOf('post', post, { type: 'nat', hook: 'postrouting', priority: 100, policy: 'accept' }),
        chainOf('in', input, { type: 'nat', hook: 'input', priority: 100, policy }),
        chainOf('late', pre.toReversed(), { type: 'nat', hook: 'prerouting', priority: -90, policy: 'accept' }),
      ],
    }))

const natRules = (end: fc.Arbitrary<Verdict>, writes: boolean): fc.Arbitrary<Step[][]> =>
  fc
    .array(fc.tuple(fc.boolean(), fc.array(lookup, { maxLength: 2 }), fc.array(statement, { maxLength: writes ? 1 : 0 }), fc.oneof({ weight: 3, arbitrary: end }, { weight: 1, arbitrary: fc.constantFrom<Verdict>({ kind: 'accept' }, { kind: 'drop' }, { kind: 'return' }) })), { maxLength: 3 })
    .map((rules) => rules.map(([isTcp, matches, statements, verdict]) => [isIPv4, ...(isTcp ? [protocolFirst] : []), ...matches, ...statements, verdict]))

const isIPv4: Match = { kind: 'lookup', fields: [{ name: 'family' }], among: { kind: 'inline', elements: [{ values: [one(4)] }] }, isNegated: false }

const newSource = fc.constantFrom<Verdict>({ kind: 'nat', change: 'masquerade', target: { kind: 'none' } }, { kind: 'nat', change: 'snat', target: { kind: 'none' } })

function newDestination(): fc.Arbitrary<Verdict> {
  const target = fc.constantFrom(...IPV4.slice(0, 6), ...IPV4.slice(8)).map((each) => ({ first: each, last: each }))
  const port = fc.constantFrom(22, 80, 1024).map((each) => ({ first: each, last: each }))
  const to = fc.oneof(fc.record({ addresses: target }), fc.record({ ports: port }), fc.record({ addresses: target, ports: port }))
  const redirect = fc.option(fc.record({ ports: port }))
  return fc.oneof(
    to.map((each): Verdict => ({ kind: 'nat', change: 'dnat', target: { kind: 'to', to: each } })),
    redirect.map((each): Verdict => ({ kind: 'nat', change: 'redirect', target: each ? { kind: 'to', to: each } : { kind: 'none' } })),
  )
}

const withNat = (writes: boolean): fc.Arbitrary<Ruleset> =>
  fc.tuple(natTable(writes), ruleset(['prerouting', 'input', 'forward', 'postrouting'], writes), fc.boolean()).map(([nat, rest, isFirst]) => ({ ...rest, tables: isFirst ? [nat, ...rest.tables] : [...rest.tables, nat] }))
const withoutOif = ({ oif: _oif, ...rest }: Packet): Packet => rest

const packets = fc.array(packet, { minLength: 20, maxLength: 20 })
const RUNS = { numRuns: 40, endOnFailure: true }

describe('the diagram says of every packet what the linear evaluator says', { timeout: 60_000 }, () => {
  test.each<[string, 'input' | 'forward' | 'output' | 'arrival', fc.Arbitrary<Ruleset>]>([
    ['prerouting, then input, two tables', 'input', ruleset(['prerouting', 'input'], false)],
    ['forward, then postrouting', 'forward', ruleset(['prerouting', 'forward', 'postrouting'], false)],
    ['output, then postrouting', 'output', ruleset(['output', 'postrouting'], false)],
    ['the routes decide between input and forward', 'arrival', ruleset(['prerouting', 'input', 'forward', 'postrouting'], false)],
    ['NAT, then routing by the new destination', 'arrival', withNat(false)],
    ['marks and untracking: rules change what later ones read', 'input', ruleset(['prerouting', 'input'], true)],
    ['marks set in NAT chains', 'arrival', withNat(true)],
  ])('%s', (_title, way, rulesets) => {
    fc.assert(fc.property(rulesets, packets, (rules, some) => bothSay(rules, some, way)), RUNS)
  })
})
