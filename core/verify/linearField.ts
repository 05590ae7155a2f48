import type { Address } from '../net/address.ts'
import type { FlowEnds, Packet } from '../ruleset/packet.ts'
import {
  CT_STATES,
  CT_STATUS,
  NUMBER_FIELD_BITS,
  PORT_PROTOCOLS,
  type Field,
  type FieldName,
  type Interval,
  type NumberFieldName,
} from '../ruleset/ruleset.ts'
import { ctStateAt, destinationOf, hasEntry, single, type Path, type Scene, type Station } from './linearPath.ts'
import { addressTypeOf, hasRouteTo, isLinkLocal, routedTypeOf } from './linearRoute.ts'

/**
 * What reading a field gives: a closed interval of numbers it may be, bits of which some are known, a name, `unreadable` (every match on it
 * is a no), or `unknown` (the packet or the facts do not say).
 */
export type Reading = Interval | KnownBits | { readonly name: string } | 'unreadable' | 'unknown'

export interface KnownBits {
  readonly bits: bigint
  readonly known: bigint
}

export function readField(scene: Scene, path: Path, station: Station, field: Field): Reading {
  const read = READERS[field.name]({ scene, path, station })
  const reading = read === 'unknown' && ALWAYS_THERE.has(field.name) ? anyValueOf(field) : read
  if (field.mask === undefined || typeof reading === 'string' || 'name' in reading) return reading
  if ('bits' in reading) return { bits: reading.bits & field.mask, known: reading.known | (ALL_BITS & ~field.mask) }
  if (reading.first !== reading.last) return read === 'unknown' ? reading : 'unknown'
  const masked = reading.first & field.mask
  return { first: masked, last: masked }
}

const ALL_BITS = 0xffff_ffffn

/** What every packet has that has come as far as to be read at all: of these not to be stated is to be any value. */
const ALWAYS_THERE: ReadonlySet<string> = new Set(['mark', 'ctMark', 'ttl', 'dscp', 'length', 'pkttype'])

const anyValueOf = ({ name, mask }: Field): Interval => ({ first: 0n, last: mask ?? (1n << BigInt(NUMBER_FIELD_BITS[name as NumberFieldName])) - 1n })

interface Question {
  readonly scene: Scene
  readonly path: Path
  readonly station: Station
}

type Reader = (question: Question) => Reading

const stated = (value: number | bigint | undefined): Reading => single(value) ?? 'unknown'

const ofFamily = (family: 4 | 6, address: (question: Question) => Interval | undefined): Reader => (question) =>
  question.scene.packet.source.family === family ? (address(question) ?? 'unknown') : 'unreadable'

function sourceAddress({ scene, path }: Question): Interval | undefined {
  return path.isSourceNew ? undefined : single(scene.packet.source.value)
}

/** Fields of the transport header: absent in later fragments. */
const ofHeader = (protocols: readonly number[], otherwise: 'unreadable' | 'unknown', value: (question: Question) => Interval | undefined): Reader => (question) => {
  const { packet } = question.scene
  if (packet.fragment === 'later') return 'unreadable'
  if (!protocols.includes(packet.protocol)) return otherwise
  return value(question) ?? 'unknown'
}

const ofEntry = (value: Reader): Reader => (question) =>
  hasEntry(ctStateAt(question.scene, question.path, question.station)) ? value(question) : 'unreadable'

/** Bits beyond these six change while a flow lives and are not told. */
const STATUS_KNOWN = BigInt(CT_STATUS.expected | CT_STATUS.seenReply | CT_STATUS.assured | CT_STATUS.confirmed | CT_STATUS.snat | CT_STATUS.dnat)

/** Seen by no answer. */
const STATUS_OF_NEW = BigInt(CT_STATUS.confirmed | CT_STATUS.snat | CT_STATUS.dnat)

/** The first packet of a flow has nothing but the mapping that rules have just given it. */
const readCtStatus: Reader = ({ scene: { packet }, path }) => {
  const mapped = BigInt((path.isDnat ? CT_STATUS.dnat : 0) | (path.isSnat ? CT_STATUS.snat : 0))
  if (packet.ct === 'new') return { bits: (BigInt(packet.ctStatus ?? 0) & STATUS_OF_NEW) | mapped, known: STATUS_KNOWN }
  if (packet.ctStatus === undefined) return mapped === 0n ? 'unknown' : { bits: mapped, known: mapped }
  return { bits: (BigInt(packet.ctStatus) & STATUS_KNOWN) | mapped, known: STATUS_KNOWN }
}

/** In the original direction every packet of a flow arrives as the first one did. A related error belongs to a flow of other packets. */
const ofOriginal = (value: (original: FlowEnds) => Reading): Reader =>
  ofEntry(({ scene: { packet } }) => {
    if (packet.ct === 'new' || (packet.ct === 'established' && packet.ctDirection !== 'reply')) return value(packetAsOriginal(packet))
    return packet.ctOriginal ? value(packet.ctOriginal) : 'unknown'
  })

const packetAsOriginal = (packet: Packet): FlowEnds => ({
  source: packet.source,
  destination: packet.destination,
  protocol: packet.protocol,
  ...(packet.sourcePort === undefined ? {} : { sourcePort: packet.sourcePort }),
  ...(packet.destinationPort === undefined ? {} : { destinationPort: packet.destinationPort }),
})

const addressOf = (family: 4 | 6, address: Address): Reading => (address.family === family ? stated(address.value) : 'unreadable')

const typeOf = (side: 'source' | 'destination', device: 'any' | 'iif' | 'oif'): Reader => ({ scene, path, station }) => {
  const address = side === 'source' ? (path.isSourceNew ? undefined : scene.packet.source) : destinationOf(scene, path)
  const name = device === 'iif' ? nameAt(scene, station, 'iif') : device === 'oif' ? nameAt(scene, station, 'oif') : ''
  if (!address || name === undefined) return 'unknown'
  const { facts } = scene
  if (!facts) return side === 'destination' && device === 'any' ? routedType(scene, station, address) : 'unknown'
  const link = name === '' ? linkOf(scene, station) : name
  return isLinkLocal(address) && link === undefined ? 'unknown' : stated(addressTypeOf(facts, address, name === '' ? undefined : name, link))
}

/** Empty where the hook has none; undefined where the packet does not say. */
function nameAt(scene: Scene, station: Station, side: 'iif' | 'oif'): string | undefined {
  if (!(side === 'iif' ? hasIif(station) : hasOif(station))) return ''
  return side === 'iif' ? scene.packet.iif : station.oif
}

/** The interface on which link-local addresses are looked up where a rule names none: that of the packet's device (nft_fib_ipv6.c). */
const linkOf = (scene: Scene, station: Station): string | undefined => (station.hook === 'output' ? '' : nameAt(scene, station, station.hook === 'postrouting' ? 'oif' : 'iif'))

function routedType(scene: Scene, station: Station, address: Address): Reading {
  if (scene.hook === 'input') return stated(routedTypeOf(address, true))
  return station.hook === 'forward' || station.hook === 'postrouting' ? stated(routedTypeOf(address, false)) : 'unknown'
}

/** What comes by loopback has a way back (nft_fib.h, nft_fib_can_skip), and so has a host without an address that speaks to everyone. */
const routeOf = (isByIif: boolean): Reader => ({ scene, path, station }) => {
  const { packet, facts } = scene
  if (packet.iif === 'lo' || (!path.isSourceNew && isBootstrap(packet.source, destinationOf(scene, path)))) return stated(1)
  const name = isByIif ? nameAt(scene, station, 'iif') : ''
  const link = name === '' ? linkOf(scene, station) : name
  if (!facts || path.isSourceNew || name === undefined || (isLinkLocal(packet.source) && link === undefined)) return 'unknown'
  const found = hasRouteTo(facts, packet.source, name === '' ? undefined : name, link)
  return found === 'perhaps' ? 'unknown' : stated(found === 'yes' ? 1 : 0)
}

/** nft_fib_ipv4.c: from zeronet to 255.255.255.255 or 224.0.0.0/24. */
const isBootstrap = (source: Address, destination: Address | undefined): boolean =>
  source.family === 4 && source.value >> 24n === 0n && (destination?.value === 0xffff_ffffn || (destination?.value ?? 0n) >> 8n === 0xe0_0000n)

const hasIif = (station: Station): boolean => station.isForwarded || station.hook === 'prerouting' || station.hook === 'input'
const hasOif = (station: Station): boolean => station.hook !== 'prerouting' && station.hook !== 'input'

const iifOf = ({ scene, station }: Question): Reading => {
  if (!hasIif(station)) return { name: '' }
  return scene.packet.iif === undefined ? 'unknown' : { name: scene.packet.iif }
}

const oifOf = ({ station }: Question): Reading => {
  if (!hasOif(station)) return { name: '' }
  return station.oif === undefined ? 'unknown' : { name: station.oif }
}

const interfaceNumber = (name: (question: Question) => Reading, number: 'index' | 'type', none: Reading): Reader => (question) => {
  const reading = name(question)
  if (typeof reading === 'string' || !('name' in reading)) return reading
  if (reading.name === '') return none
  return stated(question.scene.facts?.interfaces.find((each) => each.name === reading.name)?.[number])
}

const ETHERNET = 1n

/** Only Ethernet has one. */
const readMac: Reader = (question) => {
  const type = interfaceNumber(iifOf, 'type', 'unreadable')(question)
  if (type === 'unreadable' || (typeof type === 'object' && 'first' in type && type.first !== ETHERNET)) return 'unreadable'
  return stated(question.scene.packet.macSource)
}

/** Forwarding takes one off before the rules of the forward hook are asked (ip_forward.c, ip6_output.c). */
const readTtl: Reader = ({ scene, station }) => {
  const { ttl } = scene.packet
  return stated(ttl !== undefined && station.isForwarded ? ttl - 1 : ttl)
}

const ICMP = [1, 58]
const TCP = [6]

const NUMBERS: Record<NumberFieldName, Reader> = {
  family: ({ scene }) => stated(scene.packet.source.family),
  l4proto: ({ scene }) => stated(scene.packet.protocol),
  nexthdr: ofFamily(6, ({ scene }) => single(scene.packet.extension ?? scene.packet.protocol)),
  saddr4: ofFamily(4, sourceAddress),
  saddr6: ofFamily(6, sourceAddress),
  daddr4: ofFamily(4, ({ path }) => path.destination),
  daddr6: ofFamily(6, ({ path }) => path.destination),
  sport: ofHeader(PORT_PROTOCOLS, 'unknown', ({ scene, path }) => (path.isSourceNew ? undefined : single(scene.packet.sourcePort))),
  dport: ofHeader(PORT_PROTOCOLS, 'unknown', ({ path }) => path.destinationPort),
  tcpFlags: ofHeader(TCP, 'unreadable', ({ scene }) => single(scene.packet.tcpFlags)),
  icmpType: ofHeader(ICMP, 'unreadable', ({ scene }) => single(scene.packet.icmpType)),
  icmpCode: ofHeader(ICMP, 'unreadable', ({ scene }) => single(scene.packet.icmpCode)),
  isLaterFragment: ({ scene }) => stated(scene.packet.fragment === 'later' ? 1 : 0),
  iifIndex: interfaceNumber(iifOf, 'index', { first: 0n, last: 0n }),
  oifIndex: interfaceNumber(oifOf, 'index', { first: 0n, last: 0n }),
  iifType: interfaceNumber(iifOf, 'type', 'unreadable'),
  pkttype: ({ scene }) => stated(scene.packet.pkttype),
  macSaddr: readMac,
  ctState: ({ scene, path, station }) => stated(CT_STATES[ctStateAt(scene, path, station)]),
  ctStatus: ofEntry(readCtStatus),
  ctDirection: ofEntry(({ scene }) => stated(scene.packet.ctDirection === 'reply' ? 1 : 0)),
  ctMark: ofEntry(({ path }) => stated(path.ctMark)),
  ctOriginalProtocol: ofOriginal((original) => stated(original.protocol)),
  ctOriginalSaddr4: ofOriginal((original) => addressOf(4, original.source)),
  ctOriginalDaddr4: ofOriginal((original) => addressOf(4, original.destination)),
  ctOriginalSaddr6: ofOriginal((original) => addressOf(6, original.source)),
  ctOriginalDaddr6: ofOriginal((original) => addressOf(6, original.destination)),
  ctOriginalSport: ofOriginal((original) => stated(original.sourcePort)),
  ctOriginalDport: ofOriginal((original) => stated(original.destinationPort)),
  mark: ({ path }) => stated(path.mark),
  saddrType: typeOf('source', 'any'),
  daddrType: typeOf('destination', 'any'),
  saddrTypeIif: typeOf('source', 'iif'),
  daddrTypeIif: typeOf('destination', 'iif'),
  saddrTypeOif: typeOf('source', 'oif'),
  daddrTypeOif: typeOf('destination', 'oif'),
  saddrRoute: routeOf(false),
  saddrRouteIif: routeOf(true),
  ttl: readTtl,
  dscp: ({ scene }) => stated(scene.packet.dscp),
  length: ({ scene }) => stated(scene.packet.length),
}

const READERS: Record<FieldName, Reader> = { ...NUMBERS, iif: iifOf, oif: oifOf }
