import type { Instant } from '@portcullis/core/inventory/observation.ts'
import type { Clock } from './ports.ts'

export interface TimeSource {
  /** The machine's date and time, which may be set, forwards and back, while we run. */
  readonly wall: () => Instant
  /** Milliseconds since any one moment, which nobody sets (clock_gettime(2), CLOCK_MONOTONIC). */
  readonly elapsedMs: () => number
}

/** A clock that begins at the machine's date and time and goes on evenly: how long a service is away does not change because somebody sets the clock. */
export function steadyClock({ wall, elapsedMs }: TimeSource): Pick<Clock, 'now' | 'notBefore'> {
  let beganAt = wall() - elapsedMs()
  const now = (): Instant => Math.floor(beganAt + elapsedMs())
  return {
    now,
    notBefore: (at) => {
      beganAt += Math.max(0, at - now())
    },
  }
}
