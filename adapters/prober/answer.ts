import { ETHERNET_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV6_BYTES, PROTOCOL_TCP } from './frame.ts'

/** What a probed port turned out to be, as stored in one byte per port. */
export const UNTOLD = 0
export const OPEN = 1
export const CLOSED = 2
/** An ICMP error came instead of an answer: something on the way, or the host itself, refuses. */
export const REFUSED = 3
/** Asked until there was no sign of loss any more, and nothing came. */
export const SILENT = 4

const PROTOCOL_ICMP = 1
const PROTOCOL_ICMPV6 = 58
const FLAG_SYN = 0x02
const FLAG_RST = 0x04
const FLAG_ACK = 0x10

/** One answer to a SYN, or one neighbour's hardware address. The reader fills the same object again and again. */
export interface Answer {
  kind: 'none' | 'tcp' | 'neighbour'
  family: 4 | 6
  /** Where the address of the probed host (or the neighbour) stands in the frame. */
  addressOffset: number
  /** Where the neighbour's hardware address stands. */
  macOffset: number
  state: typeof UNTOLD | typeof OPEN | typeof CLOSED | typeof REFUSED
  /** The probed port. */
  port: number
  /** The port that the probe came from. */
  sourcePort: number
  /** The sequence number of the probe that this answers. */
  sequence: number
}

export const newAnswer = (): Answer => ({
  kind: 'none',
  family: 4,
  addressOffset: 0,
  macOffset: 0,
  state: UNTOLD,
  port: 0,
  sourcePort: 0,
  sequence: 0,
})

/**
 * Reads the frame at `start` of the bytes; `kind` stays "none" for whatever is not an answer or is cut short.
 * Frames come from anyone: nothing in them is trusted. Without a slice for each, because there are tens of thousands a second.
 */
export function readAnswer(bytes: Buffer, start: number, length: number, answer: Answer): void {
  answer.kind = 'none'
  const end = Math.min(start + length, bytes.length)
  if (end - start < ETHERNET_BYTES + 20) return
  const etherType = bytes.readUInt16BE(start + 12)
  const network = start + ETHERNET_BYTES
  if (etherType === ETHERTYPE_IPV4) readIPv4(bytes, network, end, answer)
  else if (etherType === ETHERTYPE_IPV6) readIPv6(bytes, network, end, answer)
  else if (etherType === ETHERTYPE_ARP) readArp(bytes, network, end, answer)
}

function readIPv4(bytes: Buffer, at: number, end: number, answer: Answer): void {
  const transport = at + (bytes.readUInt8(at) & 0x0f) * 4
  const protocol = bytes.readUInt8(at + 9)
  answer.family = 4
  if (protocol === PROTOCOL_TCP) readTcp(bytes, transport, end, at + 12, answer)
  else if (protocol === PROTOCOL_ICMP) readQuotedIPv4(bytes, transport + 8, end, answer)
}

function readIPv6(bytes: Buffer, at: number, end: number, answer: Answer): void {
  const transport = at + IPV6_BYTES
  if (end < transport + 8) return
  const protocol = bytes.readUInt8(at + 6)
  answer.family = 6
  if (protocol === PROTOCOL_TCP) readTcp(bytes, transport, end, at + 8, answer)
  else if (protocol !== PROTOCOL_ICMPV6) return
  else if (bytes.readUInt8(transport) === 136) readAdvertisement(bytes, transport, end, answer)
  else readQuotedIPv6(bytes, transport + 8, end, answer)
}

/** RFC 9293 section 3.10.7: SYN+ACK from an open port, RST+ACK from a closed one; both acknowledge our sequence number + 1. */
function readTcp(bytes: Buffer, at: number, end: number, addressOffset: number, answer: Answer): void {
  if (end < at + 20) return
  const flags = bytes.readUInt8(at + 13)
  const isOpen = (flags & (FLAG_SYN | FLAG_ACK | FLAG_RST)) === (FLAG_SYN | FLAG_ACK)
  const isClosed = (flags & (FLAG_RST | FLAG_ACK)) === (FLAG_RST | FLAG_ACK)
  if (!isOpen && !isClosed) return
  answer.kind = 'tcp'
  answer.addressOffset = addressOffset
  answer.state = isOpen ? OPEN : CLOSED
  answer.port = bytes.readUInt16BE(at)
  answer.sourcePort = bytes.readUInt16BE(at + 2)
  answer.sequence = (bytes.readUInt32BE(at + 8) - 1) >>> 0
}

/** An ICMP error quotes the IP header and at least the first 8 bytes of what it refuses (RFC 792): ports and sequence number. */
function readQuotedIPv4(bytes: Buffer, quoted: number, end: number, answer: Answer): void {
  if (end < quoted + 20 || bytes.readUInt8(quoted) >>> 4 !== 4) return
  if (bytes.readUInt8(quoted + 9) !== PROTOCOL_TCP) return
  readQuotedTcp(bytes, quoted + (bytes.readUInt8(quoted) & 0x0f) * 4, end, quoted + 16, answer)
}

function readQuotedIPv6(bytes: Buffer, quoted: number, end: number, answer: Answer): void {
  if (end < quoted + IPV6_BYTES || bytes.readUInt8(quoted) >>> 4 !== 6) return
  if (bytes.readUInt8(quoted + 6) !== PROTOCOL_TCP) return
  readQuotedTcp(bytes, quoted + IPV6_BYTES, end, quoted + 24, answer)
}

function readQuotedTcp(bytes: Buffer, at: number, end: number, addressOffset: number, answer: Answer): void {
  if (end < at + 8) return
  answer.kind = 'tcp'
  answer.addressOffset = addressOffset
  answer.state = REFUSED
  answer.sourcePort = bytes.readUInt16BE(at)
  answer.port = bytes.readUInt16BE(at + 2)
  answer.sequence = bytes.readUInt32BE(at + 4)
}

/** RFC 826: hardware, then protocol address of the sender. */
function readArp(bytes: Buffer, at: number, end: number, answer: Answer): void {
  if (end < at + 28 || bytes.readUInt16BE(at + 6) !== 2) return
  answer.kind = 'neighbour'
  answer.family = 4
  answer.macOffset = at + 8
  answer.addressOffset = at + 14
}

/** RFC 4861 section 4.4; the option with the target's link-layer address (type 2) always answers a multicast solicitation. */
function readAdvertisement(bytes: Buffer, at: number, end: number, answer: Answer): void {
  if (end < at + 32 || bytes.readUInt8(at + 24) !== 2) return
  answer.kind = 'neighbour'
  answer.addressOffset = at + 8
  answer.macOffset = at + 26
}
