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

test('what is slow gives its turn to the next, so many of those and no more', async () => {
  const turns = new Turns(1, 5, 2)
  const begun: number[] = []
  const ends: (() => void)[] = []
  const all = [0, 1, 2, 3].map((n) => turns.take(() => new Promise<void>((resolve) => void (begun.push(n), (ends[n] = resolve)))))
  await expect.poll(() => begun).toEqual([0, 1, 2])
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(begun).toEqual([0, 1, 2])
  ends[0]?.()
  ends[2]?.()
  await expect.poll(() => begun).toEqual([0, 1, 2, 3])
  ends[1]?.()
  ends[3]?.()
  await Promise.all(all)
})
