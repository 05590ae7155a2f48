import type { Instant, Observation } from './observation.ts'

/** What of a host was watched, since when, and what of it was lost. */
export interface Watch {
  /** When each sensor last read the listeners completely. */
  readonly listeners: ReadonlyMap<string, Instant>
  readonly published: ReadonlyMap<string, Instant>
  /** When each inventory of services was last read; empty where nothing is documented. */
  readonly documented: ReadonlyMap<string, Instant>
  /** Of a sensor that lost nothing: the time up to its newest reading in which no two readings were far apart. A host that was down was not watched. */
  readonly flows?: { readonly since: Instant; readonly until: Instant }
  /** Connections were watched, and every sensor that did lost some of the whole host. */
  readonly isLossy: boolean
  /** Endpoints of which a sensor of connections lost some, as `tcp 443`. */
  readonly lostAt: ReadonlySet<string>
}

export function watchOf(observations: readonly Observation[]): Watch {
  const newest = { listeners: new Map<string, Instant>(), published: new Map<string, Instant>(), flows: new Map<string, Instant>(), documented: new Map<string, Instant>() }
  const readings = new Map<string, Instant[]>()
  const losing = new Set<string>()
  const lostAt = new Map<string, Set<string>>()
  for (const observation of observations) {
    if (observation.kind === 'evidence') noteLoss(observation, losing, lostAt)
    if (observation.kind !== 'reading') continue
    const map = newest[observation.covers]
    map.set(observation.sensor, Math.max(map.get(observation.sensor) ?? observation.at, observation.at))
    if (observation.covers !== 'flows') continue
    const known = readings.get(observation.sensor)
    if (known) known.push(observation.at)
    else readings.set(observation.sensor, [observation.at])
  }
  const whole = [...newest.flows.keys()].filter((sensor) => !losing.has(sensor))
  const spans = whole.map((sensor) => lastSpan(readings.get(sensor) ?? []))
  return {
    listeners: newest.listeners,
    published: newest.published,
    documented: newest.documented,
    ...longestSpan(spans),
    isLossy: whole.length === 0 && newest.flows.size > 0,
    lostAt: new Set(whole.flatMap((sensor) => [...(lostAt.get(sensor) ?? [])])),
  }
}

/** Between readings further apart than this nobody knows whether the host was down or its counters began again. */
const READING_GAP_MS_MAX = 36 * 3_600_000

interface Span {
  readonly since: Instant
  readonly until: Instant
}

function lastSpan(readings: readonly Instant[]): Span {
  const newestFirst = readings.toSorted((a, b) => b - a)
  const [until = 0] = newestFirst
  let since = until
  for (const at of newestFirst) {
    if (since - at > READING_GAP_MS_MAX) break
    since = at
  }
  return { since, until }
}

/** Of several sensors, the one that watched longest without a gap: they are not joined, since each knows its own time only. */
const longestSpan = (spans: readonly Span[]): { readonly flows?: Span } => {
  const [longest] = spans.toSorted((a, b) => b.until - b.since - (a.until - a.since) || b.until - a.until)
  return longest === undefined ? {} : { flows: longest }
}

function noteLoss(evidence: Extract<Observation, { kind: 'evidence' }>, losing: Set<string>, lostAt: Map<string, Set<string>>): void {
  const { sensor, lost, endpoint } = evidence
  if (lost <= 0) return
  if (endpoint === undefined) return void losing.add(sensor)
  let endpoints = lostAt.get(sensor)
  if (!endpoints) lostAt.set(sensor, (endpoints = new Set()))
  endpoints.add(`${endpoint.protocol} ${endpoint.port}`)
}
