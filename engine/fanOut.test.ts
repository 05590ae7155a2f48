import { expect, test } from 'vitest'
import { fanOut } from './fanOut.ts'

test.each<[what: string, limit: number, breakOffAt: number | undefined, answers: readonly number[]]>([
  ['all are done, in their order', 2, undefined, [10, 20, 30, 40]],
  ['what has not begun when it is broken off is left out', 1, 2, [10, 20]],
  ['what has begun is awaited', 3, 3, [10, 20, 30]],
  ['nothing is begun after', 2, 0, []],
])('%s', async (_what, limit, breakOffAt, answers) => {
  const stop = new AbortController()
  if (breakOffAt === 0) stop.abort()
  const told = await fanOut([1, 2, 3, 4], limit, async (item) => {
    if (item === breakOffAt) stop.abort()
    await new Promise((resolve) => setImmediate(resolve))
    return item * 10
  }, stop.signal)
  expect(told).toEqual(answers)
})
