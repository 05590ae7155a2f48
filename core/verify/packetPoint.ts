import type { Family } from '../net/address.ts'
import type { Packet } from '../ruleset/packet.ts'
import { CT_STATES } from '../ruleset/ruleset.ts'
import { TERMINALS, type Diagram } from '../space/arena.ts'
import type { Chunks } from '../space/ranges.ts'
import { CT_CLASSES } from './fieldValues.ts'
import { NO_EXTENSION, STATUS_BITS_KNOWN } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'

/** Any value: the packet does not say. */
const UNSTATED = -1

/** A packet's value at each level. */
export type Point = Int32Array

/** Takes about a microsecond, so that streams of packets can be asked about; less where an old point is written over. */
export function pointOf(space: PacketSpace, packet: Packet, into?: Point): Point {
  const point = (into ?? new Int32Array(space.levels.sizes.length)).fill(UNSTATED)
  const { of } = space.levels
  const { family } = packet.source
  point[of.isLaterFragment.firstLevel] = packet.fragment === 'later' ? 1 : 0
  point[of.family.firstLevel] = family === 4 ? 0 : 1
  point[of.extension.firstLevel] = packet.extension ?? NO_EXTENSION
  point[of.l4proto.firstLevel] = packet.protocol
  putAddress(point, of[`saddr${family}`], packet.source.value, family)
  putAddress(point, of[`daddr${family}`], packet.destination.value, family)
  put(point, of.sport, packet.sourcePort)
  put(point, of.dport, packet.destinationPort)
  put(point, of.tcpFlags, packet.tcpFlags)
  put(point, of.icmpType, packet.icmpType)
  put(point, of.icmpCode, packet.icmpCode)
  putTracking(point, of, packet)
  putFlow(point, of, packet)
  putInterfaces(point, space, packet)
  putRest(point, of, packet)
  return point
}

type Fields = PacketSpace['levels']['of']

function putTracking(point: Point, of: Fields, { ct, ctDirection, ctStatus, ctMark }: Packet): void {
  point[of.ctState.firstLevel] = CT_CLASSES.indexOf(CT_STATES[ct])
  point[of.ctDirection.firstLevel] = ctDirection === 'reply' ? 1 : 0
  put(point, of.ctMark, ctMark ?? (ct === 'new' ? 0 : undefined))
  put(point, of.ctStatus, ctStatus === undefined ? (ct === 'new' ? 0 : undefined) : ctStatus & STATUS_BITS_KNOWN)
}

/** Where the packet comes from in its flow's own terms, and where the flow's mapping sends it. */
function putFlow(point: Point, of: Fields, { ctDirection, ctOriginal, ctReply }: Packet): void {
  if (ctOriginal) {
    put(point, of.ctOriginalProtocol, ctOriginal.protocol)
    putAddress(point, of[`ctOriginalSaddr${ctOriginal.source.family}`], ctOriginal.source.value, ctOriginal.source.family)
    putAddress(point, of[`ctOriginalDaddr${ctOriginal.destination.family}`], ctOriginal.destination.value, ctOriginal.destination.family)
    put(point, of.ctOriginalSport, ctOriginal.sourcePort)
    put(point, of.ctOriginalDport, ctOriginal.destinationPort)
  }
  const target = ctDirection === 'reply' ? ctOriginal : ctReply
  if (!target) return
  putAddress(point, of[`newDaddr${target.source.family}`], target.source.value, target.source.family)
  put(point, of.newDport, target.sourcePort)
}

function putInterfaces(point: Point, space: PacketSpace, { iif, oif }: Packet): void {
  const { of } = space.levels
  put(point, of.iif, nameClassOf(space, iif))
  put(point, of.oif, nameClassOf(space, oif))
  if (!space.routing) return
  put(point, of.iifIndex, interfaceFact(space, iif, 'index'))
  put(point, of.oifIndex, interfaceFact(space, oif, 'index'))
  put(point, of.iifType, interfaceFact(space, iif, 'type'))
}

function putRest(point: Point, of: Fields, { mark, pkttype, ttl, dscp, length, macSource }: Packet): void {
  put(point, of.mark, mark ?? 0)
  put(point, of.pkttype, pkttype)
  put(point, of.ttl, ttl)
  put(point, of.dscp, dscp)
  put(point, of.length, length)
  if (macSource !== undefined) putWide(point, of.macSaddr, macSource)
}

/** A number of at most 32 bits, in as many chunks as its field has. */
function put(point: Point, { firstLevel, count, bits }: Chunks, value: number | undefined): void {
  if (value === undefined) return
  if (count === 1) {
    point[firstLevel] = value
    return
  }
  const mask = (1 << bits) - 1
  for (let chunk = 0; chunk < count; chunk += 1) point[firstLevel + chunk] = (value >>> ((count - 1 - chunk) * bits)) & mask
}

function putAddress(point: Point, chunks: Chunks, value: bigint, family: Family): void {
  if (family === 4) put(point, chunks, Number(value))
  else putWide(point, chunks, value)
}

/** 32 bits at a time: a shift of a bigint costs as much as all the rest of a chunk. */
function putWide(point: Point, { firstLevel, count, bits }: Chunks, value: bigint): void {
  const perWord = 32 / bits
  let rest = value
  for (let end = count; end > 0; end -= perWord) {
    const part = Math.min(perWord, end)
    put(point, { firstLevel: firstLevel + end - part, count: part, bits }, Number(rest & 0xffff_ffffn))
    rest >>= 32n
  }
}

/** All outcomes that a packet may have: those of every packet that agrees with what it states. */
export function outcomesAt(space: PacketSpace, diagram: Diagram, point: Point): number {
  const { arena } = space
  let at = diagram
  while (at >= TERMINALS) {
    const value = point[arena.levelOf(at)] ?? UNSTATED
    if (value === UNSTATED) return outcomesOfAll(space, at, point)
    at = arena.childAt(at, value)
  }
  return at
}

function outcomesOfAll(space: PacketSpace, node: Diagram, point: Point): number {
  let outcomes = 0
  const end = space.arena.endOf(node)
  for (let edge = space.arena.startOf(node); edge < end; edge += 1) outcomes |= outcomesAt(space, space.arena.childOf(edge), point)
  return outcomes
}

function interfaceFact(space: PacketSpace, name: string | undefined, fact: 'index' | 'type'): number | undefined {
  return space.routing?.facts.interfaces.find((each) => each.name === name)?.[fact]
}

/** The class that a name falls into: its own, else the longest prefix. */
export function nameClassOf(space: PacketSpace, name: string | undefined): number | undefined {
  if (name === undefined) return undefined
  if (name === '') return 0
  const known = CLASSES.get(space) ?? new Map<string, number>()
  CLASSES.set(space, known)
  const found = known.get(name) ?? findClass(space, name)
  if (known.size < CLASSES_KEPT_MAX) known.set(name, found)
  return found
}

/** A host has few interfaces; packets may name any. */
const CLASSES_KEPT_MAX = 4096
const CLASSES = new WeakMap<PacketSpace, Map<string, number>>()

function findClass(space: PacketSpace, name: string): number {
  const own = space.names.findIndex((each) => each.kind === 'name' && each.name === name)
  if (own >= 0) return own
  let best = space.names.length - 1
  for (const [index, each] of space.names.entries()) {
    const current = space.names[best]
    if (each.kind !== 'prefix' || !name.startsWith(each.prefix) || current?.kind !== 'prefix') continue
    if (each.prefix.length > current.prefix.length) best = index
  }
  return best
}
