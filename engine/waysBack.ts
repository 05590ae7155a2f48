import type { RolloutWorld } from './rolloutWorld.ts'

/** One host on its way back. */
export interface WayBack {
  /** It has its old rules. Resolves when it may be looked at. */
  switched(): Promise<void>
  /** It has them, or does not get them now. */
  end(): void
}

/** As long as others switch at least this often, it is waited for them; a host that does not answer keeps none. */
const PATIENCE_MS = 3_000
/** Where switching itself takes long, because many hosts share a machine or a line, it is waited so many times as long as it took. */
const PATIENCE_SWITCHES = 2

/**
 * Hosts on their way back at the same time. None is looked at before each has its old rules: these serve again at once, and
 * looking takes longer than switching does. Meanwhile every host's own revert is armed, so nobody waits for more than a
 * quarter of the time in which it is to be confirmed.
 */
export class WaysBack {
  readonly #world: Pick<RolloutWorld, 'clock' | 'canceller'>
  #unswitched = 0
  #switches = 0
  #slowestMs = 0
  #release: (() => void)[] = []

  constructor(world: Pick<RolloutWorld, 'clock' | 'canceller'>) {
    this.#world = world
  }

  begin(confirmWithinSeconds: number): WayBack {
    const begunMs = this.#world.clock.now()
    let isSwitched = false
    if (this.#unswitched === 0) this.#slowestMs = 0
    this.#unswitched += 1
    const end = (): void => {
      if (isSwitched) return
      isSwitched = true
      this.#unswitched -= 1
      this.#switches += 1
      if (this.#unswitched > 0) return
      for (const release of this.#release.splice(0)) release()
    }
    return {
      end,
      switched: async () => {
        end()
        this.#slowestMs = Math.max(this.#slowestMs, this.#world.clock.now() - begunMs)
        if (this.#unswitched > 0) await this.#others(this.#world.clock.now() + (confirmWithinSeconds * 1000) / 4)
      },
    }
  }

  async #others(until: number): Promise<void> {
    const { clock, canceller } = this.#world
    const all = new Promise<void>((resolve) => this.#release.push(resolve))
    while (this.#unswitched > 0) {
      const seen = this.#switches
      const timer = canceller()
      const patienceMs = Math.max(PATIENCE_MS, PATIENCE_SWITCHES * this.#slowestMs)
      await Promise.race([all, clock.sleep(Math.min(patienceMs, until - clock.now()), timer.signal).catch(() => undefined)])
      timer.abort()
      if (this.#switches === seen || clock.now() >= until) return
    }
  }
}
