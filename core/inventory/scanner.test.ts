import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { PLAIN_CALENDAR } from './businessCalendar.ts'
import type { FlowObservation, Observation } from './observation.ts'
import { Scanners, triedIn, triedOf } from './scanner.ts'
import { foldUsageDays } from './usageDays.ts'

const ip = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}
const SOURCES = ['10.0.0.1', '10.0.0.2', '2001:db8::1'].map(ip)
const NOON = 43_200_000

const tried = (ports: readonly number[], vacant: readonly number[]) =>
  [...ports, ...vacant].map((port) => ({ protocol: 'tcp' as const, port, isVacant: vacant.includes(port), sources: [SOURCES[0] as Address] }))
const upTo = (count: number, first = 1): number[] => Array.from({ length: count }, (_, index) => first + index)

test.each<[what: string, hosts: ReturnType<typeof tried>[], isScanner: boolean]>([
  ['eight places where nothing stands', [tried([], upTo(8))], true],
  ['seven', [tried([], upTo(7))], false],
  ['four on each of two hosts', [tried([], upTo(4)), tried([], upTo(4))], true],
  ['eight among many where something does: a client of all, with old settings', [tried(upTo(19, 100), upTo(8))], false],
  ['eight among fewer', [tried(upTo(18, 100), upTo(8))], true],
  ['many of one range', [tried([], upTo(200, 50_000))], false],
  ['many of one range, and eight elsewhere', [tried([], [...upTo(200, 50_000), ...upTo(8)])], false],
  ['a range below 1024 is none of a transfer', [tried([], upTo(20, 500))], true],
  ['nothing', [], false],
])('%s', (_, hosts, isScanner) => {
  const scanners = new Scanners()
  for (const host of hosts) scanners.noteHost(host)
  expect(scanners.has(SOURCES[0] as Address)).toBe(isScanner)
})

/** Law: the matrix, which reads observations in any order, and the recommendations, which read days of use, judge alike. */
test('observations and the days of use that are made of them name the same scanners', () => {
  const at = fc.integer({ min: 0, max: 3 }).map((day) => day * 86_400_000 + NOON)
  const port = fc.constantFrom(...upTo(12), 2000, 2001, 60_000)
  const of = (kind: string) => ({ host: fc.constant('a'), sensor: fc.constant('s'), at, kind: fc.constant(kind) })
  const observation = fc.oneof(
    { weight: 12, arbitrary: fc.record({ ...of('flow'), source: fc.constantFrom(...SOURCES), protocol: fc.constantFrom('tcp', 'udp'), port, connections: fc.nat(2), lastSeen: at, verdict: fc.constantFrom('accepted', 'denied'), isLetThrough: fc.boolean(), isAnswered: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ ...of('listener'), address: fc.constant(ip('0.0.0.0')), protocol: fc.constantFrom('tcp', 'udp'), port, isLoopback: fc.boolean(), isEphemeral: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ ...of('published'), protocol: fc.constantFrom('tcp', 'udp'), ports: port.map((first) => ({ first, last: first })), target: fc.constant('x') }) },
    { weight: 1, arbitrary: fc.record({ ...of('reading'), covers: fc.constantFrom('listeners', 'published') }) },
  ) as fc.Arbitrary<Observation>
  fc.assert(
    fc.property(fc.array(observation, { maxLength: 120, size: 'max' }), fc.infiniteStream(fc.nat()), (observations, dice) => {
      const [fromDays, fromObservations] = [new Scanners(), new Scanners()]
      fromDays.noteHost(triedOf(foldUsageDays('a', observations.toSorted((a, b) => a.at - b.at), PLAIN_CALENDAR)))
      fromObservations.noteHost(triedIn(shuffled(observations, dice)))
      expect(SOURCES.map((source) => fromObservations.has(source))).toEqual(SOURCES.map((source) => fromDays.has(source)))
    }),
  )
})

function shuffled(observations: readonly Observation[], dice: Iterator<number>): Observation[] {
  return observations.map((each) => ({ each, at: Number(dice.next().value) })).toSorted((a, b) => a.at - b.at).map(({ each }) => each)
}

/** The law says nothing unless there are some. */
test('a scan of a host that was read names its source, in both', () => {
  const flow = (port: number): FlowObservation => ({ kind: 'flow', host: 'a', sensor: 's', at: NOON, source: SOURCES[2] as Address, protocol: 'tcp', port, connections: 1, lastSeen: NOON, verdict: 'accepted' })
  const observations: Observation[] = [{ kind: 'reading', host: 'a', sensor: 'ss', at: NOON, covers: 'listeners' }, ...upTo(9).map(flow)]
  const [fromDays, fromObservations] = [new Scanners(), new Scanners()]
  fromDays.noteHost(triedOf(foldUsageDays('a', observations, PLAIN_CALENDAR)))
  fromObservations.noteHost(triedIn(observations))
  expect([fromDays, fromObservations].map((scanners) => SOURCES.map((source) => scanners.has(source)))).toEqual([[false, false, true], [false, false, true]])
})
