import type { Family } from '../../net/address.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { ProtocolName } from '../../net/protocol.ts'

/**
 * What every host accepts whatever its policy says, as data: the renderer writes the chain `fixed` from it, and whoever
 * checks a ruleset can build the same packets from it. Loopback, established and related flows and the management
 * path are not here: the first two stand in the gate itself, the last in the intent.
 */
export interface FixedAllowance {
  /** Becomes the rule's comment. */
  readonly name: string
  readonly family: Family
  readonly protocol: ProtocolName
  readonly icmpTypes?: readonly number[]
  /** IPv6 hop limit that proves that no router has forwarded the packet. */
  readonly hopLimit?: number
  readonly from?: Prefix
  readonly sourcePort?: number
  readonly destinationPort?: number
}

const LINK_LOCAL: Prefix = { family: 6, value: 0xfe80n << 112n, length: 10 }

export const FIXED_ALLOWANCES: readonly FixedAllowance[] = [
  // A renewal is answered by whichever server holds the lease, not only by the one that was asked (RFC 2131 section 4.4.5).
  { name: 'DHCP client', family: 4, protocol: 'udp', sourcePort: 67, destinationPort: 68 },
  // Asked by multicast, answered by unicast: never an established flow (RFC 8415 section 7.2).
  { name: 'DHCPv6 client', family: 6, protocol: 'udp', from: LINK_LOCAL, sourcePort: 547, destinationPort: 546 },
  // Destination unreachable holds "fragmentation needed" (code 4), without which path MTU discovery fails (RFC 1191).
  { name: 'errors and path MTU', family: 4, protocol: 'icmp', icmpTypes: [3, 11, 12] },
  { name: 'errors and path MTU', family: 6, protocol: 'icmpv6', icmpTypes: [1, 2, 3, 4] },
  // Router and neighbour solicitation and advertisement; RFC 4861 section 7.1 has receivers refuse any other hop limit.
  { name: 'neighbour discovery', family: 6, protocol: 'icmpv6', icmpTypes: [133, 134, 135, 136], hopLimit: 255 },
  // RFC 3810 section 5.1.14, RFC 4890 section 4.4.1: queries and reports come from link-local sources, one hop far.
  { name: 'multicast listeners', family: 6, protocol: 'icmpv6', icmpTypes: [130, 131, 132, 143], hopLimit: 1, from: LINK_LOCAL },
  { name: 'multicast groups', family: 4, protocol: 'igmp' },
]

/** Accepted as well where the intent says `ping`. */
export const PING_ALLOWANCES: readonly FixedAllowance[] = [
  { name: 'ping', family: 4, protocol: 'icmp', icmpTypes: [8] },
  { name: 'ping', family: 6, protocol: 'icmpv6', icmpTypes: [128] },
]
