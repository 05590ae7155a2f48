import type { RolloutWorld } from './rolloutWorld.ts'

/** One host on its way back. */
export interface WayBack {
  /** It has its old rules. Resolves when it may be looked at. */
  switched(): Promise<void>
  /** It has them, or does not get them now. */
  end(): void
}

/** A host that does not answer keeps no other for longer. */
const PATIENCE_MS = 5_000

/**
 * Hosts on their way back at the same time. None is looked at before each has its old rules: these serve again at once, and
 * looking takes longer than switching does. Meanwhile every host's own revert is armed, so nobody waits for more than a
 * quarter of the time in which it is to be confirmed.
 */
export class WaysBack {
  readonly #world: Pick<RolloutWorld, 'clock' | 'canceller'>
  #unswitched = 0
  #release: (() => void)[] = []

  constructor(world: Pick<RolloutWorld, 'clock' | 'canceller'>) {
    this.#world = world
  }

  begin(confirmWithinSeconds: number): WayBack {
    let isSwitched = false
    this.#unswitched += 1
    const end = (): void => {
      if (isSwitched) return
      isSwitched = true
      this.#unswitched -= 1
      if (this.#unswitched > 0) return
      for (const release of this.#release.splice(0)) release()
    }
    return {
      end,
      switched: async () => {
        end()
        if (this.#unswitched > 0) await this.#others(Math.min(PATIENCE_MS, (confirmWithinSeconds * 1000) / 4))
      },
    }
  }

  async #others(patienceMs: number): Promise<void> {
    const timer = this.#world.canceller()
    const all = new Promise<void>((resolve) => this.#release.push(resolve))
    await Promise.race([all, this.#world.clock.sleep(patienceMs, timer.signal).catch(() => undefined)])
    timer.abort()
  }
}
