import { expect, test } from 'vitest'
import { parseSince } from './sinceTime.ts'

/** A Wednesday. */
const NOW = new Date(2026, 10, 25, 15, 30).getTime()
const local = (month: number, day: number, hour = 0): number => new Date(2026, month - 1, day, hour).getTime()

test.each<[input: string, at: number]>([
  ['2026-11-20', local(11, 20)],
  ['2026-11-20T08:00', local(11, 20, 8)],
  ['2026-11-20T08:00:00Z', Date.UTC(2026, 10, 20, 8)],
  ['3d', NOW - 3 * 86_400_000],
  ['12h', NOW - 12 * 3_600_000],
  ['2w', NOW - 14 * 86_400_000],
  ['today', local(11, 25)],
  ['yesterday', local(11, 24)],
  ['Monday', local(11, 23)],
  ['last monday', local(11, 23)],
  ['上周一', local(11, 23)],
  ['wednesday', local(11, 25)],
  ['last wednesday', local(11, 18)],
  ['thursday', local(11, 19)],
])('%s', (input, at) => expect(parseSince(input, NOW)).toBe(at))

test.each(['', 'soon', '2026-13-01', '2026-11-26', '3y', 'last', '-3d'])('%s is no time in the past', (input) => {
  expect(() => parseSince(input, NOW)).toThrow(/2026-11-23/)
})
