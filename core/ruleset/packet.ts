import type { Address } from '../net/address.ts'
import type { CtState } from './ruleset.ts'

/**
 * One packet as it arrives at a host, and what connection tracking says of it. What is left out is not stated: a match that needs it answers unknown.
 * Only the family, the addresses and the protocol must be given.
 */
export interface Packet {
  readonly source: Address
  /** Of the same family as `source`. */
  readonly destination: Address
  /** IP protocol number of the upper layer. */
  readonly protocol: number
  /** First IPv6 extension header (0 hop-by-hop, 43 routing, 44 fragment, 51 AH, 60 destination); absent: none, next header = protocol. */
  readonly extension?: number
  /** `later`: no transport header. Connection tracking reassembles before it, so with it only the raw hooks see one. Default `no`. */
  readonly fragment?: 'no' | 'first' | 'later'
  readonly sourcePort?: number
  readonly destinationPort?: number
  /** Bits of TCP_FLAGS. */
  readonly tcpFlags?: number
  readonly icmpType?: number
  readonly icmpCode?: number
  readonly iif?: string
  /** Given: the hook is forward or output by this interface. Absent: routing decides, or is unknown without facts. */
  readonly oif?: string
  readonly ct: CtState
  /** Default original. */
  readonly ctDirection?: 'original' | 'reply'
  readonly ctMark?: number
  /** Bits of CT_STATUS. */
  readonly ctStatus?: number
  /** The first packet of a known flow as it arrived, before NAT. In the original direction that is this packet itself, and what is given here is not asked. */
  readonly ctOriginal?: FlowEnds
  /** How answers of the flow arrive: where destination NAT sends its packets is where they come from. */
  readonly ctReply?: FlowEnds
  readonly mark?: number
  readonly macSource?: bigint
  /** 0 host, 1 broadcast, 2 multicast, 3 other host. */
  readonly pkttype?: number
  readonly ttl?: number
  readonly dscp?: number
  readonly length?: number
}

/** One direction of a flow, as connection tracking keeps it. */
export interface FlowEnds {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly sourcePort?: number
  readonly destinationPort?: number
}
