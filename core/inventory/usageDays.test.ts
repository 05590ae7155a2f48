import { describe, expect, test } from 'vitest'
import { DAY_MS, formatDay, PLAIN_CALENDAR } from './businessCalendar.ts'
import type { Observation } from './observation.ts'
import { foldUsageDays } from './usageDays.ts'

const START = Date.parse('2026-07-01T20:00:00Z')
const at = (day: number): number => START + day * DAY_MS

/** One reading: what the counter of 10.0.0.9 to tcp 443 shows; nothing where it stands in no set. */
function reading(day: number, connections?: number, source = 9): Observation[] {
  return [
    ...(connections === undefined ? [] : [{ kind: 'flow' as const, host: 'h', sensor: 'nft-counters', at: at(day), source: { family: 4 as const, value: 0x0a00_0000n + BigInt(source) }, protocol: 'tcp' as const, port: 443, connections, tally: 'running' as const, lastSeen: at(day), verdict: 'accepted' as const }]),
    { kind: 'reading', host: 'h', sensor: 'nft-counters', at: at(day), covers: 'flows' },
  ]
}

const folded = (observations: readonly Observation[]): string => {
  const { watch, endpoints } = foldUsageDays('h', observations, PLAIN_CALENDAR)
  const words = (days: readonly number[]): string => days.map((day) => formatDay(day).slice(5)).join(' ')
  return `${words(watch.watched.days())} | ${endpoints.map(({ sources, lost }) => `${sources.map(({ days, connections }) => `${words(days.days())} x${connections}`).join(', ')}${lost > 0 ? ` lost ${lost}` : ''}`).join('; ')}`
}

describe('days of use from counters that only grow', () => {
  test.each<[string, readonly Observation[], string]>([
    ['it grows each day', [...reading(0), ...reading(1, 2), ...reading(2, 5)], '07-02 07-03 | 07-02 07-03 x5'],
    ['it stands still', [...reading(0), ...reading(1, 2), ...reading(2, 2), ...reading(3, 2)], '07-02 07-03 07-04 | 07-02 x2'],
    ['it was there before', [...reading(0, 40), ...reading(1, 40)], '07-02 | 07-01 x40'],
    ['it began again: a restart, and that time is unwatched', [...reading(0, 40), ...reading(1, 3), ...reading(2, 3)], '07-03 | 07-01 07-02 x43'],
    ['no reading for four days, and the counter still stands', [...reading(0, 1), ...reading(4, 1), ...reading(5, 1)], '07-02 07-03 07-04 07-05 07-06 | 07-01 x1'],
    ['no reading for four days, and nothing proves that it was counted', [...reading(0), ...reading(4), ...reading(5)], '07-06 | '],
    ['no reading for two weeks', [...reading(0, 1), ...reading(14, 1)], ' | 07-01 x1'],
    ['one reading tells of no time', reading(0, 5), ' | 07-01 x5'],
    ['two readings within a minute are no day', [...reading(0, 1), ...reading(0.0007, 1)], ' | 07-01 x1'],
    ['two sources', [...reading(0, 1), ...reading(1, 1, 8)], '07-02 | 07-01 x1, 07-02 x1'],
  ])('%s', (_, observations, expected) => {
    expect(folded(observations)).toBe(expected)
  })

  test('losses are kept with their endpoint, and those of denials are none', () => {
    const loss = (sensor: string, endpoint: boolean): Observation => ({ kind: 'evidence', host: 'h', sensor, at: at(1), lost: 4, because: 'full', ...(endpoint ? { endpoint: { protocol: 'tcp', port: 443 } } : {}) })
    expect(folded([...reading(0, 1), ...reading(1, 1), loss('nft-counters', true), loss('nft-denials', false)])).toBe('07-02 | 07-01 x1 lost 4')
    expect(foldUsageDays('h', [...reading(0), loss('nft-counters', false)], PLAIN_CALENDAR).watch.lost).toEqual(['full'])
  })

  test('flows that are alive were so on every day between', () => {
    const flow: Observation = { kind: 'flow', host: 'h', sensor: 'conntrack', at: at(3), source: { family: 4, value: 1n }, protocol: 'tcp', port: 22, connections: 1, tally: 'snapshot', firstSeen: at(0), lastSeen: at(3), verdict: 'accepted' }
    expect(folded([...reading(0), flow])).toContain('07-01 07-02 07-03 07-04')
  })
})

describe('what scans found open', () => {
  const scan = (day: number, state: 'open' | 'closed' | 'open|filtered', from = 'office'): Observation => ({ kind: 'scan', host: 'h', sensor: 'nmap', at: at(day), address: { family: 4, value: 5n }, protocol: 'tcp', port: 443, state, from })
  const rest = (day: number, state: 'open' | 'closed' | 'filtered' | 'open|filtered', [first, last]: readonly [number, number] = [1, 1000], from = 'office'): Observation => ({ kind: 'scan-rest', host: 'h', sensor: 'nmap', at: at(day), address: { family: 4, value: 5n }, protocol: 'tcp', ports: [{ first, last }], state, from })
  test.each<[string, readonly Observation[], string | undefined]>([
    ['open', [scan(0, 'open')], '07-01'],
    ['open again: the newer day', [scan(0, 'open'), scan(2, 'open')], '07-03'],
    ['closed since, listed', [scan(0, 'open'), scan(1, 'closed')], undefined],
    ['closed since, not listed', [scan(0, 'open'), rest(1, 'closed')], undefined],
    ['filtered since, not listed', [scan(0, 'open'), rest(1, 'filtered')], undefined],
    ['closed before', [rest(0, 'closed'), scan(1, 'open')], '07-02'],
    ['closed since, but asked from elsewhere', [scan(0, 'open'), rest(1, 'closed', [1, 1000], 'home')], '07-01'],
    ['other ports were closed since', [scan(0, 'open'), rest(1, 'closed', [1, 442])], '07-01'],
    ['closed here and open there', [scan(0, 'closed'), scan(1, 'open', 'home')], '07-02'],
    ['closed', [scan(0, 'closed')], undefined],
    ['silence since decides nothing, listed', [scan(0, 'open'), scan(1, 'open|filtered')], '07-01'],
    ['silence since decides nothing, not listed', [scan(0, 'open'), rest(1, 'open|filtered')], '07-01'],
    ['silence alone', [scan(0, 'open|filtered')], undefined],
  ])('%s', (_, observations, expected) => {
    const found = foldUsageDays('h', observations, PLAIN_CALENDAR).endpoints.find(({ port }) => port === 443)?.foundOpen
    expect(found === undefined ? undefined : formatDay(found).slice(5)).toBe(expected)
  })
})

describe('who listens', () => {
  const listener = (day: number, isLoopback = false): Observation => ({ kind: 'listener', host: 'h', sensor: 'ss', at: at(day), address: { family: 4, value: 0n }, protocol: 'tcp', port: 443, process: 'nginx', isLoopback, isEphemeral: false })
  const read = (day: number): Observation => ({ kind: 'reading', host: 'h', sensor: 'ss', at: at(day), covers: 'listeners' })
  test.each<[string, readonly Observation[], string]>([
    ['at the newest reading', [listener(0), read(0), listener(1), read(1)], 'seen'],
    ['no more', [listener(0), read(0), read(1)], 'gone'],
    ['never', [...reading(0, 1), read(0)], 'absent'],
    ['nobody looked', reading(0, 1), 'unknown'],
    ['on loopback only', [listener(0, true), read(0)], 'loopback'],
  ])('%s', (_, observations, state) => {
    expect(foldUsageDays('h', observations, PLAIN_CALENDAR).endpoints.map(({ listening }) => listening.state)).toEqual([state])
  })
})
