import type { Family } from '@portcullis/core/net/address.ts'
import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import { PORT_PROTOCOLS } from '@portcullis/core/ruleset/ruleset.ts'
import { addressBytes } from '@portcullis/adapters/prober/frame.ts'

/** What a frame is made of. */
export interface FrameContent {
  readonly id: number
  readonly packet: Packet
  /** Of an ICMP error: the packet that it is about. */
  readonly inner?: Pick<Packet, 'source' | 'destination' | 'protocol' | 'sourcePort' | 'destinationPort'>
}

const ETHERNET = 14
const ID = 4
const headerOf = (family: Family): number => (family === 4 ? 20 : 40)
/** DCCP with a request (RFC 4340 sections 5.1, 5.2), SCTP with an INIT chunk whose last four bytes are the id (RFC 9260 section 3.3.2): alone a header, the tracker would not know it. */
const TRANSPORT: Readonly<Record<number, number>> = { 6: 20, 17: 8, 1: 8, 58: 8, 47: 4, 33: 20, 132: 28, 136: 8 }
/** A later fragment holds none of the header. */
const transportOf = ({ protocol, fragment }: Packet): number => (fragment === 'later' ? 16 : fragment === 'first' ? 28 : (TRANSPORT[protocol] ?? 8))
const extensionOf = (packet: Packet): number => (packet.extension === undefined ? 0 : 8)
/** Ports and a little more of what an error is about (RFC 792). */
const INNER_TRANSPORT = 8
const innerOf = ({ packet, inner }: Pick<FrameContent, 'packet' | 'inner'>): number => (inner ? headerOf(packet.source.family) + INNER_TRANSPORT : 0)

export const FRAME_BYTES_MAX = ETHERNET + 40 + 8 + 28 + 40 + INNER_TRANSPORT + ID

export function ipLength(content: Pick<FrameContent, 'packet' | 'inner'>): number {
  const { packet } = content
  return headerOf(packet.source.family) + extensionOf(packet) + transportOf(packet) + innerOf(content) + ID
}

/** Writes the frame into `bytes` and gives its length. Transport checksums are left zero (see the stage's sysctls), but for ICMP errors, which NAT checks itself. */
export function writeFrame(bytes: Buffer, content: FrameContent, hardware: Buffer): number {
  const { id, packet, inner } = content
  const { family } = packet.source
  const length = ETHERNET + ipLength(content)
  bytes.fill(0, 0, length)
  writeEthernet(bytes, packet, hardware)
  if (family === 4) writeIPv4(bytes.subarray(ETHERNET), packet, ipLength(content))
  else writeIPv6(bytes.subarray(ETHERNET), packet, ipLength(content))
  const transport = bytes.subarray(ETHERNET + headerOf(family) + extensionOf(packet), length)
  if (packet.fragment !== 'later') writeTransport(transport, packet)
  if (inner) writeInner(transport.subarray(8), inner)
  bytes.writeUInt32BE(id, length - ID)
  if (inner) writeIcmpChecksum(transport, packet)
  return length
}

/** The id of a test packet as the kernel saw it, from its network header on. */
export function idOf(payload: Buffer): number | undefined {
  const length = payload.length > 0 && (payload[0] ?? 0) >> 4 === 4 ? payload.readUInt16BE(2) : payload.readUInt16BE(4) + 40
  return length >= 8 && length <= payload.length ? payload.readUInt32BE(length - ID) : undefined
}

function writeEthernet(bytes: Buffer, packet: Packet, hardware: Buffer): void {
  if (packet.pkttype === 0) hardware.copy(bytes, 0)
  else bytes.write(packet.pkttype === 1 ? 'ffffffffffff' : packet.source.family === 4 ? '01005e000001' : '333300000001', 0, 'hex')
  bytes.writeUIntBE(Number(packet.macSource ?? 0n), 6, 6)
  bytes.writeUInt16BE(packet.source.family === 4 ? 0x0800 : 0x86dd, 12)
}

/** More fragments, at the offset of 1480 bytes or at none. */
const FRAGMENT_BITS = { no: 0, first: 0x2000, later: 0x2000 | (1480 / 8) } as const

function writeIPv4(bytes: Buffer, packet: Packet, length: number): void {
  bytes.writeUInt8(0x45, 0)
  bytes.writeUInt8((packet.dscp ?? 0) << 2, 1)
  bytes.writeUInt16BE(length, 2)
  bytes.writeUInt16BE(FRAGMENT_BITS[packet.fragment ?? 'no'], 6)
  bytes.writeUInt8(packet.ttl ?? 64, 8)
  bytes.writeUInt8(packet.protocol, 9)
  addressBytes(packet.source).copy(bytes, 12)
  addressBytes(packet.destination).copy(bytes, 16)
  bytes.writeUInt16BE(checksum(bytes.subarray(0, 20)), 10)
}

function writeIPv6(bytes: Buffer, packet: Packet, length: number): void {
  bytes.writeUInt16BE(0x6000 | ((packet.dscp ?? 0) << 6), 0)
  bytes.writeUInt16BE(length - 40, 4)
  bytes.writeUInt8(packet.extension ?? packet.protocol, 6)
  bytes.writeUInt8(packet.ttl ?? 64, 7)
  addressBytes(packet.source).copy(bytes, 8)
  addressBytes(packet.destination).copy(bytes, 24)
  if (packet.extension === 44) {
    // Offset in units of eight bytes above three bits, of which the last says that more follow (RFC 8200 section 4.5).
    bytes.writeUInt8(packet.protocol, 40)
    bytes.writeUInt16BE(packet.fragment === 'later' ? ((1480 / 8) << 3) | 1 : 1, 42)
    bytes.writeUInt32BE(1, 44)
    // Options of eight bytes: PadN of four (RFC 8200 section 4.2).
  } else if (packet.extension !== undefined) Buffer.from([packet.protocol, 0, 1, 4, 0, 0, 0, 0]).copy(bytes, 40)
}

function writeTransport(bytes: Buffer, packet: Packet): void {
  const { protocol } = packet
  if (PORT_PROTOCOLS.includes(protocol)) {
    bytes.writeUInt16BE(packet.sourcePort ?? 0, 0)
    bytes.writeUInt16BE(packet.destinationPort ?? 0, 2)
  }
  if (protocol === 6) {
    bytes.writeUInt8(5 << 4, 12)
    bytes.writeUInt8(packet.tcpFlags ?? 0, 13)
    bytes.writeUInt16BE(1024, 14)
  }
  if (protocol === 17) bytes.writeUInt16BE(12, 4)
  // A checksum of none is malformed, and covers the whole by a length of none (RFC 3828 section 3.1).
  if (protocol === 136) bytes.writeUInt16BE(0xffff, 6)
  // Six words of header with the service code and the id, extended sequence numbers, a request.
  if (protocol === 33) Buffer.from([6, 0, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 1]).copy(bytes, 4)
  // An INIT chunk of 20 bytes with a tag, a window and one stream each way.
  if (protocol === 132) Buffer.from([1, 0, 0, 20, 0, 0, 0, 9, 0, 1, 0, 0, 0, 1, 0, 1]).copy(bytes, 12)
  if (protocol === 1 || protocol === 58) {
    bytes.writeUInt8(packet.icmpType ?? 0, 0)
    bytes.writeUInt8(packet.icmpCode ?? 0, 1)
  }
}

function writeInner(bytes: Buffer, inner: NonNullable<FrameContent['inner']>): void {
  const { family } = inner.source
  const packet: Packet = { ...inner, ct: 'new' }
  const length = headerOf(family) + 20
  if (family === 4) writeIPv4(bytes, packet, length)
  else writeIPv6(bytes, packet, length)
  const transport = bytes.subarray(headerOf(family))
  transport.writeUInt16BE(inner.sourcePort ?? 0, 0)
  transport.writeUInt16BE(inner.destinationPort ?? 0, 2)
  if (inner.protocol === 17) transport.writeUInt16BE(20, 4)
}

function writeIcmpChecksum(bytes: Buffer, packet: Packet): void {
  const pseudo = packet.source.family === 4 ? Buffer.alloc(0) : Buffer.concat([addressBytes(packet.source), addressBytes(packet.destination), Buffer.from([0, 0, bytes.length >> 8, bytes.length & 0xff, 0, 0, 0, 58])])
  bytes.writeUInt16BE(checksum(Buffer.concat([pseudo, bytes])), 2)
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += at + 1 < bytes.length ? bytes.readUInt16BE(at) : bytes.readUInt8(at) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
