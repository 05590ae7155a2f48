import type { Text } from '../fault/fault.ts'
import type { Address } from '../net/address.ts'
import type { PortRange } from '../net/port.ts'
import type { Prefix } from '../net/prefix.ts'
import type { TransportProtocol } from '../net/protocol.ts'

/** What people want, as written in `portcullis.yaml`, parsed and with every name resolved to the thing it names. */
export interface Policy {
  readonly hosts: readonly Host[]
  readonly zones: readonly Zone[]
  readonly services: readonly Service[]
  readonly needs: readonly Need[]
  readonly defaults: Defaults
}

export type Tier = 'core' | 'standard'

export interface Host {
  readonly name: string
  /** At least one; the addresses that clients use and that the outside is probed on. */
  readonly addresses: readonly Address[]
  readonly labels: Readonly<Record<string, string>>
  readonly tier: Tier
  readonly transport: Transport
}

/** How the controller reaches a host to run `portcullis-host` there. */
export type Transport = Way & Placement

type Way =
  | { readonly kind: 'local' }
  | { readonly kind: 'netns'; readonly namespace: string }
  | {
      readonly kind: 'ssh'
      /** A name or address that ssh(1) understands; its own configuration (jump hosts, keys) applies. */
      readonly destination: string
      readonly port: number
      readonly user?: string
      readonly identityFile?: string
      readonly knownHostsFile?: string
      readonly jump?: string
      readonly sudo: boolean
    }

/** Where `portcullis-host` is and works on the host; absent, its standard places. Absolute paths. */
interface Placement {
  readonly scriptPath?: string
  readonly stateDirectory?: string
}

export interface Zone {
  readonly name: string
  /** Aggregated: sorted, no overlaps. */
  readonly prefixes: readonly Prefix[]
}

export interface Service {
  readonly name: string
  readonly title: string
  /** The title in both languages, where both are known; else `title` serves for either. */
  readonly titles?: Text
  /** By protocol, then port; no overlaps within a protocol. Never empty. */
  readonly ports: readonly ServicePort[]
}

export interface ServicePort {
  readonly protocol: TransportProtocol
  readonly ports: PortRange
}

/** Which hosts a need is about. All label conditions must hold; one holds when the host's value is among those listed. */
export type Selector =
  | { readonly kind: 'all' }
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | { readonly kind: 'labels'; readonly labels: Readonly<Record<string, readonly string[]>> }

/** A service's owned claim on an endpoint. */
export interface Need {
  /** Unique in the policy; written, or derived from selector, service and source. */
  readonly id: string
  /** Names of the selected hosts, sorted; never empty. */
  readonly hosts: readonly string[]
  readonly service: Service
  /** How the hosts were chosen. */
  readonly selector?: Selector
  /** Aggregated. 0.0.0.0/0 and ::/0 where the need says `any`. */
  readonly from: readonly Prefix[]
  /** How the sources were written: zone names, or prefixes in text. */
  readonly fromText: readonly string[]
  readonly owner: string
  readonly because: string
  /** ISO date; the day on which someone must look again. */
  readonly review: string
  /** As written; `parseSchedule` reads it. Recorded, not enforced: the need is open at all times. */
  readonly schedule?: string
  /** Its interruption for longer than the outage limit puts a rollout back. */
  readonly critical: boolean
  /** What becomes of its flows when it is taken away or narrowed; the default's word where it is absent. */
  readonly flows?: FlowEnd
}

/**
 * What becomes of a flow that is no longer let in, as the policy file writes it. `drain`: it lives until its own end;
 * `warn-then-cut`: people are told of it, and it is cut a while later; `cut-now`: it is cut as soon as the new rules are confirmed.
 */
export type FlowEnd = 'drain' | 'warn-then-cut' | 'cut-now'

export interface Defaults {
  readonly mode: Mode
  readonly refusal: Refusal
  /** Whether ICMP and ICMPv6 echo requests are answered. */
  readonly ping: boolean
  /** Sources from which the controller manages hosts; they reach `managementPorts` on every host whatever else a policy says. */
  readonly managementFrom: readonly Prefix[]
  readonly managementPorts: readonly PortRange[]
  /** Of flows of needs that do not say otherwise, and of flows of no need; `drain` where it is absent. */
  readonly flows?: FlowEnd
  /** Between the warning and the cut; WARN_SECONDS where it is absent. */
  readonly warnSeconds?: number
  /** How many different people must have approved a plan before it is carried out; none where it is absent. */
  readonly approvals?: number
}

/** A person who is told has time to call somebody back. */
export const WARN_SECONDS = 300

/** `observe` counts what `enforce` would deny, and lets it pass. */
export type Mode = 'observe' | 'enforce'
export type Refusal = 'drop' | 'reject'
