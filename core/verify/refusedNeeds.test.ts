import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Intent } from '../policy/intent.ts'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { renderNft } from '../ruleset/nft/render.ts'
import { compareWithIntent } from './intentDiagram.ts'
import { refusedNeeds } from './refusedNeeds.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const office = { family: 4, value: 10n << 24n, length: 8 } as const
const any = { family: 4, value: 0n, length: 0 } as const
const tcp = (port: number, from: typeof office | typeof any, need: string) => ({ protocol: 'tcp', ports: { first: port, last: port }, from, needs: [need] }) as const
const INTENT: Intent = { host: 'web-1', generation: 1, mode: 'enforce', refusal: 'drop', ping: true, management: [{ ...tcp(22, office, ''), needs: [] }], grants: [tcp(80, any, 'web'), tcp(443, any, 'web'), tcp(5432, office, 'db')] }

/** What another table, which accepts the rest, takes away. */
const lostTo = (rules: string): string[] => {
  const foreign = `table ip other {\nchain in {\ntype filter hook input priority 0; policy accept;\n${rules}\n}\n}`
  const parsed = parseNftText(`${renderNft(INTENT, { digestOf: sha256 }).text}\n${foreign}`, 'live.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  const compared = compareWithIntent(INTENT, parsed.value)
  return compared.kind === 'different' ? refusedNeeds(INTENT, compared.differences) : []
}

test.each([
  ['nothing that is granted', 'tcp dport 23 drop', []],
  ['one port of a need', 'tcp dport 443 drop', ['web']],
  ['some sources of a need', 'ip saddr 10.9.0.0/16 tcp dport 5432 drop', ['db']],
  ['other sources than those of a need', 'ip saddr 192.168.0.0/16 tcp dport 5432 drop', []],
  ['the way in of the controller', 'tcp dport 22 drop', ['management']],
  ['everything', 'ct state new drop', ['db', 'management', 'web']],
])('%s', (_title, rules, expected) => {
  expect(lostTo(rules)).toEqual(expected)
})
