import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { parsePrefix } from '../net/prefix.ts'
import { foldMatrix, type NeedClaim } from './matrix.ts'
import type { Observation } from './observation.ts'
import { risksOf, type EndpointRisk } from './risk.ts'

const value = <T>(read: { ok: true; value: T } | { ok: false }): T => {
  if (!read.ok) throw new Error('malformed test')
  return read.value
}
const ip = (text: string): Address => value(parseAddress(text))
const listener = (port: number, address = '0.0.0.0'): Observation => ({ kind: 'listener', host: 'h', sensor: 'ss', at: 1, address: ip(address), protocol: 'tcp', port, process: 'p', isLoopback: address.startsWith('127.'), isEphemeral: false })
const open = (port: number, ...zones: string[]): Observation[] => zones.map((from) => ({ kind: 'scan', host: 'h', sensor: 'scan', at: 1, address: ip('10.0.0.1'), protocol: 'tcp', port, state: 'open', from }))
const flow = (port: number): Observation => ({ kind: 'flow', host: 'h', sensor: 'zeek', at: 1, source: ip('9.9.9.9'), protocol: 'tcp', port, connections: 1, lastSeen: 1, verdict: 'accepted' })
const watched: Observation = { kind: 'reading', host: 'h', sensor: 'nft-counters', at: 1, covers: 'flows' }
const need = (port: number, from: string): NeedClaim => ({ id: 'n', hosts: ['h'], service: { ports: [{ protocol: 'tcp', ports: { first: port, last: port } }] }, from: [value(parsePrefix(from))] })
const ZONES = [{ name: 'lan', prefixes: [value(parsePrefix('10.0.0.0/8'))] }]

const risk = (observations: readonly Observation[], needs: readonly NeedClaim[] = []): EndpointRisk | undefined => risksOf(foldMatrix({ observations, needs, zones: ZONES }))[0]

describe('the risk of an endpoint', () => {
  test.each<[what: string, observations: Observation[], needs: NeedClaim[], level: string, unneededTo: string[], use: string]>([
    ['a database open to anyone', [listener(5432), ...open(5432, 'elsewhere', 'lan')], [], 'high', ['elsewhere', 'lan'], 'unknown'],
    ['something open to anyone', [listener(8000), ...open(8000, 'elsewhere')], [], 'medium', ['elsewhere'], 'unknown'],
    ['something open within', [listener(8000), ...open(8000, 'lan')], [], 'low', ['lan'], 'unknown'],
    ['a database open within', [listener(5432), ...open(5432, 'lan')], [], 'medium', ['lan'], 'unknown'],
    ['open to all that need it', [listener(443), ...open(443, 'elsewhere', 'lan')], [need(443, '0.0.0.0/0')], 'low', [], 'unknown'],
    ['open to more than need it', [listener(5432), ...open(5432, 'elsewhere', 'lan')], [need(5432, '10.0.0.0/8')], 'high', ['elsewhere'], 'unknown'],
    ['nobody knows whether it is open', [listener(5432)], [], 'none', [], 'unknown'],
    ['watched, and not used', [listener(8000), ...open(8000, 'elsewhere'), watched], [], 'medium', ['elsewhere'], 'unused'],
    ['used without a need', [listener(8000), ...open(8000, 'elsewhere'), watched, flow(8000)], [], 'medium', ['elsewhere'], 'used'],
  ])('%s', (_, observations, needs, level, unneededTo, use) => {
    expect(risk(observations, needs)).toMatchObject({ level, unneededTo, unneededUse: use })
  })

  test('loopback is none', () => expect(risk([listener(5432, '127.0.0.1')])).toBeUndefined())

  test('what nobody knows is told by zone', () => expect(risk([listener(22), ...open(22, 'lan')])?.unknownTo).toEqual(['elsewhere']))

  test('the worst comes first', () => {
    const observations = [listener(8000), listener(6379), ...open(8000, 'elsewhere'), ...open(6379, 'elsewhere')]
    expect(risksOf(foldMatrix({ observations, needs: [], zones: ZONES })).map(({ port }) => port)).toEqual([6379, 8000])
  })
})
