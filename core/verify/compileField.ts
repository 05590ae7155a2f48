import { CT_STATES, PORT_PROTOCOLS, isInterfaceName, type Field, type FieldName, type Value } from '../ruleset/ruleset.ts'
import type { Diagram } from '../space/arena.ts'
import { BOTH, EITHER, NO, UNKNOWN, YES } from '../space/outcome.ts'
import { mergeRanges, type Range } from '../space/ranges.ts'
import { fibDiagram } from './compileFib.ts'
import { CT_ESTABLISHED, CT_NEW, holds, intervalsOf, IPV4, IPV6, levelRanges, one, pick, questionOf } from './fieldValues.ts'
import { NO_EXTENSION, STATUS_BITS_KNOWN, type LevelField } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'
import type { Stage } from './stage.ts'

/** A field whose values are those of one level field, readable wherever `needs` hold. */
export interface SimpleField {
  readonly level: LevelField
  readonly needs: readonly (readonly [LevelField, readonly Range[]])[]
}

const WHOLE: readonly [LevelField, readonly Range[]] = ['isLaterFragment', one(0n)]
export const HAS_ENTRY: readonly [LevelField, readonly Range[]] = ['ctState', [{ first: 1n, last: 3n }]]
const ICMP: readonly Range[] = [...one(1n), ...one(58n)]
/** ARPHRD_ETHER (linux/if_arp.h). */
const ETHERNET = 1

const simple = (level: LevelField, ...needs: SimpleField['needs']): SimpleField => ({ level, needs })

const SIMPLE_FIELDS: Partial<Record<FieldName, SimpleField>> = {
  family: simple('family'),
  l4proto: simple('l4proto'),
  saddr4: simple('saddr4', IPV4),
  daddr4: simple('daddr4', IPV4),
  saddr6: simple('saddr6', IPV6),
  daddr6: simple('daddr6', IPV6),
  tcpFlags: simple('tcpFlags', WHOLE, ['l4proto', one(6n)]),
  icmpType: simple('icmpType', WHOLE, ['l4proto', ICMP]),
  icmpCode: simple('icmpCode', WHOLE, ['l4proto', ICMP]),
  isLaterFragment: simple('isLaterFragment'),
  iif: simple('iif'),
  oif: simple('oif'),
  iifIndex: simple('iifIndex'),
  oifIndex: simple('oifIndex'),
  iifType: simple('iifType'),
  pkttype: simple('pkttype'),
  ctState: simple('ctState'),
  ctDirection: simple('ctDirection', HAS_ENTRY),
  ctMark: simple('ctMark', HAS_ENTRY),
  mark: simple('mark'),
  ttl: simple('ttl'),
  dscp: simple('dscp'),
  length: simple('length'),
}

const NEW_ADDRESS: Partial<Record<FieldName, SimpleField>> = { daddr4: simple('newDaddr4', IPV4), daddr6: simple('newDaddr6', IPV6) }

/** The level that holds the packet's destination port at a stage. */
const portLevel = (name: 'sport' | 'dport', stage: Stage): 'sport' | 'dport' | 'newDport' => (name === 'dport' && stage.isPortNew ? 'newDport' : name)
const PORTS = { sport: simple('sport', WHOLE), dport: simple('dport', WHOLE), newDport: simple('newDport', WHOLE) }

const PORT_PROTOCOL_RANGES = mergeRanges(PORT_PROTOCOLS.map((protocol) => one(BigInt(protocol))).flat())

/** The one level that a field reads, or undefined where it takes more than one. `protocols`: what l4proto is known to be. */
export function simpleFieldOf(space: PacketSpace, name: FieldName, stage: Stage, protocols: readonly Range[] | undefined): SimpleField | undefined {
  if (stage.isSourceNew && OF_SOURCE.has(name)) return undefined
  if (name === 'sport' || name === 'dport') return protocols && hasPorts(protocols) ? PORTS[portLevel(name, stage)] : undefined
  if (stage.isBeforeTracking && OF_TRACKING.has(name)) return undefined
  if (name === 'ttl' && stage.isForwarded) return undefined
  if ((stage.hasNoIif && OF_IIF.has(name)) || (stage.hasNoOif && OF_OIF.has(name))) return undefined
  if (name === 'macSaddr') return simple('macSaddr', ['iif', ethernetNames(space)])
  return (stage.isAddressNew ? NEW_ADDRESS[name] : undefined) ?? SIMPLE_FIELDS[name]
}

/** Interfaces that the facts do not say to be something else. */
const ethernetNames = (space: PacketSpace): Range[] =>
  pick(space.names.length, (index) => {
    const each = space.names[index]
    const type = each?.kind === 'name' ? space.routing?.facts.interfaces.find(({ name }) => name === each.name)?.type : ETHERNET
    return type === undefined || type === ETHERNET
  })

/** Before connection tracking the state reads invalid and the others cannot be read. */
const OF_TRACKING: ReadonlySet<FieldName> = new Set(['ctState', 'ctDirection', 'ctMark'])
const OF_SOURCE: ReadonlySet<FieldName> = new Set(['saddr4', 'saddr6', 'sport'])
const OF_IIF: ReadonlySet<FieldName> = new Set(['iif', 'iifIndex', 'iifType', 'macSaddr'])
const OF_OIF: ReadonlySet<FieldName> = new Set(['oif', 'oifIndex'])

const hasPorts = (protocols: readonly Range[]): boolean =>
  protocols.every((range) => range.first === range.last && PORT_PROTOCOLS.includes(Number(range.first)))

/** Yes where the field can be read and its masked value is among the given ones: the general way, for any field. Never negated. */
export function fieldDiagram(space: PacketSpace, field: Field, values: readonly Value[], stage: Stage): Diagram {
  const { combiner } = space
  const known = simpleFieldOf(space, field.name, stage, undefined)
  if (known) return combiner.combine(BOTH, needsDiagram(space, known.needs), levelDiagram(space, known.level, field, values))
  return SPECIAL_FIELDS[field.name]?.(space, field, values, stage) ?? UNKNOWN
}

/** Yes where the field can be read. */
export function readableDiagram(space: PacketSpace, field: Field, stage: Stage): Diagram {
  const everything: Value[] =
    field.name === 'iif' || field.name === 'oif' ? [{ name: '', isPrefix: true }, { name: '', isPrefix: false }] : [{ first: 0n, last: 1n << 128n }]
  if (field.name === 'sport' || field.name === 'dport') return space.test(...WHOLE)
  return fieldDiagram(space, { name: field.name }, everything, stage)
}

export const needsDiagram = (space: PacketSpace, needs: SimpleField['needs']): Diagram =>
  needs.reduce((all: Diagram, [level, ranges]) => space.combiner.combine(BOTH, all, space.test(level, ranges)), YES)

function levelDiagram(space: PacketSpace, level: LevelField, field: Field, values: readonly Value[]): Diagram {
  const ranges = levelRanges(space, level, field, values)
  return ranges ? space.test(level, ranges) : maskedDiagram(space, level, field.mask ?? 0n, values)
}

/** An uneven mask: each value asked for fixes some bits of each chunk. A range under such a mask is not modelled. */
function maskedDiagram(space: PacketSpace, level: LevelField, mask: bigint, values: readonly Value[]): Diagram {
  const tests = values.map((value) => {
    if (isInterfaceName(value)) return NO
    return value.first === value.last ? maskedValue(space, level, mask, value.first) : space.askBoolean(`${level} & ${mask} in ${value.first}-${value.last}`, false)
  })
  return space.combiner.combineAll(EITHER, tests, NO)
}

function maskedValue(space: PacketSpace, level: LevelField, mask: bigint, value: bigint): Diagram {
  const { firstLevel, count, bits } = space.chunks(level)
  if ((value & ~mask) !== 0n) return NO
  let inner: Diagram = YES
  for (let chunk = count - 1; chunk >= 0; chunk -= 1) {
    const shift = BigInt((count - 1 - chunk) * bits)
    const size = 1 << bits
    const chunkMask = Number((mask >> shift) & BigInt(size - 1))
    const wanted = Number((value >> shift) & BigInt(size - 1))
    const mark = space.arena.open()
    for (let digit = 0; digit < size; digit += 1) space.arena.emit(mark, digit, (digit & chunkMask) === wanted ? inner : NO)
    inner = space.arena.close(mark, firstLevel + chunk)
  }
  return inner
}

// ───────────────────────────── fields of more than one level ─────────────────────────────

type Special = (space: PacketSpace, field: Field, values: readonly Value[], stage: Stage) => Diagram

const SPECIAL_FIELDS: Partial<Record<FieldName, Special>> = {
  saddr4: hiddenSourceDiagram,
  saddr6: hiddenSourceDiagram,
  sport: portDiagram,
  dport: portDiagram,
  nexthdr: nextHeaderDiagram,
  ctState: earlyStateDiagram,
  ttl: (space, field, values) => space.test('ttl', pick(256, (arrived) => arrived > 0 && holds(intervalsOf(values), BigInt(arrived - 1), field.mask))),
  ctDirection: () => NO,
  ctMark: () => NO,
  ctStatus: statusDiagram,
  iif: noInterfaceDiagram,
  oif: noInterfaceDiagram,
  iifIndex: noIndexDiagram,
  oifIndex: noIndexDiagram,
  iifType: () => NO,
  macSaddr: () => NO,
  saddrType: fibDiagram,
  daddrType: fibDiagram,
  saddrTypeIif: fibDiagram,
  daddrTypeIif: fibDiagram,
  saddrTypeOif: fibDiagram,
  daddrTypeOif: fibDiagram,
  saddrRoute: fibDiagram,
  saddrRouteIif: fibDiagram,
  ctOriginalProtocol: originalDiagram,
  ctOriginalSaddr4: originalDiagram,
  ctOriginalSaddr6: originalDiagram,
  ctOriginalSport: originalDiagram,
  ctOriginalDaddr4: originalDiagram,
  ctOriginalDaddr6: originalDiagram,
  ctOriginalDport: originalDiagram,
}

/** The hook has no such interface: its name reads empty. */
function noInterfaceDiagram(_space: PacketSpace, _field: Field, values: readonly Value[]): Diagram {
  return values.some((value) => isInterfaceName(value) && value.name === '') ? YES : NO
}

function noIndexDiagram(_space: PacketSpace, field: Field, values: readonly Value[]): Diagram {
  return holds(intervalsOf(values), 0n, field.mask) ? YES : NO
}

/** What source NAT has written is not modelled, only that a field of the other family still cannot be read. */
function hiddenSourceDiagram(space: PacketSpace, field: Field, values: readonly Value[]): Diagram {
  const family = field.name === 'saddr4' ? IPV4 : IPV6
  const isAny = intervalsOf(values).some((range) => range.first === 0n && range.last > 0xffff_ffffn)
  return space.combiner.combine(BOTH, space.test(...family), isAny ? YES : space.askBoolean(`${field.name} after source NAT ${questionOf(field, values)}`, false))
}

function portDiagram(space: PacketSpace, field: Field, values: readonly Value[], stage: Stage): Diagram {
  const name = field.name === 'sport' ? 'sport' : 'dport'
  if (name === 'sport' && stage.isSourceNew) return space.combiner.combine(BOTH, space.test(...WHOLE), space.askBoolean(`sport after source NAT ${questionOf(field, values)}`, false))
  const ports = levelDiagram(space, portLevel(name, stage), field, values)
  // One question for each set of values: that two tests read the same bytes is not kept, which only makes them less certain.
  const raw = space.askBoolean(`${name} of a protocol without ports ${questionOf(field, values)}`, false)
  const test = space.ifThenElse(space.test('l4proto', PORT_PROTOCOL_RANGES), ports, raw)
  return space.combiner.combine(BOTH, space.test(...WHOLE), test)
}

/** The next header is the upper layer's protocol unless an extension header stands between. */
function nextHeaderDiagram(space: PacketSpace, field: Field, values: readonly Value[]): Diagram {
  const ranges = pick(256, (value) => holds(intervalsOf(values), BigInt(value), field.mask))
  const plain = space.combiner.combine(BOTH, space.test('extension', one(BigInt(NO_EXTENSION))), space.test('l4proto', ranges))
  const extended = space.test('extension', ranges)
  return space.combiner.combine(BOTH, space.test(...IPV6), space.combiner.combine(EITHER, plain, extended))
}

/** Before connection tracking: untracked where a rule has said so, else invalid. */
function earlyStateDiagram(space: PacketSpace, field: Field, values: readonly Value[]): Diagram {
  const states = [CT_STATES.invalid, CT_STATES.untracked]
  return space.test('isUntracked', pick(2, (index) => holds(intervalsOf(values), BigInt(states[index] ?? 0), field.mask)))
}

/** Of the status six bits are modelled; the others make a question of what those leave open. */
function statusDiagram(space: PacketSpace, field: Field, values: readonly Value[], stage: Stage): Diagram {
  if (stage.isBeforeTracking) return NO
  const { combiner } = space
  const answers = Array.from({ length: STATUS_BITS_KNOWN + 1 }, (_, bits) => statusAnswer(BigInt(bits), field, intervalsOf(values)))
  const where = (answer: typeof YES | typeof UNKNOWN): Diagram => space.test('ctStatus', pick(answers.length, (bits) => answers[bits] === answer))
  const open = answers.includes(UNKNOWN) ? combiner.combine(BOTH, where(UNKNOWN), space.askBoolean(`ct status ${questionOf(field, values)}`, false)) : NO
  return combiner.combine(BOTH, space.test(...HAS_ENTRY), combiner.combine(EITHER, where(YES), open))
}

function statusAnswer(bits: bigint, { mask = 0xffff_ffffn }: Field, values: readonly Range[]): number {
  const least = bits & mask
  const open = mask & ~BigInt(STATUS_BITS_KNOWN)
  if (values.some(({ first, last }) => first <= least && (least | open) <= last)) return YES
  const may = values.some(({ first, last }) => (first === last ? (first & ~open) === least : first <= (least | open) && least <= last))
  return may ? UNKNOWN : NO
}

/** In the original direction the flow's first packet looked as this one did when it arrived; of others the fields are levels of their own. */
function originalDiagram(space: PacketSpace, field: Field, values: readonly Value[], stage: Stage): Diagram {
  const { combiner } = space
  const own = ORIGINAL_OF[field.name]
  if (stage.isBeforeTracking) return NO
  if (!own) return UNKNOWN
  const needs = [HAS_ENTRY, ...(own.endsWith('4') ? [IPV4] : own.endsWith('6') ? [IPV6] : [])]
  const isAny = intervalsOf(values).some((range) => range.first === 0n && range.last > space.maxOf(own))
  const test = isAny ? YES : space.ifThenElse(isOriginalDirection(space), levelDiagram(space, own, field, values), levelDiagram(space, field.name as LevelField, field, values))
  return combiner.combine(BOTH, needsDiagram(space, needs), test)
}

/** New flows, and established ones in the direction of their first packet. A related error belongs to a flow of other packets. */
function isOriginalDirection(space: PacketSpace): Diagram {
  const isEstablished = space.combiner.combine(BOTH, space.test('ctState', one(BigInt(CT_ESTABLISHED))), space.test('ctDirection', one(0n)))
  return space.combiner.combine(EITHER, space.test('ctState', one(BigInt(CT_NEW))), isEstablished)
}

const ORIGINAL_OF: Partial<Record<FieldName, LevelField>> = {
  ctOriginalProtocol: 'l4proto',
  ctOriginalSaddr4: 'saddr4',
  ctOriginalSaddr6: 'saddr6',
  ctOriginalSport: 'sport',
  ctOriginalDaddr4: 'daddr4',
  ctOriginalDaddr6: 'daddr6',
  ctOriginalDport: 'dport',
}
