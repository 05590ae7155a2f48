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

/**
 * One sensor's dated claim. Sensors never decide; they say what they saw and how.
 * All claims of one reading carry the same `at`, so that what a later reading no longer shows is known to be gone.
 */
export type Observation =
  | ListenerObservation
  | InnerListenerObservation
  | FlowObservation
  | ScanObservation
  | ScanRestObservation
  | PublishedObservation
  | DocumentedObservation
  | UseObservation
  | ReadingObservation
  | EvidenceObservation

interface Claim {
  readonly host: string
  /** Which sensor says so: `ss`, `nft-counters`, `conntrack`, `scan`, `nmap-xml`, … */
  readonly sensor: string
  readonly at: Instant
}

/** Who stands behind a listener, as far as the host could tell; `untold` says why something is missing. */
export interface Holder {
  readonly process?: string
  readonly unit?: string
  /** The systemd socket unit that holds the socket for `unit`. */
  readonly activatedBy?: string
  readonly user?: string
  /** Path of the running program, and the SHA-256 of the very file that runs, in hex. */
  readonly executable?: string
  readonly digest?: string
  /** The package that the executable is of; `none` where the host's package manager knows none. */
  readonly package?: string
  readonly container?: string
  /** What was registered with rpcbind for the port. */
  readonly program?: string
  readonly untold?: string
}

interface Socket extends Claim, Holder {
  readonly address: Address
  readonly protocol: TransportProtocol
  readonly port: number
  /** The only interface that the socket accepts from. */
  readonly interface?: string
  /** Bound to loopback only: not an exposure. */
  readonly isLoopback: boolean
  /** Inside net.ipv4.ip_local_port_range: probably another port after a restart. */
  readonly isEphemeral: boolean
}

/** A socket that listens (TCP) or is bound and unconnected (UDP). */
export interface ListenerObservation extends Socket {
  readonly kind: 'listener'
}

/**
 * A listener in another network namespace of the host, of a container for instance: none of the host's own addresses leads to it, unless it is
 * published. Its namespace may have addresses of its own.
 */
export interface InnerListenerObservation extends Socket {
  readonly kind: 'inner-listener'
  readonly namespace: string
}

/** A port of the host that NAT hands on to something else (a container, a Kubernetes Service). */
export interface PublishedObservation extends Claim {
  readonly kind: 'published'
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  readonly address?: Address
  readonly target: string
  /** Who listens at the target, where that is a namespace of the host: `nginx in docker shop`. */
  readonly holder?: string
}

/** What an inventory of services (NetBox, …) says should be there. */
export interface DocumentedObservation extends Claim {
  readonly kind: 'documented'
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  /** The only address that it is documented on; every address of the host where it is absent. */
  readonly address?: Address
  readonly name: string
}

/** Connections seen by the kernel's counters or connection tracking. */
export interface FlowObservation extends Claim {
  readonly kind: 'flow'
  readonly source: Address
  readonly protocol: TransportProtocol
  readonly port: number
  readonly connections: number
  readonly bytes?: number
  /** How `connections` of repeated readings add up; `events` where it is absent. */
  readonly tally?: Tally
  /** The host's side answered: the endpoint was reachable for this source. */
  readonly isAnswered?: boolean
  readonly firstSeen?: Instant
  readonly lastSeen: Instant
  /** What the gate did, or in observe mode would have done. */
  readonly verdict: 'accepted' | 'denied'
  /** Denied by the rules and let through all the same, because the gate only observes: it is use. */
  readonly isLetThrough?: boolean
  /** What the sensor recognised in it, in its own words; never a guess by the port. */
  readonly service?: string
}

/**
 * `running`: a counter that only grows until it starts again from zero; `snapshot`: how many are alive at that moment;
 * `events`: newly seen since the reading before.
 */
export type Tally = 'running' | 'snapshot' | 'events'

/** What a probe from a place outside found. */
export interface ScanObservation extends Claim {
  readonly kind: 'scan'
  readonly address: Address
  readonly protocol: TransportProtocol
  readonly port: number
  readonly state: PortState
  /** Zone or vantage host that the probe came from. */
  readonly from: string
  readonly service?: string
}

type PortState = 'open' | 'closed' | 'filtered' | 'open|filtered'

/**
 * What a probe found of the ports that it did not list one by one. It is as good a word as theirs, about endpoints that something
 * else shows; of itself it shows only what is open. A port in none of the ranges was not probed, or told nothing.
 */
export interface ScanRestObservation extends Claim {
  readonly kind: 'scan-rest'
  readonly address: Address
  readonly protocol: TransportProtocol
  /** Sorted, without overlaps. */
  readonly ports: readonly PortRange[]
  readonly state: PortState
  readonly from: string
}

/**
 * That an endpoint was used, as a metric says of one stretch of time: nobody knows by whom, and where it says nothing, nothing is claimed.
 * A reason to keep or to ask; never one to close, and never one to let a source in.
 */
export interface UseObservation extends Claim {
  readonly kind: 'use'
  readonly protocol: TransportProtocol
  readonly port: number
  /** The mapping that says so, by its name. */
  readonly because: string
  readonly firstSeen: Instant
  readonly lastSeen: Instant
}

/** The sensor read all of one aspect of the host at that time: what it does not show was not there. Without one, absence is unknown. */
export interface ReadingObservation extends Claim {
  readonly kind: 'reading'
  readonly covers: 'listeners' | 'published' | 'flows' | 'documented'
}

/** What a sensor could not see: lost evidence is counted and shown. */
export interface EvidenceObservation extends Claim {
  readonly kind: 'evidence'
  /** Connections, lines or rules that are missing; a running total of the sensor. */
  readonly lost: number
  readonly because: string
  /** The only endpoint that it concerns; the whole host where it is absent. */
  readonly endpoint?: { readonly protocol: TransportProtocol; readonly port: number }
}
