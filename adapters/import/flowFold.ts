import type { Place } from '@portcullis/core/fault/fault.ts'
import type { FlowObservation, Instant } from '@portcullis/core/inventory/observation.ts'
import type { Address } from '@portcullis/core/net/address.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import type { FleetIndex } from './fleetIndex.ts'
import { UndecidedFlows, type Socket } from './undecidedFlows.ts'

/** One record of a flow log, in the direction in which it was logged. */
export interface FlowRecord {
  readonly protocol: TransportProtocol
  readonly source: Address
  readonly sourcePort: number
  readonly destination: Address
  readonly destinationPort: number
  readonly connections: number
  readonly bytes?: number
  readonly first: Instant
  readonly last: Instant
  readonly verdict: FlowObservation['verdict']
  /** The server's side answered. */
  readonly isAnswered?: boolean
  /** `forward`: from client to server. Told by what is known and by the port numbers where it is absent. */
  readonly direction?: 'forward' | 'reply'
  /** What the sensor recognised in it. */
  readonly service?: string
}

/** Times of day, week and month stay visible, and a busy endpoint makes few observations. */
const BUCKET_MS = 3_600_000
/** Sums that are held at a time; more are written out and go on as further observations, which add up. */
const SUMS_MAX = 20_000
/** Records whose direction is still open that are held at a time, some 30 MiB; with more, all of them are settled by what was seen so far. */
const UNDECIDED_MAX = 50_000
/** Servers that the log itself named, remembered for what it leaves open. */
const SERVERS_MAX = 200_000
/** The lower end of what kernels choose for clients (Linux, net.ipv4.ip_local_port_range); IANA's range starts higher. */
const EPHEMERAL_FIRST = 32_768

interface Sum {
  readonly host: string
  readonly source: Address
  readonly protocol: TransportProtocol
  readonly port: number
  readonly verdict: FlowObservation['verdict']
  connections: number
  /** Of the other direction; where the log has no other, they are what is known of the connections. */
  replies: number
  bytes: number | undefined
  first: Instant
  last: Instant
  isAnswered: boolean
  service: string | undefined
}

/** Where flows go that are of no host of the fleet. */
type NoteStranger = (place: Place, records: number) => void

/** By what it was known which side is the server's: the log, a listener or need of the fleet, the port numbers, the company of the record, or nothing. */
export type DirectionWord = 'told' | 'known' | 'guessed' | 'inferred' | 'unknown'

/** Adds up records per host, source, endpoint, verdict and hour. A reply is use of the endpoint that it comes from, and proves that it answers. */
export class FlowFold {
  readonly directions: Record<DirectionWord, number> = { told: 0, known: 0, guessed: 0, inferred: 0, unknown: 0 }
  readonly #sensor: string
  readonly #fleet: FleetIndex
  readonly #emit: (observation: FlowObservation) => void
  readonly #noteStranger: NoteStranger
  readonly #undecided = new UndecidedFlows()
  readonly #servers = new Set<string>()
  readonly #sums = new Map<string, Sum>()
  /** Addresses come as the same few objects: a small number for each makes a short key. */
  readonly #clients = new Map<Address, number>()

  constructor(sensor: string, fleet: FleetIndex, emit: (observation: FlowObservation) => void, noteStranger: NoteStranger) {
    this.#sensor = sensor
    this.#fleet = fleet
    this.#emit = emit
    this.#noteStranger = noteStranger
  }

  add(record: FlowRecord, place: Place): void {
    const { direction, sourcePort, destinationPort } = record
    if (direction !== undefined) return this.#count('told', record, place, direction === 'reply')
    if (this.#fleet.isServer) {
      const isReply = this.#isServer(sourceOf(record))
      if (isReply !== this.#isServer(destinationOf(record))) return this.#count('known', record, place, isReply)
    }
    if (sourcePort >= EPHEMERAL_FIRST !== destinationPort >= EPHEMERAL_FIRST) return this.#count('guessed', record, place, destinationPort >= EPHEMERAL_FIRST)
    // What was denied is an attempt at its destination: nobody answered to tell.
    if (record.verdict === 'denied') return this.#count('unknown', record, place, false)
    this.#undecided.add(record, place)
    if (this.#undecided.size >= UNDECIDED_MAX) this.#settle()
  }

  flush(): void {
    this.#settle()
    this.#writeOut()
  }

  #writeOut(): void {
    for (const sum of this.#sums.values()) this.#emit(this.#observationOf(sum))
    this.#sums.clear()
    this.#clients.clear()
  }

  #count(word: DirectionWord, record: FlowRecord, place: Place, isReply: boolean, records = 1): void {
    this.directions[word] += records
    const [server, port, client] = isReply ? [record.source, record.sourcePort, record.destination] : [record.destination, record.destinationPort, record.source]
    const host = this.#fleet.ofAddress(server)
    if (host === undefined || port === 0) return this.#noteStranger(place, records)
    const key = `${host} ${record.protocol} ${port} ${record.verdict} ${Math.floor(record.last / BUCKET_MS)} ${this.#idOf(client)}`
    const sum = this.#sums.get(key)
    if (sum) return addTo(sum, record, isReply)
    this.#sums.set(key, sumOf(record, isReply, { host, port, source: client }))
    if (word === 'told' && this.#servers.size < SERVERS_MAX) this.#servers.add(serverKey(host, record.protocol, port))
    if (this.#sums.size >= SUMS_MAX) this.#writeOut()
  }

  /**
   * What nothing tells counts with the destination as the server: a port too many is kept, none is lost. For the same reason the only side that
   * is of the fleet counts, where the destination is a stranger.
   */
  #settle(): void {
    const isNamed = ({ protocol, address, port }: Socket): boolean => {
      const host = this.#fleet.ofAddress(address)
      return host !== undefined && this.#servers.has(serverKey(host, protocol, port))
    }
    for (const { record, place, records, isReply } of this.#undecided.settle(isNamed)) {
      const isOnlySourceOurs = this.#fleet.ofAddress(record.destination) === undefined
      this.#count(isReply === undefined ? 'unknown' : 'inferred', record, place, isReply ?? isOnlySourceOurs, records)
    }
  }

  #isServer({ protocol, address, port }: Socket): boolean {
    const host = this.#fleet.ofAddress(address)
    return host !== undefined && this.#fleet.isServer?.(host, protocol, port) === true
  }

  #idOf(client: Address): number {
    let id = this.#clients.get(client)
    if (id === undefined) this.#clients.set(client, (id = this.#clients.size))
    return id
  }

  #observationOf({ first, last, bytes, service, isAnswered, connections, replies, ...rest }: Sum): FlowObservation {
    return {
      kind: 'flow',
      sensor: this.#sensor,
      at: last,
      ...rest,
      connections: connections > 0 ? connections : replies,
      ...(bytes === undefined ? {} : { bytes }),
      tally: 'events',
      ...(isAnswered ? { isAnswered } : {}),
      firstSeen: first,
      lastSeen: last,
      ...(service === undefined ? {} : { service }),
    }
  }
}

const serverKey = (host: string, protocol: TransportProtocol, port: number): string => `${host} ${protocol} ${port}`

const sourceOf = ({ protocol, source, sourcePort }: FlowRecord): Socket => ({ protocol, address: source, port: sourcePort })
const destinationOf = ({ protocol, destination, destinationPort }: FlowRecord): Socket => ({ protocol, address: destination, port: destinationPort })

const sumOf = (record: FlowRecord, isReply: boolean, whose: Pick<Sum, 'host' | 'port' | 'source'>): Sum => ({
  ...whose,
  protocol: record.protocol,
  verdict: record.verdict,
  connections: isReply ? 0 : record.connections,
  replies: isReply ? record.connections : 0,
  bytes: record.bytes,
  first: record.first,
  last: record.last,
  isAnswered: isReply || record.isAnswered === true,
  service: record.service,
})

function addTo(sum: Sum, record: FlowRecord, isReply: boolean): void {
  if (isReply) sum.replies += record.connections
  else sum.connections += record.connections
  if (record.bytes !== undefined) sum.bytes = (sum.bytes ?? 0) + record.bytes
  sum.first = Math.min(sum.first, record.first)
  sum.last = Math.max(sum.last, record.last)
  if (isReply || record.isAnswered === true) sum.isAnswered = true
  sum.service = record.service ?? sum.service
}
