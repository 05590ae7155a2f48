/** Numbers from a seed (mulberry32), so that each run measures the same rules. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  upTo(end: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end)
  }
}
