import type { Packet } from '../ruleset/packet.ts'
import { CT_STATES, CT_STATUS } from '../ruleset/ruleset.ts'
import { TERMINALS, type Diagram } from '../space/arena.ts'
import { CT_CLASSES } from './compileField.ts'
import { NO_EXTENSION, type LevelField } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'

/** Any value: the packet does not say. */
const UNSTATED = -1

/** A packet's value at each level. */
export type Point = Int32Array

export function pointOf(space: PacketSpace, packet: Packet): Point {
  const point = new Int32Array(space.levels.sizes.length).fill(UNSTATED)
  for (const [field, value] of valuesOf(space, packet)) {
    if (value === undefined) continue
    const { firstLevel, count, bits } = space.chunks(field)
    const mask = (1n << BigInt(bits)) - 1n
    for (let chunk = 0; chunk < count; chunk += 1) {
      point[firstLevel + chunk] = count === 1 ? Number(value) : Number((BigInt(value) >> BigInt((count - 1 - chunk) * bits)) & mask)
    }
  }
  return point
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

type FieldValue = readonly [LevelField, number | bigint | undefined]

function valuesOf(space: PacketSpace, packet: Packet): FieldValue[] {
  const { family } = packet.source
  const isLater = packet.fragment === 'later'
  const status = packet.ctStatus
  return [
    ['isLaterFragment', isLater ? 1 : 0],
    ['ctState', CT_CLASSES.indexOf(CT_STATES[packet.ct])],
    ['ctDirection', packet.ctDirection === 'reply' ? 1 : 0],
    ['ctDnat', status === undefined ? undefined : status & CT_STATUS.dnat ? 1 : 0],
    ['ctSnat', status === undefined ? undefined : status & CT_STATUS.snat ? 1 : 0],
    ['iif', nameClassOf(space, packet.iif)],
    ['oif', nameClassOf(space, packet.oif)],
    ['iifIndex', interfaceFact(space, packet.iif, 'index')],
    ['oifIndex', interfaceFact(space, packet.oif, 'index')],
    ['iifType', interfaceFact(space, packet.iif, 'type')],
    ['pkttype', packet.pkttype],
    ['mark', packet.mark ?? 0],
    ['ctMark', packet.ctMark ?? (packet.ct === 'new' ? 0 : undefined)],
    ['family', family === 4 ? 0 : 1],
    ['extension', packet.extension ?? NO_EXTENSION],
    ['l4proto', packet.protocol],
    ['dport', packet.destinationPort],
    [`saddr${family}`, packet.source.value],
    [`daddr${family}`, packet.destination.value],
    ['sport', packet.sourcePort],
    ['tcpFlags', packet.tcpFlags],
    ['icmpType', packet.icmpType],
    ['icmpCode', packet.icmpCode],
    ['ttl', packet.ttl],
    ['dscp', packet.dscp],
    ['length', packet.length],
    ['macSaddr', packet.macSource],
  ]
}

function interfaceFact(space: PacketSpace, name: string | undefined, fact: 'index' | 'type'): number | undefined {
  return space.facts?.interfaces.find((each) => each.name === name)?.[fact]
}

/** The class that a name falls into: its own, else the longest prefix. */
export function nameClassOf(space: PacketSpace, name: string | undefined): number | undefined {
  if (name === undefined) return undefined
  if (name === '') return 0
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
