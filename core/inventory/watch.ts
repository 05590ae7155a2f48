import type { Instant, Observation } from './observation.ts'

/** What of a host was watched, since when, and what of it was lost. */
export interface Watch {
  /** When each sensor last read the listeners completely. */
  readonly listeners: ReadonlyMap<string, Instant>
  readonly published: ReadonlyMap<string, Instant>
  /** From the first to the newest reading of connections. */
  readonly flows?: { readonly since: Instant; readonly until: Instant }
  /** Of the whole host. */
  readonly lost: number
  /** Endpoints of which something was lost, as `tcp 443`. */
  readonly lostAt: ReadonlySet<string>
}

export function watchOf(observations: readonly Observation[]): Watch {
  const newest = { listeners: new Map<string, Instant>(), published: new Map<string, Instant>(), flows: new Map<string, Instant>() }
  const losses = new Map<string, number>()
  const lostAt = new Set<string>()
  let since = Number.POSITIVE_INFINITY
  for (const observation of observations) {
    if (observation.kind === 'evidence' && observation.endpoint) {
      if (observation.lost > 0) lostAt.add(`${observation.endpoint.protocol} ${observation.endpoint.port}`)
    } else if (observation.kind === 'evidence') {
      const key = `${observation.sensor}\0${observation.because}`
      losses.set(key, Math.max(losses.get(key) ?? 0, observation.lost))
    } else if (observation.kind === 'reading') {
      const map = newest[observation.covers]
      map.set(observation.sensor, Math.max(map.get(observation.sensor) ?? observation.at, observation.at))
      if (observation.covers === 'flows') since = Math.min(since, observation.at)
    }
  }
  const until = newest.flows.size > 0 ? Math.max(...newest.flows.values()) : undefined
  return {
    listeners: newest.listeners,
    published: newest.published,
    ...(until === undefined ? {} : { flows: { since, until } }),
    lost: [...losses.values()].reduce((sum, lost) => sum + lost, 0),
    lostAt,
  }
}
