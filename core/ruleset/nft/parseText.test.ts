import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress } from '../../net/address.ts'
import { evaluateLinear } from '../../verify/linear.ts'
import type { Packet } from '../packet.ts'
import type { Ruleset } from '../ruleset.ts'
import { parseNftText } from './parseText.ts'

const address = (text: string): Packet['source'] => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const ssh: Packet = { source: address('198.51.100.7'), destination: address('192.0.2.1'), protocol: 6, sourcePort: 40_000, destinationPort: 22, tcpFlags: 2, iif: 'eth0', ct: 'new' }
const synAck: Packet = { ...ssh, tcpFlags: 18 }
const udp: Packet = { ...ssh, protocol: 17 }
const sixth: Packet = { ...ssh, source: address('2001:db8::7'), destination: address('2001:db8::1') }

const parsed = (text: string): Ruleset => {
  const result = parseNftText(text, 'rules.nft')
  if (!result.ok) throw new Error(JSON.stringify(result.faults))
  return result.value
}

const SETS = `
  set hosts { type ipv4_addr; flags interval,timeout; elements = { 198.51.100.0/24 timeout 1h expires 59m3s2ms comment "until T", 10.0.0.1-10.0.0.9 } }
  set pairs { type ipv4_addr . inet_service; flags interval; elements = { 198.51.100.0/24 . 20-25,
     10.0.0.1 . 80 } }
  set rules_fill_me { type ipv4_addr; flags dynamic; size 10; }
  map verdicts { type inet_service : verdict; elements = { 22 : drop, 23 : jump sub } }
  chain sub { return; }`

const verdict = (rules: string, packet: Packet): string =>
  [...evaluateLinear(parsed(`table inet t {${SETS}\n chain in { type filter hook input priority filter; policy accept;\n${rules}\n}\n}\n`), packet, { hook: 'input' }).outcomes].toSorted().join('|')

/** Each rule drops; `drop` says that it matched, `accept` that it did not. */
describe('what a rule matches', () => {
  test.each<[string, Packet, string]>([
    ['tcp flags syn', synAck, 'drop'],
    ['tcp flags == syn', synAck, 'accept'],
    ['tcp flags { syn }', synAck, 'accept'],
    ['tcp flags { syn, syn | ack }', synAck, 'drop'],
    ['tcp flags != syn', synAck, 'drop'],
    ['tcp flags & (fin | syn | rst | ack) == syn', synAck, 'accept'],
    ['tcp flags & (fin | syn | rst | ack) == syn', ssh, 'drop'],
    ['tcp flags syn / fin,syn,rst,ack', ssh, 'drop'],
    ['tcp flags syn / fin,syn,rst,ack', synAck, 'accept'],
    ['ct state established,new', ssh, 'drop'],
    ['ct state { established, new }', ssh, 'drop'],
    ['ct state != new', ssh, 'accept'],
    ['ct state != { new, related }', ssh, 'accept'],
    ['meta l4proto tcp ct original proto-dst 22', ssh, 'drop'],
    ['tcp dport 22', udp, 'accept'],
    ['tcp dport != 22', udp, 'accept'],
    ['th dport 22', udp, 'drop'],
    ['tcp dport ssh', ssh, 'drop'],
    ['tcp dport { 80, ssh, 8000-8010 }', ssh, 'drop'],
    ['tcp dport > 22', ssh, 'accept'],
    ['ip saddr @hosts', ssh, 'drop'],
    ['ip saddr != @hosts', ssh, 'accept'],
    ['ip saddr . tcp dport @pairs', ssh, 'drop'],
    ['ip saddr . tcp dport @pairs', udp, 'accept'],
    ['ip saddr @rules_fill_me', ssh, 'accept|drop'],
    ['ip saddr 198.51.100.0-198.51.100.9', ssh, 'drop'],
    ['ip saddr { 10.0.0.0/8, 198.51.100.7 }', sixth, 'accept'],
    ['ip6 saddr 2001:db8::/32', sixth, 'drop'],
    ['meta nfproto ipv6', sixth, 'drop'],
    ['iifname "eth*"', ssh, 'drop'],
    ['iifname "eth"', ssh, 'accept'],
    ['iifname . tcp dport { "eth0" . 22, "lo" . 1-9 }', ssh, 'drop'],
    ['meta mark & 0xf == 0x1', { ...ssh, mark: 0x11 }, 'drop'],
    ['limit rate 5/second burst 10 packets', ssh, 'accept|drop'],
    ['meta skuid 1000', ssh, 'accept|drop'],
    ['numgen random mod 4 0', ssh, 'accept|drop'],
    ['fib daddr type local', ssh, 'drop'],
    ['xt match "recent"', ssh, 'accept|drop|reject'],
    ['comment "drop everything; }"', ssh, 'accept'],
  ])('%s', (match, packet, expected) => {
    expect(verdict(match.startsWith('comment') ? `accept ${match}` : `${match} drop`, packet)).toBe(expected)
  })
})

describe('verdicts', () => {
  test.each<[string, string, string]>([
    ['a named verdict map', 'tcp dport vmap @verdicts', 'drop'],
    ['a verdict map: not found is the next rule', 'tcp dport vmap { 80 : drop, 90-99 : accept }\n reject', 'reject'],
    ['a verdict map jumps', 'meta l4proto . th dport vmap { tcp . 20-25 : jump sub }\n drop', 'drop'],
    ['policy at the end', 'continue', 'accept'],
    ['a mark set is read later', 'meta mark set 0x7\n meta mark 7 drop', 'drop'],
    ['log, counter and limit in one rule', 'counter packets 1 bytes 2 log prefix "a b" level info flags all drop', 'drop'],
    ['queue', 'queue num 3 bypass', 'accept|drop'],
  ])('%s', (_, rules, expected) => {
    expect(verdict(rules, ssh)).toBe(expected)
  })
})

describe('commands in their order', () => {
  const outcome = (text: string): string => [...evaluateLinear(parsed(text), ssh, { hook: 'input' }).outcomes].join()
  const base = 'table inet t {\n set s { type inet_service; }\n chain in { type filter hook input priority 0; tcp dport @s drop; }\n}\n'
  test.each<[string, string, string]>([
    ['elements added later', `${base}add element inet t s { 22 }\n`, 'drop'],
    ['a set flushed after it was filled', `${base}add element inet t s { 22 }\nflush set inet t s\n`, 'accept'],
    ['a chain flushed', `${base}add element inet t s { 22 }\nflush chain inet t in\n`, 'accept'],
    ['flush table empties chains, keeps sets', `${base}add element inet t s { 22 }\nflush table inet t\ntable inet t {\n chain in { tcp dport @s reject; }\n}\n`, 'reject'],
    ['add rule', `${base}add rule inet t in tcp dport 22 drop\n`, 'drop'],
    ['delete table', `${base}add rule inet t in drop\ndelete table inet t\n`, 'accept'],
    ['flush ruleset', `${base}add rule inet t in drop\nflush ruleset\n`, 'accept'],
  ])('%s', (_, text, expected) => {
    expect(outcome(text)).toBe(expected)
  })
})

describe('faults have a place', () => {
  test.each<[string, number, number]>([
    ['table inet t {\n chain c {\n  tcp dprt 22 §\n', 3, 15],
    ['table inet t {\n chain c {\n', 3, 1],
    ['table inet t {\n chain c {\n  frobnicate 7\n }\n}\n', 3, 3],
    ['include "/etc/passwd"\n', 1, 1],
    ['define X = 22\n', 1, 1],
    ['add rule inet t c drop\n', 1, 17],
    ['table inet t {\n set s { type ipv4_addr; elements = { 1.2.3.4 timeout soon } }\n}\n', 2, 55],
  ])('%j', (text, line, column) => {
    const result = parseNftText(text, 'rules.nft')
    expect(result.ok ? undefined : result.faults[0]?.place).toEqual({ file: 'rules.nft', line, column })
  })
})

test('a rule keeps its line and its words', () => {
  const rule = parsed('table inet t {\n chain c {\n\n  tcp dport 22   drop # why\n }\n}\n').tables[0]?.chains[0]?.rules[0]
  expect(rule?.source).toEqual({ dialect: 'nft', file: 'rules.nft', line: 4, text: 'tcp dport 22   drop # why' })
})

test('bytes of any kind give a ruleset or a fault with a place, never an exception', () => {
  const words = fc.constantFrom('table', 'inet', 't', '{', '}', 'chain', 'set', 'type', 'ipv4_addr', 'elements', '=', 'tcp', 'dport', '22', ',', ':', '.', '(', '&', '|', 'vmap', '@s', '"', '\n', ';', 'ct', 'state', 'meta', 'mark', 'dnat', 'to', 'map', 'update', 'fib', 'add', 'flush', 'element')
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(words).map((parts) => parts.join(' ')), fc.array(words).map((parts) => `table inet t {\nchain c {\n${parts.join(' ')}`)), (text) => {
      const result = parseNftText(text, 'f')
      if (!result.ok) expect(result.faults.every((fault) => fault.place !== undefined)).toBe(true)
    }),
    { numRuns: 3000 },
  )
})
