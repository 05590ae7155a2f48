import type { Instant, Observation } from './observation.ts'

/** What of a host was watched, since when, and what of it was lost. */
export interface Watch {
  /** When each sensor last read the listeners completely. */
  readonly listeners: ReadonlyMap<string, Instant>
  readonly published: ReadonlyMap<string, Instant>
  /** When each inventory of services was last read; empty where nothing is documented. */
  readonly documented: ReadonlyMap<string, Instant>
  /** From the first to the newest reading of a sensor that lost nothing. */
  readonly flows?: { readonly since: Instant; readonly until: Instant }
  /** Connections were watched, and every sensor that did lost some of the whole host. */
  readonly isLossy: boolean
  /** Endpoints of which a sensor of connections lost some, as `tcp 443`. */
  readonly lostAt: ReadonlySet<string>
}

export function watchOf(observations: readonly Observation[]): Watch {
  const newest = { listeners: new Map<string, Instant>(), published: new Map<string, Instant>(), flows: new Map<string, Instant>(), documented: new Map<string, Instant>() }
  const oldest = new Map<string, Instant>()
  const losing = new Set<string>()
  const lostAt = new Map<string, Set<string>>()
  for (const observation of observations) {
    if (observation.kind === 'evidence') noteLoss(observation, losing, lostAt)
    if (observation.kind !== 'reading') continue
    const map = newest[observation.covers]
    map.set(observation.sensor, Math.max(map.get(observation.sensor) ?? observation.at, observation.at))
    if (observation.covers === 'flows') oldest.set(observation.sensor, Math.min(oldest.get(observation.sensor) ?? observation.at, observation.at))
  }
  const whole = [...newest.flows.keys()].filter((sensor) => !losing.has(sensor))
  return {
    listeners: newest.listeners,
    published: newest.published,
    documented: newest.documented,
    ...(whole.length === 0 ? {} : { flows: { since: Math.min(...whole.map((sensor) => oldest.get(sensor) ?? 0)), until: Math.max(...whole.map((sensor) => newest.flows.get(sensor) ?? 0)) } }),
    isLossy: whole.length === 0 && newest.flows.size > 0,
    lostAt: new Set(whole.flatMap((sensor) => [...(lostAt.get(sensor) ?? [])])),
  }
}

function noteLoss(evidence: Extract<Observation, { kind: 'evidence' }>, losing: Set<string>, lostAt: Map<string, Set<string>>): void {
  const { sensor, lost, endpoint } = evidence
  if (lost <= 0) return
  if (endpoint === undefined) return void losing.add(sensor)
  let endpoints = lostAt.get(sensor)
  if (!endpoints) lostAt.set(sensor, (endpoints = new Set()))
  endpoints.add(`${endpoint.protocol} ${endpoint.port}`)
}
