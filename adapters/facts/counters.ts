import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import type { EvidenceObservation, FlowObservation, Instant, Observation } from '@portcullis/core/inventory/observation.ts'
import { readCounterListing, type CounterListing } from './counterListing.ts'
import { readCounter, readCounterSet, type Counted, type CounterSet } from './counterSet.ts'
import { printable } from './printable.ts'
import { readSections } from './section.ts'

const SENSOR = 'nft-counters'
/** What is lost of denials alone says nothing of use, and so must not count as a loss of it. */
const DENIALS_SENSOR = 'nft-denials'

/**
 * Reads the output of the verb `counters`. What the gate counted by source becomes flows; what it could count by port
 * only is told as lost evidence of that port.
 * Faults: FACTS_TOO_LARGE, FACTS_FRAME.
 */
export function readCounters(host: string, at: Instant, text: string): Result<readonly Observation[]> {
  const sections = readSections(text, `counters of ${host}`)
  if (!sections.ok) return sections
  const listing = readCounterListing(sections.value)
  const reader = new CounterReader(host, at, listing)
  const isObserving = modeOf(listing) === 'observe'
  const observations = [...reader.verdict('accepted', isObserving), ...reader.verdict('denied', isObserving)]
  return succeed([...observations, { kind: 'reading', host, sensor: SENSOR, at, covers: 'flows' }])
}

const SETS = {
  accepted: { flows: ['seen4', 'seen6'], ports: 'accepted_ports', lost: 'seen_lost' },
  denied: { flows: ['denied4', 'denied6'], ports: 'denied_ports', lost: 'denied_lost' },
} as const

class CounterReader {
  readonly #host: string
  readonly #at: Instant
  readonly #listing: CounterListing

  constructor(host: string, at: Instant, listing: CounterListing) {
    this.#host = host
    this.#at = at
    this.#listing = listing
  }

  verdict(verdict: 'accepted' | 'denied', isObserving: boolean): Observation[] {
    const names = SETS[verdict]
    const isUse = verdict === 'accepted' || isObserving
    const sensor = isUse ? SENSOR : DENIALS_SENSOR
    const sets = [...names.flows, names.ports].map((name) => this.#set(name))
    const unread = [...names.flows, names.ports].filter((_, index) => sets[index] === undefined)
    if (unread.length > 0) return [this.#loss(sensor, unread.length, `${unread.join(', ')} could not be read`)]
    const [flows4, flows6, totals] = sets as [CounterSet, CounterSet, CounterSet]
    const flows = [...flows4.elements, ...flows6.elements].flatMap((counted) => this.#flow(counted, verdict, verdict === 'denied' && isObserving))
    const malformed = sets.reduce((sum, set) => sum + (set?.unread ?? 0), 0)
    return [
      ...flows,
      ...(malformed > 0 ? [this.#loss(sensor, malformed, 'elements of the counting sets are not understood')] : []),
      ...this.#losses(sensor, names.lost, flows, totals),
    ]
  }

  /** The totals by port stay exact when the sets by source are full: what is missing is known by port. */
  #losses(sensor: string, name: string, flows: readonly FlowObservation[], totals: CounterSet): EvidenceObservation[] {
    const lost = readCounter(this.#listing.of('counter', name))
    if (lost === undefined) return [this.#loss(sensor, 1, `${name} could not be read`)]
    if (lost === 0) return []
    const counted = new Map<string, number>()
    for (const flow of flows) counted.set(`${flow.protocol} ${flow.port}`, (counted.get(`${flow.protocol} ${flow.port}`) ?? 0) + flow.connections)
    const short = totals.elements.filter((total) => total.connections > (counted.get(`${total.protocol} ${total.port}`) ?? 0))
    if (short.length === 0 || short.length > ENDPOINT_LOSSES_MAX) return [this.#loss(sensor, lost, FULL)]
    return short.map(({ protocol, port, connections }) => ({
      ...this.#loss(sensor, connections - (counted.get(`${protocol} ${port}`) ?? 0), FULL),
      endpoint: { protocol, port },
    }))
  }

  #set(name: string): CounterSet | undefined {
    return readCounterSet(this.#listing.of('set', name))
  }

  #flow(counted: Counted, verdict: 'accepted' | 'denied', isLetThrough: boolean): FlowObservation[] {
    const { source, protocol, port, connections, bytes } = counted
    if (source === undefined) return []
    const claim = { kind: 'flow' as const, host: this.#host, sensor: SENSOR, at: this.#at, lastSeen: this.#at, tally: 'running' as const }
    return [{ ...claim, source, protocol, port, connections, bytes, verdict, ...(isLetThrough ? { isLetThrough } : {}) }]
  }

  #loss(sensor: string, lost: number, because: string): EvidenceObservation {
    return { kind: 'evidence', host: this.#host, sensor, at: this.#at, lost, because: printable(because) }
  }
}

const FULL = 'more sources than the gate has room to count each'

/** A scan of all ports by many sources is one loss, not one for each port. */
const ENDPOINT_LOSSES_MAX = 1024

/** The gate says in a comment what it is; where that is not told, a denial is taken for one. */
const modeOf = ({ about }: CounterListing): string | undefined => /^schema [0-9]+ generation [0-9]+ (observe|enforce)( |$)/.exec(about ?? '')?.[1]
