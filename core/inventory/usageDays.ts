import { sameAddress, type Address } from '../net/address.ts'
import { someContainsPort } from '../net/port.ts'
import { TRANSPORT_PROTOCOLS, type TransportProtocol } from '../net/protocol.ts'
import { dayOf, DAY_MS, type BusinessCalendar, type Day } from './businessCalendar.ts'
import { DaySet } from './daySet.ts'
import type { EvidenceObservation, Instant, ListenerObservation, Observation, ScanObservation, UseObservation } from './observation.ts'
import { NOTHING_KNOWN, recordUsage, type DayOfUse, type WatchSpan } from './usageRecord.ts'

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
  /** The newest day on which a scan found it open, and none has found otherwise from there since. */
  readonly foundOpen?: Day
}

export interface ListeningDays {
  /** `gone`: seen before, not at the newest complete reading. `loopback`: on loopback only. */
  readonly state: 'seen' | 'gone' | 'absent' | 'loopback' | 'unknown'
  readonly process?: string
  readonly unit?: string
  readonly isEphemeral: boolean
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

/** What was recorded of a host, as it is kept. */
export interface RecordedUsage {
  readonly host: string
  /** The newest about each thing. */
  readonly claims: readonly Observation[]
  readonly watches: readonly WatchSpan[]
  readonly uses: readonly CountedUse[]
}

/** Use of an endpoint by one source, by days of the business. */
export interface CountedUse {
  readonly protocol: TransportProtocol
  readonly port: number
  readonly source: Address
  readonly isAnswered: boolean
  readonly connections: number
  readonly days: readonly Day[]
}

/** Days of use of what sensors said of one host, oldest first. Linear in the observations. */
export function foldUsageDays(host: string, observations: readonly Observation[], calendar: BusinessCalendar): HostUsage {
  return foldRecordedUsage(recordedUsageOf(host, observations, { since: -Infinity, utcOffsetMinutes: calendar.utcOffsetMinutes }), calendar)
}

export interface UsageSpan {
  readonly since: Instant
  /** When a day begins. */
  readonly utcOffsetMinutes: number
}

/** What a store that records as it goes would have kept of these observations of one host, oldest first. */
export function recordedUsageOf(host: string, observations: readonly Observation[], { since, utcOffsetMinutes }: UsageSpan): RecordedUsage {
  const { claims, watches, uses } = recordUsage(observations, NOTHING_KNOWN)
  return {
    host,
    claims: claims.filter(({ claim }) => claim.at >= since).map(({ claim }) => claim),
    watches: watches.filter(({ last }) => last >= since).map((span) => (span.first >= since ? span : { ...span, first: since })),
    uses: uses.flatMap(({ days, ...of }) => {
      const within = days.filter(({ last }) => last >= since)
      return within.length === 0 ? [] : [{ ...of, connections: within.reduce((sum, { connections }) => sum + connections, 0), days: businessDays(within, utcOffsetMinutes) }]
    }),
  }
}

function businessDays(days: readonly DayOfUse[], utcOffsetMinutes: number): Day[] {
  const offsetMs = utcOffsetMinutes * 60_000
  return days.flatMap(({ first, last }) => {
    const [from, to] = [Math.floor((first + offsetMs) / DAY_MS), Math.floor((last + offsetMs) / DAY_MS)]
    return from === to ? [from] : [from, to]
  })
}

/** By when a listener was last seen beyond loopback and on it, and when the listeners were last read completely. */
export function standingOf(listener: Instant | undefined, onLoopback: Instant | undefined, read: Instant | undefined): ListeningDays['state'] {
  if (listener !== undefined) return read === undefined || listener >= read ? 'seen' : 'gone'
  if (onLoopback !== undefined) return 'loopback'
  return read === undefined ? 'unknown' : 'absent'
}

/** Nothing stands there: the port is opened for a while, or was only tried. */
export const isVacant = (state: ListeningDays['state'], published: string | undefined): boolean => published === undefined && (state === 'absent' || state === 'gone')

/** Judges nothing: days, listeners and losses as they are needed. */
export function foldRecordedUsage(recorded: RecordedUsage, calendar: BusinessCalendar): HostUsage {
  const fold = new UsageFold(recorded, calendar)
  return { host: recorded.host, watch: fold.watch(), endpoints: fold.endpoints() }
}

interface EndpointFold {
  readonly protocol: TransportProtocol
  readonly port: number
  readonly sources: SourceDays[]
  moreSources: number
  lost: number
  sourceless?: { readonly days: DaySet; readonly because: string }
  listener?: ListenerObservation
  onLoopback?: Instant
  published?: string
  fingerprint?: string
  foundOpen?: Day
}

class UsageFold {
  readonly #calendar: BusinessCalendar
  readonly #recorded: RecordedUsage
  /** Before all that is known, so that every set of days begins with the same. */
  readonly #firstDay: Day
  readonly #listenersRead: Instant | undefined
  readonly #endpoints = new Map<number, EndpointFold>()
  readonly #lost = new Map<string, string>()

  constructor(recorded: RecordedUsage, calendar: BusinessCalendar) {
    this.#calendar = calendar
    this.#recorded = recorded
    this.#firstDay = this.#earliest() - 1
    this.#listenersRead = recorded.claims.reduce<Instant | undefined>((newest, { kind, at }) => (kind === 'reading' ? Math.max(newest ?? at, at) : newest), undefined)
    for (const claim of recorded.claims) this.#claim(claim)
    this.#found()
    for (const use of recorded.uses) this.#use(use)
  }

  watch(): UsageWatch {
    const watched = new DaySet(this.#firstDay)
    for (const spans of Map.groupBy(this.#recorded.watches, ({ sensor }) => sensor).values()) {
      const countedMs = new Map<Day, number>()
      for (const span of spans) this.#count(countedMs, span)
      for (const [day, ms] of countedMs) if (ms >= DAY_MS / 2) watched.add(day)
    }
    const days = watched.days()
    return { watched, firstDay: days[0] ?? this.#firstDay, lastDay: days.at(-1) ?? this.#firstDay, areListenersRead: this.#listenersRead !== undefined, lost: [...this.#lost.values()] }
  }

  /** Adds the time that was counted to the days that it lies in. */
  #count(countedMs: Map<Day, number>, { first, last }: WatchSpan): void {
    const offsetMs = this.#calendar.utcOffsetMinutes * 60_000
    for (let day = this.#day(first); day <= this.#day(last); day += 1) {
      const ms = Math.min(last, (day + 1) * DAY_MS - offsetMs) - Math.max(first, day * DAY_MS - offsetMs)
      countedMs.set(day, (countedMs.get(day) ?? 0) + ms)
    }
  }

  endpoints(): EndpointDays[] {
    return [...this.#endpoints].toSorted(([a], [b]) => a - b).map(([, fold]) => this.#endpoint(fold))
  }

  #endpoint({ protocol, port, sources, moreSources, lost, sourceless, published, fingerprint, foundOpen, ...listening }: EndpointFold): EndpointDays {
    return {
      protocol,
      port,
      listening: this.#listening(listening),
      ...(published === undefined ? {} : { published }),
      sources,
      ...(sourceless ? { sourceless } : {}),
      moreSources,
      lost,
      ...(fingerprint === undefined ? {} : { fingerprint }),
      ...(foundOpen === undefined ? {} : { foundOpen }),
    }
  }

  #listening({ listener, onLoopback }: Pick<EndpointFold, 'listener' | 'onLoopback'>): ListeningDays {
    const state = standingOf(listener?.at, onLoopback, this.#listenersRead)
    if (!listener) return { state, isEphemeral: false }
    return {
      state,
      ...(listener.process === undefined ? {} : { process: listener.process }),
      ...(listener.unit === undefined ? {} : { unit: listener.unit }),
      isEphemeral: listener.isEphemeral,
      lastDay: this.#day(listener.at),
    }
  }

  #claim(claim: Observation): void {
    if (claim.kind === 'listener') this.#listener(claim)
    else if (claim.kind === 'published') this.#at(claim.protocol, claim.ports.first).published = claim.target
    else if (claim.kind === 'evidence') this.#loss(claim)
    else if (claim.kind === 'use') this.#sourceless(claim)
    else if ((claim.kind === 'scan' || claim.kind === 'flow') && claim.service !== undefined) this.#at(claim.protocol, claim.port).fingerprint = claim.service
  }

  /** Of what was found open, that of which no later scan from there has found otherwise without listing it. */
  #found(): void {
    const rests = this.#recorded.claims.filter((claim) => claim.kind === 'scan-rest')
    const isOver = (scan: ScanObservation): boolean =>
      rests.some(({ at, protocol, address, from, state, ports }) => state !== 'open' && at > scan.at && protocol === scan.protocol && from === scan.from && sameAddress(address, scan.address) && someContainsPort(ports, scan.port))
    for (const claim of this.#recorded.claims) {
      if (claim.kind !== 'scan' || claim.state !== 'open' || isOver(claim)) continue
      const fold = this.#at(claim.protocol, claim.port)
      fold.foundOpen = Math.max(fold.foundOpen ?? -Infinity, this.#day(claim.at))
    }
  }

  #listener(observation: ListenerObservation): void {
    const fold = this.#at(observation.protocol, observation.port)
    if (observation.isLoopback) fold.onLoopback = observation.at
    else fold.listener = observation
  }

  #loss({ lost, because, endpoint, sensor }: EvidenceObservation): void {
    if (!endpoint) return void this.#lost.set(`${sensor} ${because}`, because)
    const fold = this.#at(endpoint.protocol, endpoint.port)
    fold.lost = Math.max(fold.lost, lost)
  }

  #sourceless({ protocol, port, because, firstSeen, lastSeen }: UseObservation): void {
    const { days } = (this.#at(protocol, port).sourceless ??= { days: new DaySet(this.#firstDay), because })
    days.add(Math.max(this.#firstDay, this.#day(firstSeen)))
    days.add(Math.max(this.#firstDay, this.#day(lastSeen)))
  }

  #use({ protocol, port, source, connections, isAnswered, days: on }: CountedUse): void {
    const fold = this.#at(protocol, port)
    if (fold.sources.length >= SOURCES_KEPT_MAX) return void (fold.moreSources += 1)
    const days = new DaySet(this.#firstDay)
    for (const day of on) days.add(day)
    fold.sources.push({ source, connections, days, isAnswered })
  }

  #at(protocol: TransportProtocol, port: number): EndpointFold {
    const key = TRANSPORT_PROTOCOLS.indexOf(protocol) * 65_536 + port
    let fold = this.#endpoints.get(key)
    if (!fold) this.#endpoints.set(key, (fold = { protocol, port, sources: [], moreSources: 0, lost: 0 }))
    return fold
  }

  #day(at: Instant): Day {
    return dayOf(this.#calendar, at)
  }

  /** A log or a counter may tell of days before the first reading. */
  #earliest(): Day {
    const { claims, watches, uses } = this.#recorded
    let first = Infinity
    for (const { first: at } of watches) first = Math.min(first, this.#day(at))
    for (const { at } of claims) first = Math.min(first, this.#day(at))
    for (const { days } of uses) for (const day of days) first = Math.min(first, day)
    return first === Infinity ? 0 : first
  }
}
