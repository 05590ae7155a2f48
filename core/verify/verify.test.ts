import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { formatPortRange, type PortRange } from '../net/port.ts'
import { formatPrefix } from '../net/prefix.ts'
import type { Intent } from '../policy/intent.ts'
import { GOLDEN_INTENTS } from '../ruleset/nft/golden/intents.ts'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { renderNft } from '../ruleset/nft/render.ts'
import type { Packet } from '../ruleset/packet.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { compareRulesets, type Comparison, type Difference } from './compare.ts'
import { composeWay } from './compose.ts'
import { Decider } from './decide.ts'
import { digestOf } from './digest.ts'
import { findIdleRules } from './findings.ts'
import { compareWithIntent } from './intentDiagram.ts'
import { evaluateLinear } from './linear.ts'
import { PacketSpace } from './packetSpace.ts'
import type { Sources } from './sources.ts'

const nft = (text: string): Ruleset => {
  const parsed = parseNftText(text, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

/** One input chain. */
const input = (rules: string, policy = 'drop', rest = ''): Ruleset =>
  nft(`table inet t {\n${rest}\nchain in {\ntype filter hook input priority 0; policy ${policy};\n${rules}\n}\n}`)

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const ssh: Packet = { source: address('198.51.100.7'), destination: address('192.0.2.1'), protocol: 6, sourcePort: 40_000, destinationPort: 22, tcpFlags: 2, iif: 'eth0', ct: 'new' }

const verdict = (ruleset: Ruleset, packet: Partial<Packet> = {}): string => new Decider(ruleset, { way: 'input' }).decide({ ...ssh, ...packet }).kind

describe('what happens to a packet', () => {
  test.each<[string, Ruleset, Partial<Packet>, string]>([
    ['tcp flags syn is a test of one bit', input('tcp flags syn accept'), { tcpFlags: 18 }, 'accepted'],
    ['tcp flags == syn is equality', input('tcp flags == syn accept'), { tcpFlags: 18 }, 'dropped'],
    ['tcp flags { syn } is equality', input('tcp flags { syn } accept'), { tcpFlags: 18 }, 'dropped'],
    ['ct state established,related is a test of bits', input('ct state established,related accept'), { ct: 'related' }, 'accepted'],
    ['ct state { established, related } is membership', input('ct state { established, related } accept'), { ct: 'related' }, 'accepted'],
    ['ct state != established,related compares the whole value, which no packet has', input('ct state != established,related accept'), { ct: 'related' }, 'accepted'],
    ['a negated port is no match for ICMP', input('tcp dport != 22 accept'), { protocol: 1, icmpType: 8, icmpCode: 0 }, 'dropped'],
    ['a later fragment has no port, negated neither', input('tcp dport != 23 accept'), { fragment: 'later' }, 'dropped'],
    ['ip6 nexthdr is the first header, meta l4proto the last', input('ip6 nexthdr tcp accept'), { source: address('2001:db8::7'), destination: address('2001:db8::1'), extension: 0 }, 'dropped'],
    ['meta l4proto sees past extension headers', input('meta l4proto tcp accept'), { source: address('2001:db8::7'), destination: address('2001:db8::1'), extension: 0 }, 'accepted'],
    ['icmp type is IPv4 only', input('icmp type echo-request accept'), { source: address('2001:db8::7'), destination: address('2001:db8::1'), protocol: 1, icmpType: 8 }, 'dropped'],
    ['an accept ends one base chain, a later one still drops', nft('table inet a {\nchain c {\ntype filter hook input priority 0; policy accept;\naccept\n}\n}\ntable inet b {\nchain c {\ntype filter hook input priority 1; policy drop;\n}\n}'), {}, 'dropped'],
    ['goto does not come back: policy drop', input('goto c\naccept', 'drop', 'chain c {\n}'), {}, 'dropped'],
    ['a verdict map sends each key its way', input('tcp dport vmap { 22 : accept, 23 : drop }'), {}, 'accepted'],
    ['a concatenation needs all its parts', input('ip saddr . tcp dport { 198.51.100.0/24 . 20-30 } accept'), {}, 'accepted'],
    ['a negated set holds for what is outside', input('ip saddr != { 198.51.100.0/24, 10.0.0.1 } accept'), {}, 'dropped'],
    ['a set with a timeout is open until then', input('ip saddr @s accept', 'drop', 'set s {\ntype ipv4_addr\nflags timeout\nelements = { 198.51.100.7 timeout 1h expires 5m }\n}'), {}, 'accepted'],
    ['a set that rules fill is not known', input('ip saddr @s accept', 'drop', 'set s {\ntype ipv4_addr\nsize 10\nflags dynamic\n}'), {}, 'undecided'],
    ['a limit is not known', input('limit rate 1/second accept'), {}, 'undecided'],
    ['a limit before a sure accept does not matter', input('limit rate 1/second accept\naccept'), {}, 'accepted'],
    ['a wildcard name', input('iifname "eth*" accept'), {}, 'accepted'],
    ['a wildcard name holds the bare name too', input('iifname "eth0*" accept'), {}, 'accepted'],
    ['a wildcard name does not hold a shorter one', input('iifname "eth01*" accept'), {}, 'dropped'],
    ['a negated wildcard name holds for the others', input('iifname != "wan*" accept'), {}, 'accepted'],
    ['a negated named set holds for what is outside', input('ip saddr != @s accept', 'drop', 'set s {\ntype ipv4_addr\nflags interval\nelements = { 198.51.100.0/24 }\n}'), {}, 'dropped'],
    ['a negated set of the other family holds for nothing', input('ip6 saddr != { 2001:db8::1 } accept'), {}, 'dropped'],
    ['a negated concatenation holds where one part differs', input('ip saddr . tcp dport != { 198.51.100.7 . 23 } accept'), {}, 'accepted'],
    ['an interval with a timeout is open until then', input('ip saddr @s accept', 'drop', 'set s {\ntype ipv4_addr\nflags interval,timeout\nelements = { 198.51.100.0/24 timeout 1h expires 5m }\n}'), {}, 'accepted'],
    ['ip protocol is of IPv4 alone, extension headers or none', input('ip protocol tcp accept'), { source: address('2001:db8::7'), destination: address('2001:db8::1') }, 'dropped'],
    ['the first fragment has the ports', input('tcp dport 22 accept'), { fragment: 'first' }, 'accepted'],
    ['a later fragment still has its addresses and its protocol', input('ip saddr 198.51.100.7 meta l4proto tcp accept'), { fragment: 'later' }, 'accepted'],
    ['a named verdict map may go to a chain and come back', input('tcp dport vmap @v\naccept', 'drop', 'chain c {\n}\nmap v {\ntype inet_service : verdict\nelements = { 22 : jump c }\n}'), {}, 'accepted'],
    ['policy drop where goto leaves a called chain for one that ends', input('jump b', 'drop', 'chain c {\n}\nchain b {\ngoto c\naccept\n}'), {}, 'dropped'],
    ['a drop in an earlier hook is final', nft('table inet t {\nchain p {\ntype filter hook prerouting priority -150; policy accept;\ntcp dport 22 drop\n}\nchain i {\ntype filter hook input priority 0; policy accept;\naccept\n}\n}'), {}, 'dropped'],
    ['fib daddr type local is not broadcast', input('fib daddr type local accept'), { destination: address('255.255.255.255') }, 'dropped'],
    ['a mark set in prerouting is read in input', nft('table inet t {\nchain p {\ntype filter hook prerouting priority -150; policy accept;\ntcp dport 22 meta mark set 7\n}\nchain i {\ntype filter hook input priority 0; policy drop;\nmeta mark 7 accept\n}\n}'), {}, 'accepted'],
    ['fib daddr type local', input('fib daddr type local accept'), {}, 'accepted'],
    ['destination NAT is seen by the next hook', nft('table inet t {\nchain p {\ntype nat hook prerouting priority -100; policy accept;\ntcp dport 22 redirect to :2222\n}\nchain i {\ntype filter hook input priority 0; policy drop;\ntcp dport 2222 accept\n}\n}'), {}, 'accepted'],
    ['ct original keeps the port from before NAT', nft('table inet t {\nchain p {\ntype nat hook prerouting priority -100; policy accept;\ntcp dport 22 redirect to :2222\n}\nchain i {\ntype filter hook input priority 0; policy drop;\nmeta l4proto tcp ct original proto-dst 22 accept\n}\n}'), {}, 'accepted'],
    ['a mask of an address is in network order', input('ip saddr & 0.0.0.255 == 0.0.0.7 accept'), {}, 'accepted'],
    ['a mask of a port too', input('tcp dport & 0xff00 == 0x1600 accept'), {}, 'dropped'],
    ['a mark is a number in the order of the host', nft('table inet t {\nchain p {\ntype filter hook prerouting priority -150; policy accept;\nmeta mark set 0x01020304\n}\nchain i {\ntype filter hook input priority 0; policy drop;\nmeta mark & 0xff == 4 meta mark 0x01000000-0x01ffffff accept\n}\n}'), {}, 'accepted'],
    ['a map sends each port to an address of its own', nft('table ip t {\nchain p {\ntype nat hook prerouting priority -100; policy accept;\ndnat to tcp dport map { 22 : 192.0.2.9, 23 : 192.0.2.8 }\n}\nchain i {\ntype filter hook input priority 0; policy drop;\nip daddr 192.0.2.9 accept\n}\n}'), {}, 'accepted'],
    ['a port that the map lacks stays where it was', nft('table ip t {\nchain p {\ntype nat hook prerouting priority -100; policy accept;\ndnat to tcp dport map { 23 : 192.0.2.8 }\n}\nchain i {\ntype filter hook input priority 0; policy drop;\nip daddr 192.0.2.1 accept\n}\n}'), {}, 'accepted'],
    ['a concatenation with an interval in its second part', input('ip saddr . tcp dport vmap { 198.51.100.7 . 20-30 : drop, 198.51.100.7 . 31-40 : accept }', 'accept'), {}, 'dropped'],
    ['the end of a chain that was jumped to is the next rule', input('jump c\naccept', 'drop', 'chain c {\n}'), {}, 'accepted'],
    ['the end of a chain that goto entered from a called one is the next rule of the caller', input('jump b\naccept', 'drop', 'chain c {\n}\nchain b {\ngoto c\ndrop\n}'), {}, 'accepted'],
    ['return at the top is the policy', input('return\naccept'), {}, 'dropped'],
    ['the mark of no entry cannot be read, which ends the rule', input('meta mark set ct mark accept'), { ct: 'invalid' }, 'dropped'],
    ['the mark of no entry cannot be written, which ends nothing', input('ct mark set 7 accept'), { ct: 'invalid' }, 'accepted'],
    ['a value that is looked up may be missing, which ends the rule', input('meta mark set tcp dport map { 23 : 7 } accept'), {}, 'undecided'],
    ['an untracked packet has no status to read', nft('table inet t {\nchain p {\ntype filter hook prerouting priority -300; policy accept;\nnotrack\n}\nchain i {\ntype filter hook input priority 0; policy drop;\nct status != dnat accept\n}\n}'), {}, 'dropped'],
    ['an untracked packet passes by NAT', nft('table inet t {\nchain r {\ntype filter hook prerouting priority -300; policy accept;\nnotrack\n}\nchain p {\ntype nat hook prerouting priority -100; policy accept;\ntcp dport 22 redirect to :2222\n}\nchain i {\ntype filter hook input priority 0; policy drop;\ntcp dport 22 accept\n}\n}'), {}, 'accepted'],
    ['a prefix is not compared with more than itself', input('ip daddr & 255.255.0.0 == 255.255.255.255 accept'), {}, 'dropped'],
    ['a prerouting gate before NAT sees the published port', nft('table inet t {\nchain g {\ntype filter hook prerouting priority -150; policy accept;\ntcp dport 22 drop\n}\nchain p {\ntype nat hook prerouting priority -100; policy accept;\ntcp dport 22 redirect to :2222\n}\n}'), {}, 'dropped'],
  ])('%s', (_title, ruleset, packet, expected) => {
    expect(verdict(ruleset, packet)).toBe(expected)
  })

  test.each([
    [15, 'accepted', ['accept']],
    // More than the kernel would load (NFT_JUMP_STACK_SIZE).
    [18, 'undecided', ['accept', 'drop', 'reject']],
  ])('%i jumps deep: %s', (depth, expected, outcomes) => {
    const chains = Array.from({ length: depth }, (_, index) => `chain c${index} {\n${index + 1 < depth ? `jump c${index + 1}` : 'accept'}\n}`)
    const ruleset = input('jump c0', 'drop', chains.toReversed().join('\n'))
    expect(verdict(ruleset)).toBe(expected)
    expect([...evaluateLinear(ruleset, ssh, { hook: 'input' }).outcomes].toSorted((a, b) => (a < b ? -1 : 1))).toEqual(outcomes)
  })

  test('undecided names the rule and the match', () => {
    const answer = new Decider(input('tcp dport 22 limit rate 1/second accept'), { way: 'input' }).decide(ssh)
    expect(answer).toMatchObject({ kind: 'undecided', outcomes: ['accept', 'drop'] })
    if (answer.kind !== 'undecided' || answer.because === 'budget') throw new Error('expected reasons')
    expect(answer.because[0]?.what).toContain('limit')
    expect(answer.because[0]?.rule?.source.line).toBe(5)
  })

  test('past the budget nothing is decided', () => {
    const decider = new Decider(input('tcp dport { 1, 3, 5 } accept'), { way: 'input', budget: { edgesMax: 3 } })
    expect(decider.decide(ssh)).toMatchObject({ kind: 'undecided', because: 'budget' })
  })

  test('a class of packets is open only where each of them is', () => {
    const { sourcePort: _sport, ...anySource } = ssh
    expect(verdict(input('tcp sport 1024-65535 accept'), { ...anySource, sourcePort: undefined as never })).toBe('undecided')
  })
})

const different = (comparison: Comparison): readonly Difference[] => (comparison.kind === 'different' ? comparison.differences : [])
const ports = (ranges: readonly PortRange[]): string => ranges.map(formatPortRange).join(',') || 'any'
const sources = (from: Sources): string =>
  from.kind === 'any' ? 'any' : from.kind === 'family' ? `IPv${from.family}` : from.prefixes.map(formatPrefix).join(' ')
const line = (each: Difference): string => `${each.change} ${ports(each.protocols)}/${ports(each.ports)} from ${sources(each.sources)}`

describe('comparing two rulesets', () => {
  const compare = (a: Ruleset, b: Ruleset): readonly string[] => different(compareRulesets(a, b, { way: 'input' })).map(line)

  test.each<[string, string, string]>([
    ['rules of one verdict in another order', 'tcp dport 22 accept\nudp dport 53 accept', 'udp dport 53 accept\ntcp dport 22 accept'],
    ['a set and a list of rules', 'tcp dport { 22, 80-90 } accept', 'tcp dport 22 accept\ntcp dport 80-85 accept\ntcp dport 86-90 accept'],
    ['two halves and the whole', 'ip saddr 10.0.0.0/9 accept\nip saddr 10.128.0.0/9 accept', 'ip saddr 10.0.0.0/8 accept'],
    ['a shadowed rule more', 'ip saddr 10.0.0.0/8 accept', 'ip saddr 10.0.0.0/8 accept\nip saddr 10.1.0.0/16 accept'],
    ['a verdict map and rules', 'tcp dport vmap { 22 : accept, 23 : drop }', 'tcp dport 22 accept\ntcp dport 23 drop'],
  ])('equal: %s', (_title, a, b) => {
    expect(compareRulesets(input(a), input(b), { way: 'input' })).toEqual({ kind: 'equal' })
  })

  test.each<[string, string, string, string[]]>([
    ['a port opened', 'tcp dport 22 accept', 'tcp dport { 22, 80 } accept', ['opens 6/80 from any']],
    ['a port closed', 'tcp dport { 22, 80 } accept', 'tcp dport 22 accept', ['closes 6/80 from any']],
    ['a source more', 'ip saddr 10.0.0.0/8 tcp dport 22 accept', 'ip saddr { 10.0.0.0/8, 192.168.0.0/16 } tcp dport 22 accept', ['opens 6/22 from 192.168.0.0/16']],
    ['both ways', 'tcp dport 22 accept', 'tcp dport 23 accept', ['opens 6/23 from any', 'closes 6/22 from any']],
    ['reject instead of drop', '', 'tcp dport 113 reject with tcp reset', ['refuses-otherwise 6/113 from any']],
    ['a limit put on', 'tcp dport 22 accept', 'tcp dport 22 limit rate 5/minute accept', ['less-certain 6/22 from any']],
    ['IPv6 forgotten', 'tcp dport 443 accept', 'ip protocol tcp tcp dport 443 accept', ['closes 6/443 from IPv6']],
  ])('different: %s', (_title, a, b, expected) => {
    expect(compare(input(a), input(b))).toEqual(expected)
    for (const each of different(compareRulesets(input(a), input(b), { way: 'input' }))) expect(each.replay).toBe('agrees')
  })

  test('each difference has a readable packet, and the linear evaluator says the same of it', () => {
    const [a, b] = [input('tcp dport 22 accept'), input('ip saddr 10.0.0.0/8 tcp dport 22 accept')]
    const [only] = different(compareRulesets(a, b, { way: 'input' }))
    expect(only?.packet).toMatchObject({ source: address('198.51.100.7'), protocol: 6, destinationPort: 22, ct: 'new', tcpFlags: 2 })
    const packet = only?.packet ?? ssh
    expect([...evaluateLinear(a, packet, { hook: 'input' }).outcomes]).toEqual(only?.before)
    expect([...evaluateLinear(b, packet, { hook: 'input' }).outcomes]).toEqual(only?.after)
  })

  test('past the budget nothing is decided', () => {
    expect(compareRulesets(input('tcp dport 22 accept'), input('tcp dport 23 accept'), { way: 'input', budget: { edgesMax: 5 } })).toEqual({ kind: 'undecided', because: 'budget' })
  })
})

describe('comparing the rendered text with the intent', () => {
  const rendered = (intent: Intent): Ruleset => nft(renderNft(intent, { digestOf: sha256 }).text)

  test.each(Object.entries(GOLDEN_INTENTS))('equal: %s', (_name, intent) => {
    expect(compareWithIntent(intent, rendered(intent))).toEqual({ kind: 'equal' })
  })

  test('a grant that the text lacks, and one that it has too much, are told', () => {
    const { mixed } = GOLDEN_INTENTS
    if (!mixed) throw new Error('no such intent')
    const grant = { protocol: 'tcp', ports: { first: 9200, last: 9200 }, from: { family: 4, value: 0x0a01_0000n, length: 16 }, needs: ['x'] } as const
    const more = { ...mixed, grants: [...mixed.grants, grant] }
    expect(different(compareWithIntent(more, rendered(mixed))).map(line)).toEqual(['closes 6/9200 from 10.1.0.0/16'])
    expect(different(compareWithIntent(mixed, rendered(more))).map(line)).toEqual(['opens 6/9200 from 10.1.0.0/16'])
    for (const each of different(compareWithIntent(mixed, rendered(more)))) expect(each.replay).toBe('agrees')
  })

  test('a foreign table that closes more shows as such', () => {
    const { mixed } = GOLDEN_INTENTS
    if (!mixed) throw new Error('no such intent')
    const own = rendered(mixed)
    const foreign = input('tcp dport 443 drop', 'accept')
    const both = { tables: [...own.tables, ...foreign.tables], unmodelled: [] }
    expect(new Set(different(compareWithIntent(mixed, both)).map((each) => each.change))).toEqual(new Set(['closes']))
  })
})

describe('a difference says what its own packets meet', () => {
  const differences = (a: Ruleset, b: Ruleset, way: 'input' | 'forward' = 'input'): readonly Difference[] => {
    const compared = compareRulesets(a, b, { way })
    return compared.kind === 'different' ? compared.differences : []
  }

  test('also where a match outside the model decides of others', () => {
    const found = differences(input('meta skuid 0 drop\ntcp dport 22 accept'), input(''))
    expect(found.map(({ before, after }) => [before, after])).toEqual([[['accept'], ['drop']]])
  })

  test('with the way back that it takes for granted', () => {
    const found = differences(input('fib saddr . iif oif missing drop\ntcp dport 22 accept'), input('tcp dport 22 accept'))
    expect(found.map(({ before, after, assuming }) => [before, after, assuming])).toEqual([[['drop'], ['accept'], ['no route back by the incoming interface']]])
  })

  test('and is from anyone where only sources are left out that nobody forwards', () => {
    const forward = (verdict: string): Ruleset => nft(`table inet t {\nchain f {\ntype filter hook forward priority 0; policy drop;\niifname lan oifname wan ${verdict}\n}\n}`)
    expect(differences(forward('accept'), forward('drop'), 'forward').map(({ sources: from }) => from.kind)).toEqual(['any'])
  })
})

describe('idle rules', () => {
  const idle = (rules: string, policy?: string): string[] => findIdleRules(input(rules, policy)).map(({ kind, rule }) => `${kind} ${rule.source.text.trim()}`)

  test.each<[string, string, string | undefined, string[]]>([
    ['a rule behind a wider one', 'ip saddr 10.0.0.0/8 accept\nip saddr 10.1.0.0/16 drop', undefined, ['shadowed ip saddr 10.1.0.0/16 drop']],
    ['a rule that the policy repeats', 'tcp dport 22 accept\ntcp dport 23 drop', undefined, ['redundant tcp dport 23 drop']],
    ['two rules that together hide a third', 'ip saddr 10.0.0.0/9 accept\nip saddr 10.128.0.0/9 accept\nip saddr 10.0.0.0/8 drop', undefined, ['shadowed ip saddr 10.0.0.0/8 drop']],
    ['a limit hides nothing', 'limit rate 1/second drop\ntcp dport 22 accept', undefined, []],
    ['a rule that keeps packets from a log is not idle', 'tcp dport 23 drop\nlog prefix "all else"', undefined, []],
    ['a rule that keeps no packet of a log is', 'tcp dport 23 drop\nudp dport 53 log', undefined, ['redundant tcp dport 23 drop']],
    ['a rule that refuses by a reset, before one by ICMP', 'tcp dport 23 reject with tcp reset\ntcp dport 23 reject', undefined, ['shadowed tcp dport 23 reject']],
    ['counting is no verdict', 'counter\ntcp dport 22 accept', undefined, []],
  ])('%s', (_title, rules, policy, expected) => {
    expect(idle(rules, policy)).toEqual(expected)
  })
})

describe('digests', () => {
  const digest = (ruleset: Ruleset, others: Ruleset[] = []): string => {
    const space = new PacketSpace([ruleset, ...others])
    return digestOf(space, composeWay(space, ruleset, 'input'), sha256)
  }

  test('are the same for the same meaning, in whatever company and words', () => {
    const a = digest(input('iifname eth0 tcp dport { 22, 23 } accept'))
    expect(digest(input('iifname "eth0" tcp dport 22-23 accept'), [input('iifname "wlan*" accept'), input('iifname eth1 accept')])).toBe(a)
    expect(digest(input('iifname eth1 tcp dport { 22, 23 } accept'))).not.toBe(a)
  })
})
