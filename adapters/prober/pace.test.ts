import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Pace } from './pace.ts'

test('never lets more out than the ceiling over any span, plus one burst', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.constantFrom('grow', 'shrink', 'send'), fc.integer({ min: 0, max: 2_000_000 })), { maxLength: 60 }),
      (ceiling, steps) => {
        const pace = new Pace({ ratePerSecondMin: 10, ratePerSecondStart: 100_000, ratePerSecondUnanswered: 200_000, ratePerSecondMax: ceiling }, 0)
        let nowMs = 0
        let sent = 0
        for (const [waitMs, what, answersPerSecond] of steps) {
          nowMs += waitMs
          if (what === 'grow') pace.grow(answersPerSecond)
          if (what === 'shrink') pace.shrink()
          const allowed = pace.allowance(nowMs)
          pace.spend(allowed)
          sent += allowed
        }
        expect(pace.ratePerSecond).toBeLessThanOrEqual(ceiling)
        expect(sent).toBeLessThanOrEqual((ceiling * nowMs) / 1000 + Math.max(32, ceiling / 100) + 1)
      },
    ),
  )
})

test('halves on loss, doubles back, and stays within its bounds', () => {
  const pace = new Pace({ ratePerSecondMin: 100, ratePerSecondStart: 400, ratePerSecondUnanswered: 1000, ratePerSecondMax: 1000 }, 0)
  const rates: number[] = []
  for (const step of ['shrink', 'shrink', 'shrink', 'grow', 'grow', 'grow', 'grow'] as const) {
    if (step === 'grow') pace.grow(0)
    else pace.shrink()
    rates.push(pace.ratePerSecond)
  }
  expect(rates).toEqual([200, 100, 100, 200, 400, 800, 1000])
})

test('is faster than the unanswered bear only while answers come, and then no faster than twice their number', () => {
  const pace = new Pace({ ratePerSecondMin: 100, ratePerSecondStart: 1000, ratePerSecondUnanswered: 2000, ratePerSecondMax: 10_000 }, 0)
  const rates = [0, 0, 1900, 3700, 9000, 9000, 2500, 0].map((answersPerSecond) => {
    pace.grow(answersPerSecond)
    return pace.ratePerSecond
  })
  expect(rates).toEqual([2000, 2000, 3800, 7400, 10_000, 10_000, 5000, 2000])
})
