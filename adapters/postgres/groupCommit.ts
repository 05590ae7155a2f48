interface Asked<Entry, Written> {
  readonly entry: Entry
  readonly resolve: (written: Written) => void
  readonly reject: (error: unknown) => void
}

/**
 * Group commit: what is asked for while a write is under way goes into the next one, all of it in one transaction. Each
 * caller hears when its own entry is durable. Writing takes as long for a hundred entries as for one: nearly all of it is the
 * way to the server and its flush (PostgreSQL 17, 19.5.1).
 */
export class GroupCommit<Entry, Written> {
  readonly #write: (entries: readonly Entry[]) => Promise<readonly Written[]>
  readonly #isOfOneEntry: (error: unknown) => boolean
  readonly #atOnceMax: number
  #waiting: Asked<Entry, Written>[] = []
  #isWriting = false

  /** `write` gives an answer for each entry, in their order. An error for which `isOfOneEntry` holds may be the fault of any of them: then each is written alone. */
  constructor(write: (entries: readonly Entry[]) => Promise<readonly Written[]>, isOfOneEntry: (error: unknown) => boolean, atOnceMax = 500) {
    this.#write = write
    this.#isOfOneEntry = isOfOneEntry
    this.#atOnceMax = atOnceMax
  }

  add(entry: Entry): Promise<Written> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    while (this.#waiting.length > 0) {
      const group = this.#waiting.slice(0, this.#atOnceMax)
      this.#waiting = this.#waiting.slice(this.#atOnceMax)
      await this.#commit(group)
    }
    this.#isWriting = false
  }

  async #commit(group: readonly Asked<Entry, Written>[]): Promise<void> {
    try {
      const written = await this.#write(group.map(({ entry }) => entry))
      group.forEach(({ resolve }, index) => resolve(written[index] as Written))
    } catch (error) {
      if (group.length > 1 && this.#isOfOneEntry(error)) for (const one of group) await this.#commit([one])
      else for (const { reject } of group) reject(error)
    }
  }
}
