import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { prefixOf } from '../net/prefix.ts'
import { TRANSPORT_PROTOCOLS } from '../net/protocol.ts'
import type { Grant, Intent } from '../policy/intent.ts'
import { intentOf } from '../ruleset/nft/golden/intents.ts'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { renderNft } from '../ruleset/nft/render.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { compareRulesets } from './compare.ts'
import { compareWithIntent } from './intentDiagram.ts'

const nft = (text: string): Ruleset => {
  const parsed = parseNftText(text, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

describe('what is rendered and read again means the intent', () => {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
  const rendered = (intent: Intent): Ruleset => nft(renderNft(intent, { digestOf: sha256 }).text)

  const grant: fc.Arbitrary<Grant> = fc
    .record({
      protocol: fc.constantFrom(...TRANSPORT_PROTOCOLS),
      first: fc.constantFrom(1, 22, 80, 443, 1023, 8080, 65_000),
      width: fc.constantFrom(0, 0, 1, 500),
      family: fc.constantFrom(4 as const, 6 as const),
      host: fc.bigInt(0n, 300n),
      hostBits: fc.constantFrom(0, 1, 4, 8, 24, 'all' as const),
    })
    .map(({ protocol, first, width, family, host, hostBits }) => {
      const bits = family === 4 ? 32 : 128
      const from = prefixOf({ family, value: family === 4 ? 0x0a00_0000n + host : (0xfd00n << 112n) + host }, hostBits === 'all' ? 0 : bits - hostBits)
      return { protocol, ports: { first, last: first + width }, from, needs: ['need'] }
    })
  const intent = fc
    .record({ grants: fc.array(grant, { maxLength: 12 }), ping: fc.boolean(), refusal: fc.constantFrom('drop' as const, 'reject' as const) })
    .map(({ grants, ...rest }) => ({ ...intentOf({}), ...rest, grants }))

  test('of every intent', { timeout: 60_000 }, () => {
    fc.assert(fc.property(intent, (each) => { expect(compareWithIntent(each, rendered(each))).toEqual({ kind: 'equal' }) }), { numRuns: 60 })
  })

  test('and of no other: with a grant more or less, the comparison tells', { timeout: 60_000 }, () => {
    const lone = (each: Intent): Intent => ({ ...each, grants: [...each.grants, { protocol: 'tcp', ports: { first: 3333, last: 3333 }, from: prefixOf({ family: 4, value: 0xc633_6400n }, 24), needs: ['need'] }] })
    fc.assert(
      fc.property(intent, (each) => {
        expect(compareWithIntent(lone(each), rendered(each)).kind).toBe('different')
        expect(compareWithIntent(each, rendered(lone(each))).kind).toBe('different')
      }),
      { numRuns: 30 },
    )
  })
})

describe('the order of rules', () => {
  const input = (rules: readonly string[]): Ruleset => nft(`table inet t {\nchain in {\ntype filter hook input priority 0; policy drop;\n${rules.join('\n')}\n}\n}`)
  const MATCHES = ['ip saddr 10.0.0.0/8', 'ip6 saddr fd00::/8', 'iifname "eth*"', 'meta mark 1', 'ct state new', 'ip daddr 192.0.2.1', 'limit rate 1/second']
  const shuffled = (rules: fc.Arbitrary<string[]>): fc.Arbitrary<readonly [string[], string[]]> => rules.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })))
  const isEqual = ([a, b]: readonly [string[], string[]]): void => { expect(compareRulesets(input(a), input(b), { way: 'input' }).kind).toBe('equal') }

  // No packet has two destination ports.
  const apart = fc
    .array(fc.tuple(fc.constantFrom(...MATCHES), fc.constantFrom('accept', 'drop', 'reject')), { minLength: 2, maxLength: 8 })
    .map((rules) => rules.map(([match, verdict], index) => `tcp dport ${index * 10}-${index * 10 + 9} ${match} ${verdict}`))
  const ofOneVerdict = fc
    .array(fc.tuple(fc.constantFrom(...MATCHES), fc.constantFrom(22, 23, 80)), { minLength: 2, maxLength: 8 })
    .chain((rules) => fc.constantFrom('accept', 'reject').map((verdict) => rules.map(([match, port]) => `tcp dport ${port} ${match} ${verdict}`)))

  test('does not matter where no packet meets two', () => fc.assert(fc.property(shuffled(apart), isEqual), { numRuns: 60 }))
  test('does not matter among rules of one verdict', () => fc.assert(fc.property(shuffled(ofOneVerdict), isEqual), { numRuns: 60 }))

  test('matters where a packet meets two of different verdicts', () => {
    const two = ['tcp dport 22 accept', 'ip saddr 10.0.0.0/8 drop']
    expect(compareRulesets(input(two), input(two.toReversed()), { way: 'input' }).kind).toBe('different')
  })
})
