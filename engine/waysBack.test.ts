import { expect, test } from 'vitest'
import { WaysBack } from './waysBack.ts'

/** Time stands still until it is moved. */
function openClock() {
  let now = 0
  const sleeping: { readonly until: number; readonly wake: () => void }[] = []
  const clock = {
    now: () => now,
    notBefore: () => undefined,
    sleep: (durationMs: number) => new Promise<void>((resolve) => sleeping.push({ until: now + durationMs, wake: resolve })),
  }
  const move = async (durationMs: number): Promise<void> => {
    now += durationMs
    for (const { until, wake } of sleeping) if (until <= now) wake()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { clock, move }
}

type Event = readonly [host: 'a' | 'b' | 'c', what: 'begins' | 'switches' | 'ends'] | readonly ['time', seconds: number]

test.each<[what: string, confirmWithinSeconds: number, events: readonly Event[], looked: string]>([
  ['one host alone is looked at at once', 60, [['a', 'begins'], ['a', 'switches']], 'a'],
  ['the first to switch waits for the others', 60, [['a', 'begins'], ['b', 'begins'], ['a', 'switches']], ''],
  ['until each has switched', 60, [['a', 'begins'], ['b', 'begins'], ['a', 'switches'], ['b', 'switches']], 'ab'],
  ['or has given up', 60, [['a', 'begins'], ['b', 'begins'], ['a', 'switches'], ['b', 'ends']], 'a'],
  ['one that ends after it has switched counts once', 60, [['a', 'begins'], ['b', 'begins'], ['c', 'begins'], ['a', 'switches'], ['a', 'ends'], ['b', 'switches']], ''],
  ['nobody waits long for a host that does not answer', 60, [['a', 'begins'], ['b', 'begins'], ['a', 'switches'], ['time', 3]], 'a'],
  ['but as long as others switch', 60, [['a', 'begins'], ['b', 'begins'], ['c', 'begins'], ['a', 'switches'], ['time', 2.9], ['b', 'switches'], ['time', 2.9]], ''],
  ['and then no longer', 60, [['a', 'begins'], ['b', 'begins'], ['c', 'begins'], ['a', 'switches'], ['time', 2.9], ['b', 'switches'], ['time', 0.1], ['time', 5.6], ['time', 0.2]], 'ab'],
  ['where switching takes long, it is waited longer', 60, [['a', 'begins'], ['b', 'begins'], ['time', 4], ['a', 'switches'], ['time', 7.9]], ''],
  ['twice as long as it took', 60, [['a', 'begins'], ['b', 'begins'], ['time', 4], ['a', 'switches'], ['time', 8]], 'a'],
  ['which later ones know nothing of', 60, [['a', 'begins'], ['time', 4], ['a', 'switches'], ['b', 'begins'], ['c', 'begins'], ['b', 'switches'], ['time', 3]], 'ab'],
  ['nor for more than a quarter of the time in which to confirm', 8, [['a', 'begins'], ['b', 'begins'], ['a', 'switches'], ['time', 2]], 'a'],
  ['but for that long', 8, [['a', 'begins'], ['b', 'begins'], ['a', 'switches'], ['time', 1.9]], ''],
  ['those that come later wait for each other', 60, [['a', 'begins'], ['a', 'switches'], ['b', 'begins'], ['c', 'begins'], ['b', 'switches']], 'a'],
])('%s', async (_, confirmWithinSeconds, events, looked) => {
  const { clock, move } = openClock()
  const waysBack = new WaysBack({ clock, canceller: () => new AbortController() })
  const begun = new Map<string, ReturnType<WaysBack['begin']>>()
  const seen: string[] = []
  for (const [who, what] of events) {
    if (who === 'time') await move(what * 1000)
    else if (what === 'begins') begun.set(who, waysBack.begin(confirmWithinSeconds))
    else if (what === 'switches') void begun.get(who)?.switched().then(() => seen.push(who))
    else begun.get(who)?.end()
  }
  await move(0)
  expect(seen.toSorted().join('')).toBe(looked)
})
