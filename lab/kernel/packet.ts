import { parseAddress, type Address, type Family } from '@portcullis/core/net/address.ts'
import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import { addressBytes } from '@portcullis/adapters/prober/frame.ts'
import { stateOfFirst } from './connection.ts'
import type { Dice } from './dice.ts'
import { INTERFACES, unwrap, type InterfaceName } from './stage.ts'

/** A packet of the test, and the frame that carries it: an id of four bytes ends it. */
export interface TestPacket {
  readonly id: number
  readonly packet: Packet & { readonly iif: InterfaceName }
}

/** Values that random rules mention, so that packets fall on both sides of every edge. */
export interface Pool {
  readonly sources: Record<Family, readonly string[]>
  readonly destinations: Record<Family, readonly string[]>
  readonly ports: readonly number[]
}

export const POOL: Pool = {
  sources: {
    4: ['198.51.100.7', '198.51.100.8', '198.51.100.255', '10.9.0.5', '10.9.255.254', '10.1.2.3', '10.1.2.4', '10.0.0.1', '192.0.2.9', '203.0.113.3', '8.8.8.8'],
    6: ['2001:db8:7::7', '2001:db8:7::8', '2001:db8:1::9', 'fd00:9::5', 'fd00:8::1', 'fe80::5', '2001:db8:f::3'],
  },
  destinations: {
    4: ['192.0.2.1', '10.9.0.1', '203.0.113.1', '192.0.2.255', '255.255.255.255', '224.0.0.1', '10.9.0.77', '10.9.4.4', '8.8.4.4', '198.18.0.1', '192.0.2.77'],
    6: ['2001:db8:1::1', 'fd00:9::1', '2001:db8:f::1', 'ff02::1', 'fd00:9::77', '2001:db8:ffff::1', '2001:db8:1::77'],
  },
  ports: [0, 1, 21, 22, 23, 53, 79, 80, 81, 89, 90, 443, 1023, 1024, 8080, 8081, 33_000, 65_534, 65_535],
}

const PROTOCOLS = [6, 6, 6, 17, 17, 1, 58, 47, 132] as const
const FLAG_MIXES = [2, 2, 2, 16, 18, 1, 4, 0, 17, 3, 0x3f, 0x29, 24, 34, 20] as const
const ICMP_TYPES = [8, 8, 0, 3, 5, 9, 11, 13, 17, 128, 128, 129, 133, 135, 136, 137, 143, 1, 2] as const
const MULTICAST_ONLY = new Set(['224.0.0.1', 'ff02::1'])

/**
 * `isRewritten`: the ruleset has NAT. A multicast packet whose destination is rewritten goes nowhere: forwarding wants frames that were
 * meant for this host (ip_forward.c), and redirect an address of the packet's scope (nf_nat_redirect.c); no rule decides that.
 */
export function randomPacket(dice: Dice, id: number, isRewritten: boolean): TestPacket {
  const family: Family = dice.chance(0.55) ? 4 : 6
  const iif = dice.pick(INTERFACES)
  const protocol = dice.pick(PROTOCOLS)
  const destination = dice.pick(POOL.destinations[family].filter((each) => !isRewritten || !MULTICAST_ONLY.has(each)))
  const source = sourceFor(dice, family, isRewritten ? '' : destination)
  const isOfPorts = protocol === 6 || protocol === 17
  const ports = isOfPorts ? { sourcePort: portNear(dice), destinationPort: portNear(dice) } : {}
  const flags = protocol === 6 ? { tcpFlags: dice.pick(FLAG_MIXES) } : {}
  const icmp = protocol === 1 || protocol === 58 ? { icmpType: dice.pick(ICMP_TYPES), icmpCode: dice.below(5) } : {}
  const extension = family === 6 && dice.chance(0.12) ? { extension: 60 } : {}
  const isBroadcast = dice.chance(0.1)
  const first = stateOfFirst({ family, protocol, ...flags, ...icmp })
  const packet: TestPacket['packet'] = {
    source: address(source),
    destination: address(destination),
    protocol,
    ...ports,
    ...flags,
    ...icmp,
    ...extension,
    iif,
    ct: stateFor(first, protocol),
    macSource: dice.pick([0x02_00_00_00_00_01n, 0x02_00_00_00_00_02n]),
    // Forwarding takes only frames that are meant for this host (ip_forward.c), so broadcast ones go to multicast addresses alone.
    pkttype: MULTICAST_ONLY.has(destination) ? (isBroadcast ? 1 : 2) : 0,
    ttl: dice.pick([2, 64, 255]),
    dscp: dice.pick([0, 0, 8, 46]),
  }
  return { id, packet: { ...packet, length: ipLength(packet) } }
}

/** A link-local source is never forwarded, whatever the rules say (ip6_output.c, ip6_forward). */
function sourceFor(dice: Dice, family: Family, destination: string): string {
  const source = dice.pick(POOL.sources[family])
  return source.startsWith('fe80') && !LOCAL_IPV6.has(destination) ? '2001:db8:7::7' : source
}

const LOCAL_IPV6 = new Set(['2001:db8:1::1', 'fd00:9::1', '2001:db8:f::1', 'ff02::1'])

/** SCTP without a chunk is nothing that the tracker knows (nf_conntrack_proto_sctp.c, sctp_new). */
const stateFor = (first: Packet['ct'], protocol: number): Packet['ct'] => (protocol === 132 ? 'invalid' : first)

function portNear(dice: Dice): number {
  const port = dice.pick(POOL.ports) + dice.pick([0, 0, 0, 1, -1])
  return Math.min(65_535, Math.max(0, port))
}

export const address = (text: string): Address => unwrap(parseAddress(text))

// ───────────────────────────── frames ─────────────────────────────

const ETHERNET = 14
const headerOf = (family: Family): number => (family === 4 ? 20 : 40)
const TRANSPORT: Readonly<Record<number, number>> = { 6: 20, 17: 8, 1: 8, 58: 8, 47: 4, 132: 12 }
const transportOf = (protocol: number): number => TRANSPORT[protocol] ?? 8
const extensionOf = (packet: Packet): number => (packet.extension === undefined ? 0 : 8)

export const FRAME_BYTES_MAX = ETHERNET + 40 + 8 + 20 + 4

export function ipLength(packet: Packet): number {
  return headerOf(packet.source.family) + extensionOf(packet) + transportOf(packet.protocol) + 4
}

/** Writes the frame into `bytes` and gives its length. Transport checksums are left zero: see the stage's sysctls. */
export function writeFrame(bytes: Buffer, { id, packet }: TestPacket, hardware: Buffer): number {
  const { family } = packet.source
  const length = ETHERNET + ipLength(packet)
  bytes.fill(0, 0, length)
  writeEthernet(bytes, packet, hardware)
  if (family === 4) writeIPv4(bytes.subarray(ETHERNET), packet)
  else writeIPv6(bytes.subarray(ETHERNET), packet)
  writeTransport(bytes.subarray(ETHERNET + headerOf(family) + extensionOf(packet)), packet)
  bytes.writeUInt32BE(id, length - 4)
  return length
}

/** The id of a test packet as the kernel saw it, from its network header on. */
export function idOf(payload: Buffer): number | undefined {
  const length = payload.length > 0 && (payload[0] ?? 0) >> 4 === 4 ? payload.readUInt16BE(2) : payload.readUInt16BE(4) + 40
  return length >= 8 && length <= payload.length ? payload.readUInt32BE(length - 4) : undefined
}

function writeEthernet(bytes: Buffer, packet: Packet, hardware: Buffer): void {
  if (packet.pkttype === 0) hardware.copy(bytes, 0)
  else bytes.write(packet.pkttype === 1 ? 'ffffffffffff' : packet.source.family === 4 ? '01005e000001' : '333300000001', 0, 'hex')
  bytes.writeUIntBE(Number(packet.macSource ?? 0n), 6, 6)
  bytes.writeUInt16BE(packet.source.family === 4 ? 0x0800 : 0x86dd, 12)
}

function writeIPv4(bytes: Buffer, packet: Packet): void {
  bytes.writeUInt8(0x45, 0)
  bytes.writeUInt8((packet.dscp ?? 0) << 2, 1)
  bytes.writeUInt16BE(ipLength(packet), 2)
  bytes.writeUInt8(packet.ttl ?? 64, 8)
  bytes.writeUInt8(packet.protocol, 9)
  addressBytes(packet.source).copy(bytes, 12)
  addressBytes(packet.destination).copy(bytes, 16)
  let sum = 0
  for (let at = 0; at < 20; at += 2) sum += bytes.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  bytes.writeUInt16BE(~sum & 0xffff, 10)
}

function writeIPv6(bytes: Buffer, packet: Packet): void {
  bytes.writeUInt16BE(0x6000 | ((packet.dscp ?? 0) << 6), 0)
  bytes.writeUInt16BE(ipLength(packet) - 40, 4)
  bytes.writeUInt8(packet.extension ?? packet.protocol, 6)
  bytes.writeUInt8(packet.ttl ?? 64, 7)
  addressBytes(packet.source).copy(bytes, 8)
  addressBytes(packet.destination).copy(bytes, 24)
  // A destination options header of eight bytes: PadN of four (RFC 8200 section 4.2).
  if (packet.extension !== undefined) Buffer.from([packet.protocol, 0, 1, 4, 0, 0, 0, 0]).copy(bytes, 40)
}

function writeTransport(bytes: Buffer, packet: Packet): void {
  if (packet.protocol === 6 || packet.protocol === 17) {
    bytes.writeUInt16BE(packet.sourcePort ?? 0, 0)
    bytes.writeUInt16BE(packet.destinationPort ?? 0, 2)
  }
  if (packet.protocol === 6) {
    bytes.writeUInt8(5 << 4, 12)
    bytes.writeUInt8(packet.tcpFlags ?? 0, 13)
    bytes.writeUInt16BE(1024, 14)
  }
  if (packet.protocol === 17) bytes.writeUInt16BE(12, 4)
  if (packet.protocol === 1 || packet.protocol === 58) {
    bytes.writeUInt8(packet.icmpType ?? 0, 0)
    bytes.writeUInt8(packet.icmpCode ?? 0, 1)
  }
}
