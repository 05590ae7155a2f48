import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { evidenceBelow, lowestRate } from './failureRate.ts'
import { fisherWorse } from './fisher.ts'
import { normalTail, rank, rankSumHigher } from './rankSum.ts'

describe("Fisher's exact test", () => {
  // The tea-tasting table, and tables that can be counted by hand.
  const cases: readonly [changed: readonly [number, number], reference: readonly [number, number], probability: number][] = [
    [[3, 4], [1, 4], 17 / 70],
    [[4, 4], [0, 4], 1 / 70],
    [[5, 5], [0, 45], 1 / 2_118_760],
    [[0, 5], [0, 45], 1],
    [[0, 5], [3, 5], 1],
    [[6, 6], [0, 6], 1 / 924],
  ]
  test.each(cases)('%j failed of, against %j: %d', ([failed, total], [before, all], probability) => {
    expect(fisherWorse({ failed, total }, { failed: before, total: all })).toBeCloseTo(probability, 12)
  })

  test('more failures are never less suspicious, and it is a probability', () => {
    const count = fc.integer({ min: 0, max: 40 })
    fc.assert(
      fc.property(count, count, count, count, (a, b, c, d) => {
        const reference = { failed: Math.min(c, d), total: Math.max(c, d) }
        const [failed, total] = [Math.min(a, b), Math.max(a, b)]
        const p = fisherWorse({ failed, total }, reference)
        expect(p).toBeGreaterThan(0)
        expect(p).toBeLessThanOrEqual(1)
        if (failed < total) expect(fisherWorse({ failed: failed + 1, total }, reference)).toBeLessThanOrEqual(p + 1e-12)
      }),
    )
  })
})

describe('the rank-sum test', () => {
  const cases: readonly [what: string, changed: number[], reference: number[], probability: number][] = [
    ['all higher', [4, 5, 6], [1, 2, 3], 1 / 20],
    ['all higher but one pair', [3, 5, 6], [1, 2, 4], 2 / 20],
    ['all lower', [1, 2, 3], [4, 5, 6], 1],
    ['all equal', [1, 1, 1], [1, 1, 1], 1],
    ['nothing', [], [1], 1],
    ['endless', [Infinity, Infinity, Infinity], [1, 2, 3], 1 / 20],
    ['no numbers', [Number.NaN, Number.NaN, Number.NaN], [Number.NaN, 2, 3], 1],
  ]
  test.each(cases)('%s', (_, changed, reference, probability) => {
    expect(rankSumHigher(rank(changed), rank(reference))).toBeCloseTo(probability, 10)
  })

  test('counted one by one, it is the same', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer(), { minLength: 2, maxLength: 9 }), fc.nat(), (values, cut) => {
        const n = 1 + (cut % (values.length - 1))
        expect(rankSumHigher(rank(values.slice(0, n)), rank(values.slice(n)))).toBeCloseTo(counted(values, n), 10)
      }),
    )
  })

  test('the approximation takes over where the exact one ends', () => {
    const values = Array.from({ length: 42 }, (_, index) => ((index * 29) % 42) + (index < 20 ? 6 : 0.5))
    const [exact, approximate] = [rankSumHigher(rank(values.slice(0, 20)), rank(values.slice(20, 40))), rankSumHigher(rank(values.slice(0, 20)), rank(values.slice(20)))]
    expect(Math.abs(exact - approximate)).toBeLessThan(0.05)
  })

  test.each([
    [0, 0.5],
    [1.959_964, 0.025],
    [-1.959_964, 0.975],
    [2.999_999, 0.001_349_902],
    [3.000_001, 0.001_349_894],
    [4.753_424, 1e-6],
  ])('P(Z ≥ %d) = %d', (z, tail) => {
    expect(normalTail(z) / tail).toBeCloseTo(1, 5)
  })
})

describe('rates', () => {
  test.each([
    [0, 10, 0],
    [1, 1, 0.05],
    [10, 10, 0.741_134],
    [5, 10, 0.222_441],
    [9, 10, 0.605_836],
    [1, 100, 1 - 0.95 ** 0.01],
  ])('%d of %d is at least a rate of %d', (failed, total, lowest) => {
    expect(lowestRate({ failed, total }, 0.05)).toBeCloseTo(lowest, 5)
  })

  test('evidence for a low rate grows with each good sample and shrinks with each bad one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99 }), fc.nat(50), fc.nat(200), (percent, failed, good) => {
        const weigh = (bad: number, fine: number): number => evidenceBelow(percent / 100, { failed: bad, total: bad + fine })
        expect(weigh(failed, good + 1)).toBeGreaterThanOrEqual(weigh(failed, good))
        expect(weigh(failed + 1, good)).toBeLessThanOrEqual(weigh(failed, good))
      }),
    )
  })
})

/** Of all ways to choose which n are the changed ones, the share whose statistic is at least as high. */
function counted(values: readonly number[], n: number): number {
  const statistic = (isChanged: (index: number) => boolean): number =>
    values.reduce((sum, a, i) => sum + (isChanged(i) ? values.filter((b, j) => !isChanged(j) && a > b).length : 0), 0)
  const seen = statistic((index) => index < n)
  let [higher, all] = [0, 0]
  for (let mask = 0; mask < 2 ** values.length; mask += 1) {
    if (values.filter((_, index) => (mask >> index) & 1).length !== n) continue
    all += 1
    if (statistic((index) => ((mask >> index) & 1) === 1) >= seen) higher += 1
  }
  return higher / all
}
