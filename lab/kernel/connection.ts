import { TCP_FLAGS, type CtState } from '@portcullis/core/ruleset/ruleset.ts'

/** What a packet must say of itself for connection tracking to classify it. */
export interface FirstPacket {
  readonly family: 4 | 6
  readonly protocol: number
  readonly tcpFlags?: number
  readonly icmpType?: number
}

/** How nf_conntrack classifies a packet of a flow that it does not know, with tcp_loose = 1. Sources are below net/netfilter. */
export function stateOfFirst(packet: FirstPacket): CtState {
  if (packet.protocol === 6) return tcpState(packet.tcpFlags ?? 0)
  if (packet.protocol === 1) return packet.family === 4 && ICMP_NEW.has(packet.icmpType ?? 0) ? 'new' : 'invalid'
  if (packet.protocol === 58) return packet.family === 6 ? icmpv6State(packet.icmpType ?? 0) : 'invalid'
  return 'new'
}

const { fin, syn, rst, ack, psh, urg, ece, cwr } = TCP_FLAGS

// nf_conntrack_proto_tcp.c, tcp_valid_flags: all other mixtures are malformed.
const VALID = new Set([syn, syn | urg, syn | ack, rst, rst | ack, fin | ack, fin | ack | urg, ack, ack | urg])

/** Of the valid mixtures only a SYN and, with tcp_loose, a bare ACK open a flow (tcp_conntracks, state NONE). */
function tcpState(flags: number): CtState {
  const kind = flags & ~(ece | cwr | psh)
  if (!VALID.has(kind)) return 'invalid'
  return (kind & (syn | ack | fin | rst)) === syn || (kind & (syn | ack | fin | rst)) === ack ? 'new' : 'invalid'
}

// nf_conntrack_proto_icmp.c, valid_new: echo, timestamp, information and address mask requests.
const ICMP_NEW = new Set([8, 13, 15, 17])
// nf_conntrack_proto_icmpv6.c, noct_valid_new (130, 131, 132, 133 to 136, 143) and valid_new (128, 139).
const ICMPV6_UNTRACKED = new Set([130, 131, 132, 133, 134, 135, 136, 143])
const ICMPV6_NEW = new Set([128, 139])

function icmpv6State(type: number): CtState {
  if (ICMPV6_UNTRACKED.has(type)) return 'untracked'
  return ICMPV6_NEW.has(type) ? 'new' : 'invalid'
}
