import type { Address, Family } from '@portcullis/core/net/address.ts'

export const ETHERNET_BYTES = 14
export const IPV4_BYTES = 20
export const IPV6_BYTES = 40
export const SYN_BYTES = 24
export const ETHERTYPE_IPV4 = 0x0800
export const ETHERTYPE_ARP = 0x0806
export const ETHERTYPE_IPV6 = 0x86dd
export const PROTOCOL_TCP = 6

const HOP_LIMIT = 64
const DONT_FRAGMENT = 0x4000
const SYN_FLAG = 0x02
const WINDOW = 64_240

export interface LinkAddresses {
  readonly sourceMac: Uint8Array
  readonly destinationMac: Uint8Array
}

export interface HeadFields extends LinkAddresses {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly payloadBytes: number
  readonly hopLimit?: number
}

export const headBytes = (family: Family): number => ETHERNET_BYTES + (family === 4 ? IPV4_BYTES : IPV6_BYTES)

export function addressBytes(address: Address): Buffer {
  const bytes = Buffer.alloc(address.family === 4 ? 4 : 16)
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number((address.value >> BigInt(8 * (bytes.length - 1 - index))) & 0xffn)
  }
  return bytes
}

/** Ethernet and IP header, checksum included. Answers the number of bytes. */
export function writeHead(bytes: Buffer, offset: number, fields: HeadFields): number {
  const { family } = fields.destination
  writeEthernet(bytes, offset, fields, family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6)
  const ip = offset + ETHERNET_BYTES
  if (family === 4) writeIPv4(bytes, ip, fields)
  else writeIPv6(bytes, ip, fields)
  return headBytes(family)
}

export function writeEthernet(bytes: Buffer, offset: number, link: LinkAddresses, etherType: number): void {
  bytes.set(link.destinationMac, offset)
  bytes.set(link.sourceMac, offset + 6)
  bytes.writeUInt16BE(etherType, offset + 12)
}

function writeIPv4(bytes: Buffer, at: number, fields: HeadFields): void {
  bytes.fill(0, at, at + IPV4_BYTES)
  bytes.writeUInt8(0x45, at)
  bytes.writeUInt16BE(IPV4_BYTES + fields.payloadBytes, at + 2)
  bytes.writeUInt16BE(DONT_FRAGMENT, at + 6)
  bytes.writeUInt8(fields.hopLimit ?? HOP_LIMIT, at + 8)
  bytes.writeUInt8(fields.protocol, at + 9)
  bytes.set(addressBytes(fields.source), at + 12)
  bytes.set(addressBytes(fields.destination), at + 16)
  bytes.writeUInt16BE(checksum(sumOf(bytes, at, IPV4_BYTES)), at + 10)
}

function writeIPv6(bytes: Buffer, at: number, fields: HeadFields): void {
  bytes.writeUInt32BE(0x60000000, at)
  bytes.writeUInt16BE(fields.payloadBytes, at + 4)
  bytes.writeUInt8(fields.protocol, at + 6)
  bytes.writeUInt8(fields.hopLimit ?? HOP_LIMIT, at + 7)
  bytes.set(addressBytes(fields.source), at + 8)
  bytes.set(addressBytes(fields.destination), at + 24)
}

/** A SYN with ports, sequence number and checksum still zero: what all probes have in common. */
export function synTemplate(): Buffer {
  const bytes = Buffer.alloc(SYN_BYTES)
  bytes.writeUInt8((SYN_BYTES / 4) << 4, 12)
  bytes.writeUInt8(SYN_FLAG, 13)
  bytes.writeUInt16BE(WINDOW, 14)
  // Maximum segment size 1460, RFC 9293 section 3.2: every real SYN has it, and some devices drop one without.
  bytes.writeUInt32BE(0x020405b4, 20)
  return bytes
}

/** The sum over the pseudo header of TCP, UDP or ICMPv6 (RFC 9293 section 3.1, RFC 8200 section 8.1), not folded. */
export function pseudoHeaderSum(source: Address, destination: Address, protocol: number, payloadBytes: number): number {
  const addresses = Buffer.concat([addressBytes(source), addressBytes(destination)])
  return sumOf(addresses, 0, addresses.length) + protocol + payloadBytes
}

/** Sum of big-endian 16-bit words, not folded; for packets, so that it stays below 2^32. */
export function sumOf(bytes: Buffer, offset: number, length: number): number {
  let sum = 0
  for (let at = offset; at + 1 < offset + length; at += 2) sum += bytes.readUInt16BE(at)
  return length % 2 === 0 ? sum : sum + (bytes[offset + length - 1] ?? 0) * 256
}

/** The Internet checksum (RFC 1071) of an unfolded sum. */
export const checksum = (sum: number): number => ~fold(sum) & 0xffff

/** End-around carry; exact for sums below 2^32. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16)
  return (once & 0xffff) + (once >>> 16)
}

export const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8)

export const swap32 = (value: number): number =>
  ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
