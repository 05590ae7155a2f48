import type { Address } from '../net/address.ts'
import { TRANSPORT_PROTOCOLS, type TransportProtocol } from '../net/protocol.ts'
import type { Instant, Observation } from './observation.ts'
import { isUse } from './usage.ts'
import { isVacant, standingOf, type HostUsage } from './usageDays.ts'

/** An endpoint of a host, and who knocked there. */
export interface TriedEndpoint {
  readonly protocol: TransportProtocol
  readonly port: number
  /** Nothing stands there: the port is opened for a while, or was only tried. */
  readonly isVacant: boolean
  /** Each once. */
  readonly sources: Iterable<Address>
}

/** What one source tried, over all hosts. */
interface SourceReach {
  /** Vacant ports outside its densest range. */
  vacant: number
  /** Endpoints of any kind. */
  touched: number
}

/** A client that mistypes, or whose server is gone, knocks at a few. */
const VACANT_MIN = 8
const VACANT_SHARE_MIN = 0.3
/** FTP clients and the like use many ports of one range. */
const RANGE_PORTS_MAX = 2048
const RANGE_PORT_MIN = 1024
const SOURCES_REMEMBERED_MAX = 2_000_000

/** Tells scanners from clients: scanners knock at doors that are not there, clients do not. Who is one is known when the last host was noted. */
export class Scanners {
  readonly #reach = new Map<SourceKey, SourceReach>()

  /** Adds what the sources of one host tried. */
  noteHost(endpoints: Iterable<TriedEndpoint>): void {
    const bySource = new Map<SourceKey, { vacant: number[]; touched: number }>()
    for (const { protocol, port, isVacant, sources } of endpoints) {
      for (const source of sources) {
        const key = sourceKey(source)
        let tried = bySource.get(key)
        if (!tried) bySource.set(key, (tried = { vacant: [], touched: 0 }))
        tried.touched += 1
        if (isVacant) tried.vacant.push(endpointKey(protocol, port))
      }
    }
    for (const [key, { vacant, touched }] of bySource) this.#note(key, vacant.length - densestRange(vacant), touched)
  }

  has(source: Address): boolean {
    const reach = this.#reach.get(sourceKey(source))
    return reach !== undefined && reach.vacant >= VACANT_MIN && reach.vacant >= VACANT_SHARE_MIN * reach.touched
  }

  #note(key: SourceKey, vacant: number, touched: number): void {
    const before = this.#reach.get(key)
    if (before) {
      before.vacant += vacant
      before.touched += touched
    } else if (this.#reach.size < SOURCES_REMEMBERED_MAX) this.#reach.set(key, { vacant, touched })
  }
}

/** What was tried, as the days of use tell it. */
export const triedOf = ({ endpoints }: HostUsage): TriedEndpoint[] =>
  endpoints.map(({ protocol, port, listening, published, sources }) => ({ protocol, port, isVacant: isVacant(listening.state, published), sources: sources.map(({ source }) => source) }))

/** The same, as the observations of one host tell it, in any order. What an enforcing gate denied was not tried on: days of use do not know it either. */
export function triedIn(observations: readonly Observation[]): TriedEndpoint[] {
  const fold = new TriedFold()
  for (const observation of observations) fold.add(observation)
  return fold.endpoints()
}

interface Stand {
  listener?: Instant
  onLoopback?: Instant
  published?: string
}

class TriedFold {
  readonly #knocks = new Map<number, Map<SourceKey, Address>>()
  readonly #stands = new Map<number, Stand>()
  #listenersRead: Instant | undefined

  add(observation: Observation): void {
    if (observation.kind === 'flow') {
      if (!isUse(observation) || (observation.connections <= 0 && observation.isAnswered !== true)) return
      this.#knockersAt(endpointKey(observation.protocol, observation.port)).set(sourceKey(observation.source), observation.source)
    } else if (observation.kind === 'listener') {
      const stand = this.#standAt(endpointKey(observation.protocol, observation.port))
      const where = observation.isLoopback ? 'onLoopback' : 'listener'
      stand[where] = Math.max(stand[where] ?? observation.at, observation.at)
    } else if (observation.kind === 'published') {
      this.#standAt(endpointKey(observation.protocol, observation.ports.first)).published = observation.target
    } else if (observation.kind === 'reading' && observation.covers === 'listeners') {
      this.#listenersRead = Math.max(this.#listenersRead ?? observation.at, observation.at)
    }
  }

  endpoints(): TriedEndpoint[] {
    return [...this.#knocks].map(([key, sources]) => {
      const { listener, onLoopback, published } = this.#stands.get(key) ?? {}
      return {
        protocol: TRANSPORT_PROTOCOLS[Math.floor(key / PORTS)] ?? 'tcp',
        port: key % PORTS,
        isVacant: isVacant(standingOf(listener, onLoopback, this.#listenersRead), published),
        sources: sources.values(),
      }
    })
  }

  #knockersAt(key: number): Map<SourceKey, Address> {
    let knockers = this.#knocks.get(key)
    if (!knockers) this.#knocks.set(key, (knockers = new Map()))
    return knockers
  }

  #standAt(key: number): Stand {
    let stand = this.#stands.get(key)
    if (!stand) this.#stands.set(key, (stand = {}))
    return stand
  }
}

export type SourceKey = number | bigint

// Numbers are found far faster than big ones; no address of IPv6 is one.
export const sourceKey = ({ family, value }: Address): SourceKey => (family === 4 ? Number(value) : value)

const PORTS = 65_536
const endpointKey = (protocol: TransportProtocol, port: number): number => TRANSPORT_PROTOCOLS.indexOf(protocol) * PORTS + port

/** How many of the endpoints lie in the densest range of ports that nobody assigned. */
function densestRange(endpoints: readonly number[]): number {
  const sorted = endpoints.toSorted((a, b) => a - b)
  let densest = 0
  for (let from = 0, to = 0; to < sorted.length; to += 1) {
    const last = sorted[to] ?? 0
    while (last - (sorted[from] ?? 0) >= RANGE_PORTS_MAX || Math.floor((sorted[from] ?? 0) / PORTS) !== Math.floor(last / PORTS)) from += 1
    if ((sorted[from] ?? 0) % PORTS >= RANGE_PORT_MIN) densest = Math.max(densest, to - from + 1)
  }
  return densest
}
