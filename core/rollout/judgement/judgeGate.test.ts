import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Gate, GateEvidence, GateSample } from '../gate.ts'
import { judgeGate, JUDGEMENT } from './judgeGate.ts'

const GATE: Gate = { name: 'shop', measure: { kind: 'tcp', port: 443 }, isCritical: true, samplesMin: 3 }
const QUERY = (settings: Record<string, string | number>): Gate => ({ ...GATE, measure: { kind: 'other', name: 'prometheus', settings: { query: 'q', ...settings } } })
const DENIED: Gate = { ...GATE, measure: { kind: 'denied' }, samplesMin: 1 }

/** `g` good, `b` bad; one a second, each host its own string. */
const rounds = (name: string, hosts: readonly string[], value?: number): GateSample[] =>
  hosts.flatMap((text, host) => Array.from(text, (char, second) => ({ at: second * 1000, host: `${name}-${host}`, isGood: char === 'g', ...(value === undefined ? {} : { value: value + ((second * 7 + host) % 5) / 100 }) })))
const evidence = (changed: GateSample[], baseline: GateSample[], control: GateSample[], noData?: string): GateEvidence => ({
  now: 1e6,
  changed,
  baseline,
  control,
  ...(noData === undefined ? {} : { noData: { en: noData, zh: noData } }),
})
const many = (char: string, count: number): string => char.repeat(count)

describe('verdicts', () => {
  const good = (hosts: number, count = 12, value?: number): GateSample[] => rounds('c', Array.from({ length: hosts }, () => many('g', count)), value)
  const bad = (hosts: number, count = 12): GateSample[] => rounds('c', Array.from({ length: hosts }, () => many('b', count)))
  const slow = (host: string, count: number, value: number, since = 0): GateSample[] => Array.from({ length: count }, (_, second) => ({ at: (since + second) * 1000, host, isGood: true, value }))
  const dead = (host: string, count: number): GateSample[] => Array.from({ length: count }, (_, second) => ({ at: second * 1000, host, isGood: false }))
  const cases: readonly [what: string, gate: Gate, evidence: GateEvidence, kind: string, because: RegExp][] = [
    ['nothing at all', GATE, evidence([], [], []), 'hold', /0 of 3 samples.*nothing to compare with/],
    ['all good, enough of them', GATE, evidence(good(4), good(4), good(8)), 'pass', /fails no more often: 0\/48 failed, 0\/48 before/],
    ['all good, too few yet', GATE, evidence(good(1, 5), good(1), good(8)), 'hold', /too few samples/],
    ['all good, but the newest measuring brought nothing', GATE, evidence(good(4), good(4), good(8), 'Prometheus is away'), 'hold', /no data: Prometheus is away/],
    ['all good, with nothing to compare', GATE, evidence(good(4), [], []), 'hold', /nothing to compare with/],
    ['all good, compared with unchanged hosts only', GATE, evidence(good(4), [], good(8)), 'pass', /on unchanged hosts/],
    ['one of the hosts is not measured any more', GATE, evidence(rounds('c', [many('g', 20), many('g', 20), many('g', 12)]), good(3), good(8)), 'hold', /not measured any more: c-2$/],
    ['one of the hosts was never measured since', GATE, evidence(good(3, 20), good(4), good(8)), 'hold', /not measured any more: c-3$/],
    ['two hosts fail', GATE, evidence(bad(2, 4), good(2, 6), good(8)), 'trip', /fails more often: 8\/8 failed, 0\/12 before/],
    ['one host fails, not sure yet', GATE, evidence(bad(1, 2), good(1, 6), good(9)), 'hold', /2 of 3 samples.*too few/],
    ['fails, and so do unchanged hosts', GATE, evidence(bad(2), good(2), bad(8)), 'hold', /one of the two/],
    ['fails, but did before', GATE, evidence(bad(2), bad(2), good(8)), 'hold', /one of the two/],
    ['fails, did before, and there is nothing else to compare', GATE, evidence(bad(2), bad(2), []), 'hold', /did not work before either/],
    ['trips although the newest measuring brought nothing', GATE, evidence(bad(4), good(4), good(8), 'away'), 'trip', /fails more often/],
    ['as slow as before', GATE, evidence(good(4, 12, 20), good(4, 12, 20), good(8, 12, 20)), 'pass', /values are no worse/],
    ['twice as slow', GATE, evidence(good(4, 12, 60), good(4, 12, 20), good(8, 12, 20)), 'trip', /values are worse: median 60/],
    ['a little slower', GATE, evidence(good(4, 12, 24), good(4, 12, 20), good(8, 12, 20)), 'pass', /values are no worse/],
    ['slower, like unchanged hosts', GATE, evidence(good(4, 12, 60), good(4, 12, 20), good(8, 12, 60)), 'hold', /one of the two/],
    ['slower than unchanged hosts, as ever', GATE, evidence(good(4, 12, 60), good(4, 12, 60), good(8, 12, 20)), 'hold', /one of the two/],
    ['one of four hosts is slow', GATE, evidence([...good(3, 12, 20), ...slow('c-3', 12, 60)], good(4, 12, 20), good(8, 12, 20)), 'hold', /not shown that values are no worse: c-3 \(median 60\)$/],
    ['one of four hosts is slow, and no host is left to compare with', GATE, evidence([...good(3, 12, 20), ...slow('c-3', 12, 60)], good(4, 12, 20), []), 'hold', /c-3 \(median 60\)$/],
    ['one of four hosts is slow, and was not measured before', GATE, evidence([...good(3, 12, 20), ...slow('c-3', 12, 60)], good(3, 12, 20), []), 'hold', /c-3 \(median 60\)$/],
    ['one of four hosts is slow, and all unchanged hosts always were', GATE, evidence([...good(3, 12, 20), ...slow('c-3', 12, 60)], good(4, 12, 20), good(8, 12, 60)), 'hold', /c-3 \(median 60\)$/],
    ['one of four hosts is slow, as ever', GATE, evidence([...good(3, 12, 20), ...slow('c-3', 12, 60)], [...good(3, 12, 20), ...slow('c-3', 12, 60)], good(8, 12, 20)), 'pass', /values are no worse/],
    ['one of four hosts was measured twice', GATE, evidence([...good(3, 12, 20), ...slow('c-3', 2, 20, 10)], good(4, 12, 20), good(8, 12, 20)), 'hold', /not shown that values are no worse: c-3 \(median 20\)$/],
    ['one of twelve hosts does not work, as ever', GATE, evidence([...good(11, 20, 20), ...dead('c-11', 20)], [...good(11, 12, 20), ...dead('c-11', 12)], good(8, 20, 20)), 'pass', /values are no worse/],
    ['a rate that has gone', QUERY({ worse: 'lower' }), evidence(good(4, 12, 0), good(4, 12, 90), good(8, 12, 90)), 'trip', /values are worse/],
    ['a rate that has grown, where lower is worse', QUERY({ worse: 'lower' }), evidence(good(4, 12, 200), good(4, 12, 90), good(8, 12, 90)), 'pass', /values are no worse/],
    ['a little slower, where that matters', QUERY({ effectRatio: '0.1' }), evidence(good(4, 12, 24), good(4, 12, 20), good(8, 12, 20)), 'trip', /values are worse/],
    ['values that say nothing', QUERY({ worse: 'none' }), evidence(good(4, 12, 900), good(4, 12, 1), good(8, 12, 1)), 'pass', /fails no more often/],
    ['one source that was served is denied', DENIED, evidence(rounds('c', ['gb']), [], []), 'trip', /denies a source/],
    ['no source is denied', DENIED, evidence(rounds('c', ['ggg']), [], []), 'pass', /no source/],
    ['the counters were not read', DENIED, evidence([], [], []), 'hold', /0 of 1/],
    ['the counters are not read any more', DENIED, evidence(rounds('c', ['ggg']), [], [], 'the host is away'), 'hold', /the host is away/],
  ]
  test.each(cases)('%s', (_, gate, given, kind, because) => {
    const verdict = judgeGate(gate, given)
    expect([verdict.kind, verdict.because.map((text) => text.en).join('; ')]).toEqual([kind, expect.stringMatching(because)])
    for (const text of verdict.because) expect(text.zh).toMatch(/\p{Script=Han}/u)
  })

  test('no data never passes, whatever else there is', () => {
    const sample = fc.record({ at: fc.nat(), host: fc.constantFrom('a', 'b'), isGood: fc.boolean(), value: fc.option(fc.double({ noNaN: false }), { nil: undefined }) })
    const samples = fc.array(sample as fc.Arbitrary<GateSample>, { maxLength: 60 })
    fc.assert(
      fc.property(samples, samples, samples, fc.constantFrom(GATE, DENIED, QUERY({ worse: 'lower' })), (changed, baseline, control, gate) => {
        expect(judgeGate(gate, evidence(changed, baseline, control, 'away')).kind).not.toBe('pass')
        expect(judgeGate(gate, evidence([], baseline, control)).kind).toBe('hold')
        expect(judgeGate(gate, evidence(changed, baseline, control)).because.length).toBeGreaterThan(0)
      }),
    )
  })
})

/**
 * Whole bakes, looked at after every round until a verdict is final. Two canaries, eight unchanged hosts, 32
 * rounds after the change; failures by chance, log-normal times. The rates are those that JUDGEMENT promises or docs/gates.md states.
 */
describe('simulated bakes', () => {
  interface World {
    readonly failBefore: number
    readonly failAfter: number
    readonly slower?: number
    /** 2 without it. */
    readonly canaries?: number
    /** How many of the canaries are slower; all without it. */
    readonly slowerHosts?: number
    /** Everything is so much slower since the change, unchanged hosts too. */
    readonly day?: number
    readonly controlFails?: number
    /** Rounds before; 6 without it. */
    readonly before?: number
  }
  const cases: readonly [what: string, world: World, trips: readonly [number, number], passes: readonly [number, number], roundsMax?: number][] = [
    ['no worse, never fails', { failBefore: 0, failAfter: 0 }, [0, 0.01], [0.99, 1]],
    ['no worse, fails now and then', { failBefore: 0.02, failAfter: 0.02 }, [0, 0.01], [0.4, 1]],
    ['no worse, fails often', { failBefore: 0.3, failAfter: 0.3 }, [0, 0.01], [0, 0.6]],
    ['an odd host, which always failed', { failBefore: 0.3, failAfter: 0.3, controlFails: 0 }, [0, JUDGEMENT.falseTripOfOddHost], [0, 0.1]],
    ['a bad day for all', { failBefore: 0, failAfter: 0.3, controlFails: 0.3 }, [0, 0.01], [0, 0.05]],
    ['a slow day for all', { failBefore: 0, failAfter: 0, day: 3 }, [0, 0.01], [0, 0.05]],
    ['down', { failBefore: 0, failAfter: 1 }, [1, 1], [0, 0], 4],
    ['half down, short baseline', { failBefore: 0.01, failAfter: 0.5 }, [0.4, 1], [0, 0.01]],
    ['half down', { failBefore: 0.01, failAfter: 0.5, before: 24 }, [0.99, 1], [0, 0.01], 12],
    ['fails a third of the time', { failBefore: 0.01, failAfter: 0.33, before: 24 }, [0.9, 1], [0, 0.01]],
    ['worse by just the margin', { failBefore: 0, failAfter: 0.1 }, [0, 0.4], [0, JUDGEMENT.falsePass]],
    ['three times as slow', { failBefore: 0, failAfter: 0, slower: 3 }, [0.95, 1], [0, 0.01]],
    ['one of four hosts three times as slow', { failBefore: 0, failAfter: 0, slower: 3, canaries: 4, slowerHosts: 1 }, [0, 0.01], [0, 0.01]],
    ['one of four hosts slower by just the margin', { failBefore: 0, failAfter: 0, slower: 1.5 + JUDGEMENT.valueStepMs / 40, canaries: 4, slowerHosts: 1 }, [0, 0.01], [0, JUDGEMENT.falsePass]],
    ['four hosts, no worse', { failBefore: 0, failAfter: 0, canaries: 4 }, [0, 0.01], [0.99, 1]],
    ['slower by just the margin', { failBefore: 0, failAfter: 0, slower: 1.5 + JUDGEMENT.valueStepMs / 40 }, [0, 0.01], [0, JUDGEMENT.falsePass]],
  ]
  test.each(cases)('%s', (what, world, trips, passes, roundsMax) => {
    const runs = Number(process.env['GATE_RUNS'] ?? 60)
    const ends = Array.from({ length: runs }, (_, seed) => bake(world, seed + 1))
    const rate = (kind: string): number => ends.filter((end) => end.kind === kind).length / runs
    expect(rate('trip')).toBeGreaterThanOrEqual(trips[0])
    expect(rate('trip')).toBeLessThanOrEqual(trips[1])
    expect(rate('pass')).toBeGreaterThanOrEqual(passes[0])
    expect(rate('pass')).toBeLessThanOrEqual(passes[1])
    const tripped = ends.filter((end) => end.kind === 'trip').map((end) => end.round).toSorted((a, b) => a - b)
    if (roundsMax !== undefined) expect(tripped[Math.floor(tripped.length * 0.95)]).toBeLessThanOrEqual(roundsMax)
    if (process.env['GATE_TABLE']) process.stdout.write(`${what} | ${rate('trip')} | ${rate('pass')} | ${tripped[Math.floor(tripped.length / 2)] ?? '–'}\n`)
  }, 60_000)

  function bake(world: World, seed: number): { kind: string; round: number } {
    const next = dice(seed)
    const draw = (host: string, at: number, fail: number, slower: number): GateSample => {
      const noise = Math.exp(0.25 * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()))
      return { at, host, isGood: next() >= fail, value: 40 * slower * noise }
    }
    const hosts = (name: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${name}-${index}`)
    const canaries = hosts('canary', world.canaries ?? 2)
    const slownessOf = (index: number): number => (index < (world.slowerHosts ?? canaries.length) ? (world.slower ?? 1) : 1)
    const baseline = Array.from({ length: world.before ?? 6 }, (_, round) => canaries.map((host) => draw(host, round, world.failBefore, 1))).flat()
    const [changed, control]: [GateSample[], GateSample[]] = [[], []]
    const day = world.day ?? 1
    for (let round = 1; round <= 32; round += 1) {
      for (const [index, host] of canaries.entries()) changed.push(draw(host, 100 + round, world.failAfter, slownessOf(index) * day))
      for (const host of hosts('control', 8)) control.push(draw(host, 100 + round, world.controlFails ?? world.failBefore, day))
      const verdict = judgeGate(GATE, { now: 100 + round, changed, baseline, control })
      if (verdict.kind !== 'hold') return { kind: verdict.kind, round }
    }
    return { kind: 'hold', round: 32 }
  }

  /** The multiplicative congruential generator of Park and Miller. */
  function dice(seed: number): () => number {
    let state = (seed * 48_271) % 2_147_483_647
    for (let warm = 0; warm < 5; warm += 1) state = (state * 48_271) % 2_147_483_647
    return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  }
})
