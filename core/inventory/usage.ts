import { compareAddresses, type Address } from '../net/address.ts'
import type { FlowObservation, Instant } from './observation.ts'

/** Who used an endpoint, how much and when; of one verdict. */
export interface Usage {
  readonly connections: number
  readonly bytes?: number
  readonly firstSeen: Instant
  readonly lastSeen: Instant
  /** How many different sources. */
  readonly sourceCount: number
  /** The busiest, most connections first. */
  readonly sources: readonly SourceUsage[]
}

export interface SourceUsage {
  readonly source: Address
  readonly connections: number
  readonly bytes?: number
  readonly firstSeen: Instant
  readonly lastSeen: Instant
  readonly isAnswered: boolean
}

/** A row names this many sources and counts the rest; `foldSources` gives all. */
export const USAGE_SOURCES_MAX = 8

/** Whether a connection came through: accepted, or denied by a gate that only observes. */
export const isUse = (flow: FlowObservation): boolean => flow.verdict === 'accepted' || flow.isLetThrough === true

/**
 * Folds repeated readings per source. One sensor's readings add up as their tally says, each verdict by itself; two
 * sensors see the same connections, so of their totals the largest counts. Sorted by address.
 */
export function foldSources(flows: readonly FlowObservation[]): SourceUsage[] {
  const bySource = new Map<bigint, Map<string, Counted>>()
  for (const flow of flows.length > 1 ? flows.toSorted(compareFlows) : flows) {
    const key = (BigInt(flow.source.family) << 128n) | flow.source.value
    let sensors = bySource.get(key)
    if (!sensors) bySource.set(key, (sensors = new Map()))
    let counted = sensors.get(flow.sensor)
    if (!counted) sensors.set(flow.sensor, (counted = {}))
    counted[flow.verdict] = advance(counted[flow.verdict], flow)
  }
  return [...bySource.values()]
    .map((sensors) => [...sensors.values()].map(sumOf).reduce((a, b) => combine(a, b, Math.max)))
    .toSorted((a, b) => compareAddresses(a.source, b.source))
}

export function summariseSources(sources: readonly SourceUsage[]): Usage | undefined {
  const [first] = sources
  if (!first) return undefined
  let { connections, bytes, firstSeen, lastSeen } = { bytes: undefined, ...first }
  for (const next of sources.slice(1)) {
    connections += next.connections
    bytes = addBytes(bytes, next.bytes)
    firstSeen = Math.min(firstSeen, next.firstSeen)
    lastSeen = Math.max(lastSeen, next.lastSeen)
  }
  const busiest = sources.length <= 1 ? sources : sources.toSorted((a, b) => b.connections - a.connections || compareAddresses(a.source, b.source))
  return { connections, ...(bytes === undefined ? {} : { bytes }), firstSeen, lastSeen, sourceCount: sources.length, sources: busiest.slice(0, USAGE_SOURCES_MAX) }
}

interface Counted {
  accepted?: Running
  denied?: Running
}

interface Running extends SourceUsage {
  readonly latest: number
  readonly latestBytes: number
}

function advance(before: Running | undefined, flow: FlowObservation): Running {
  const bytes = flow.bytes ?? 0
  const hasGrown = before === undefined || flow.tally !== 'running' || flow.connections !== before.latest
  const total = (sum: number, latest: number, now: number): number => {
    if (flow.tally === 'snapshot') return Math.max(sum, now)
    if (flow.tally === 'running') return sum + (now >= latest ? now - latest : now)
    return sum + now
  }
  const hasBytes = flow.bytes !== undefined || before?.bytes !== undefined
  return {
    source: flow.source,
    connections: total(before?.connections ?? 0, before?.latest ?? 0, flow.connections),
    ...(hasBytes ? { bytes: total(before?.bytes ?? 0, before?.latestBytes ?? 0, bytes) } : {}),
    firstSeen: Math.min(before?.firstSeen ?? flow.lastSeen, flow.firstSeen ?? flow.lastSeen),
    // A counter that has not moved was not used again, whatever the time of the reading.
    lastSeen: hasGrown ? Math.max(before?.lastSeen ?? flow.lastSeen, flow.lastSeen) : before.lastSeen,
    isAnswered: flow.isAnswered === true || before?.isAnswered === true,
    latest: flow.connections,
    latestBytes: bytes,
  }
}

const sumOf = ({ accepted, denied }: Counted): SourceUsage => {
  if (accepted && denied) return combine(accepted, denied, (a, b) => a + b)
  return sourceUsage((accepted ?? denied) as Running)
}

function combine(a: SourceUsage, b: SourceUsage, join: (a: number, b: number) => number): SourceUsage {
  return sourceUsage({
    source: a.source,
    connections: join(a.connections, b.connections),
    ...(a.bytes === undefined && b.bytes === undefined ? {} : { bytes: join(a.bytes ?? 0, b.bytes ?? 0) }),
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
    isAnswered: a.isAnswered || b.isAnswered,
  })
}

const sourceUsage = ({ source, connections, bytes, firstSeen, lastSeen, isAnswered }: SourceUsage): SourceUsage => ({
  source,
  connections,
  ...(bytes === undefined ? {} : { bytes }),
  firstSeen,
  lastSeen,
  isAnswered,
})

const addBytes = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0)

const compareFlows = (a: FlowObservation, b: FlowObservation): number =>
  a.at - b.at || a.connections - b.connections || (a.bytes ?? 0) - (b.bytes ?? 0) || a.lastSeen - b.lastSeen
