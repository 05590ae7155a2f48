import fc from 'fast-check'
import { expect, test } from 'vitest'
import { following, portOrder } from './portOrder.ts'

test('visits each position exactly once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.double({ min: 0, max: 0.999_999, noNaN: true }), fc.double({ min: 0, max: 0.999_999, noNaN: true }), (size, a, b) => {
      const draws = [a, b]
      const order = portOrder(size, () => draws.shift() ?? 0)
      const seen = new Set<number>()
      let position = order.first
      for (let count = 0; count < size; count++, position = following(order, position)) seen.add(position)
      expect(seen.size).toBe(size)
      expect(Math.min(...seen)).toBe(0)
      expect(Math.max(...seen)).toBe(size - 1)
    }),
  )
})
