import { describe, expect, test } from 'vitest'
import { parseAddress } from '../net/address.ts'
import { parsePrefix } from '../net/prefix.ts'
import type { HostFacts, Route } from '../ruleset/hostfacts.ts'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { parsePacketText } from '../ruleset/packetText.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { compareRulesets } from './compare.ts'
import { judge } from './judge.ts'
import { evaluateLinear } from './linear.ts'

/** What becomes of packets by routes, mappings and the stack's own checks: asked of both evaluators, which must say the same. */
const valueOf = <T>(result: { ok: true; value: T } | { ok: false; faults: readonly { what: { en: string } }[] }): T => {
  if (!result.ok) throw new Error(result.faults[0]?.what.en)
  return result.value
}
const route = (type: Route['type'], table: Route['table'], oif: string, destination: string, metric = 0): Route => ({ type, table, oif, metric, destination: valueOf(parsePrefix(destination)) })
const device = (index: number, name: string, addresses: readonly string[]) => ({ index, name, type: 1, addresses: addresses.map((text) => ({ address: valueOf(parseAddress(text)), prefixLength: 24 })) })

const FACTS: HostFacts = {
  interfaces: [device(2, 'wan', ['192.0.2.1', '2001:db8::1', 'fe80::a']), device(3, 'lan', ['10.0.0.1', 'fd00::1', 'fe80::b']), device(4, 'dmz', [])],
  routes: [
    route('local', 'local', 'wan', '192.0.2.1'),
    route('local', 'local', 'lan', '10.0.0.1'),
    route('broadcast', 'local', 'lan', '10.0.0.255'),
    route('unicast', 'main', 'lan', '10.0.0.0/24'),
    route('unicast', 'main', 'wan', '0.0.0.0/0'),
    route('blackhole', 'main', 'wan', '198.18.0.0/15'),
    // Multipath.
    route('unicast', 'main', 'lan', '10.8.0.0/16'),
    route('unicast', 'main', 'dmz', '10.8.0.0/16'),
    route('local', 'local', 'wan', '2001:db8::1'),
    route('local', 'local', 'lan', 'fd00::1'),
    route('local', 'local', 'wan', 'fe80::a'),
    route('local', 'local', 'lan', 'fe80::b'),
    route('unicast', 'main', 'lan', 'fd00::/64'),
    route('unicast', 'main', 'wan', 'fe80::/64', 256),
    route('unicast', 'main', 'lan', 'fe80::/64', 256),
    route('unicast', 'main', 'wan', '::/0'),
  ],
  isForwarding: { 4: true, 6: true },
  unmodelled: [],
}

const nft = (chains: string): Ruleset => valueOf(parseNftText(`table inet t {\n${chains}\n}\n`, 'test.nft'))
const chain = (hook: string, rules: string, policy = 'accept', priority = '0', type = 'filter'): string => `chain ${hook}${priority.replace('-', 'm')} {\ntype ${type} hook ${hook} priority ${priority}; policy ${policy};\n${rules}\n}\n`

const verdict = (ruleset: Ruleset, text: string): string => {
  const { verdict: { kind }, doAgree } = judge(ruleset, valueOf(parsePacketText(text)), { way: 'arrival', facts: FACTS })
  return doAgree ? kind : 'the evaluators differ'
}

/** A router: it masquerades what leaves, publishes one port, forwards into the LAN, and lets nothing in to itself. */
const ROUTER = nft(
  chain('prerouting', 'iifname wan tcp dport 80 dnat ip to 10.0.0.5:8080', 'accept', '-100', 'nat') +
    chain('postrouting', 'oifname wan masquerade', 'accept', '100', 'nat') +
    chain('input', '', 'drop') +
    chain('forward', 'ip daddr 10.0.0.5 tcp dport { 8080, 40000 } accept\nip daddr 10.0.0.5 icmp type time-exceeded accept', 'drop'),
)

describe('a known flow follows its mapping, not the rules', () => {
  const answer = 'tcp 198.51.100.7:443 -> 192.0.2.1:40000 iif wan ct established direction reply'
  const own = 'tcp 198.51.100.7:5000 -> 192.0.2.1:80 iif wan ct established'
  const error = 'icmp 203.0.113.9 -> 192.0.2.1 iif wan ct related type time-exceeded direction reply'

  test.each([
    ['an answer to what was masqueraded goes to who asked', `${answer} status snat original tcp 10.0.0.5:40000 -> 198.51.100.7:443`, 'accepted'],
    ['who asked is not told: nobody knows', `${answer} status snat`, 'undecided'],
    ['not mapped: it is for this host', `${answer} status none original tcp 192.0.2.1:40000 -> 198.51.100.7:443`, 'dropped'],
    ['a packet to the published port goes to where answers come from', `${own} status dnat reply tcp 10.0.0.5:8080 -> 198.51.100.7:5000`, 'accepted'],
    ['which may be another place than the rules say now', `${own} status dnat reply tcp 10.0.0.6:8080 -> 198.51.100.7:5000`, 'dropped'],
    ['a flow from before the port was published stays here', `${own} status none`, 'dropped'],
    ['its answers are not rewritten on arrival', 'tcp 10.0.0.5:8080 -> 198.51.100.7:5000 iif lan ct established direction reply status dnat original tcp 198.51.100.7:5000 -> 192.0.2.1:80', 'dropped'],
    ['an error goes the way of the flow that it belongs to', `${error} status snat original udp 10.0.0.5:40000 -> 198.51.100.7:53`, 'accepted'],
    ['an invalid packet has no mapping', 'tcp 198.51.100.7:5000 -> 192.0.2.1:80 iif wan ct invalid', 'dropped'],
    ['a new one asks the rules', 'tcp 198.51.100.7:5000 -> 192.0.2.1:80 iif wan ct new', 'accepted'],
  ])('%s', (_title, packet, expected) => {
    expect(verdict(ROUTER, packet)).toBe(expected)
  })

  test('without a NAT chain nothing is mapped any more', () => {
    expect(verdict(nft(chain('input', '', 'drop')), `${answer} status snat original tcp 10.0.0.5:40000 -> 198.51.100.7:443`)).toBe('dropped')
  })

  test('each counterexample of two routers replays', () => {
    const other = nft(
      chain('prerouting', 'iifname wan tcp dport 80 dnat ip to 10.0.0.5:8080', 'accept', '-100', 'nat') +
        chain('input', 'ct original proto-dst 22 meta l4proto tcp accept', 'drop') +
        chain('forward', 'ip daddr 10.0.0.6 tcp dport 8080 accept', 'drop'),
    )
    const comparison = compareRulesets(ROUTER, other, { way: 'arrival', facts: FACTS })
    const differences = comparison.kind === 'different' ? comparison.differences : []
    expect(differences.length).toBeGreaterThan(0)
    expect(differences.map(({ replay }) => replay)).toEqual(differences.map(() => 'agrees'))
  })
})

describe('what the stack does not forward, whatever the rules', () => {
  const OPEN = nft(chain('forward', 'accept'))
  test.each([
    ['tcp 198.51.100.7:1 -> 10.0.0.5:2 iif wan ttl 1', 'dropped'],
    ['tcp 198.51.100.7:1 -> 10.0.0.5:2 iif wan ttl 2', 'accepted'],
    ['tcp 198.51.100.7:1 -> 10.0.0.5:2 iif wan', 'accepted'],
    ['tcp 198.51.100.7:1 -> 192.0.2.1:2 iif wan ttl 1', 'accepted'],
    ['tcp 198.51.100.7:1 -> 10.0.0.5:2 iif wan pkttype broadcast', 'dropped'],
    ['tcp 198.51.100.7:1 -> 198.18.0.1:2 iif wan', 'dropped'],
    ['tcp [fe80::5]:1 -> [fd00::5]:2 iif wan', 'dropped'],
    // Back to the link it came from it goes, with a redirect (ip6_forward).
    ['tcp [fe80::5]:1 -> [fd00::5]:2 iif lan', 'accepted'],
    ['tcp [::]:1 -> [fd00::5]:2 iif wan', 'dropped'],
    ['tcp [2001:db8:9::9]:1 -> [fd00::5]:2 iif wan ttl 1', 'dropped'],
  ])('%s: %s', (packet, expected) => {
    expect(verdict(OPEN, packet)).toBe(expected)
  })

  test('a frame that was not sent to this host is dropped where NAT does not send it here', () => {
    const perhaps = nft(chain('prerouting', 'limit rate 1/second redirect', 'accept', '-100', 'nat'))
    expect(verdict(perhaps, 'tcp 198.51.100.7:1 -> 10.0.0.5:2 iif wan pkttype broadcast')).toBe('undecided')
  })

  test('the linear evaluator says why', () => {
    const { refusals, outcomes } = evaluateLinear(OPEN, valueOf(parsePacketText('tcp 198.51.100.7:1 -> 10.0.0.5:2 iif wan ttl 1')), { facts: FACTS })
    expect([[...outcomes], refusals]).toEqual([['drop'], ['a packet with TTL 1 is not forwarded']])
  })
})

describe('what the routing tables say of an address', () => {
  const gate = (match: string): Ruleset => nft(chain('prerouting', `${match} drop`, 'accept', '-150'))
  const from = (source: string, iif: string): string => `tcp ${source}:1 -> ${source.startsWith('[') ? '[2001:db8::1]' : '192.0.2.1'}:22 iif ${iif}`

  test.each([
    ['fib saddr . iif oif missing', from('10.0.0.5', 'lan'), 'accepted'],
    ['fib saddr . iif oif missing', from('10.0.0.5', 'wan'), 'dropped'],
    ['fib saddr oif missing', from('10.0.0.5', 'wan'), 'accepted'],
    ['fib saddr oif missing', from('198.18.0.1', 'wan'), 'dropped'],
    // One's own address is nobody's way back.
    ['fib saddr oif missing', from('10.0.0.1', 'wan'), 'dropped'],
    ['fib saddr . iif oif missing', from('10.8.0.1', 'lan'), 'accepted'],
    ['fib saddr . iif oif missing', from('10.8.0.1', 'dmz'), 'accepted'],
    ['fib saddr . iif oif missing', from('10.8.0.1', 'wan'), 'dropped'],
    // A host without an address speaks to everyone.
    ['fib saddr . iif oif missing', 'udp 0.0.0.0:68 -> 255.255.255.255:67 iif lan', 'accepted'],
    ['fib saddr . iif oif missing', from('[fd00::5]', 'lan'), 'accepted'],
    ['fib saddr . iif oif missing', from('[fd00::5]', 'wan'), 'dropped'],
    // The same link-local prefix on both links.
    ['fib saddr . iif oif missing', from('[fe80::5]', 'lan'), 'accepted'],
    ['fib saddr . iif oif missing', from('[fe80::5]', 'wan'), 'accepted'],
    ['fib saddr . iif oif missing', from('[fe80::b]', 'lan'), 'dropped'],
    ['fib daddr type local', 'tcp 198.51.100.7:1 -> 10.0.0.1:22 iif wan', 'dropped'],
    ['fib daddr . iif type local', 'tcp 198.51.100.7:1 -> 10.0.0.1:22 iif wan', 'accepted'],
    ['fib daddr . iif type unicast', 'tcp 198.51.100.7:1 -> 10.0.0.1:22 iif wan', 'dropped'],
    ['fib daddr . iif type unicast', 'tcp [2001:db8:9::9]:1 -> [fd00::1]:22 iif wan', 'dropped'],
    ['fib daddr type local', 'tcp [fe80::5]:1 -> [fe80::a]:22 iif wan', 'dropped'],
    ['fib daddr type local', 'tcp [fe80::5]:1 -> [fe80::b]:22 iif wan', 'accepted'],
  ])('%s drop; %s: %s', (match, packet, expected) => {
    expect(verdict(gate(match), packet)).toBe(expected)
  })

  test('several equal routes: the packet may take each', () => {
    expect(verdict(nft(chain('forward', 'oifname dmz drop')), 'tcp 198.51.100.7:1 -> 10.8.0.1:22 iif wan')).toBe('undecided')
    expect(verdict(nft(chain('forward', 'oifname { lan, dmz } drop')), 'tcp 198.51.100.7:1 -> 10.8.0.1:22 iif wan')).toBe('dropped')
  })
})

describe('redirect takes the address of the interface', () => {
  const REDIRECT = nft(chain('prerouting', 'tcp dport 80 redirect to :8080', 'accept', '-100', 'nat') + chain('input', 'ip daddr { 192.0.2.1, 10.0.0.1 } tcp dport 8080 accept\nip6 daddr fe80::b accept', 'drop'))
  test.each([
    ['tcp 198.51.100.7:1 -> 203.0.113.9:80 iif lan', 'accepted'],
    ['tcp 198.51.100.7:1 -> 203.0.113.9:80 iif dmz', 'dropped'],
    ['tcp [2001:db8:9::9]:1 -> [2001:db8:5::5]:80 iif lan', 'dropped'],
    ['tcp [fe80::9]:1 -> [ff02::1]:80 iif lan', 'accepted'],
  ])('%s: %s', (packet, expected) => {
    expect(verdict(REDIRECT, packet)).toBe(expected)
  })
})

describe('the order of chains at one priority', () => {
  test('the later one runs first; NAT counts from its first chain', () => {
    const before = nft(chain('prerouting', 'tcp dport 80 redirect to :8080', 'accept', '-100', 'nat') + chain('prerouting', 'tcp dport 8080 drop', 'accept', '-100').replace('preroutingm100', 'late'))
    const after = nft(chain('prerouting', 'tcp dport 8080 drop', 'accept', '-100').replace('preroutingm100', 'early') + chain('prerouting', 'tcp dport 80 redirect to :8080', 'accept', '-100', 'nat'))
    expect([verdict(before, 'tcp 198.51.100.7:1 -> 192.0.2.1:80 iif wan'), verdict(after, 'tcp 198.51.100.7:1 -> 192.0.2.1:80 iif wan')]).toEqual(['accepted', 'dropped'])
  })

  test('beside connection tracking either may come first', () => {
    expect(verdict(nft(chain('prerouting', 'ct state invalid drop', 'accept', '-200')), 'tcp 198.51.100.7:1 -> 192.0.2.1:80 iif wan')).toBe('undecided')
  })

  test('a source that NAT has changed is not known behind it', () => {
    const rules = (priority: string): Ruleset => nft(chain('postrouting', 'masquerade', 'accept', '100', 'nat') + chain('postrouting', 'ip saddr 198.51.100.7 drop', 'accept', priority))
    expect(['99', '101'].map((priority) => verdict(rules(priority), 'tcp 198.51.100.7:1 -> 10.0.0.5:80 iif wan'))).toEqual(['dropped', 'undecided'])
  })

  test('a NAT chain may drop', () => {
    expect(verdict(nft(chain('input', 'tcp dport 22 drop', 'accept', '100', 'nat')), 'tcp 198.51.100.7:1 -> 192.0.2.1:22 iif wan')).toBe('dropped')
  })
})
