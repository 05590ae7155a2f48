import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Pace } from './pace.ts'

test('never lets more out than the ceiling over any span, plus one burst', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.constantFrom('grow', 'shrink', 'send')), { maxLength: 60 }),
      (ceiling, steps) => {
        const pace = new Pace({ ratePerSecondMin: 10, ratePerSecondStart: 100_000, ratePerSecondMax: ceiling }, 0)
        let nowMs = 0
        let sent = 0
        for (const [waitMs, what] of steps) {
          nowMs += waitMs
          if (what === 'grow') pace.grow()
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
  const pace = new Pace({ ratePerSecondMin: 100, ratePerSecondStart: 400, ratePerSecondMax: 1000 }, 0)
  const rates: number[] = []
  for (const step of ['shrink', 'shrink', 'shrink', 'grow', 'grow', 'grow', 'grow'] as const) {
    pace[step]()
    rates.push(pace.ratePerSecond)
  }
  expect(rates).toEqual([200, 100, 100, 200, 400, 800, 1000])
})
