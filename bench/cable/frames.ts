import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import {
  checksum,
  ETHERNET_BYTES,
  IPV4_BYTES,
  PROTOCOL_TCP,
  pseudoHeaderSum,
  sumOf,
  synTemplate,
  writeHead,
} from '@portcullis/adapters/prober/frame.ts'
import type { MessageBatch } from '@portcullis/adapters/rawsocket/messageBatch.ts'

/** Every measured host has this address on its end of the cable, so that one set of frames serves them all. */
export const HOST_IPV4 = '10.99.0.2'
export const GATEWAY_IPV4 = '10.99.0.1'
export const HOST_MAC = '02:99:00:00:00:02'
/** What the hosts take for the gateway's. While no client is there no interface has it, and what they send ends at the far end of the cable at once. */
export const GATEWAY_MAC = '02:99:00:00:00:01'
export const SILENT_MAC = '02:99:00:00:00:09'
/** Every frame comes from here (RFC 2544's test network). */
export const SOURCES = '198.18.0.0/15'

export interface Tuple {
  readonly source: Address
  readonly sourcePort: number
  readonly port: number
}

export interface Segment {
  readonly flags: number
  readonly sequence: number
  readonly acknowledged: number
  readonly payloadBytes: number
}

export const FLAGS = { syn: 0x02, ack: 0x10, ackPush: 0x18 } as const
export const SEGMENT_PAYLOAD_BYTES = 100
export const UDP_PAYLOAD_BYTES = 18

const PROTOCOL_UDP = 17
const UDP_HEADER_BYTES = 8
const TCP_HEADER_BYTES = 20
const SYN_HEADER_BYTES = 24
const TRANSPORT = ETHERNET_BYTES + IPV4_BYTES
const WINDOW = 64_240
const LINK = { sourceMac: bytesOfMac(GATEWAY_MAC), destinationMac: bytesOfMac(HOST_MAC) }
const HOST = addressOf(HOST_IPV4)

export const FRAME_BYTES_MAX = TRANSPORT + TCP_HEADER_BYTES + SEGMENT_PAYLOAD_BYTES

/** The Nth address of `SOURCES`. */
export const sourceAt = (index: number): Address => ({ family: 4, value: addressOf(SOURCES.slice(0, SOURCES.indexOf('/'))).value + BigInt(index) })

export function writeDatagram(batch: MessageBatch, slot: number, tuple: Tuple): void {
  const at = batch.slotOffset(slot)
  const bytes = UDP_HEADER_BYTES + UDP_PAYLOAD_BYTES
  writeHead(batch.bytes, at, { ...LINK, source: tuple.source, destination: HOST, protocol: PROTOCOL_UDP, payloadBytes: bytes })
  const udp = at + TRANSPORT
  batch.bytes.fill(0, udp, udp + bytes)
  batch.bytes.writeUInt16BE(tuple.sourcePort, udp)
  batch.bytes.writeUInt16BE(tuple.port, udp + 2)
  batch.bytes.writeUInt16BE(bytes, udp + 4)
  writeChecksum(batch, udp, { tuple, protocol: PROTOCOL_UDP, bytes, field: 6 })
  batch.setLength(slot, TRANSPORT + bytes)
}

export function writeSyn(batch: MessageBatch, slot: number, tuple: Tuple): void {
  const tcp = beginTcp(batch, slot, tuple, SYN_HEADER_BYTES)
  synTemplate().copy(batch.bytes, tcp)
  writePorts(batch, tcp, tuple)
  writeChecksum(batch, tcp, { tuple, protocol: PROTOCOL_TCP, bytes: SYN_HEADER_BYTES, field: 16 })
}

export function writeSegment(batch: MessageBatch, slot: number, tuple: Tuple, segment: Segment): void {
  const bytes = TCP_HEADER_BYTES + segment.payloadBytes
  const tcp = beginTcp(batch, slot, tuple, bytes)
  batch.bytes.fill(0, tcp, tcp + bytes)
  writePorts(batch, tcp, tuple)
  batch.bytes.writeUInt32BE(segment.sequence, tcp + 4)
  batch.bytes.writeUInt32BE(segment.acknowledged, tcp + 8)
  batch.bytes.writeUInt8((TCP_HEADER_BYTES / 4) << 4, tcp + 12)
  batch.bytes.writeUInt8(segment.flags, tcp + 13)
  batch.bytes.writeUInt16BE(WINDOW, tcp + 14)
  writeChecksum(batch, tcp, { tuple, protocol: PROTOCOL_TCP, bytes, field: 16 })
}

export interface Answer {
  readonly port: number
  readonly sourcePort: number
  readonly source: number
  /** The host's initial sequence number. */
  readonly sequence: number
}

/** A SYN-ACK as it arrives at the far end of the cable. */
export function readAnswer(frame: Buffer): Answer {
  return {
    source: frame.readUInt32BE(ETHERNET_BYTES + 16),
    port: frame.readUInt16BE(TRANSPORT),
    sourcePort: frame.readUInt16BE(TRANSPORT + 2),
    sequence: frame.readUInt32BE(TRANSPORT + 4),
  }
}

function beginTcp(batch: MessageBatch, slot: number, tuple: Tuple, bytes: number): number {
  const at = batch.slotOffset(slot)
  writeHead(batch.bytes, at, { ...LINK, source: tuple.source, destination: HOST, protocol: PROTOCOL_TCP, payloadBytes: bytes })
  batch.setLength(slot, TRANSPORT + bytes)
  return at + TRANSPORT
}

function writePorts(batch: MessageBatch, at: number, tuple: Tuple): void {
  batch.bytes.writeUInt16BE(tuple.sourcePort, at)
  batch.bytes.writeUInt16BE(tuple.port, at + 2)
}

interface Summed {
  readonly tuple: Tuple
  readonly protocol: number
  readonly bytes: number
  readonly field: number
}

function writeChecksum(batch: MessageBatch, at: number, { tuple, protocol, bytes, field }: Summed): void {
  const sum = pseudoHeaderSum(tuple.source, HOST, protocol, bytes) + sumOf(batch.bytes, at, bytes)
  batch.bytes.writeUInt16BE(checksum(sum), at + field)
}

function bytesOfMac(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex')
}

function addressOf(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}
