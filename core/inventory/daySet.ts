import type { Day } from './businessCalendar.ts'

/** Days of a bounded span, 30 to a word: small enough to keep one for each source of a fleet. */
export class DaySet {
  readonly #first: Day
  #words: number[] = []

  constructor(first: Day) {
    this.#first = first
  }

  add(day: Day): void {
    const index = Math.min(Math.max(0, day - this.#first), SPAN_DAYS_MAX - 1)
    const word = Math.floor(index / WORD_BITS)
    while (this.#words.length <= word) this.#words.push(0)
    this.#words[word] = (this.#words[word] ?? 0) | (1 << (index % WORD_BITS))
  }

  has(day: Day): boolean {
    const index = day - this.#first
    return index >= 0 && ((this.#words[Math.floor(index / WORD_BITS)] ?? 0) & (1 << (index % WORD_BITS))) !== 0
  }

  addAll(other: DaySet): void {
    if (other.#first !== this.#first) return other.days().forEach((day) => this.add(day))
    while (this.#words.length < other.#words.length) this.#words.push(0)
    for (const [index, word] of other.#words.entries()) this.#words[index] = (this.#words[index] ?? 0) | word
  }

  /** Ascending. */
  days(): Day[] {
    const days: Day[] = []
    for (const [index, word] of this.#words.entries()) {
      for (let bits = word; bits !== 0; bits &= bits - 1) days.push(this.#first + index * WORD_BITS + 31 - Math.clz32(bits & -bits))
    }
    return days
  }

  get isEmpty(): boolean {
    return this.#words.every((word) => word === 0)
  }
}

// Small integers of V8 have 31 bits, one of them for the sign.
const WORD_BITS = 30
/** Ten years; what is older counts as the first day, what is later as the last. */
export const SPAN_DAYS_MAX = 3660
