import type { Address } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'

/**
 * What a verdict needs to know of a host besides its rules, from `ip -j addr`, `ip -j route show table all` and sysctls.
 * All optional knowledge: where facts are not given, whatever depends on them is unknown.
 */
export interface HostFacts {
  readonly interfaces: readonly Interface[]
  /** Of the tables local, main and default; other tables and `ip rule`s beyond the stock three are told in `unmodelled`. */
  readonly routes: readonly Route[]
  /** net.ipv4.ip_forward, net.ipv6.conf.all.forwarding. Off: a packet for another host goes nowhere. */
  readonly isForwarding: { readonly 4: boolean; readonly 6: boolean }
  /** Policy routing, VRFs, XDP, tc or bridge filters seen on the host: named, outside the model. */
  readonly unmodelled: readonly string[]
}

export interface Interface {
  readonly index: number
  readonly name: string
  /** ARPHRD number: 1 ethernet, 772 loopback. */
  readonly type: number
  readonly addresses: readonly InterfaceAddress[]
}

export interface InterfaceAddress {
  readonly address: Address
  readonly prefixLength: number
}

/** RTN type as ip-route(8) names it. A packet whose destination's longest route is `local` or `broadcast` goes to input; `unicast` to forward. */
export interface Route {
  readonly type: 'unicast' | 'local' | 'broadcast' | 'multicast' | 'anycast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw'
  readonly destination: Prefix
  /** Interface it leaves by (for local and broadcast: the one that holds the address). */
  readonly oif?: string
  readonly metric: number
  readonly table: 'local' | 'main' | 'default'
}
