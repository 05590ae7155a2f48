import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import type { Intent } from '../policy/intent.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { renderNft } from '../ruleset/nft/render.ts'
import { formatPacket } from '../ruleset/packetText.ts'
import { compareGrants, refusedNeeds } from './refusedGrants.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const office = { family: 4, value: 10n << 24n, length: 8 } as const
const any = { family: 4, value: 0n, length: 0 } as const
const tcp = (port: number, from: typeof office | typeof any, need: string) => ({ protocol: 'tcp', ports: { first: port, last: port }, from, needs: [need] }) as const
const INTENT: Intent = {
  host: 'web-1',
  generation: 1,
  mode: 'enforce',
  refusal: 'drop',
  ping: true,
  management: [{ ...tcp(22, office, ''), needs: [] }],
  grants: [tcp(80, any, 'web'), tcp(443, any, 'web'), tcp(5432, office, 'db'), tcp(8080, any, 'app')],
}

const OWN = address('192.0.2.1')
const FACTS: HostFacts = {
  interfaces: [
    { index: 1, name: 'lo', type: 772, addresses: [] },
    { index: 2, name: 'eth0', type: 1, addresses: [{ address: OWN, prefixLength: 24 }] },
    { index: 3, name: 'eth1', type: 1, addresses: [] },
    { index: 4, name: 'docker0', type: 1, addresses: [] },
  ],
  routes: [
    { type: 'local', table: 'local', metric: 0, oif: 'eth0', destination: { ...OWN, length: 32 } },
    { type: 'unicast', table: 'main', metric: 0, oif: 'eth0', destination: any },
    { type: 'unicast', table: 'main', metric: 0, oif: 'eth1', destination: office },
    { type: 'unicast', table: 'main', metric: 0, oif: 'docker0', destination: { family: 4, value: address('172.17.0.0').value, length: 16 } },
  ],
  isForwarding: { 4: true, 6: true },
  unmodelled: [],
}

const lost = (foreign: string, intent = INTENT): { readonly needs: readonly string[]; readonly packets: readonly string[] } => {
  const parsed = parseNftText(`${renderNft(INTENT, { digestOf: sha256 }).text}\n${foreign}`, 'live.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  const compared = compareGrants(intent, parsed.value, FACTS, [OWN])
  if (compared.kind !== 'different') return { needs: [], packets: [] }
  for (const { change, replay } of compared.differences) expect([change, replay]).toEqual(['closes', 'agrees'])
  return { needs: refusedNeeds(intent, compared.differences), packets: compared.differences.map(({ packet }) => formatPacket(packet)) }
}

/** Another table, which accepts the rest. */
const input = (rules: string): string => `table ip other {\nchain in {\ntype filter hook input priority 0; policy accept;\n${rules}\n}\n}`

describe('what another table takes away', () => {
  test.each<[string, string, readonly string[]]>([
    ['nothing that is granted', 'tcp dport 23 drop', []],
    ['one port of a need', 'tcp dport 443 drop', ['web']],
    ['the same by a reject', 'tcp dport 443 reject', ['web']],
    ['some sources of a need', 'ip saddr 10.9.0.0/16 tcp dport 5432 drop', ['db']],
    ['other sources than those of a need', 'ip saddr 192.168.0.0/16 tcp dport 5432 drop', []],
    ['by an interface that the sources come in by', 'iifname "eth1" tcp dport 5432 drop', ['db']],
    ['by one that they do not come in by', 'iifname "eth0" tcp dport 5432 drop', []],
    ['at another address', 'ip daddr 192.0.2.9 tcp dport 443 drop', []],
    ['the way in of the controller', 'tcp dport 22 drop', ['management']],
    ['perhaps, by a limit', 'tcp dport 443 limit rate over 1/second drop', []],
    ['everything new', 'ct state new drop', ['app', 'db', 'management', 'web']],
  ])('%s', (_title, rules, expected) => {
    expect(lost(input(rules)).needs).toEqual(expected)
  })

  test('by a packet that a person can read', () => {
    expect(lost(input('ip saddr 10.9.0.0/16 tcp dport 5432 drop')).packets).toEqual([expect.stringMatching(/^tcp 10\.9\.\d+\.7:40000 -> 192\.0\.2\.1:5432 iif eth1 ct new$/)])
  })
})

describe('a published port goes through forward', () => {
  const published = (forward: string): string =>
    `table ip nat {\nchain p {\ntype nat hook prerouting priority -100; policy accept;\nfib daddr type local tcp dport 8080 dnat to 172.17.0.2:80\n}\n}\ntable ip filter {\nchain f {\ntype filter hook forward priority 0; policy drop;\n${forward}\n}\nchain i {\ntype filter hook input priority 0; policy drop;\ntcp dport { 22, 80, 443, 5432 } accept\n}\n}`

  test('accepted there, though input would drop it', () => {
    expect(lost(published('ip daddr 172.17.0.2 tcp dport 80 accept')).needs).toEqual([])
  })

  test('refused there', () => {
    expect(lost(published('')).needs).toEqual(['app'])
  })
})

test('a grant that our own table lacks is refused too', () => {
  expect(lost('', { ...INTENT, grants: [...INTENT.grants, tcp(9200, office, 'search')] }).needs).toEqual(['search'])
})
