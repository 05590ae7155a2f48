/** Numbers from a seed: the same seed gives the same rulesets and packets on every machine. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Uniform in [0, 1): mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)]
    if (choice === undefined) throw new Error('nothing to pick from')
    return choice
  }

  /** Between `least` and `most` different ones, in any order. */
  some<T>(choices: readonly T[], least: number, most: number): T[] {
    const wanted = Math.min(choices.length, least + this.below(most - least + 1))
    const left = [...choices]
    return Array.from({ length: wanted }, () => left.splice(this.below(left.length), 1)[0]).filter((each) => each !== undefined)
  }
}
