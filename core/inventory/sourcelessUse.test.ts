import { describe, expect, test } from 'vitest'
import { judgeHost, type JudgeOptions } from '../policy/recommend/judge.ts'
import { foldMatrix } from './matrix.ts'
import type { Observation } from './observation.ts'
import { risksOf } from './risk.ts'
import { foldUsageDays } from './usageDays.ts'

const DAY = 86_400_000
const AT = Date.UTC(2026, 10, 1)
const claim = { host: 'shop-1', sensor: 'ss', at: AT } as const
const listener = (address: string, port: number): Observation => ({ ...claim, kind: 'listener', address: address === 'loopback' ? { family: 4, value: 0x7f00_0001n } : { family: 4, value: 0n }, protocol: 'tcp', port, process: 'nginx', isLoopback: address === 'loopback', isEphemeral: false })
const use = (port: number, at = AT): Observation => ({ ...claim, kind: 'use', sensor: 'prometheus', at, protocol: 'tcp', port, because: 'haproxy', firstSeen: at, lastSeen: at })
const flow = (port: number, lastSeen: number): Observation => ({ ...claim, kind: 'flow', sensor: 'nft-counters', at: lastSeen, source: { family: 4, value: 0x0a01_0001n }, protocol: 'tcp', port, connections: 3, tally: 'running', lastSeen, verdict: 'accepted' })
const watched = (days: number): Observation[] => Array.from({ length: days + 1 }, (_, day): Observation => ({ ...claim, kind: 'reading', sensor: 'nft-counters', at: AT - (days - day) * DAY, covers: 'flows' }))
const found: Observation = { ...claim, kind: 'scan', sensor: 'scan', address: { family: 4, value: 9n }, protocol: 'tcp', port: 443, state: 'open', from: 'elsewhere' }
const ZONES = [{ name: 'office', prefixes: [{ family: 4 as const, value: 0x0a01_0000n, length: 16 }] }]

describe('a metric says used, and no source is known', () => {
  test.each<[what: string, observations: Observation[], rows: string[]]>([
    ['without a watch', [listener('any', 443), use(443)], ['ipv4 office unknown: sources unknown, by haproxy', 'ipv4 elsewhere unknown: sources unknown, by haproxy']],
    ['no zone can be said to be silent', [listener('any', 443), ...watched(2), use(443)], ['ipv4 office unknown: sources unknown, by haproxy', 'ipv4 elsewhere unknown: sources unknown, by haproxy']],
    ['a known source explains it', [listener('any', 443), ...watched(2), use(443), flow(443, AT)], ['ipv4 office used, by haproxy', 'ipv4 elsewhere unused, by haproxy']],
    ['a source of before explains nothing', [listener('any', 443), ...watched(2), use(443), flow(443, AT - DAY)], ['ipv4 office used, by haproxy', 'ipv4 elsewhere unknown: sources unknown, by haproxy']],
    ['of another port', [listener('any', 443), ...watched(2), use(80)], ['ipv4 office unknown: sources unknown, by haproxy', 'ipv4 elsewhere unknown: sources unknown, by haproxy', 'ipv4 office unused', 'ipv4 elsewhere unused']],
    ['of what listens on loopback only', [listener('loopback', 443), ...watched(2), use(443)], ['loopback itself unknown: sources unknown, by haproxy']],
    ['silence of a metric is no silence', [listener('any', 443)], ['ipv4 office unknown: not watched', 'ipv4 elsewhere unknown: not watched']],
  ])('%s', (_, observations, expected) => {
    const rows = [...foldMatrix({ observations, zones: ZONES })]
    expect(rows.map(({ addressClass, zone, used, usedByUnknown }) => `${addressClass} ${zone} ${used.kind === 'unknown' ? `unknown: ${used.because}` : used.kind}${usedByUnknown ? `, by ${usedByUnknown.because.join(' ')}` : ''}`)).toEqual(expected)
  })

  test('it is never advised to close what only a metric saw', () => {
    const openAndSilent = [listener('any', 443), found, ...watched(2)]
    const adviceOf = (observations: Observation[]): string | undefined => risksOf(foldMatrix({ observations, zones: ZONES }))[0]?.unneededUse
    expect([adviceOf(openAndSilent), adviceOf([...openAndSilent, use(443)])]).toEqual(['unused', 'unknown'])
  })
})

describe('the recommendation', () => {
  const options: JudgeOptions = { calendar: { utcOffsetMinutes: 0, holidays: new Set() }, zones: ZONES, services: [], unseenShare: 0, profiles: [], isNoise: () => false }
  const listening = (port: number): Observation[] => [listener('any', port), { ...claim, kind: 'reading', covers: 'listeners' }]
  const daily = (port: number, from: number, to: number): Observation[] => Array.from({ length: from - to }, (_, day) => use(port, AT - (from - day) * DAY))
  const judged = (observations: readonly Observation[]) => judgeHost({ name: 'shop-1', tier: 'standard' }, foldUsageDays('shop-1', observations.toSorted((a, b) => a.at - b.at), options.calendar), options)[0]

  test.each<[what: string, observations: Observation[], verdict: string]>([
    ['watched a year and silent', [...listening(443), ...watched(400)], 'close'],
    ['the same, and a metric shows use', [...listening(443), ...watched(400), ...daily(443, 60, 0)], 'ask'],
    ['the same, and the metric fell silent long ago', [...listening(443), ...watched(400), ...daily(443, 300, 200)], 'ask'],
  ])('%s: %s', (_, observations, verdict) => expect(judged(observations)?.verdict).toBe(verdict))

  test('it asks who, and lets nobody in', () => {
    const judgement = judged([...listening(443), ...watched(400), ...daily(443, 60, 0)])
    expect(judgement?.question?.en).toBe('Who uses nginx? The metric haproxy shows that somebody does, and no source was seen.')
    expect(judgement?.from).toMatchObject({ kind: 'prefixes', prefixes: [] })
  })
})
