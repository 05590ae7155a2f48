import { formatAddress, type Address } from '../net/address.ts'
import { TRANSPORT_PROTOCOLS, type TransportProtocol } from '../net/protocol.ts'
import { DAY_MS, type Day } from './businessCalendar.ts'
import type { FlowObservation, Instant, Observation, ReadingObservation, ScanObservation, ScanRestObservation } from './observation.ts'
import { isUse } from './usage.ts'

/** What is kept of a host's observations, so that its use can be judged without reading all of them again. */
export interface UsageChanges {
  readonly claims: readonly KeptClaim[]
  /** Running counters that are new or have moved. */
  readonly counters: readonly KeptCounter[]
  readonly watches: readonly WatchSpan[]
  readonly uses: readonly RecordedUse[]
}

/** The newest claim about one thing takes the place of those before. */
export interface KeptClaim {
  readonly key: string
  readonly claim: Observation
}

export interface KeptCounter {
  readonly key: string
  readonly connections: number
}

/** From one reading of a sensor's counters to another, with all between counted. */
export interface WatchSpan {
  readonly sensor: string
  readonly first: Instant
  readonly last: Instant
}

/** Use of an endpoint by one source, day by day. */
export interface RecordedUse {
  readonly protocol: TransportProtocol
  readonly port: number
  readonly source: Address
  readonly isAnswered: boolean
  readonly days: readonly DayOfUse[]
}

/**
 * A day of UTC. It touches two days of any business at most, so its first and last use tell on which of them there was one;
 * whoever asks may therefore count days by whatever calendar.
 */
export interface DayOfUse {
  readonly day: Day
  connections: number
  first: Instant
  last: Instant
}

/** What of earlier observations the next ones are compared with. */
export interface KnownUsage {
  /** The newest state of each running counter, by its key. */
  readonly counters: ReadonlyMap<string, number>
  /** The newest of each sensor. */
  readonly watches: ReadonlyMap<string, WatchSpan>
}

export const NOTHING_KNOWN: KnownUsage = { counters: new Map(), watches: new Map() }

/**
 * Counters are read now and then; between two readings further apart than this nobody knows on which day a use was, nor whether the
 * host was down or its counters began again.
 */
export const READING_GAP_MS_MAX = 36 * 3_600_000
/** Unless counters that stood before the gap stand after it and never fell: then what they do not show was not used. */
export const PROVEN_GAP_MS_MAX = 8 * DAY_MS

/**
 * Records what sensors said of one host, oldest first; the claims of one reading stand together. What is older than the newest
 * reading that is known changes nothing of what counters tell, because that reading holds it.
 */
export function recordUsage(observations: readonly Observation[], known: KnownUsage): UsageChanges {
  const recorder = new UsageRecorder(observations, known)
  for (const observation of observations) recorder.add(observation)
  return recorder.changes()
}

/** Whether a running counter or a reading of counters is among them: then what came before must be known. */
export const isContinuation = (observation: Observation): boolean =>
  (observation.kind === 'flow' && observation.tally === 'running') || (observation.kind === 'reading' && observation.covers === 'flows')

const counterKey = ({ sensor, verdict, protocol, port, source }: FlowObservation): string => `${sensor} ${verdict} ${protocol} ${port} ${formatAddress(source)}`

/** What an enforcing gate lost of denials was no use. */
const DENIALS_SENSOR = 'nft-denials'
const BECAUSE_MAX = 200

/** The things that a claim is about; none where nothing of it is kept. Texts are written as JSON, for a host may say anything. */
function keysOf(claim: Observation): readonly string[] {
  switch (claim.kind) {
    case 'listener':
      return [`listener ${claim.protocol} ${claim.port}${claim.isLoopback ? ' loopback' : ''}`]
    case 'published':
      return [`published ${claim.protocol} ${claim.ports.first}`]
    case 'evidence':
      if (claim.lost <= 0 || claim.sensor === DENIALS_SENSOR) return []
      return [`evidence ${claim.sensor} ${claim.endpoint ? `${claim.endpoint.protocol} ${claim.endpoint.port}` : JSON.stringify(claim.because.slice(0, BECAUSE_MAX))}`]
    case 'scan':
      return [...scannedOf(claim, `${claim.port}`), ...(claim.service === undefined ? [] : [`service ${claim.protocol} ${claim.port}`])]
    case 'scan-rest':
      return scannedOf(claim, claim.state)
    case 'flow':
      return claim.service === undefined || !isUse(claim) ? [] : [`service ${claim.protocol} ${claim.port}`]
    case 'reading':
      return claim.covers === 'listeners' ? ['reading listeners'] : []
    case 'use':
      return [`use ${claim.protocol} ${claim.port} ${claim.firstSeen} ${claim.lastSeen}`]
    case 'documented':
    case 'inner-listener':
      return []
  }
}

/** What a later scan speaks of again. Silence decides nothing, and takes no word's place. */
const scannedOf = ({ kind, protocol, state, address, from }: ScanObservation | ScanRestObservation, what: string): string[] =>
  state === 'open|filtered' ? [] : [`${kind} ${protocol} ${what} ${formatAddress(address)} ${JSON.stringify(from)}`]

interface SourceRecord {
  readonly protocol: TransportProtocol
  readonly port: number
  readonly source: Address
  readonly days: DayOfUse[]
  isAnswered: boolean
  /** Running counters: nearly always one. */
  readonly counters: { flow: FlowObservation; latest: number; hasChanged: boolean }[]
}

interface SensorReadings {
  /** For each reading, the time of the one before it. */
  readonly before: Map<Instant, Instant | undefined>
  readonly known: WatchSpan | undefined
  newest: Instant | undefined
  /** Readings at which a counter had begun again, and at which one of before still stood. */
  readonly restarts: Set<Instant>
  readonly continued: Set<Instant>
}

class UsageRecorder {
  readonly #known: KnownUsage
  readonly #readings = new Map<string, SensorReadings>()
  readonly #claims = new Map<string, Observation>()
  readonly #endpoints = new Map<number, Map<bigint | number, SourceRecord>>()

  constructor(observations: readonly Observation[], known: KnownUsage) {
    this.#known = known
    for (const each of observations) if (each.kind === 'reading' && each.covers === 'flows') this.#reading(each)
  }

  add(observation: Observation): void {
    for (const key of keysOf(observation)) this.#claims.set(key, observation)
    if (observation.kind === 'flow') this.#flow(observation)
  }

  changes(): UsageChanges {
    const records = [...this.#endpoints.values()].flatMap((sources) => [...sources.values()])
    return {
      claims: [...this.#claims].map(([key, claim]) => ({ key, claim })),
      counters: records.flatMap(({ counters }) => counters.filter(({ hasChanged }) => hasChanged).map(({ flow, latest }) => ({ key: counterKey(flow), connections: latest }))),
      watches: [...this.#readings].flatMap(([sensor, readings]) => watchesOf(sensor, readings)),
      uses: records.flatMap(({ protocol, port, source, isAnswered, days }) => (days.length === 0 ? [] : [{ protocol, port, source, isAnswered, days }])),
    }
  }

  #reading({ sensor, at }: ReadingObservation): void {
    const readings = this.#sensor(sensor)
    if (readings.newest !== undefined && at <= readings.newest) return
    readings.before.set(at, readings.newest)
    readings.newest = at
  }

  #sensor(sensor: string): SensorReadings {
    let readings = this.#readings.get(sensor)
    if (!readings) {
      const known = this.#known.watches.get(sensor)
      this.#readings.set(sensor, (readings = { before: new Map(), known, newest: known?.last, restarts: new Set(), continued: new Set() }))
    }
    return readings
  }

  #flow(flow: FlowObservation): void {
    if (!isUse(flow)) return
    const record = this.#source(flow)
    if (flow.tally === 'running') return this.#running(record, flow)
    if (flow.connections <= 0 && flow.isAnswered !== true) return
    if (flow.isAnswered) record.isAnswered = true
    const first = Math.min(flow.firstSeen ?? flow.lastSeen, flow.lastSeen)
    use(record, flow.lastSeen, flow.connections)
    if (dayOfUtc(first) === dayOfUtc(flow.lastSeen)) use(record, first, 0)
    else if (flow.tally === 'snapshot') useAll(record, first, flow.lastSeen)
    else use(record, first, 0)
  }

  /** A counter that has not moved was not used again, whatever the time of the reading. */
  #running(record: SourceRecord, flow: FlowObservation): void {
    const readings = this.#sensor(flow.sensor)
    if (readings.known !== undefined && flow.at < readings.known.last) return
    let counter = record.counters.find(({ flow: { sensor, verdict } }) => sensor === flow.sensor && verdict === flow.verdict)
    const before = counter ? counter.latest : this.#known.counters.size === 0 ? undefined : this.#known.counters.get(counterKey(flow))
    if (!counter) record.counters.push((counter = { flow, latest: before ?? 0, hasChanged: before === undefined }))
    if (before !== undefined) (flow.connections >= before ? readings.continued : readings.restarts).add(flow.at)
    const grown = before === undefined || flow.connections < before ? flow.connections : flow.connections - before
    if (flow.connections !== before) Object.assign(counter, { flow, latest: flow.connections, hasChanged: true })
    if (grown <= 0) return
    if (flow.isAnswered) record.isAnswered = true
    use(record, instantOfGrowth(flow, readings), grown)
  }

  #source({ protocol, port, source }: FlowObservation): SourceRecord {
    const endpoint = TRANSPORT_PROTOCOLS.indexOf(protocol) * 65_536 + port
    let sources = this.#endpoints.get(endpoint)
    if (!sources) this.#endpoints.set(endpoint, (sources = new Map()))
    // Numbers are found far faster than big ones; no address of IPv6 is one.
    const key = source.family === 4 ? Number(source.value) : source.value
    let record = sources.get(key)
    if (!record) sources.set(key, (record = { protocol, port, source, days: [], isAnswered: false, counters: [] }))
    return record
  }
}

/** A counter grew between two readings: most of that time belongs to the day in its middle. */
function instantOfGrowth({ at, lastSeen }: FlowObservation, { before }: SensorReadings): Instant {
  if (lastSeen < at) return lastSeen
  const previous = before.get(at)
  return previous !== undefined && at - previous <= READING_GAP_MS_MAX ? (previous + at) / 2 : at
}

const dayOfUtc = (at: Instant): Day => Math.floor(at / DAY_MS)

function use({ days }: SourceRecord, at: Instant, connections: number): void {
  const instant = Math.floor(at)
  const day = dayOfUtc(instant)
  const newest = days.at(-1)
  const known = newest?.day === day ? newest : days.find((each) => each.day === day)
  if (!known) return void days.push({ day, connections, first: instant, last: instant })
  known.connections += connections
  known.first = Math.min(known.first, instant)
  known.last = Math.max(known.last, instant)
}

/** Ten years: what a host says of a flow's age is not trusted further. */
const LIFE_DAYS_MAX = 3660

/** A flow that is alive was so at all times between. */
function useAll(record: SourceRecord, first: Instant, last: Instant): void {
  const from = Math.max(first, last - LIFE_DAYS_MAX * DAY_MS)
  for (let day = dayOfUtc(from); day <= dayOfUtc(last); day += 1) {
    use(record, Math.max(from, day * DAY_MS), 0)
    use(record, Math.min(last, (day + 1) * DAY_MS - 1), 0)
  }
}

function watchesOf(sensor: string, { before, known, restarts, continued }: SensorReadings): WatchSpan[] {
  const spans: WatchSpan[] = []
  let span = known
  for (const [at, previous] of before) {
    const isCounted = span !== undefined && previous !== undefined && !restarts.has(at) && at - previous <= (continued.has(at) ? PROVEN_GAP_MS_MAX : READING_GAP_MS_MAX)
    if (isCounted && span) {
      if (spans.at(-1) === span) spans.pop()
      spans.push((span = { ...span, last: at }))
    } else spans.push((span = { sensor, first: at, last: at }))
  }
  return spans
}
