import type { Hosts } from '@portcullis/engine/ports.ts'
import type { Canceller, RolloutWorld } from '@portcullis/engine/rolloutWorld.ts'
import type { Timeline } from './timeline.ts'

/** One run of a controller's process: it may be killed, after which nothing it waits for ever comes, or stand still for a while. */
export interface SimProcess {
  readonly isAlive: boolean
  kill(): void
  pause(untilMs: number): void
  /** Resolves when the process may go on; never, once it is dead. */
  breathe(): Promise<void>
}

export function simProcess(timeline: Timeline): SimProcess {
  let isAlive = true
  let pausedUntilMs = 0
  return {
    get isAlive() {
      return isAlive
    },
    kill: () => {
      isAlive = false
    },
    pause: (untilMs) => {
      pausedUntilMs = Math.max(pausedUntilMs, untilMs)
    },
    breathe: async () => {
      while (timeline.now() < pausedUntilMs) await timeline.sleep(pausedUntilMs - timeline.now())
      if (!isAlive) await new Promise(() => undefined)
    },
  }
}

/** What the engine needs of an AbortController, without the exception that each makes. */
export function simCanceller(): Canceller {
  const listeners: (() => void)[] = []
  const signal = {
    aborted: false,
    reason: undefined as unknown,
    throwIfAborted: () => {
      if (signal.aborted) throw signal.reason
    },
    addEventListener: (_: 'abort', listener: () => void) => void listeners.push(listener),
    removeEventListener: () => undefined,
  }
  return {
    signal,
    abort: (reason) => {
      if (signal.aborted) return
      Object.assign(signal, { aborted: true, reason: reason ?? STOPPED })
      for (const listener of listeners) listener()
    },
  }
}

const STOPPED = new Error('stopped')

/** Every door of the world as a process sees it: it does nothing before and learns nothing after its end. */
export function within(process: SimProcess, world: RolloutWorld): RolloutWorld {
  const { clock, store, rollouts, gates, alerts, hosts } = world
  return {
    ...world,
    clock: { ...clock, sleep: mortal(process, clock.sleep.bind(clock)) },
    store: mortalDoor(process, store),
    rollouts: mortalDoor(process, rollouts),
    gates: mortalDoor(process, gates),
    alerts: mortalDoor(process, alerts),
    hosts: mortalHosts(process, hosts),
  }
}

const mortal =
  <Args extends readonly unknown[], Answer>(process: SimProcess, call: (...args: Args) => Promise<Answer>) =>
  async (...args: Args): Promise<Answer> => {
    await process.breathe()
    try {
      return await call(...args)
    } finally {
      await process.breathe()
    }
  }

function mortalDoor<Door extends object>(process: SimProcess, door: Door): Door {
  const calls = Object.entries(door).map(([name, call]) => [name, typeof call === 'function' ? mortal(process, call as (...args: unknown[]) => Promise<unknown>) : call])
  return Object.fromEntries(calls) as Door
}

function mortalHosts(process: SimProcess, hosts: Hosts): Hosts {
  const connect = mortal(process, hosts.connect.bind(hosts))
  return {
    ...hosts,
    connect: async (host, signal) => {
      const link = await connect(host, signal)
      return link.ok ? { ok: true, value: { host: link.value.host, call: mortal(process, link.value.call.bind(link.value)), close: mortal(process, link.value.close.bind(link.value)) } } : link
    },
  }
}
