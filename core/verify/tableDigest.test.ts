import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { changedTables, tableDigests } from './tableDigest.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const digests = (text: string) => {
  const parsed = parseNftText(text, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return tableDigests(parsed.value, sha256)
}

const table = (rules: string, elements = '192.0.2.1, 192.0.2.2', flags = ''): string =>
  `table ip f {\nset s {\ntype ipv4_addr\n${flags}\n${elements === '' ? '' : `elements = { ${elements} }`}\n}\nchain c {\ntype filter hook input priority 0; policy accept;\n${rules}\n}\n}`
const change = (before: string, after: string) => changedTables(digests(before), digests(after)).map((each) => `${each.table} ${each.change}`)

describe('the same', () => {
  test.each<[string, string, string]>([
    ['counted on', table('counter packets 1 bytes 60 accept'), table('counter packets 9 bytes 600 accept')],
    ['commented', table('accept'), table('accept comment "why"')],
    ['a set listed in another order', table('ip saddr @s accept'), table('ip saddr @s accept', '192.0.2.2, 192.0.2.1')],
    ['an anonymous set in another order', table('tcp dport { 22, 80 } accept'), table('tcp dport { 80, 22 } accept')],
    ['an element that ends', table('accept', '192.0.2.1 timeout 1h expires 59m', 'flags timeout'), table('accept', '', 'flags timeout')],
    ['what rules have filled in', table('accept', '192.0.2.1', 'flags dynamic'), table('accept', '192.0.2.7', 'flags dynamic')],
  ])('%s', (_title, before, after) => {
    expect(change(before, after)).toEqual([])
  })
})

test.each<[string, string, string, string[]]>([
  ['a rule more', table('accept'), table('drop\naccept'), ['ip f changed']],
  ['rules exchanged', table('tcp dport 1 drop\ntcp dport 2 drop'), table('tcp dport 2 drop\ntcp dport 1 drop'), ['ip f changed']],
  ['another element', table('ip saddr @s drop'), table('ip saddr @s drop', '192.0.2.3'), ['ip f changed']],
  ['another policy', table('accept'), table('accept').replace('policy accept', 'policy drop'), ['ip f changed']],
  ['a table more', table('accept'), `${table('accept')}\ntable inet g {\n}`, ['inet g added']],
  ['a table less', `${table('accept')}\ntable inet g {\n}`, table('accept'), ['inet g removed']],
])('%s', (_title, before, after, expected) => {
  expect(change(before, after)).toEqual(expected)
})
