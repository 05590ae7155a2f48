import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Ruleset } from '../ruleset.ts'
import { GOLDEN_INTENTS } from './golden/intents.ts'
import { foreignTables, leasesOf, ownTables, withoutLeases } from './ownTable.ts'
import { parseNftText } from './parseText.ts'
import { renderNft } from './render.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const { mixed } = GOLDEN_INTENTS
if (!mixed) throw new Error('no such intent')
const TEXT = renderNft(mixed, { digestOf: sha256 }).text

const live = (elements: string): Ruleset => {
  const parsed = parseNftText(`${TEXT}\n${elements}\ntable ip filter { }\n`, 'live.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}
const add = (set: string, element: string): string => `add element inet portcullis ${set} { ${element} }`
const amount = (ruleset: Ruleset): number => ruleset.tables.flatMap((table) => table.sets).filter((set) => /^(lease|block)/.test(set.name)).flatMap((set) => set.elements).length

test.each([
  ['lease4', '10.0.0.0/24 . tcp . 8080 timeout 600s expires 500s', { kind: 'lease', protocol: 'tcp', ports: '8080', source: '10.0.0.0/24', secondsLeft: 500 }],
  ['lease6', 'fd00::7 . udp . 53 timeout 600s expires 9s', { kind: 'lease', protocol: 'udp', ports: '53', source: 'fd00::7', secondsLeft: 9 }],
  ['lease_any', 'tcp . 443 timeout 1h expires 60s', { kind: 'lease', protocol: 'tcp', ports: '443', source: 'any', secondsLeft: 60 }],
  ['block4', '198.51.100.7 timeout 1h expires 60s', { kind: 'block', source: '198.51.100.7', secondsLeft: 60 }],
])('%s { %s } ends by itself', (set, element, expected) => {
  const ruleset = live(add(set, element))
  expect(leasesOf(ruleset)).toEqual([expected])
  expect(amount(withoutLeases(ruleset))).toBe(0)
})

test('an element without an end is no lease, and stays', () => {
  const ruleset = live(add('lease4', '10.0.0.9 . tcp . 8080'))
  expect(leasesOf(ruleset)).toEqual([])
  expect(amount(withoutLeases(ruleset))).toBe(1)
})

test('ours and theirs', () => {
  const names = (ruleset: Ruleset): string[] => ruleset.tables.map((table) => `${table.family} ${table.name}`)
  expect([names(ownTables(live(''))), names(foreignTables(live('')))]).toEqual([['inet portcullis'], ['ip filter']])
})
