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
] as const
export type RolloutPromise = (typeof ROLLOUT_PROMISES)[number]

export interface Broken {
  readonly promise: RolloutPromise
  readonly how: string
}

/** Watches every call that reaches a host. */
export interface HostWatch {
  called(host: SimHost, verb: HostVerb, controller: number, isStale: boolean): void
  answered(host: SimHost): void
  /** Milliseconds for which the host's service was interrupted at a stretch, the longest; up to now. */
  interruptedMs(now: number): number
}

export function watchHost(now: () => number, serves: (host: SimHost) => boolean, broken: Broken[]): HostWatch {
  let generation = 0
  let interruptedSince: number | undefined
  let longestMs = 0
  const staleVerbs = new Map<number, number>()
  return {
    called: (host, verb, controller, isStale) => {
      if (verb === 'swap' && host.armedUntilMs === undefined) broken.push({ promise: 'no apply without an armed revert', how: `${host.name}: swap` })
      if (!isStale || !CHANGING.has(verb)) return
      const count = (staleVerbs.get(controller) ?? 0) + 1
      staleVerbs.set(controller, count)
      // One was under way when the lease was lost; nothing comes after it.
      if (count > 1) broken.push({ promise: 'no two controllers change a host', how: `${host.name}: ${verb} by controller ${controller} without the lease` })
    },
    answered: (host) => {
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
