import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

test('never more at once than allowed, all are served, in order, also after one fails', async () => {
  const turns = new Turns(2)
  const order: number[] = []
  let atOnce = 0
  let atOnceMost = 0
  const work = (n: number) => async () => {
    order.push(n)
    atOnce += 1
    atOnceMost = Math.max(atOnceMost, atOnce)
    await Promise.resolve()
    atOnce -= 1
    if (n === 1) throw new Error('one fails')
    return n
  }
  const results = await Promise.allSettled([0, 1, 2, 3, 4].map((n) => turns.take(work(n))))
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'])
  expect(order).toEqual([0, 1, 2, 3, 4])
  expect(atOnceMost).toBe(2)
})
