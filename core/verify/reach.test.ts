import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { formatPrefix } from '../net/prefix.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { reachOf } from './reach.ts'
import type { Sources } from './sources.ts'

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const FACTS: HostFacts = {
  interfaces: [
    { index: 1, name: 'lo', type: 772, addresses: [] },
    { index: 2, name: 'eth0', type: 1, addresses: [{ address: address('192.0.2.1'), prefixLength: 24 }] },
    { index: 3, name: 'docker0', type: 1, addresses: [] },
  ],
  routes: [
    { type: 'local', table: 'local', metric: 0, oif: 'eth0', destination: { ...address('192.0.2.1'), length: 32 } },
    { type: 'local', table: 'local', metric: 0, oif: 'eth0', destination: { ...address('2001:db8::1'), length: 128 } },
    { type: 'unicast', table: 'main', metric: 0, oif: 'eth0', destination: { family: 4, value: 0n, length: 0 } },
    { type: 'unicast', table: 'main', metric: 0, oif: 'eth0', destination: { family: 6, value: 0n, length: 0 } },
    { type: 'unicast', table: 'main', metric: 0, oif: 'docker0', destination: { family: 4, value: address('172.17.0.0').value, length: 16 } },
  ],
  isForwarding: { 4: true, 6: true },
  unmodelled: [],
}

const words = (sources: Sources | undefined): string =>
  !sources ? 'nobody' : sources.kind === 'any' ? 'any' : sources.kind === 'family' ? `IPv${sources.family}` : sources.except ? `all but ${sources.except.map(formatPrefix).join(' ')}` : sources.prefixes.map(formatPrefix).join(' ')

const reach = (rules: string, to = '192.0.2.1', port = 22): string => {
  const parsed = parseNftText(`table inet t {\n${rules}\n}`, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  const { accepted, perhaps } = reachOf(parsed.value, { address: address(to), protocol: 6, port }, 'arrival', FACTS)
  return `${words(accepted)} / ${words(perhaps)}`
}
const input = (rules: string): string => `chain in {\ntype filter hook input priority 0; policy drop;\n${rules}\n}`

describe('who gets to an endpoint', () => {
  test.each([
    ['nobody', input('tcp dport 23 accept'), 'nobody / nobody'],
    ['anyone', input('tcp dport 22 accept'), 'all but 192.0.2.1 / nobody'],
    ['loopback lets nobody else in', input('iifname lo accept'), 'nobody / nobody'],
    ['some', input('ip saddr { 10.0.0.0/8, 192.168.1.5 } tcp dport 22 accept'), '10.0.0.0/8 192.168.1.5 / nobody'],
    ['by the interface that they come in by', input('iifname eth0 ip saddr 10.0.0.0/8 tcp dport 22 accept'), '10.0.0.0/8 / nobody'],
    ['by one that they do not come in by', input('iifname docker0 ip saddr 10.0.0.0/8 tcp dport 22 accept'), 'nobody / nobody'],
    ['as often as a limit lets them', input('ip saddr 10.0.0.0/8 accept\ntcp dport 22 limit rate 1/second accept'), '10.0.0.0/8 / all but 10.0.0.0/8 192.0.2.1'],
    ['at another of its addresses', input('ip daddr 192.0.2.9 tcp dport 22 accept'), 'nobody / nobody'],
  ])('%s', (_title, rules, expected) => {
    expect(reach(rules)).toBe(expected)
  })

  test('a published port is the one that was asked for, and goes through forward', () => {
    const published = 'chain p {\ntype nat hook prerouting priority -100; policy accept;\nip daddr 192.0.2.1 tcp dport 8080 dnat ip to 172.17.0.2:80\n}\nchain f {\ntype filter hook forward priority 0; policy drop;\nip saddr 10.0.0.0/8 tcp dport 80 accept\n}'
    expect(reach(`${published}\n${input('')}`, '192.0.2.1', 8080)).toBe('10.0.0.0/8 / nobody')
    expect(reach(`${published}\n${input('')}`, '192.0.2.1', 80)).toBe('nobody / nobody')
  })

  test('IPv6', () => {
    expect(reach(input('ip6 saddr fd00::/8 tcp dport 22 accept'), '2001:db8::1')).toBe('fd00::/8 / nobody')
  })
})
