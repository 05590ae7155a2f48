import { expect, test } from 'vitest'
import { steadyClock } from './steadyClock.ts'

type Event = readonly ['time', ms: number] | readonly ['set', byMs: number] | readonly ['known', at: number]

test.each<[what: string, events: readonly Event[], now: number]>([
  ['goes on as time does', [['time', 1500]], 2500],
  ['the machine’s clock is set forwards', [['time', 10], ['set', 86_400_000], ['time', 5]], 1015],
  ['the machine’s clock is set back', [['time', 10], ['set', -86_400_000], ['time', 5]], 1015],
  ['what is known lies ahead', [['known', 5000], ['time', 5]], 5005],
  ['what is known is past', [['time', 10], ['known', 1005], ['time', 5]], 1015],
  ['what is known lies ahead, and then less so', [['known', 5000], ['time', 7], ['known', 5003]], 5007],
])('%s', (_what, events, now) => {
  let [wall, elapsedMs] = [1000, 77.5]
  const clock = steadyClock({ wall: () => wall, elapsedMs: () => elapsedMs })
  for (const [kind, by] of events) {
    if (kind === 'known') clock.notBefore(by)
    if (kind !== 'known') wall += by
    if (kind === 'time') elapsedMs += by
  }
  expect(clock.now()).toBe(now)
})
