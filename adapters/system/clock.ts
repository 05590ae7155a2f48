import type { Clock } from '@portcullis/engine/ports.ts'
import { setTimeout as sleep } from 'node:timers/promises'

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (durationMs, signal) => sleep(durationMs, undefined, signal instanceof AbortSignal ? { signal } : {}),
}
