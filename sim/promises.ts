import type { HostVerb } from '@portcullis/engine/ports.ts'
import type { SimHost } from './host.ts'

/** What the product promises of a rollout, in the words of the design. */
export const ROLLOUT_PROMISES = [
  'no apply without an armed revert',
  'a host is in the old or the new ruleset, never between',
  'no host is forgotten',
  'no two controllers change a host',
  'no wave is left without data',
  'a host never goes back a generation',
  'an alert is told once',
  'a critical service is not interrupted for longer than the limit and the way back',
  'no wave is left whose service is worse',
  'flows that are to be cut are cut or told, and those of a host that was not changed are left alone',
] as const
export type RolloutPromise = (typeof ROLLOUT_PROMISES)[number]

export interface Broken {
  readonly promise: RolloutPromise
  readonly how: string
}

/** Who called: `isStale` where another has the lease by now. */
export interface Caller {
  readonly controller: number
  readonly isStale: boolean
}

/** Watches what is really done to a host. */
export interface HostWatch {
  /** After a call that the host carried out; `isArmed`: before it. */
  did(host: SimHost, verb: HostVerb, caller: Caller, isArmed: boolean): void
  /** Whenever the host may have changed. */
  looked(host: SimHost): void
  /** The longest that the host's service was interrupted, up to now. */
  interruptedMs(now: number): number
}

export function watchHost(now: () => number, serves: (host: SimHost) => boolean, broken: Broken[]): HostWatch {
  let [generation, longestMs] = [0, 0]
  let [interruptedSince, armedBy]: (number | undefined)[] = []
  const lateVerbs = new Map<number, number>()
  return {
    did: (host, verb, { controller, isStale }, isArmed) => {
      if (verb === 'swap' && !isArmed && host.armedUntilMs === undefined) broken.push({ promise: 'no apply without an armed revert', how: `${host.name}: swap` })
      if (!CHANGING.has(verb)) return
      // One call may have been under way when the lease was lost; nothing comes after it.
      const late = isStale ? (lateVerbs.get(controller) ?? 0) + 1 : 0
      lateVerbs.set(controller, late)
      // A swap may arm by itself.
      if (verb === 'arm' || (verb === 'swap' && !isArmed)) armedBy = controller
      const isOthers = (verb === 'swap' || verb === 'confirm') && armedBy !== undefined && armedBy !== controller && late !== 1
      if (late > 1 || isOthers) broken.push({ promise: 'no two controllers change a host', how: `${host.name}: ${verb} by controller ${controller}, armed by ${armedBy}` })
      if (verb === 'confirm') armedBy = undefined
    },
    looked: (host) => {
      const confirmed = host.confirmed?.generation ?? 0
      if (confirmed < generation) broken.push({ promise: 'a host never goes back a generation', how: `${host.name}: ${generation} → ${confirmed}` })
      generation = Math.max(generation, confirmed)
      if (!serves(host)) interruptedSince ??= now()
      else if (interruptedSince !== undefined) {
        longestMs = Math.max(longestMs, now() - interruptedSince)
        interruptedSince = undefined
      }
    },
    interruptedMs: (until) => Math.max(longestMs, interruptedSince === undefined ? 0 : until - interruptedSince),
  }
}

const CHANGING: ReadonlySet<HostVerb> = new Set(['stage', 'arm', 'swap', 'confirm'])
