import type { Cancellation, Clock } from '@portcullis/engine/ports.ts'
import { setImmediate as turn } from 'node:timers/promises'
import { SIM_START } from './clock.ts'

/**
 * Time of a simulated world with many things going on at once: it moves to the next timer when nobody has anything left
 * to do. Everything in such a world ends in a microtask or in a timer of this one, so that a seed replays to the letter.
 */
export interface Timeline extends Pick<Clock, 'now' | 'sleep'> {
  /** Calls back after the time. */
  after(durationMs: number, task: () => void): void
  /** Goes on until it is done, or `untilMs` is reached: then false. */
  run(isDone: () => boolean, untilMs: number): Promise<boolean>
}

interface Timer {
  readonly at: number
  readonly order: number
  readonly task: () => void
}

export function makeTimeline(): Timeline {
  const heap: Timer[] = []
  let [now, order] = [SIM_START, 0]
  const after = (durationMs: number, task: () => void): void => pushTimer(heap, { at: now + Math.max(0, durationMs), order: order++, task })
  return {
    now: () => now,
    after,
    sleep: (durationMs, signal) => sleepOn(after, durationMs, signal),
    run: async (isDone, untilMs) => {
      for (;;) {
        await turn()
        if (isDone()) return true
        const timer = popTimer(heap)
        if (!timer || timer.at > untilMs) return false
        now = Math.max(now, timer.at)
        timer.task()
      }
    },
  }
}

const sleepOn = (after: Timeline['after'], durationMs: number, signal?: Cancellation): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    after(durationMs, resolve)
  })

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

function pushTimer(heap: Timer[], timer: Timer): void {
  let at = heap.push(timer) - 1
  for (let parent = (at - 1) >> 1; at > 0 && isBefore(heap[at] as Timer, heap[parent] as Timer); parent = (at - 1) >> 1) {
    swap(heap, at, parent)
    at = parent
  }
}

function popTimer(heap: Timer[]): Timer | undefined {
  const [first] = heap
  const last = heap.pop()
  if (!first || !last || heap.length === 0) return first
  heap[0] = last
  for (let at = 0; ; ) {
    const [left, right] = [2 * at + 1, 2 * at + 2]
    let least = at
    if (left < heap.length && isBefore(heap[left] as Timer, heap[least] as Timer)) least = left
    if (right < heap.length && isBefore(heap[right] as Timer, heap[least] as Timer)) least = right
    if (least === at) return first
    swap(heap, at, least)
    at = least
  }
}

function swap(heap: Timer[], a: number, b: number): void {
  const [first, second] = [heap[a] as Timer, heap[b] as Timer]
  heap[a] = second
  heap[b] = first
}
