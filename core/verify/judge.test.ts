import { describe, expect, test } from 'vitest'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import type { Packet } from '../ruleset/packet.ts'
import { parsePacketText } from '../ruleset/packetText.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { judge } from './judge.ts'
import { doAgree } from './replay.ts'

const nft = (text: string): Ruleset => {
  const parsed = parseNftText(text, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

const packet = (text: string): Packet => {
  const parsed = parsePacketText(text)
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

const ssh = packet('tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0')
const chains = (hook: string, rules: string, gate = ''): Ruleset =>
  nft(`table inet t {\nchain gate {\ntype filter hook prerouting priority -150; policy accept;\n${gate}\n}\nchain c {\ntype filter hook ${hook} priority 0; policy drop;\n${rules}\n}\n}`)

describe('without facts the hook says whose the destination is', () => {
  test.each<['input' | 'forward', string, string, string]>([
    ['input', 'fib daddr type local accept', '', 'accepted'],
    ['input', 'accept', 'fib daddr type unicast drop', 'accepted'],
    ['input', 'fib daddr type multicast accept', '', 'dropped'],
    ['forward', 'fib daddr type unicast accept', '', 'accepted'],
    ['forward', 'fib daddr type local accept', '', 'dropped'],
    ['forward', 'accept', 'fib daddr type local drop', 'undecided'],
    ['input', 'accept', 'fib saddr . iif oif missing drop', 'undecided'],
  ])('%s: %s; before it: %s', (way, rules, gate, expected) => {
    const { verdict, doAgree: agrees } = judge(chains(way, rules, gate), ssh, { way })
    expect([verdict.kind, agrees]).toEqual([expected, true])
  })
})

test('more unknown questions than the diagram remembers: less sure than the linear evaluator, and no contradiction', () => {
  const questions = Array.from({ length: 20 }, (_, index) => `@ih,0,${index + 8} ${index}`)
  const rules = questions.map((each) => `${each} accept`).join('\n')
  expect(judge(chains('input', `${rules}\ntcp dport 22 accept`), ssh, { way: 'input' })).toMatchObject({ verdict: { kind: 'accepted' }, doAgree: true })
})

test.each([
  [['accept'], ['accept'], true],
  [['accept'], ['accept', 'drop'], true],
  [['accept', 'drop'], ['drop'], true],
  [['accept'], ['drop'], false],
  [['drop'], [], false],
] as const)('%j and %j: %s', (diagram, linear, expected) => {
  expect(doAgree(diagram, linear)).toBe(expected)
})
