import type { Host } from '@portcullis/core/policy/policy.ts'
import type { HostLink } from '@portcullis/engine/ports.ts'

interface Kept {
  readonly link: HostLink
  readonly timer: NodeJS.Timeout
}

/** Who waits for the link of a host that somebody else uses. */
interface Lent {
  count: number
  readonly waiting: Set<(link: HostLink) => void>
}

/** Links that nobody uses for the moment, with their sessions open, each closed after a while. */
export class KeptLinks {
  readonly #byHost = new Map<string, Kept>()
  readonly #lent = new Map<string, Lent>()
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

  /** The link of a host that is lent, as soon as it comes back: a question takes a host less time than another login. */
  comingBack(host: Host, patienceMs: number): Promise<HostLink | undefined> {
    const lent = this.#lent.get(keyOf(host))
    if (!lent || lent.count === 0) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const take = (link?: HostLink): void => {
        clearTimeout(timer)
        lent.waiting.delete(take)
        resolve(link)
      }
      const timer = setTimeout(take, patienceMs)
      lent.waiting.add(take)
    })
  }

  /** Somebody uses a link of the host, and gives it when it is done. */
  lend(host: Host): void {
    const key = keyOf(host)
    const lent = this.#lent.get(key) ?? { count: 0, waiting: new Set() }
    lent.count += 1
    this.#lent.set(key, lent)
  }

  /** One is enough for a host; where nobody waits and that one is there or there are too many, this one is closed. */
  async give(host: Host, link: HostLink): Promise<void> {
    const key = keyOf(host)
    const [next] = this.#returned(key)
    if (next) return next(link)
    if (this.#byHost.has(key) || this.#byHost.size >= this.#countMax) return link.close()
    const timer = setTimeout(() => void this.#end(host), this.#keepMs)
    // What is kept is no reason for the process to go on.
    timer.unref()
    this.#byHost.set(key, { link, timer })
  }

  #returned(key: string): ReadonlySet<(link: HostLink) => void> {
    const lent = this.#lent.get(key)
    if (!lent) return new Set()
    lent.count -= 1
    if (lent.count === 0 && lent.waiting.size === 0) this.#lent.delete(key)
    return lent.waiting
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
