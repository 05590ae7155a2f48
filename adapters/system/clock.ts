import type { Clock } from '@portcullis/engine/ports.ts'
import { steadyClock } from '@portcullis/engine/steadyClock.ts'
import { setTimeout as sleep } from 'node:timers/promises'

/** One for the process, so that whatever it dates is dated by the same clock. */
export const systemClock: Clock = {
  ...steadyClock({ wall: () => Date.now(), elapsedMs: () => performance.now() }),
  sleep: (durationMs, signal) => sleep(durationMs, undefined, signal instanceof AbortSignal ? { signal } : {}),
}
