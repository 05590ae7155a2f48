import type { PortRange } from '../net/port.ts'
import type { Prefix } from '../net/prefix.ts'
import type { TransportProtocol } from '../net/protocol.ts'
import type { FlowEnd, Mode, Refusal } from './policy.ts'

/**
 * A policy resolved for one host: all the new connections that may reach it. Everything not granted is denied.
 * Established and related flows, loopback, neighbour discovery, path MTU messages and the DHCP client are always
 * accepted by the fixed chain and no intent can take them away.
 */
export interface Intent {
  readonly host: string
  readonly generation: number
  readonly mode: Mode
  readonly refusal: Refusal
  readonly ping: boolean
  /** TCP ports that the controller manages this host on, and from where. Never empty: a host without a way back is refused. */
  readonly management: readonly Grant[]
  /** Sorted by protocol, port, source; no two with the same protocol, ports and source. */
  readonly grants: readonly Grant[]
  /** What becomes of flows that are no longer let in; all of them drain where it is absent. It changes no rule. */
  readonly endings?: Endings
}

/** By need, for the intent after this one: it may no longer know the need. */
export interface Endings {
  /** Of flows of no need, and of needs that are not named here. */
  readonly otherwise: FlowEnd
  readonly needs: Readonly<Record<string, FlowEnd>>
  readonly warnSeconds: number
}

export interface Grant {
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  readonly from: Prefix
  /** Ids of the needs that this grant serves, sorted; empty only for a management grant. */
  readonly needs: readonly string[]
}
