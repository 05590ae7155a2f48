import { FaultError, type Fault, type Place } from '@portcullis/core/fault/fault.ts'
import type { Instant, Observation, ScanObservation } from '@portcullis/core/inventory/observation.ts'
import type { Address } from '@portcullis/core/net/address.ts'
import { countPorts, type PortRange } from '@portcullis/core/net/port.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import type { FleetIndex } from './fleetIndex.ts'
import { FlowFold, type DirectionWord, type FlowRecord } from './flowFold.ts'
import type { SkipReason } from './skipReason.ts'

export interface ClaimSettings {
  readonly sensor: string
  readonly fleet: FleetIndex
  /** Where the scan stood; the sensor's name where nobody says. */
  readonly from?: string
  /** Malformed records are counted and passed over, instead of ending the import. */
  readonly isLenient: boolean
}

export interface ScanClaim {
  readonly address: Address
  readonly protocol: TransportProtocol
  readonly port: number
  readonly state: ScanObservation['state']
  readonly at: Instant
  readonly service?: string
}

/** Ports that a scan did not list one by one. */
export interface ScanRestClaim {
  readonly address: Address
  readonly protocol: TransportProtocol
  readonly ports: readonly PortRange[]
  readonly state: ScanObservation['state']
  readonly at: Instant
}

export interface DocumentClaim {
  readonly host: string
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  readonly name: string
  readonly at: Instant
  readonly address?: Address
}

export interface Skipped {
  readonly reason: SkipReason
  readonly count: number
  /** Where the first of them stands. */
  readonly first: Place
  /** The first few different names or addresses, where they help. */
  readonly examples: readonly string[]
}

export interface ImportReport {
  readonly records: number
  readonly observations: number
  readonly hosts: number
  /** Of scans; how many ports of each state. */
  readonly states: Readonly<Partial<Record<ScanObservation['state'], number>>>
  /** Of flows: by what it was known which side is the server's. */
  readonly directions: Readonly<Record<DirectionWord, number>>
  readonly oldest?: Instant
  readonly newest?: Instant
  readonly skipped: readonly Skipped[]
  /** The first of the malformed records that were passed over. */
  readonly faults: readonly Fault[]
}

export const FAULTS_KEPT_MAX = 20
const EXAMPLES_MAX = 5

/** Where readers put what they read. It holds what was not yet taken, and counts. */
export class ImportClaims {
  readonly #settings: ClaimSettings
  readonly #flows: FlowFold
  readonly #hosts = new Set<string>()
  readonly #states: Partial<Record<ScanObservation['state'], number>> = {}
  readonly #skipped = new Map<SkipReason, { count: number; first: Place; examples: string[] }>()
  readonly #faults: Fault[] = []
  #waiting: Observation[] = []
  #records = 0
  #observations = 0
  #oldest = Number.POSITIVE_INFINITY
  #newest = Number.NEGATIVE_INFINITY

  constructor(settings: ClaimSettings) {
    this.#settings = settings
    this.#flows = new FlowFold(settings.sensor, settings.fleet, (observation) => this.#add(observation), (place, count) => this.skip('not of the fleet', place, { count }))
  }

  get fleet(): FleetIndex {
    return this.#settings.fleet
  }

  /** A record of the file was read, whatever comes of it. */
  record(count = 1): void {
    this.#records += count
  }

  scan(claim: ScanClaim, place: Place): void {
    const host = this.fleet.ofAddress(claim.address)
    if (host === undefined) return this.skip('not of the fleet', place)
    this.#count(claim.state, 1)
    const { address, protocol, port, state, at, service } = claim
    const { sensor, from = sensor } = this.#settings
    this.#add(service === undefined ? { kind: 'scan', host, sensor, at, address, protocol, port, state, from } : { kind: 'scan', host, sensor, at, address, protocol, port, state, from, service })
  }

  scanRest(claim: ScanRestClaim, place: Place): void {
    if (claim.ports.length === 0) return
    const host = this.fleet.ofAddress(claim.address)
    if (host === undefined) return this.skip('not of the fleet', place)
    this.#count(claim.state, countPorts(claim.ports))
    const { sensor, from = sensor } = this.#settings
    this.#add({ kind: 'scan-rest', host, sensor, ...claim, from })
  }

  flow(record: FlowRecord, place: Place): void {
    this.#flows.add(record, place)
  }

  document(claim: DocumentClaim): void {
    this.#add({ kind: 'documented', sensor: this.#settings.sensor, ...claim })
  }

  /** All that the documentation says of the host was read. */
  documentedWhole(host: string, at: Instant): void {
    this.#add({ kind: 'reading', host, sensor: this.#settings.sensor, at, covers: 'documented' })
  }

  skip(reason: SkipReason, place: Place, { count = 1, example }: { count?: number; example?: string } = {}): void {
    let skipped = this.#skipped.get(reason)
    if (!skipped) this.#skipped.set(reason, (skipped = { count: 0, first: place, examples: [] }))
    skipped.count += count
    if (example !== undefined && skipped.examples.length < EXAMPLES_MAX && !skipped.examples.includes(example)) skipped.examples.push(example)
  }

  /** A malformed record: the end of the import, unless it is lenient. */
  refuse(fault: Fault): void {
    if (!this.#settings.isLenient || fault.place === undefined) throw new FaultError(fault)
    this.skip('malformed', fault.place)
    if (this.#faults.length < FAULTS_KEPT_MAX) this.#faults.push(fault)
  }

  /** What has come since it was last taken; at the end, with the flows that were still being added up. */
  take(isEnd = false): Observation[] {
    if (isEnd) this.#flows.flush()
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  report(): ImportReport {
    return {
      records: this.#records,
      observations: this.#observations,
      hosts: this.#hosts.size,
      states: this.#states,
      directions: this.#flows.directions,
      ...(this.#observations === 0 ? {} : { oldest: this.#oldest, newest: this.#newest }),
      skipped: [...this.#skipped].map(([reason, skipped]) => ({ reason, ...skipped })),
      faults: this.#faults,
    }
  }

  #count(state: ScanObservation['state'], ports: number): void {
    this.#states[state] = (this.#states[state] ?? 0) + ports
  }

  #add(observation: Observation): void {
    this.#waiting.push(observation)
    this.#observations += 1
    this.#hosts.add(observation.host)
    this.#oldest = Math.min(this.#oldest, observation.kind === 'flow' ? (observation.firstSeen ?? observation.at) : observation.at)
    this.#newest = Math.max(this.#newest, observation.at)
  }
}
