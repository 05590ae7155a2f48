import type { Host } from '@portcullis/core/policy/policy.ts'
import type { HostLink } from '@portcullis/engine/ports.ts'

interface Kept {
  readonly link: HostLink
  readonly timer: NodeJS.Timeout
}

/** Links that nobody uses for the moment, with their sessions open, each closed after a while. */
export class KeptLinks {
  readonly #byHost = new Map<string, Kept>()
  readonly #keepMs: number
  readonly #countMax: number

  constructor(keepMs: number, countMax: number) {
    this.#keepMs = keepMs
    this.#countMax = countMax
  }

  take(host: Host): HostLink | undefined {
    const kept = this.#byHost.get(keyOf(host))
    if (!kept) return undefined
    this.#forget(host, kept)
    return kept.link
  }

  /** One is enough for a host; where that one is there or there are too many, this one is closed. */
  async give(host: Host, link: HostLink): Promise<void> {
    const key = keyOf(host)
    if (this.#byHost.has(key) || this.#byHost.size >= this.#countMax) return link.close()
    const timer = setTimeout(() => void this.#end(host), this.#keepMs)
    // What is kept is no reason for the process to go on.
    timer.unref()
    this.#byHost.set(key, { link, timer })
  }

  async drop(host: Host): Promise<void> {
    await this.#end(host)
  }

  async close(): Promise<void> {
    const all = [...this.#byHost.values()]
    this.#byHost.clear()
    for (const { timer } of all) clearTimeout(timer)
    await Promise.all(all.map(({ link }) => link.close()))
  }

  #forget(host: Host, { timer }: Kept): void {
    clearTimeout(timer)
    this.#byHost.delete(keyOf(host))
  }

  async #end(host: Host): Promise<void> {
    const kept = this.#byHost.get(keyOf(host))
    if (!kept) return
    this.#forget(host, kept)
    await kept.link.close()
  }
}

/** Whoever is reached in another way is another one. */
const keyOf = ({ name, transport }: Host): string => JSON.stringify([name, transport])
