import { describe, expect, test } from 'vitest'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { parsePacketText } from '../ruleset/packetText.ts'
import { Decider } from './decide.ts'
import { Reasons } from './reasons.ts'

const input = (rules: string) => {
  const parsed = parseNftText(`table inet t {\nset banned { type ipv4_addr; flags dynamic; }\nchain in {\ntype filter hook input priority 0; policy drop;\n${rules}\n}\n}`, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

const packet = (text: string) => {
  const parsed = parsePacketText(text)
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

const SSH = 'tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0'
const reasons = (rules: string, text = SSH): unknown => new Reasons(input(rules), { way: 'input' }).of(packet(text))?.map(({ what, rule }) => `${rule?.source.line} ${what}`)

describe('on what the fate of a packet depends', () => {
  test.each<[string, string, unknown]>([
    ['on nothing', 'tcp dport 22 accept', []],
    ['on a limit', 'tcp dport 22 limit rate 5/minute accept', ['5 limit rate 5/minute']],
    ['on one of two limits, by its rule', 'tcp dport 23 limit rate 5/minute accept\ntcp dport 22 limit rate 5/minute accept', ['6 limit rate 5/minute']],
    ['on a set that rules fill', 'ip saddr @banned drop\ntcp dport 22 accept', ['5 saddr4 in @banned']],
    ['on both', 'ip saddr @banned drop\ntcp dport 22 limit rate 5/minute accept', ['5 saddr4 in @banned', '6 limit rate 5/minute']],
    ['not on a limit before a sure accept', 'limit rate 5/minute accept\ntcp dport 22 accept', []],
    ['not on a set that another protocol is asked for', 'udp dport 53 ip saddr @banned drop\ntcp dport 22 accept', []],
    ['on payload', '@ih,0,8 7 accept', ['5 @ih,0,8 7']],
  ])('%s', (_title, rules, expected) => {
    expect(reasons(rules)).toEqual(expected)
  })

  test('a packet that leaves open what is asked cannot be told so', () => {
    expect(reasons('iifname eth0 limit rate 5/minute accept', 'tcp 198.51.100.7:40000 -> 192.0.2.1:22')).toBeUndefined()
  })

  test('nor one that depends on more questions than there are levels', () => {
    const rules = Array.from({ length: 20 }, () => 'limit rate 5/minute accept').join('\n')
    expect(reasons(rules)).toBeUndefined()
    const verdict = new Decider(input(rules), { way: 'input' }).decide(packet(SSH))
    expect(verdict.kind === 'undecided' && verdict.because).toHaveLength(20)
  })
})

test('many packets with the same reasons are given the same list, so that it need be written once', () => {
  const decider = new Decider(input('limit rate 5/minute accept'), { way: 'input' })
  const [a, b] = [decider.decide(packet(SSH)), decider.decide(packet('tcp 203.0.113.9:1 -> 192.0.2.1:80 iif eth1'))]
  expect(a.kind === 'undecided' && b.kind === 'undecided' && a.because === b.because).toBe(true)
})
