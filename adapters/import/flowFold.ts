import type { FlowObservation, Instant } from '@portcullis/core/inventory/observation.ts'
import type { Address } from '@portcullis/core/net/address.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import type { FleetIndex } from './fleetIndex.ts'

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
  /** `forward`: from client to server. Told by the port numbers where it is absent. */
  readonly direction?: 'forward' | 'reply'
  /** What the sensor recognised in it. */
  readonly service?: string
}

/** Times of day, week and month stay visible, and a busy endpoint makes few observations. */
const BUCKET_MS = 3_600_000
/** Sums that are held at a time; more are written out and go on as further observations, which add up. */
const SUMS_MAX = 20_000
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

/** Adds up records per host, source, endpoint, verdict and hour. A reply is use of the endpoint that it comes from, and proves that it answers. */
export class FlowFold {
  readonly directions = { told: 0, guessed: 0, unknown: 0 }
  readonly #sensor: string
  readonly #fleet: FleetIndex
  readonly #emit: (observation: FlowObservation) => void
  readonly #sums = new Map<string, Sum>()
  /** Addresses come as the same few objects: a small number for each makes a short key. */
  readonly #clients = new Map<Address, number>()

  constructor(sensor: string, fleet: FleetIndex, emit: (observation: FlowObservation) => void) {
    this.#sensor = sensor
    this.#fleet = fleet
    this.#emit = emit
  }

  /** Whether the server of the flow is a host of the fleet. */
  add(record: FlowRecord): boolean {
    const isReply = this.#isReply(record)
    const [server, port, client] = isReply ? [record.source, record.sourcePort, record.destination] : [record.destination, record.destinationPort, record.source]
    const host = this.#fleet.ofAddress(server)
    if (host === undefined || port === 0) return false
    const key = `${host} ${record.protocol} ${port} ${record.verdict} ${Math.floor(record.last / BUCKET_MS)} ${this.#idOf(client)}`
    const sum = this.#sums.get(key)
    if (sum) addTo(sum, record, isReply)
    else this.#sums.set(key, sumOf(record, isReply, { host, port, source: client }))
    if (this.#sums.size >= SUMS_MAX) this.flush()
    return true
  }

  flush(): void {
    for (const sum of this.#sums.values()) this.#emit(this.#observationOf(sum))
    this.#sums.clear()
    this.#clients.clear()
  }

  #idOf(client: Address): number {
    let id = this.#clients.get(client)
    if (id === undefined) this.#clients.set(client, (id = this.#clients.size))
    return id
  }

  /** Where neither the log nor the ports tell, the destination counts as the server: a port too many is kept, none is lost. */
  #isReply({ direction, sourcePort, destinationPort }: FlowRecord): boolean {
    this.directions[direction !== undefined ? 'told' : sourcePort >= EPHEMERAL_FIRST !== destinationPort >= EPHEMERAL_FIRST ? 'guessed' : 'unknown'] += 1
    if (direction !== undefined) return direction === 'reply'
    return destinationPort >= EPHEMERAL_FIRST && sourcePort < EPHEMERAL_FIRST
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
