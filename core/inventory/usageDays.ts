import type { Address } from '../net/address.ts'
import { TRANSPORT_PROTOCOLS, type TransportProtocol } from '../net/protocol.ts'
import { dayOf, DAY_MS, type BusinessCalendar, type Day } from './businessCalendar.ts'
import { DaySet } from './daySet.ts'
import type { EvidenceObservation, FlowObservation, Instant, ListenerObservation, Observation, PublishedObservation, UseObservation } from './observation.ts'
import { isUse } from './usage.ts'

/** The days on which each endpoint of a host was used, by source, and the days of which anything is known. */
export interface HostUsage {
  readonly host: string
  readonly watch: UsageWatch
  /** Sorted by protocol, then port. */
  readonly endpoints: readonly EndpointDays[]
}

export interface UsageWatch {
  /** Days of which at least half was counted; absent days are unknown, never unused. */
  readonly watched: DaySet
  readonly firstDay: Day
  readonly lastDay: Day
  /** Whether the listeners of the host were ever read completely. */
  readonly areListenersRead: boolean
  /** Losses of the whole host: because what. */
  readonly lost: readonly string[]
}

export interface EndpointDays {
  readonly protocol: TransportProtocol
  readonly port: number
  /** Who listens beyond loopback. */
  readonly listening: ListeningDays
  readonly published?: string
  readonly sources: readonly SourceDays[]
  /** More sources than are kept came. */
  readonly moreSources: number
  /** Connections of unknown source. */
  readonly lost: number
  /** Days on which a metric says that it was used, nobody knows by whom; and which mapping says so. Other days it says nothing of. */
  readonly sourceless?: { readonly days: DaySet; readonly because: string }
  /** What a sensor recognised. */
  readonly fingerprint?: string
}

export interface ListeningDays {
  /** `gone`: seen before, not at the newest complete reading. `loopback`: on loopback only. */
  readonly state: 'seen' | 'gone' | 'absent' | 'loopback' | 'unknown'
  readonly process?: string
  readonly unit?: string
  readonly isEphemeral: boolean
  readonly firstDay?: Day
  readonly lastDay?: Day
}

export interface SourceDays {
  readonly source: Address
  readonly connections: number
  readonly days: DaySet
  readonly isAnswered: boolean
}

/** Endpoints of the public have more; what comes after these is counted. */
export const SOURCES_KEPT_MAX = 4096

/**
 * Counters are read now and then; between two readings further apart than this nobody knows on which day a use was, nor whether the
 * host was down or its counters began again.
 */
export const READING_GAP_MS_MAX = 36 * 3_600_000
/** Unless counters that stood before the gap stand after it and never fell: then what they do not show was not used. */
export const PROVEN_GAP_MS_MAX = 8 * DAY_MS

/** Folds what sensors said of one host, oldest first. Linear in the observations. */
export function foldUsageDays(host: string, observations: readonly Observation[], calendar: BusinessCalendar): HostUsage {
  const readings = readingsOf(observations)
  const firstDay = dayOf(calendar, observations[0]?.at ?? 0) - 1
  const fold = new UsageFold(firstDay, calendar, readings)
  for (const observation of observations) fold.add(observation)
  return { host, watch: fold.watch(), endpoints: fold.endpoints() }
}

interface Readings {
  /** By sensor: for each reading of the flows, the time of the one before it. */
  readonly flows: ReadonlyMap<string, ReadonlyMap<Instant, Instant | undefined>>
  /** The newest complete reading of the listeners by any sensor. */
  readonly listeners?: Instant
}

function readingsOf(observations: readonly Observation[]): Readings {
  const flows = new Map<string, Map<Instant, Instant | undefined>>()
  const newest = new Map<string, Instant>()
  let listeners: Instant | undefined
  for (const each of observations) {
    if (each.kind !== 'reading') continue
    if (each.covers === 'listeners') listeners = Math.max(listeners ?? each.at, each.at)
    if (each.covers !== 'flows' || newest.get(each.sensor) === each.at) continue
    let known = flows.get(each.sensor)
    if (!known) flows.set(each.sensor, (known = new Map()))
    known.set(each.at, newest.get(each.sensor))
    newest.set(each.sensor, each.at)
  }
  return { flows, ...(listeners === undefined ? {} : { listeners }) }
}

interface EndpointFold {
  readonly protocol: TransportProtocol
  readonly port: number
  readonly sources: Map<bigint | number, SourceFold>
  moreSources: number
  lost: number
  sourceless?: { readonly days: DaySet; readonly because: string }
  listener?: ListenerObservation
  listenerFirst?: Instant
  onLoopback?: Instant
  published?: PublishedObservation
  fingerprint?: string
}

interface SourceFold {
  readonly source: Address
  connections: number
  readonly days: DaySet
  isAnswered: boolean
  /** The newest state of each running counter: nearly always one. */
  counters?: { readonly sensor: string; readonly verdict: string; latest: number }[]
}

class UsageFold {
  readonly #firstDay: Day
  readonly #calendar: BusinessCalendar
  readonly #readings: Readings
  readonly #endpoints = new Map<number, EndpointFold>()
  readonly #lost = new Map<string, string>()
  /** Readings at which a counter had begun again, by sensor. */
  readonly #restarts = new Set<string>()
  /** Readings at which a counter of before still stood, by sensor. */
  readonly #continued = new Set<string>()
  #lastGrown: { readonly sensor: string; readonly at: Instant; readonly day: Day } | undefined
  #lastContinued: { readonly sensor: string; readonly at: Instant } | undefined

  constructor(firstDay: Day, calendar: BusinessCalendar, readings: Readings) {
    this.#firstDay = firstDay
    this.#calendar = calendar
    this.#readings = readings
  }

  add(observation: Observation): void {
    if (observation.kind === 'flow') this.#flow(observation)
    else if (observation.kind === 'listener') this.#listener(observation)
    else if (observation.kind === 'published') this.#at(observation.protocol, observation.ports.first).published = observation
    else if (observation.kind === 'evidence') this.#loss(observation)
    else if (observation.kind === 'use') this.#use(observation)
    else if (observation.kind === 'scan' && observation.service !== undefined) this.#at(observation.protocol, observation.port).fingerprint = observation.service
  }

  watch(): UsageWatch {
    const watched = new DaySet(this.#firstDay)
  
    for (const [sensor, readings] of this.#readings.flows) {
      const countedMs = new Map<Day, number>()
      for (const [at, before] of readings) {
        if (before !== undefined && this.#isCounted(sensor, before, at)) this.#count(countedMs, before, at)
      }
      for (const [day, ms] of countedMs) if (ms >= DAY_MS / 2) watched.add(day)
    }
    const days = watched.days()
    const lost = [...this.#lost.values()]
    return { watched, firstDay: days[0] ?? this.#firstDay, lastDay: days.at(-1) ?? this.#firstDay, areListenersRead: this.#readings.listeners !== undefined, lost }
  }

  /** Adds the time between two readings to the days that it lies in. */
  #count(countedMs: Map<Day, number>, before: Instant, at: Instant): void {
    const offsetMs = this.#calendar.utcOffsetMinutes * 60_000
    for (let day = this.#day(before); day <= this.#day(at); day += 1) {
      const ms = Math.min(at, (day + 1) * DAY_MS - offsetMs) - Math.max(before, day * DAY_MS - offsetMs)
      countedMs.set(day, (countedMs.get(day) ?? 0) + ms)
    }
  }

  #isCounted(sensor: string, before: Instant, at: Instant): boolean {
    const reading = `${sensor} ${at}`
    if (this.#restarts.has(reading)) return false
    return at - before <= (this.#continued.has(reading) ? PROVEN_GAP_MS_MAX : READING_GAP_MS_MAX)
  }

  endpoints(): EndpointDays[] {
    return [...this.#endpoints.keys()].toSorted((a, b) => a - b).flatMap((key) => {
      const fold = this.#endpoints.get(key)
      return fold ? [this.#endpoint(fold)] : []
    })
  }

  #endpoint({ protocol, port, sources, moreSources, lost, sourceless, published, fingerprint, ...listening }: EndpointFold): EndpointDays {
    const kept = [...sources.values()].map(({ source, connections, days, isAnswered }): SourceDays => ({ source, connections, days, isAnswered }))
    return {
      protocol,
      port,
      listening: this.#listening(listening),
      ...(published ? { published: published.target } : {}),
      sources: kept,
      moreSources,
      lost,
      ...(sourceless ? { sourceless } : {}),
      ...(fingerprint === undefined ? {} : { fingerprint }),
    }
  }

  #listening({ listener, listenerFirst, onLoopback }: Pick<EndpointFold, 'listener' | 'listenerFirst' | 'onLoopback'>): ListeningDays {
    const newest = this.#readings.listeners
    if (!listener) return { state: onLoopback !== undefined ? 'loopback' : newest === undefined ? 'unknown' : 'absent', isEphemeral: false }
    return {
      state: newest === undefined || listener.at >= newest ? 'seen' : 'gone',
      ...(listener.process === undefined ? {} : { process: listener.process }),
      ...(listener.unit === undefined ? {} : { unit: listener.unit }),
      isEphemeral: listener.isEphemeral,
      firstDay: this.#day(listenerFirst ?? listener.at),
      lastDay: this.#day(listener.at),
    }
  }

  #listener(observation: ListenerObservation): void {
    const fold = this.#at(observation.protocol, observation.port)
    if (observation.isLoopback) fold.onLoopback = observation.at
    else {
      fold.listener = observation
      fold.listenerFirst ??= observation.at
    }
  }

  #flow(flow: FlowObservation): void {
    if (!isUse(flow)) return
    const fold = this.#at(flow.protocol, flow.port)
    if (flow.service !== undefined) fold.fingerprint = flow.service
    // Numbers are found far faster than big ones; no address of IPv6 is one.
    const key = flow.source.family === 4 ? Number(flow.source.value) : flow.source.value
    let source = fold.sources.get(key)
    if (!source) {
      if (fold.sources.size >= SOURCES_KEPT_MAX) return void (fold.moreSources += 1)
      fold.sources.set(key, (source = { source: flow.source, connections: 0, days: new DaySet(this.#firstDay), isAnswered: false }))
    }
    if (flow.isAnswered) source.isAnswered = true
    const grown = this.#growth(source, flow)
    if (grown <= 0) return
    source.connections += grown
    if (flow.tally === 'running') source.days.add(this.#dayOfGrowth(flow))
    else this.#markDays(source.days, flow)
  }

  /** A counter that has not moved was not used again, whatever the time of the reading. */
  #growth(source: SourceFold, flow: FlowObservation): number {
    if (flow.tally !== 'running') return flow.connections
    const counters = (source.counters ??= [])
    const counter = counters.find(({ sensor, verdict }) => sensor === flow.sensor && verdict === flow.verdict)
    if (!counter) {
      counters.push({ sensor: flow.sensor, verdict: flow.verdict, latest: flow.connections })
      return flow.connections
    }
    const { latest } = counter
    counter.latest = flow.connections
    if (flow.connections >= latest) {
      this.#continue(flow)
      return flow.connections - latest
    }
    this.#restarts.add(`${flow.sensor} ${flow.at}`)
    return flow.connections
  }

  /** Once a reading: a string for each of its counters would cost more than all else. */
  #continue({ sensor, at }: FlowObservation): void {
    if (this.#lastContinued?.at === at && this.#lastContinued.sensor === sensor) return
    this.#lastContinued = { sensor, at }
    this.#continued.add(`${sensor} ${at}`)
  }

  /** A counter grew between two readings: most of that time belongs to the day in its middle. */
  #dayOfGrowth(flow: FlowObservation): Day {
    if (flow.lastSeen < flow.at) return this.#day(flow.lastSeen)
    let grown = this.#lastGrown
    // The flows of one reading stand together.
    if (grown?.at !== flow.at || grown.sensor !== flow.sensor) {
      const before = this.#readings.flows.get(flow.sensor)?.get(flow.at)
      const isKnown = before !== undefined && flow.at - before <= READING_GAP_MS_MAX
      this.#lastGrown = grown = { sensor: flow.sensor, at: flow.at, day: this.#day(isKnown ? (before + flow.at) / 2 : flow.at) }
    }
    return grown.day
  }

  #markDays(days: DaySet, { tally, firstSeen, lastSeen }: FlowObservation): void {
    const last = this.#day(lastSeen)
    const first = firstSeen === undefined ? last : Math.max(this.#day(firstSeen), this.#firstDay)
    days.add(first)
    days.add(last)
    // A flow that is alive was so on every day between.
    if (tally === 'snapshot') for (let day = first; day < last; day += 1) days.add(day)
  }

  #use({ protocol, port, because, firstSeen, lastSeen }: UseObservation): void {
    const { days } = (this.#at(protocol, port).sourceless ??= { days: new DaySet(this.#firstDay), because })
    days.add(Math.max(this.#firstDay, this.#day(firstSeen)))
    days.add(Math.max(this.#firstDay, this.#day(lastSeen)))
  }

  #loss({ lost, because, endpoint, sensor }: EvidenceObservation): void {
    if (lost <= 0 || sensor === DENIALS_SENSOR) return
    if (!endpoint) return void this.#lost.set(`${sensor} ${because}`, because)
    const fold = this.#at(endpoint.protocol, endpoint.port)
    fold.lost = Math.max(fold.lost, lost)
  }

  #at(protocol: TransportProtocol, port: number): EndpointFold {
    const key = TRANSPORT_PROTOCOLS.indexOf(protocol) * 65_536 + port
    let fold = this.#endpoints.get(key)
    if (!fold) this.#endpoints.set(key, (fold = { protocol, port, sources: new Map(), moreSources: 0, lost: 0 }))
    return fold
  }

  #day(at: Instant): Day {
    return dayOf(this.#calendar, at)
  }
}

/** What an enforcing gate lost of denials was no use. */
const DENIALS_SENSOR = 'nft-denials'
