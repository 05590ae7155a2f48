import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { parsePortRange, parsePortRanges, someContainsPort } from '../net/port.ts'
import { parsePrefix } from '../net/prefix.ts'
import { foldMatrix, type MatrixInput, type MatrixRow, type NeedClaim } from './matrix.ts'
import { diffMatrix } from './matrixDiff.ts'
import type { FlowObservation, ListenerObservation, Observation, ScanObservation, ScanRestObservation } from './observation.ts'

const value = <T>(result: { ok: true; value: T } | { ok: false }): T => {
  if (!result.ok) throw new Error('malformed test')
  return result.value
}
const ip = (text: string): Address => value(parseAddress(text))
const zone = (name: string, ...prefixes: string[]) => ({ name, prefixes: prefixes.map((text) => value(parsePrefix(text))) })

const ZONES = [zone('office', '10.1.0.0/16', '2001:db8:1::/48'), zone('lan', '10.0.0.0/8')]
const AT = 1_000_000

const listener = (address: string, port: number, more: Partial<ListenerObservation> = {}): ListenerObservation => ({
  kind: 'listener', host: 'db-1', sensor: 'ss', at: AT, address: ip(address), protocol: 'tcp', port,
  isLoopback: address.startsWith('127.') || address === '::1', isEphemeral: false, ...more,
})
const flow = (source: string, port: number, connections: number, more: Partial<FlowObservation> = {}): FlowObservation => ({
  kind: 'flow', host: 'db-1', sensor: 'nft-counters', at: AT, source: ip(source), protocol: 'tcp', port, connections,
  tally: 'running', lastSeen: more.at ?? AT, verdict: 'accepted', ...more,
})
const scan = (from: string, port: number, state: ScanObservation['state'], more: Partial<ScanObservation> = {}): ScanObservation => ({
  kind: 'scan', host: 'db-1', sensor: 'scan', at: AT, address: ip('10.0.0.5'), protocol: 'tcp', port, state, from, ...more,
})
const rest = (from: string, ports: string, state: ScanObservation['state'], more: Partial<ScanRestObservation> = {}): ScanRestObservation => ({
  kind: 'scan-rest', host: 'db-1', sensor: 'scan', at: AT, address: ip('10.0.0.5'), protocol: 'tcp', ports: value(parsePortRanges(ports)), state, from, ...more,
})
const reading = (covers: 'listeners' | 'published' | 'flows', at = AT, sensor = covers === 'flows' ? 'nft-counters' : 'ss'): Observation => ({ kind: 'reading', host: 'db-1', sensor, at, covers })
const need = (id: string, ports: string, ...from: string[]): NeedClaim => ({
  id, hosts: ['db-1'], service: { ports: [{ protocol: 'tcp', ports: value(parsePortRange(ports)) }] }, from: zone('', ...from).prefixes,
})

const fold = (observations: readonly Observation[], needs?: readonly NeedClaim[], zones: MatrixInput['zones'] = ZONES): MatrixRow[] => [
  ...foldMatrix({ observations, zones, ...(needs ? { needs } : {}) }),
]
const nameOf = (row: MatrixRow): string => `${row.addressClass} ${row.port} ${row.zone}`
const rowAt = (rows: readonly MatrixRow[], name: string): MatrixRow => {
  const row = rows.find((each) => nameOf(each) === name)
  if (!row) throw new Error(`no row ${name} in ${rows.map(nameOf).join(', ')}`)
  return row
}
const kindsAt = (rows: readonly MatrixRow[], name: string): string[] => rowAt(rows, name).contradictions.map(({ kind }) => kind)

describe('which rows there are', () => {
  const zonesOf4 = ['ipv4 22 lan', 'ipv4 22 office', 'ipv4 22 elsewhere']
  test.each<[string, Observation[], NeedClaim[] | undefined, string[]]>([
    ['a listener has a row for every zone', [listener('0.0.0.0', 22)], undefined, zonesOf4],
    ['IPv6 is a class of its own', [listener('::', 22)], undefined, ['ipv6 22 lan', 'ipv6 22 office', 'ipv6 22 elsewhere']],
    ['loopback is reached by the host alone', [listener('127.0.0.1', 22), listener('::1', 22)], undefined, ['loopback 22 itself']],
    ['an attempt has a row for its zone alone', [flow('10.1.2.3', 23, 1, { verdict: 'denied' })], undefined, ['ipv4 23 office']],
    ['a port that is only found closed has none', [scan('lan', 81, 'closed'), scan('lan', 82, 'filtered')], undefined, []],
    ['ports that a probe did not list have none', [rest('lan', '1-65535', 'filtered'), rest('lan', '1-65535', 'open|filtered', { protocol: 'udp' })], undefined, []],
    ['unless it found them open: a stretch of many at its first', [rest('office', '22,1000-1999', 'open')], undefined, [...zonesOf4, 'ipv4 1000 lan', 'ipv4 1000 office', 'ipv4 1000 elsewhere']],
    ['what was not listed counts as tried from there', [rest('lan', '1-65535', 'filtered'), rest('probe-7', '20-30', 'closed')], [need('n', '22', '10.1.0.0/16')], ['ipv4 22 lan', 'ipv4 22 office', 'ipv4 22 probe-7']],
    ['a port that is found open has a row for every zone', [scan('lan', 22, 'open')], undefined, zonesOf4],
    ['a vantage outside every zone has its own row', [scan('probe-7', 22, 'open')], undefined, [...zonesOf4, 'ipv4 22 probe-7']],
    ['a need has rows for the zones it lets in', [], [need('n', '22', '10.1.0.0/16')], ['ipv4 22 office']],
    ['a wide range makes no rows of its own', [], [need('n', '30000-40000', '0.0.0.0/0')], []],
    ['a wide range marks what is there', [flow('10.1.2.3', 35000, 1)], [need('n', '30000-40000', '0.0.0.0/0')], ['ipv4 35000 lan', 'ipv4 35000 office', 'ipv4 35000 elsewhere']],
    ['a published port of no family has both', [{ kind: 'published', host: 'db-1', sensor: 'nft', at: AT, protocol: 'tcp', ports: { first: 22, last: 22 }, target: '172.17.0.2:80' }], undefined,
      [...zonesOf4, 'ipv6 22 lan', 'ipv6 22 office', 'ipv6 22 elsewhere']],
    ['a reading and a loss have none', [reading('listeners'), { kind: 'evidence', host: 'db-1', sensor: 'x', at: AT, lost: 1, because: 'y' }], undefined, []],
  ])('%s', (_, observations, needs, expected) => {
    expect(fold(observations, needs).map(nameOf)).toEqual(expected)
  })

  test('sorted by host, protocol, port, class, zone', () => {
    const rows = fold([listener('::', 9, { host: 'b' }), listener('0.0.0.0', 9, { host: 'b' }), listener('0.0.0.0', 10, { host: 'a' }), listener('0.0.0.0', 1, { host: 'a', protocol: 'udp' }), listener('0.0.0.0', 9, { host: 'a' })], undefined, [])
    expect(rows.map((row) => `${row.host} ${row.protocol} ${nameOf(row)}`)).toEqual([
      'a tcp ipv4 9 elsewhere', 'a tcp ipv4 10 elsewhere', 'a udp ipv4 1 elsewhere', 'b tcp ipv4 9 elsewhere', 'b tcp ipv6 9 elsewhere',
    ])
  })
})

describe('unknown stays unknown', () => {
  const ROW = 'ipv4 22 lan'
  test.each<[string, Observation[], MatrixRow['listening']['kind'], MatrixRow['reachable']['state'], string]>([
    ['only a probe', [scan('lan', 22, 'open')], 'unknown', 'open', 'unknown: not watched'],
    ['only a listener', [listener('0.0.0.0', 22)], 'seen', 'unknown', 'unknown: not watched'],
    ['a complete reading shows no listener', [reading('listeners'), scan('lan', 22, 'open')], 'absent', 'open', 'unknown: not watched'],
    ['a later reading shows it no more', [listener('0.0.0.0', 22), reading('listeners'), reading('listeners', AT + 1)], 'gone', 'unknown', 'unknown: not watched'],
    ['another sensor’s later reading says nothing of it', [listener('0.0.0.0', 22), reading('listeners'), reading('listeners', AT + 1, 'other')], 'seen', 'unknown', 'unknown: not watched'],
    ['watched and silent', [listener('0.0.0.0', 22), reading('flows', AT), reading('flows', AT + 9)], 'seen', 'unknown', 'unused'],
    ['watched with losses', [listener('0.0.0.0', 22), reading('flows'), { kind: 'evidence', host: 'db-1', sensor: 'nft-counters', at: AT, lost: 3, because: 'full' }], 'seen', 'unknown', 'unknown: evidence lost'],
    ['watched, and another sensor lost something', [listener('0.0.0.0', 22), reading('flows'), { kind: 'evidence', host: 'db-1', sensor: 'conntrack', at: AT, lost: 3, because: 'full' }], 'seen', 'unknown', 'unused'],
    ['watched with losses on this port', [listener('0.0.0.0', 22), reading('flows'), { kind: 'evidence', host: 'db-1', sensor: 'nft-counters', at: AT, lost: 3, because: 'full', endpoint: { protocol: 'tcp', port: 22 } }], 'seen', 'unknown', 'unknown: evidence lost'],
    ['watched with losses on another port', [listener('0.0.0.0', 22), reading('flows'), { kind: 'evidence', host: 'db-1', sensor: 'nft-counters', at: AT, lost: 3, because: 'full', endpoint: { protocol: 'tcp', port: 23 } }], 'seen', 'unknown', 'unused'],
    ['used from another zone', [listener('0.0.0.0', 22), reading('flows'), flow('10.1.0.1', 22, 4)], 'seen', 'unknown', 'unused'],
    ['used', [listener('0.0.0.0', 22), reading('flows'), flow('10.2.0.1', 22, 4)], 'seen', 'unknown', 'used'],
    ['used and answered', [flow('10.2.0.1', 22, 4, { isAnswered: true })], 'unknown', 'open', 'used'],
    ['answered, then filtered', [flow('10.2.0.1', 22, 4, { isAnswered: true }), scan('lan', 22, 'filtered', { at: AT + 1 })], 'unknown', 'filtered', 'used'],
    ['one of two addresses open', [listener('0.0.0.0', 22), scan('lan', 22, 'filtered'), scan('lan', 22, 'open', { address: ip('10.0.0.6') })], 'seen', 'open', 'unknown: not watched'],
    ['UDP silence', [listener('0.0.0.0', 22), scan('lan', 22, 'open|filtered')], 'seen', 'unknown', 'unknown: not watched'],
    ['UDP silence of one address, closed on another', [listener('0.0.0.0', 22), scan('lan', 22, 'open|filtered'), scan('lan', 22, 'closed', { address: ip('10.0.0.6') })], 'seen', 'unknown', 'unknown: not watched'],
    ['the newest probe counts', [listener('0.0.0.0', 22), scan('lan', 22, 'open'), scan('lan', 22, 'closed', { at: AT + 1 })], 'seen', 'closed', 'unknown: not watched'],
  ])('%s', (_, observations, listening, reachable, used) => {
    const row = rowAt(fold(observations), ROW)
    expect(row.listening.kind).toBe(listening)
    expect(row.reachable.state).toBe(reachable)
    expect(row.used.kind === 'unknown' ? `unknown: ${row.used.because}` : row.used.kind).toBe(used)
  })

  test.each<[what: string, readings: number[], since: number]>([
    ['read daily', [0, 1, 2, 3], 0],
    ['not read for a week: the time before is not watched', [0, 1, 9, 10], 9],
    ['read again after months', [0, 100], 100],
  ])('unused begins where readings are unbroken: %s', (_, days, since) => {
    const day = 86_400_000
    const rows = fold([listener('0.0.0.0', 22), ...days.map((each) => reading('flows', each * day))])
    expect(rowAt(rows, ROW).used).toEqual({ kind: 'unused', since: since * day, until: (days.at(-1) ?? 0) * day })
  })

  test.each<[what: string, observations: Observation[], kinds: string[]]>([
    ['nothing listens: tried in vain', [reading('listeners'), flow('10.2.0.1', 23, 4)], []],
    ['whether anything listens is not known', [flow('10.2.0.1', 23, 4)], ['used-without-need']],
    ['nothing listens, and it was found open', [reading('listeners'), flow('10.2.0.1', 23, 4), scan('lan', 23, 'open')], ['open-without-listener', 'used-without-need']],
  ])('use without a need: %s', (_, observations, kinds) => expect(kindsAt(fold(observations, []), 'ipv4 23 lan')).toEqual(kinds))

  test('unused says since when it was watched', () => {
    const rows = fold([listener('0.0.0.0', 22), reading('flows', 5), reading('flows', 9)])
    expect(rowAt(rows, ROW).used).toEqual({ kind: 'unused', since: 5, until: 9 })
  })
})

describe('a scan speaks of ports that it does not list', () => {
  const ROW = 'ipv4 22 lan'
  const wasOpen = [listener('0.0.0.0', 22), scan('lan', 22, 'open')]
  const later = { at: AT + 1 }
  test.each<[string, Observation[], MatrixRow['reachable']['state'], string[]]>([
    ['it was open, and is filtered since', [...wasOpen, rest('lan', '1-21,22-100', 'filtered', later)], 'filtered', ['listening-but-filtered', 'needed-but-filtered']],
    ['it was open, and is closed since', [...wasOpen, rest('lan', '1-65535', 'closed', later)], 'closed', []],
    ['an older word', [...wasOpen, rest('lan', '1-65535', 'filtered', { at: AT - 1 })], 'open', []],
    ['a port between the ranges was not probed', [...wasOpen, rest('lan', '1-21,23-65535', 'filtered', later)], 'open', []],
    ['another protocol', [...wasOpen, rest('lan', '1-65535', 'filtered', { ...later, protocol: 'udp' })], 'open', []],
    ['another zone', [...wasOpen, rest('office', '1-65535', 'filtered', later)], 'open', []],
    ['another address', [...wasOpen, rest('lan', '1-65535', 'filtered', { ...later, address: ip('10.0.0.6') })], 'open', []],
    ['an address of the other family', [...wasOpen, rest('lan', '1-65535', 'filtered', { ...later, address: ip('2001:db8::5') })], 'open', []],
    ['silence of UDP decides nothing', [...wasOpen, rest('lan', '1-65535', 'open|filtered', later)], 'unknown', []],
    ['nobody has listed it ever', [listener('0.0.0.0', 22), rest('lan', '22', 'filtered')], 'filtered', ['listening-but-filtered', 'needed-but-filtered']],
    ['nobody has probed it', [listener('0.0.0.0', 22), rest('lan', '23', 'filtered')], 'unknown', []],
    ['another scanner disagrees', [...wasOpen, rest('lan', '1-65535', 'filtered', { sensor: 'nmap' })], 'open', ['probes-disagree']],
  ])('%s', (_, observations, reachable, kinds) => {
    const rows = fold(observations, [need('n', '22', '10.0.0.0/8')])
    expect(rowAt(rows, ROW).reachable.state).toBe(reachable)
    expect(kindsAt(rows, ROW)).toEqual(kinds)
  })

  test('a closing is a difference', () => {
    const changes = [...diffMatrix(fold(wasOpen), fold([...wasOpen, rest('lan', '22', 'filtered', later)]))]
    expect(changes.map(({ row, kind, fields }) => [nameOf(row), kind, fields])).toEqual([
      [ROW, 'changed', [{ field: 'reachable', before: 'open', after: 'filtered' }, { field: 'contradictions', before: '', after: 'listening-but-filtered' }]],
    ])
  })
})

describe('how connections add up', () => {
  test.each<[string, FlowObservation[], number, number]>([
    ['a counter read again counts once', [flow('10.2.0.1', 22, 3), flow('10.2.0.1', 22, 5, { at: AT + 1 })], 5, AT + 1],
    ['a counter that stands still was not used again', [flow('10.2.0.1', 22, 3), flow('10.2.0.1', 22, 3, { at: AT + 1 })], 3, AT],
    ['a counter that started again adds', [flow('10.2.0.1', 22, 3), flow('10.2.0.1', 22, 2, { at: AT + 1 })], 5, AT + 1],
    ['snapshots: the most at once', [flow('10.2.0.1', 22, 3, { tally: 'snapshot' }), flow('10.2.0.1', 22, 2, { tally: 'snapshot', at: AT + 1 })], 3, AT + 1],
    ['events add', [flow('10.2.0.1', 22, 3, { tally: 'events' }), flow('10.2.0.1', 22, 2, { tally: 'events', at: AT + 1 })], 5, AT + 1],
    ['sources add', [flow('10.2.0.1', 22, 3), flow('10.2.0.2', 22, 2)], 5, AT],
    ['what an observing gate would deny is use', [flow('10.2.0.1', 22, 3, { verdict: 'denied', isLetThrough: true })], 3, AT],
    ['use before and after a need was written adds', [flow('10.2.0.1', 22, 3, { verdict: 'denied', isLetThrough: true }), flow('10.2.0.1', 22, 2)], 5, AT],
    ['two sensors see the same connections', [flow('10.2.0.1', 22, 3), flow('10.2.0.1', 22, 2, { sensor: 'conntrack', tally: 'snapshot' })], 3, AT],
  ])('%s', (_, flows, connections, lastSeen) => {
    expect(rowAt(fold(flows), 'ipv4 22 lan').used).toMatchObject({ kind: 'used', connections, lastSeen })
  })

  test('the busiest eight sources are named, all are counted', () => {
    const flows = Array.from({ length: 20 }, (_, index) => flow(`10.2.0.${index}`, 22, index + 1))
    const { used } = rowAt(fold(flows), 'ipv4 22 lan')
    if (used.kind !== 'used') throw new Error(used.kind)
    expect([used.sourceCount, used.connections, used.sources.map((source) => source.connections)]).toEqual([20, 210, [20, 19, 18, 17, 16, 15, 14, 13]])
  })

  test('denied connections are not use', () => {
    const row = rowAt(fold([flow('10.2.0.1', 22, 3, { verdict: 'denied' })]), 'ipv4 22 lan')
    expect([row.used.kind, row.denied?.connections]).toEqual(['unknown', 3])
  })
})

describe('a scanner is no user', () => {
  const vacant = (count: number, source = '10.2.0.66', more: Partial<FlowObservation> = {}): FlowObservation[] => Array.from({ length: count }, (_, index) => flow(source, 100 + index, 1, more))
  /** Its knock at a listener, beside all others. */
  const among = (count: number, knock: FlowObservation, ...others: Observation[]): Observation[] => [reading('listeners'), reading('flows'), listener('0.0.0.0', 22), ...vacant(count), knock, ...others]
  const knock = (more: Partial<FlowObservation> = {}): FlowObservation => flow('10.2.0.66', 22, 3, more)
  test.each<[what: string, observations: Observation[], used: number | string, scanners: number | undefined, denied: number | undefined, kinds: string[]]>([
    ['eight places where nothing stands: its knock is none of use', among(8, knock()), 'unused', 3, undefined, []],
    ['seven: a client that mistypes', among(7, knock()), 3, undefined, undefined, ['used-without-need']],
    ['an observing gate would deny it', among(8, knock({ verdict: 'denied', isLetThrough: true })), 'unused', 3, 3, []],
    ['an enforcing gate denied it', among(8, knock({ verdict: 'denied' })), 'unused', 3, 3, []],
    ['it got an answer: that is use, and said to be', among(8, knock({ isAnswered: true })), 3, undefined, undefined, ['used-without-need']],
    ['one of two sensors saw the answer', among(8, knock(), knock({ sensor: 'conntrack', tally: 'snapshot', connections: 1, isAnswered: true })), 3, undefined, undefined, ['used-without-need']],
    ['a client beside it is use', among(8, knock(), flow('10.2.0.7', 22, 5)), 5, 3, undefined, ['used-without-need']],
    ['the places may be on other hosts', [reading('listeners'), reading('flows'), listener('0.0.0.0', 22), knock(), { ...reading('listeners'), host: 'web-1' }, ...vacant(8, '10.2.0.66', { host: 'web-1' })], 'unused', 3, undefined, []],
    ['whether anything stands there is not known: nobody is called a scanner', [reading('flows'), listener('0.0.0.0', 22), ...vacant(20), knock()], 3, undefined, undefined, ['used-without-need']],
    ['ports of one range are those of a transfer', [reading('listeners'), reading('flows'), listener('0.0.0.0', 22), ...Array.from({ length: 20 }, (_, index) => flow('10.2.0.66', 40_000 + index, 1)), knock()], 3, undefined, undefined, ['used-without-need']],
  ])('%s', (_, observations, used, scanners, denied, kinds) => {
    const row = rowAt(fold(observations, []), 'ipv4 22 lan')
    expect(row.used.kind === 'used' ? row.used.connections : row.used.kind).toBe(used)
    expect([row.scanners?.connections, row.denied?.connections]).toEqual([scanners, denied])
    expect(row.contradictions.map(({ kind }) => kind)).toEqual(kinds)
  })

  test('what a gate denies although a need lets it in is a contradiction, whoever knocks', () => {
    const rows = fold(among(8, knock({ verdict: 'denied' })), [need('n', '22', '10.2.0.0/16')])
    expect(kindsAt(rows, 'ipv4 22 lan')).toEqual(['denied-despite-need'])
  })

  test('it does not explain the use that a metric tells of', () => {
    const use: Observation = { kind: 'use', host: 'db-1', sensor: 'prometheus', at: AT, protocol: 'tcp', port: 22, because: 'sessions', firstSeen: AT, lastSeen: AT }
    expect(rowAt(fold(among(8, knock(), use)), 'ipv4 22 lan').used).toEqual({ kind: 'unknown', because: 'sources unknown' })
  })
})

describe('contradictions are named', () => {
  const ephemeral = listener('0.0.0.0', 22, { isEphemeral: true })
  const published: Observation = { kind: 'published', host: 'db-1', sensor: 'nft', at: AT, protocol: 'tcp', ports: { first: 22, last: 22 }, address: ip('0.0.0.0'), target: '172.17.0.2:80' }
  test.each<[string, Observation[], NeedClaim[] | undefined, string[]]>([
    ['nothing', [listener('0.0.0.0', 22), scan('lan', 22, 'open'), flow('10.2.0.1', 22, 1)], [need('n', '22', '10.0.0.0/8')], []],
    ['listening but filtered', [listener('0.0.0.0', 22), scan('lan', 22, 'filtered')], undefined, ['listening-but-filtered']],
    ['open but no listener seen', [reading('listeners'), scan('lan', 22, 'open')], undefined, ['open-without-listener']],
    ['open, listeners never read: no claim', [scan('lan', 22, 'open')], undefined, []],
    ['open and published: explained', [reading('listeners'), scan('lan', 22, 'open'), published], undefined, []],
    ['used but no need', [flow('10.2.0.1', 22, 1)], [need('n', '22', '10.1.0.0/16')], ['used-without-need']],
    ['used, no policy: no claim', [flow('10.2.0.1', 22, 1)], undefined, []],
    ['denied though needed', [flow('10.2.0.1', 22, 1, { verdict: 'denied' })], [need('n', '22', '10.0.0.0/8')], ['denied-despite-need']],
    ['needed but no listener', [reading('listeners')], [need('n', '22', '10.0.0.0/8')], ['needed-without-listener']],
    ['needed, listeners never read: no claim', [], [need('n', '22', '10.0.0.0/8')], []],
    ['needed but filtered', [scan('lan', 22, 'filtered')], [need('n', '22', '10.0.0.0/8')], ['needed-but-filtered']],
    ['needed but the kernel chose the port', [ephemeral], [need('n', '22', '10.0.0.0/8')], ['needed-but-ephemeral']],
    ['published over a listener', [listener('0.0.0.0', 22), published], undefined, ['published-over-listener']],
    ['two probes disagree', [listener('0.0.0.0', 22), scan('lan', 22, 'open'), scan('lan', 22, 'closed', { sensor: 'nmap' })], undefined, ['probes-disagree']],
    ['one probe saw a change', [listener('0.0.0.0', 22), scan('lan', 22, 'open'), scan('lan', 22, 'closed', { at: AT + 1 })], undefined, []],
    ['another zone’s contradiction is not this one’s', [listener('0.0.0.0', 22), scan('office', 22, 'filtered')], undefined, []],
  ])('%s', (_, observations, needs, expected) => {
    expect(kindsAt(fold(observations, needs), 'ipv4 22 lan')).toEqual(expected)
  })

  test('used without need names the sources that no need lets in', () => {
    const rows = fold([flow('10.2.0.1', 22, 1), flow('10.2.0.2', 22, 1)], [need('n', '22', '10.2.0.1/32')])
    expect(rowAt(rows, 'ipv4 22 lan')).toMatchObject({
      needs: [{ id: 'n', covers: 'part' }],
      contradictions: [{ kind: 'used-without-need', sources: [ip('10.2.0.2')], sourceCount: 1 }],
    })
  })
})

describe('laws', () => {
  const source = fc.constantFrom('10.1.0.1', '10.2.0.2', '192.0.2.1', '2001:db8:1::1', '2001:db8:2::1', '127.0.0.1')
  const at = fc.integer({ min: 1, max: 5 })
  const port = fc.constantFrom(22, 80, 443)
  const observation: fc.Arbitrary<Observation> = fc.oneof(
    fc.record({ a: fc.constantFrom('0.0.0.0', '::', '10.0.0.5', '127.0.0.1'), port, at, e: fc.boolean() }).map(({ a, port, at, e }) => listener(a, port, { at, isEphemeral: e })),
    fc.record({ source, port, at, n: fc.integer({ min: 0, max: 9 }), tally: fc.constantFrom('running', 'snapshot', 'events'), verdict: fc.constantFrom('accepted', 'denied'), sensor: fc.constantFrom('a', 'b') } as const)
      .map(({ source, port, at, n, tally, verdict, sensor }) => flow(source, port, n, { at, tally, verdict, sensor: `${sensor}-${tally}` })),
    fc.record({ port, at, state: fc.constantFrom('open', 'closed', 'filtered', 'open|filtered'), from: fc.constantFrom('lan', 'office', 'elsewhere', 'probe'), sensor: fc.constantFrom('a', 'b') } as const)
      .map(({ port, at, state, from, sensor }) => scan(from, port, state, { at, sensor })),
    fc.record({ ports: fc.constantFrom('22', '80,443', '1-400', '1-65535'), at, state: fc.constantFrom('open', 'closed', 'filtered', 'open|filtered'), from: fc.constantFrom('lan', 'probe'), sensor: fc.constantFrom('a', 'b') } as const)
      .map(({ ports, at, state, from, sensor }) => rest(from, ports, state, { at, sensor })),
    fc.record({ covers: fc.constantFrom('listeners', 'published', 'flows'), at } as const).map(({ covers, at }) => reading(covers, at)),
  )
  const needs = [need('a', '22', '10.1.0.0/16'), need('b', '22-80', '0.0.0.0/0', '::/0')]

  test('shuffled observations fold to the same rows', { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 25 }).chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))), ([list, shuffled]) => {
        expect(fold(shuffled, needs)).toEqual(fold(list, needs))
      }),
    )
  })

  test('what is not listed counts as if it was, for every endpoint that something else shows', { timeout: 30_000 }, () => {
    const needs = [need('a', '22', '10.1.0.0/16'), need('b', '80', '0.0.0.0/0', '::/0')]
    const isShown = ({ observations, port }: { observations: readonly Observation[]; port: number }): boolean =>
      [22, 80].includes(port) || observations.some((each) => (each.kind === 'scan' || (each.kind === 'listener' && each.address.family === 4 && !each.isLoopback) || (each.kind === 'flow' && each.source.family === 4 && each.source.value >> 24n !== 127n)) && each.port === port)
    fc.assert(
      fc.property(fc.array(observation.filter((each) => each.kind !== 'scan-rest' || each.state !== 'open'), { maxLength: 25 }), (observations) => {
        const listed = observations.flatMap((each): Observation[] => {
          if (each.kind !== 'scan-rest') return [each]
          return [22, 80, 443].filter((port) => someContainsPort(each.ports, port) && isShown({ observations, port })).map((port) => scan(each.from, port, each.state, { at: each.at, sensor: each.sensor }))
        })
        expect(fold(observations, needs)).toEqual(fold(listed, needs))
      }),
    )
  })

  test('every accepted connection is counted in exactly one row', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ source, port }), { maxLength: 30 }), (flows) => {
        const rows = fold(flows.map(({ source, port }) => flow(source, port, 1, { tally: 'events' })))
        expect(rows.reduce((sum, row) => sum + (row.used.kind === 'used' ? row.used.connections : 0), 0)).toBe(flows.length)
      }),
    )
  })
})
