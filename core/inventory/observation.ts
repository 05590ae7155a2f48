import type { Address } from '../net/address.ts'
import type { PortRange } from '../net/port.ts'
import type { TransportProtocol } from '../net/protocol.ts'

/** Milliseconds since 1970-01-01 UTC. */
export type Instant = number

/** Host + address + protocol + port. An address of family 4 or 6 value 0 stands for every address of that family of the host. */
export interface Endpoint {
  readonly host: string
  readonly address: Address
  readonly protocol: TransportProtocol
  readonly port: number
}

/** One sensor's dated claim. Sensors never decide; they say what they saw and how. */
export type Observation = ListenerObservation | FlowObservation | ScanObservation | PublishedObservation | EvidenceObservation

interface Claim {
  readonly host: string
  /** Which sensor says so: `ss`, `nft-counters`, `conntrack`, `scan`, `nmap-xml`, … */
  readonly sensor: string
  readonly at: Instant
}

/** A socket that listens (TCP) or is bound and unconnected (UDP). */
export interface ListenerObservation extends Claim {
  readonly kind: 'listener'
  readonly address: Address
  readonly protocol: TransportProtocol
  readonly port: number
  readonly process?: string
  readonly unit?: string
  readonly user?: string
  /** Bound to loopback only: not an exposure. */
  readonly isLoopback: boolean
  /** Inside net.ipv4.ip_local_port_range: probably another port after a restart. */
  readonly isEphemeral: boolean
}

/** A port of the host that NAT hands on to something else (a container, a Kubernetes Service). */
export interface PublishedObservation extends Claim {
  readonly kind: 'published'
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  readonly address?: Address
  readonly target: string
}

/** Connections seen by the kernel's counters or connection tracking. */
export interface FlowObservation extends Claim {
  readonly kind: 'flow'
  readonly source: Address
  readonly protocol: TransportProtocol
  readonly port: number
  readonly connections: number
  readonly bytes?: number
  readonly firstSeen?: Instant
  readonly lastSeen: Instant
  /** What the gate did, or in observe mode would have done. */
  readonly verdict: 'accepted' | 'denied'
}

/** What a probe from a place outside found. */
export interface ScanObservation extends Claim {
  readonly kind: 'scan'
  readonly address: Address
  readonly protocol: TransportProtocol
  readonly port: number
  readonly state: 'open' | 'closed' | 'filtered' | 'open|filtered'
  /** Zone or vantage host that the probe came from. */
  readonly from: string
  readonly service?: string
}

/** What a sensor could not see: lost evidence is counted and shown. */
export interface EvidenceObservation extends Claim {
  readonly kind: 'evidence'
  readonly lost: number
  readonly because: string
}
