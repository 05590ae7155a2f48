import { describe, expect, test } from 'vitest'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { compareRulesets } from './compare.ts'
import { haveSameOpenRules, openRules } from './openRules.ts'

const input = (rules: string): Ruleset => {
  const parsed = parseNftText(`table inet t {\nset banned { type ipv4_addr; flags dynamic; }\nset known { type ipv4_addr; elements = { 192.0.2.9 } }\nchain in {\ntype filter hook input priority 0; policy drop;\n${rules}\n}\n}`, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

test.each([
  ['a limit', 'limit rate 5/minute accept', 1],
  ['a set that rules fill', 'ip saddr @banned drop', 1],
  ['a set that is as listed', 'ip saddr @known drop', 0],
  ['a queue', 'queue num 1', 1],
  ['payload that has one answer for each packet', '@ih,0,8 7 accept', 0],
  ['what is modelled', 'tcp dport 22 counter accept', 0],
])('%s', (_title, rules, count) => {
  expect(openRules(input(rules))).toHaveLength(count)
})

describe('equal in the packets that are left open is not yet equal', () => {
  const limited = (port: number, rate: number): string => `tcp dport ${port} limit rate ${rate}/minute accept`

  test.each([
    ['the same', `${limited(22, 5)}\n${limited(80, 10)}`, `${limited(22, 5)}\n${limited(80, 10)}`, true],
    ['another rate', limited(22, 5), limited(22, 10), false],
    ['rates exchanged', `${limited(22, 5)}\n${limited(80, 10)}`, `${limited(22, 10)}\n${limited(80, 5)}`, false],
    ['counted besides', limited(22, 5), limited(22, 5).replace('accept', 'counter accept'), true],
  ])('%s', (_title, one, other, isSame) => {
    const [a, b] = [input(one), input(other)]
    expect(compareRulesets(a, b, { way: 'input' })).toEqual({ kind: 'equal', isOpen: true })
    expect(haveSameOpenRules(a, b)).toBe(isSame)
  })
})
