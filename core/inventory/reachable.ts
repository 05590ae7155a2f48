import type { Instant, ScanObservation } from './observation.ts'
import type { SourceUsage } from './usage.ts'

/** Whether packets from a zone reach the endpoint, and who says so. `closed`: the host answered that nothing listens. */
export interface Reachable {
  readonly state: 'unknown' | 'open' | 'closed' | 'filtered'
  /** The newest word of each witness, newest first. */
  readonly evidence: readonly ReachEvidence[]
}

export interface ReachEvidence {
  /** A probe's sensor, or `flow` for connections that the host answered. */
  readonly sensor: string
  readonly at: Instant
  readonly state: ScanObservation['state']
}

/**
 * Per address the newest probe counts, and of several addresses the most exposed; an answered connection counts as
 * long as no probe is newer. `open|filtered` decides nothing.
 */
export function foldReach(scans: readonly ScanObservation[], sources: readonly SourceUsage[]): Reachable {
  const flow = newestAnswer(sources)
  if (scans.length === 0) return flow ? { state: 'open', evidence: [flow] } : UNKNOWN
  const states = new Set([...newestPerAddress(scans).values()].map((scan) => scan.state))
  const newestScan = Math.max(...scans.map((scan) => scan.at))
  if (flow && flow.at >= newestScan) states.add('open')
  const evidence = [...newestPerSensor(scans), ...(flow ? [flow] : [])].toSorted(
    (a, b) => b.at - a.at || (a.sensor < b.sensor ? -1 : a.sensor > b.sensor ? 1 : 0),
  )
  return { state: (['open', 'closed', 'filtered'] as const).find((state) => isDecided(states, state)) ?? 'unknown', evidence }
}

const UNKNOWN: Reachable = { state: 'unknown', evidence: [] }

/** "Filtered" and "closed" need every address's word; "open" needs one. */
const isDecided = (states: ReadonlySet<ScanObservation['state']>, state: 'open' | 'closed' | 'filtered'): boolean =>
  states.has(state) && (state === 'open' || !states.has('open|filtered'))

function newestAnswer(sources: readonly SourceUsage[]): ReachEvidence | undefined {
  const at = sources.reduce((newest, source) => (source.isAnswered ? Math.max(newest, source.lastSeen) : newest), Number.NEGATIVE_INFINITY)
  return Number.isFinite(at) ? { sensor: 'flow', at, state: 'open' } : undefined
}

function newestPerAddress(scans: readonly ScanObservation[]): Map<bigint, ScanObservation> {
  const newest = new Map<bigint, ScanObservation>()
  for (const scan of scans) {
    const before = newest.get(scan.address.value)
    if (before === undefined || isNewer(scan, before)) newest.set(scan.address.value, scan)
  }
  return newest
}

function newestPerSensor(scans: readonly ScanObservation[]): ReachEvidence[] {
  const newest = new Map<string, ScanObservation>()
  for (const scan of scans) {
    const key = `${scan.sensor}\0${scan.address.value}`
    const before = newest.get(key)
    if (before === undefined || isNewer(scan, before)) newest.set(key, scan)
  }
  const words = [...newest.values()].map(({ sensor, at, state }) => ({ sensor, at, state }))
  return [...new Map(words.map((word) => [`${word.sensor} ${word.at} ${word.state}`, word])).values()].toSorted(
    (a, b) => exposureOf(a.state) - exposureOf(b.state),
  )
}

/** Of two probes at one time the more exposed counts, so that the order of reading does not. */
const isNewer = (a: ScanObservation, b: ScanObservation): boolean => a.at > b.at || (a.at === b.at && exposureOf(a.state) < exposureOf(b.state))

const exposureOf = (state: ScanObservation['state']): number => ['open', 'open|filtered', 'closed', 'filtered'].indexOf(state)
