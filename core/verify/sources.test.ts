import { expect, test } from 'vitest'
import { formatPrefix } from '../net/prefix.ts'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { acceptedTable } from './accepts.ts'
import type { Sources } from './sources.ts'

const sourcesOfSsh = (rules: string): Sources | undefined => {
  const parsed = parseNftText(`table inet t {\nchain in {\ntype filter hook input priority 0; policy drop;\n${rules}\n}\n}`, 'test.nft')
  return parsed.ok ? acceptedTable(parsed.value, 'input').rows.find((row) => row.services.some(({ ports }) => ports.some((port) => port.first === 22)))?.sources : undefined
}

test.each([
  ['one prefix', 'ip saddr 203.0.113.0/24 tcp dport 22 accept', '203.0.113.0/24', undefined],
  ['all but one', 'ip saddr 203.0.113.0/24 drop\ntcp dport 22 accept', undefined, '203.0.113.0/24'],
  ['all but one of each family', 'ip saddr 10.0.0.0/8 drop\nip6 saddr fd00::/8 drop\ntcp dport 22 accept', undefined, '10.0.0.0/8 fd00::/8'],
  ['all of IPv4 but one, and no IPv6', 'ip saddr 10.0.0.0/8 drop\nip protocol tcp tcp dport 22 accept', undefined, '10.0.0.0/8'],
  ['half of IPv4, and no IPv6', 'ip saddr 128.0.0.0/1 drop\nip protocol tcp tcp dport 22 accept', '0.0.0.0/1', undefined],
])('%s', (_title, rules, listed, except) => {
  const sources = sourcesOfSsh(rules)
  if (sources?.kind !== 'prefixes') throw new Error('expected prefixes')
  expect(sources.except?.map(formatPrefix).join(' ')).toBe(except)
  if (listed !== undefined) expect(sources.prefixes.map(formatPrefix).join(' ')).toBe(listed)
})
