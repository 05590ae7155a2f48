import type { Address } from '../net/address.ts'
import {
  CT_STATES,
  CT_STATUS,
  PORT_PROTOCOLS,
  type Field,
  type FieldName,
  type Interval,
  type NumberFieldName,
} from '../ruleset/ruleset.ts'
import { ctStateAt, destinationOf, hasEntry, single, type Path, type Scene, type Station } from './linearPath.ts'
import { addressTypeOf, hasRouteTo, routedTypeOf } from './linearRoute.ts'

/**
 * What reading a field gives: a closed interval of numbers it may be, a name, `unreadable` (every match on it is a no),
 * or `unknown` (the packet or the facts do not say).
 */
export type Reading = Interval | { readonly name: string } | 'unreadable' | 'unknown'

export function readField(scene: Scene, path: Path, station: Station, field: Field): Reading {
  const reading = READERS[field.name]({ scene, path, station, mask: field.mask })
  if (field.mask === undefined || typeof reading === 'string' || 'name' in reading) return reading
  if (reading.first !== reading.last) return 'unknown'
  const masked = reading.first & field.mask
  return { first: masked, last: masked }
}

interface Question {
  readonly scene: Scene
  readonly path: Path
  readonly station: Station
  readonly mask: bigint | undefined
}

type Reader = (question: Question) => Reading

const stated = (value: number | bigint | undefined): Reading => single(value) ?? 'unknown'

const ofFamily = (family: 4 | 6, address: (question: Question) => Interval | undefined): Reader => (question) =>
  question.scene.packet.source.family === family ? (address(question) ?? 'unknown') : 'unreadable'

/** Fields of the transport header: absent in later fragments. */
const ofHeader = (protocols: readonly number[], otherwise: 'unreadable' | 'unknown', value: (question: Question) => Interval | undefined): Reader => (question) => {
  const { packet } = question.scene
  if (packet.fragment === 'later') return 'unreadable'
  if (!protocols.includes(packet.protocol)) return otherwise
  return value(question) ?? 'unknown'
}

const ofEntry = (value: Reader): Reader => (question) =>
  hasEntry(ctStateAt(question.scene, question.path, question.station)) ? value(question) : 'unreadable'

const readCtStatus: Reader = ({ scene, path, mask }) => {
  if (scene.packet.ctStatus !== undefined) return stated(scene.packet.ctStatus)
  const known = BigInt(CT_STATUS.snat | CT_STATUS.dnat)
  if (scene.packet.ct !== 'new' || mask === undefined || (mask & ~known) !== 0n) return 'unknown'
  return stated(path.isDnat ? CT_STATUS.dnat : 0)
}

const ofOriginal = (value: (original: NonNullable<Scene['packet']['ctOriginal']>) => Reading): Reader =>
  ofEntry(({ scene: { packet } }) => {
    if (packet.ctOriginal) return value(packet.ctOriginal)
    return packet.ct === 'new' ? value(packetAsOriginal(packet)) : 'unknown'
  })

const packetAsOriginal = (packet: Scene['packet']): NonNullable<Scene['packet']['ctOriginal']> => ({
  source: packet.source,
  destination: packet.destination,
  protocol: packet.protocol,
  ...(packet.sourcePort === undefined ? {} : { sourcePort: packet.sourcePort }),
  ...(packet.destinationPort === undefined ? {} : { destinationPort: packet.destinationPort }),
})

const addressOf = (family: 4 | 6, address: Address): Reading => (address.family === family ? stated(address.value) : 'unreadable')

const typeOf = (side: 'source' | 'destination', device: 'any' | 'iif' | 'oif'): Reader => ({ scene, path, station }) => {
  const address = side === 'source' ? scene.packet.source : destinationOf(scene, path)
  const name = device === 'iif' ? scene.packet.iif : device === 'oif' ? station.oif : undefined
  if (!address || (device !== 'any' && name === undefined)) return 'unknown'
  if (!scene.facts) return side === 'destination' && device === 'any' ? routedType(scene, station, address) : 'unknown'
  return stated(addressTypeOf(scene.facts, address, name))
}

function routedType(scene: Scene, station: Station, address: Address): Reading {
  if (scene.hook === 'input') return stated(routedTypeOf(address, true))
  return station.hook === 'forward' || station.hook === 'postrouting' ? stated(routedTypeOf(address, false)) : 'unknown'
}

const routeOf = (isByIif: boolean): Reader => ({ scene }) => {
  const { packet, facts } = scene
  if (!facts || (isByIif && packet.iif === undefined)) return 'unknown'
  if (packet.iif === 'lo') return stated(1)
  return stated(hasRouteTo(facts, packet.source, isByIif ? packet.iif : undefined) ? 1 : 0)
}

const hasIif = (station: Station): boolean => station.hook !== 'output' && station.hook !== 'postrouting'
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
  saddr4: ofFamily(4, ({ scene }) => single(scene.packet.source.value)),
  saddr6: ofFamily(6, ({ scene }) => single(scene.packet.source.value)),
  daddr4: ofFamily(4, ({ path }) => path.destination),
  daddr6: ofFamily(6, ({ path }) => path.destination),
  sport: ofHeader(PORT_PROTOCOLS, 'unknown', ({ scene }) => single(scene.packet.sourcePort)),
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
