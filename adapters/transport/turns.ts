/** At most so many at once; the others wait in the order they came. */
export class Turns {
  #free: number
  #slowFree: number
  readonly #patienceMs: number
  readonly #waiting: (() => void)[] = []

  /** What takes longer than the patience waits for somebody else, and gives its turn to the next: so many of those there may be besides. */
  constructor(atOnceMax: number, patienceMs = Infinity, slowMax = 0) {
    this.#free = atOnceMax
    this.#patienceMs = patienceMs
    this.#slowFree = slowMax
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    let isSlow = false
    const timer = setTimeout(() => {
      if (this.#slowFree === 0) return
      this.#slowFree -= 1
      isSlow = true
      this.#next()
    }, Math.min(this.#patienceMs, TIMER_MS_MAX))
    try {
      return await work()
    } finally {
      clearTimeout(timer)
      if (isSlow) this.#slowFree += 1
      else this.#next()
    }
  }

  #next(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free += 1
  }
}

/** Node's timers count milliseconds in 31 bits. */
const TIMER_MS_MAX = 2 ** 31 - 1
