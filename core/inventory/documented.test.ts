import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { foldMatrix, type MatrixRow } from './matrix.ts'
import type { DocumentedObservation, Observation } from './observation.ts'

const ip = (text: string): Address => {
  const read = parseAddress(text)
  if (!read.ok) throw new Error(text)
  return read.value
}
const AT = 1_000_000
const OF = { host: 'db-1', at: AT } as const
const documented = (port: number, more: Partial<DocumentedObservation> = {}): Observation => ({
  ...OF, kind: 'documented', sensor: 'netbox', protocol: 'tcp', ports: { first: port, last: port }, name: 'sql', address: ip('10.0.0.5'), ...more,
})
const reading = (covers: 'documented' | 'listeners', at = AT): Observation => ({ ...OF, kind: 'reading', sensor: covers === 'listeners' ? 'ss' : 'netbox', covers, at })
const listener: Observation = { ...OF, kind: 'listener', sensor: 'ss', address: ip('10.0.0.5'), protocol: 'tcp', port: 22, isLoopback: false, isEphemeral: false }
const flow: Observation = { ...OF, kind: 'flow', sensor: 'zeek', source: ip('10.9.9.9'), protocol: 'tcp', port: 22, connections: 1, lastSeen: AT, verdict: 'accepted', service: 'ssh' }
const open: Observation = { ...OF, kind: 'scan', sensor: 'nmap', address: ip('10.0.0.5'), protocol: 'tcp', port: 22, state: 'open', from: 'elsewhere' }

const fold = (...observations: readonly Observation[]): MatrixRow[] => [...foldMatrix({ observations, zones: [] })]

describe('documented against actual', () => {
  test.each<[what: string, observations: readonly Observation[], names: readonly string[] | undefined, contradictions: readonly string[]]>([
    ['nobody documents the host: unknown, and no contradiction', [listener, flow], undefined, []],
    ['documented and used', [listener, flow, documented(22), reading('documented')], ['sql'], []],
    ['used but undocumented', [listener, flow, reading('documented')], [], ['used-but-undocumented']],
    ['open but undocumented', [listener, open, reading('documented')], [], ['open-but-undocumented']],
    ['documented, and a complete reading shows no listener', [documented(22), reading('documented'), reading('listeners')], ['sql'], ['documented-without-listener']],
    ['documented, and nobody has looked: unknown', [documented(22), reading('documented')], ['sql'], []],
    ['documented earlier, no longer', [listener, open, documented(22, { at: AT - 1 }), reading('documented')], [], ['open-but-undocumented']],
  ])('%s', (_, observations, names, contradictions) => {
    const [row, ...others] = fold(...observations)
    expect(others).toEqual([])
    expect(row?.documented?.map(({ name }) => name)).toEqual(names)
    expect(row?.contradictions.map(({ kind }) => kind)).toEqual(contradictions)
  })

  test('a service on every address of the host has a row of each family', () => {
    const { address: _, ...everywhere } = documented(22) as DocumentedObservation
    expect(fold(everywhere).map((row) => row.addressClass)).toEqual(['ipv4', 'ipv6'])
  })

  test('what a sensor recognised in connections is a fingerprint, unless a probe knows better', () => {
    expect(fold(flow)[0]?.fingerprint).toBe('ssh')
    expect(fold(flow, { ...open, service: 'OpenSSH 9.2' })[0]?.fingerprint).toBe('OpenSSH 9.2')
  })
})
