/** Tokens gather for no longer than this, so that a pause is not followed by a flood. */
const BURST_MS = 10
const BURST_MIN = 32

export interface PaceLimits {
  readonly ratePerSecondMin: number
  readonly ratePerSecondStart: number
  /** As far as it grows without a word from the other side. */
  readonly ratePerSecondUnanswered: number
  readonly ratePerSecondMax: number
}

/** How fast packets may leave: a token bucket whose rate doubles while nothing is lost and halves when something is. */
export class Pace {
  readonly ratePerSecondMin: number
  readonly ratePerSecondUnanswered: number
  readonly ratePerSecondMax: number
  #ratePerSecond: number
  #tokens: number
  #filledAtMs: number

  constructor(limits: PaceLimits, nowMs: number) {
    this.ratePerSecondMax = limits.ratePerSecondMax
    this.ratePerSecondUnanswered = Math.min(limits.ratePerSecondUnanswered, limits.ratePerSecondMax)
    this.ratePerSecondMin = Math.min(limits.ratePerSecondMin, limits.ratePerSecondMax)
    this.#ratePerSecond = Math.min(limits.ratePerSecondStart, limits.ratePerSecondMax)
    this.#tokens = 0
    this.#filledAtMs = nowMs
  }

  get ratePerSecond(): number {
    return this.#ratePerSecond
  }

  /** Whole packets that may leave now. */
  allowance(nowMs: number): number {
    const burst = Math.max(BURST_MIN, (this.#ratePerSecond * BURST_MS) / 1000)
    const gathered = (Math.max(0, nowMs - this.#filledAtMs) * this.#ratePerSecond) / 1000
    this.#tokens = Math.min(burst, this.#tokens + gathered)
    this.#filledAtMs = nowMs
    return Math.floor(this.#tokens)
  }

  spend(packets: number): void {
    this.#tokens -= packets
  }

  /** Beyond the rate for the unanswered no faster than twice what is being answered, and back to that when the answers cease. */
  grow(answersPerSecond: number): void {
    const borne = Math.max(this.ratePerSecondUnanswered, 2 * answersPerSecond)
    this.#ratePerSecond = Math.min(this.ratePerSecondMax, borne, this.#ratePerSecond * 2)
  }

  shrink(): void {
    this.#ratePerSecond = Math.max(this.ratePerSecondMin, this.#ratePerSecond / 2)
  }
}

/** A rate that neither grows nor shrinks. */
export const steadyPace = (ratePerSecond: number, nowMs: number): Pace =>
  new Pace({ ratePerSecondMin: ratePerSecond, ratePerSecondStart: ratePerSecond, ratePerSecondUnanswered: ratePerSecond, ratePerSecondMax: ratePerSecond }, nowMs)
