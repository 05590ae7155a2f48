import type { Clock } from '@portcullis/engine/ports.ts'

/** Time that passes only when someone sleeps or a test says so. */
export interface SimClock extends Clock {
  pass(durationMs: number): void
}

/** 2026-01-05 12:00 UTC, a Monday. */
export const SIM_START = 1_767_614_400_000

export function simClock(startMs = SIM_START): SimClock {
  let nowMs = startMs
  return {
    now: () => nowMs,
    notBefore: (at) => {
      nowMs = Math.max(nowMs, at)
    },
    sleep: async (durationMs, signal) => {
      signal?.throwIfAborted()
      nowMs += durationMs
    },
    pass: (durationMs) => {
      nowMs += durationMs
    },
  }
}
