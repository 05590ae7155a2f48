import { lastOf, type Prefix } from '../net/prefix.ts'
import type { HostFacts, Route } from '../ruleset/hostfacts.ts'
import { ADDRESS_TYPES, CT_STATES, CT_STATUS, PORT_PROTOCOLS, isInterfaceName, type Field, type FieldName, type Interval, type Value } from '../ruleset/ruleset.ts'
import type { Diagram } from '../space/arena.ts'
import { BOTH, EITHER, NO, UNKNOWN, YES } from '../space/outcome.ts'
import { intersectRanges, mergeRanges, type Range } from '../space/ranges.ts'
import { mapTerminals } from '../space/transform.ts'
import { NO_EXTENSION, type LevelField } from './levels.ts'
import { classMatches } from './names.ts'
import type { PacketSpace } from './packetSpace.ts'

/** Where in the packet's way a chain stands, as far as fields read differently there. */
export interface Stage {
  /** Prerouting or output before −200: no packet has a connection tracking entry yet. */
  readonly isBeforeTracking: boolean
  readonly hasNoIif: boolean
  readonly hasNoOif: boolean
  /** DNAT has changed the destination address, the port: what they were before is apart from what the packet carries. */
  readonly isAddressNew: boolean
  readonly isPortNew: boolean
  /** Forwarding takes one off the TTL before the forward hook (ip_forward.c, ip6_output.c). */
  readonly isForwarded: boolean
  /** What routing must have found for the packet to be here; absent before routing. */
  readonly destination?: 'local' | 'unicast'
}

/** A field whose values are those of one level field, readable wherever `needs` hold. */
export interface SimpleField {
  readonly level: LevelField
  readonly needs: readonly (readonly [LevelField, readonly Range[]])[]
}

export const one = (value: bigint): Range[] => [{ first: value, last: value }]
const WHOLE: readonly [LevelField, readonly Range[]] = ['isLaterFragment', one(0n)]
export const IPV4: readonly [LevelField, readonly Range[]] = ['family', one(0n)]
export const IPV6: readonly [LevelField, readonly Range[]] = ['family', one(1n)]
/** Indexes of CT_STATES in their order: invalid, established, related, new, untracked. */
export const CT_CLASSES: readonly number[] = Object.values(CT_STATES)
export const CT_NEW = CT_CLASSES.indexOf(CT_STATES.new)
const HAS_ENTRY: readonly [LevelField, readonly Range[]] = ['ctState', [{ first: 1n, last: 3n }]]
const ICMP: readonly Range[] = [...one(1n), ...one(58n)]

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
  macSaddr: simple('macSaddr'),
  ctState: simple('ctState'),
  ctDirection: simple('ctDirection', HAS_ENTRY),
  ctMark: simple('ctMark', HAS_ENTRY),
  mark: simple('mark'),
  saddrTypeIif: simple('saddrTypeIif'),
  daddrTypeIif: simple('daddrTypeIif'),
  saddrTypeOif: simple('saddrTypeOif'),
  daddrTypeOif: simple('daddrTypeOif'),
  saddrRoute: simple('saddrRoute'),
  saddrRouteIif: simple('saddrRouteIif'),
  ttl: simple('ttl'),
  dscp: simple('dscp'),
  length: simple('length'),
}

const PORT: Readonly<Record<'sport' | 'dport', SimpleField>> = { sport: simple('sport', WHOLE), dport: simple('dport', WHOLE) }
const PORT_PROTOCOL_RANGES = mergeRanges(PORT_PROTOCOLS.map((protocol) => one(BigInt(protocol))).flat())

/** The one level that a field reads, or undefined where it takes more than one. `protocols`: what l4proto is known to be. */
export function simpleFieldOf(name: FieldName, stage: Stage, protocols: readonly Range[] | undefined): SimpleField | undefined {
  if (name === 'sport' || name === 'dport') return protocols && hasPorts(protocols) ? PORT[name] : undefined
  if (stage.isBeforeTracking && OF_TRACKING.has(name)) return undefined
  if (name === 'ttl' && stage.isForwarded) return undefined
  if ((name === 'iif' && stage.hasNoIif) || (name === 'oif' && stage.hasNoOif)) return undefined
  return SIMPLE_FIELDS[name]
}

/** Before connection tracking the state reads invalid and the others cannot be read. */
const OF_TRACKING: ReadonlySet<FieldName> = new Set(['ctState', 'ctDirection', 'ctMark'])

const hasPorts = (protocols: readonly Range[]): boolean =>
  protocols.every((range) => range.first === range.last && PORT_PROTOCOLS.includes(Number(range.first)))

/** The level's values whose masked form is among the given ones; undefined where a mask and ranges do not go together. */
export function levelRanges(space: PacketSpace, level: LevelField, field: Field, values: readonly Value[]): Range[] | undefined {
  if (level === 'iif' || level === 'oif') return nameRanges(space, values)
  const intervals = intervalsOf(values)
  if (level === 'family') return pick(2, (index) => holds(intervals, index === 0 ? 4n : 6n, field.mask))
  if (level === 'ctState') return pick(CT_CLASSES.length, (index) => holds(intervals, BigInt(CT_CLASSES[index] ?? 0), field.mask))
  const max = space.maxOf(level)
  if (field.mask === undefined || (field.mask & max) === max) return mergeRanges(clip(intervals, max))
  if (max <= 0xffffn) return pick(Number(max) + 1, (value) => holds(intervals, BigInt(value), field.mask))
  return prefixMaskRanges(intervals, field.mask, max)
}

const clip = (ranges: readonly Range[], max: bigint): Range[] =>
  ranges.filter((range) => range.first <= max).map((range) => ({ first: range.first, last: range.last < max ? range.last : max }))

const holds = (ranges: readonly Range[], value: bigint, mask: bigint | undefined): boolean => {
  const masked = mask === undefined ? value : value & mask
  return ranges.some((range) => range.first <= masked && masked <= range.last)
}

function pick(size: number, isIn: (value: number) => boolean): Range[] {
  const ranges: { first: bigint; last: bigint }[] = []
  for (let value = 0; value < size; value += 1) {
    if (!isIn(value)) continue
    const open = ranges.at(-1)
    if (open && open.last === BigInt(value) - 1n) open.last += 1n
    else ranges.push({ first: BigInt(value), last: BigInt(value) })
  }
  return ranges
}

const nameRanges = (space: PacketSpace, values: readonly Value[]): Range[] =>
  pick(space.names.length, (index) => {
    const nameClass = space.names[index]
    return values.some((value) => nameClass !== undefined && isInterfaceName(value) && classMatches(nameClass, value))
  })

/** A mask of leading ones keeps order, so that ranges stay ranges. */
function prefixMaskRanges(ranges: readonly Range[], mask: bigint, max: bigint): Range[] | undefined {
  const host = max & ~mask
  if ((host & (host + 1n)) !== 0n) return undefined
  return mergeRanges(
    clip(ranges, max).flatMap(({ first, last }) => {
      const from = (first + host) & ~host & max
      const to = last & ~host
      return from > to ? [] : [{ first: from, last: to | host }]
    }),
  )
}

/** Yes where the field can be read and its masked value is among the given ones: the general way, for any field. Never negated. */
export function fieldDiagram(space: PacketSpace, field: Field, values: readonly Value[], stage: Stage): Diagram {
  const { combiner } = space
  const known = simpleFieldOf(field.name, stage, undefined)
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
  saddrType: addressTypeDiagram,
  daddrType: addressTypeDiagram,
  ctOriginalProtocol: originalDiagram,
  ctOriginalSaddr4: originalDiagram,
  ctOriginalSaddr6: originalDiagram,
  ctOriginalSport: originalDiagram,
  ctOriginalDaddr4: originalDiagram,
  ctOriginalDaddr6: originalDiagram,
  ctOriginalDport: originalDiagram,
}

const intervalsOf = (values: readonly Value[]): Range[] => values.filter((value) => isInterval(value))

const isInterval = (value: Value): value is Interval => !isInterfaceName(value)

const ifThenElse = (space: PacketSpace, test: Diagram, yes: Diagram, no: Diagram): Diagram => {
  const { combiner } = space
  return combiner.combine(EITHER, combiner.combine(BOTH, test, yes), combiner.combine(BOTH, invert(space, test), no))
}

/** Yes and no change places; unknown stays. */
export const invert = (space: PacketSpace, match: Diagram): Diagram =>
  mapTerminals(space.arena, match, (terminal) => (terminal === YES ? NO : terminal === NO ? YES : UNKNOWN))

/** The hook has no such interface: its name reads empty. */
function noInterfaceDiagram(_space: PacketSpace, _field: Field, values: readonly Value[]): Diagram {
  return values.some((value) => isInterfaceName(value) && value.name === '') ? YES : NO
}

function portDiagram(space: PacketSpace, field: Field, values: readonly Value[]): Diagram {
  const level = field.name === 'sport' ? 'sport' : 'dport'
  const ports = levelDiagram(space, level, field, values)
  // One question for each set of values: that two tests read the same bytes is not kept, which only makes them less certain.
  const raw = space.askBoolean(`${level} of a protocol without ports ${questionOf(field, values)}`, false)
  const test = ifThenElse(space, space.test('l4proto', PORT_PROTOCOL_RANGES), ports, raw)
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

function questionOf(field: Field, values: readonly Value[]): string {
  const ranges = intervalsOf(values).map(({ first, last }) => `${first}-${last}`)
  return `${field.mask === undefined ? '' : `& ${field.mask} `}in ${ranges.join(',')}`
}

/** Only the bits for SNAT and DNAT are modelled, each tested alone. */
function statusDiagram(space: PacketSpace, field: Field, values: readonly Value[], stage: Stage): Diagram {
  if (stage.isBeforeTracking) return NO
  const intervals = intervalsOf(values)
  const isWhole = field.mask === undefined && holds(intervals, 0n, undefined) && holds(intervals, 0xffff_ffffn, undefined) && intervals.length === 1
  const level = field.mask === BigInt(CT_STATUS.dnat) ? 'ctDnat' : field.mask === BigInt(CT_STATUS.snat) ? 'ctSnat' : undefined
  const bit = field.mask ?? 0n
  const test = isWhole
    ? YES
    : level
      ? space.test(level, pick(2, (value) => holds(intervals, value === 1 ? bit : 0n, undefined)))
      : space.askBoolean(`ct status ${questionOf(field, values)}`, false)
  return space.combiner.combine(BOTH, space.test(...HAS_ENTRY), test)
}

/**
 * A new flow's first packet is this one: before DNAT its own fields, after it the fields kept apart. Of later packets, replies above all,
 * nothing is known.
 */
function originalDiagram(space: PacketSpace, field: Field, values: readonly Value[], stage: Stage): Diagram {
  const { combiner } = space
  const name = field.name
  const own = ORIGINAL_OF[name]
  if (stage.isBeforeTracking) return NO
  if (!own) return UNKNOWN
  const level = keptApart(name, stage) ?? own
  const needs = own === 'saddr4' || own === 'daddr4' ? [IPV4] : own === 'saddr6' || own === 'daddr6' ? [IPV6] : []
  const isAny = intervalsOf(values).some((range) => range.first === 0n && range.last > space.maxOf(level))
  const first = isAny ? YES : levelDiagram(space, level, field, values)
  const later = isAny ? YES : space.askBoolean(`${name} of a known flow ${questionOf(field, values)}`, false)
  const test = ifThenElse(space, space.test('ctState', one(BigInt(CT_NEW))), first, later)
  return [HAS_ENTRY, ...needs].reduce((all, need) => combiner.combine(BOTH, all, space.test(...need)), test)
}

function keptApart(name: FieldName, stage: Stage): LevelField | undefined {
  if (name === 'ctOriginalDport') return stage.isPortNew ? name : undefined
  return (name === 'ctOriginalDaddr4' || name === 'ctOriginalDaddr6') && stage.isAddressNew ? name : undefined
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

// ───────────────────────────── address types ─────────────────────────────

function addressTypeDiagram(space: PacketSpace, field: Field, values: readonly Value[], stage: Stage): Diagram {
  const side = field.name === 'saddrType' ? 'saddr' : 'daddr'
  const typesOf = side === 'saddr' ? (space.facts && factTypes(space.facts)) : destinationTypes(space.facts, stage)
  const wanted = pick(16, (value) => holds(intervalsOf(values), BigInt(value), field.mask))
  if (!typesOf) return space.test(`${side}Type`, wanted)
  const ofFamily = (family: 4 | 6): Diagram => {
    const ranges = typesOf(family).filter((range) => holds(wanted, BigInt(range.type), undefined))
    return space.combiner.combine(BOTH, space.test(...(family === 4 ? IPV4 : IPV6)), space.test(`${side}${family}`, mergeRanges(ranges)))
  }
  return space.combiner.combine(EITHER, ofFamily(4), ofFamily(6))
}

export interface TypedRange extends Range {
  readonly type: number
}

/** Every address of a family with its type; sorted, without gaps. */
export type TypesOf = (family: 4 | 6) => TypedRange[]

interface TypedPrefix {
  readonly prefix: Prefix
  readonly type: number
}

/** Without facts, what routing must have said for the packet to be where it is; undefined before routing, where anything can be. */
export function destinationTypes(facts: HostFacts | undefined, stage: Stage): TypesOf | undefined {
  if (facts) return factTypes(facts)
  const type = stage.destination && ADDRESS_TYPES[stage.destination]
  return type === undefined ? undefined : (family) => layTypes(family, FIXED_TYPES, type)
}

/**
 * IPv4: zeronet and 255.255.255.255 are broadcast, class D multicast, else the local table says, and what it does not hold is unicast
 * (net/ipv4/fib_frontend.c, __inet_dev_addr_type). IPv6: what the local table does not hold is unicast where there is a route (nft_fib_ipv6.c).
 */
const factTypes =
  (facts: HostFacts): TypesOf =>
  (family) => {
    const local = facts.routes.filter((route) => route.table === 'local')
    const own = family === 4 ? local : local.filter((route) => route.type === 'local' || route.type === 'anycast')
    const far = family === 4 ? [] : facts.routes.filter((route) => route.table !== 'local')
    const layers = [...FIXED_TYPES, ...byLength(own), ...byLength(far)]
    return layTypes(family, layers, family === 4 ? ADDRESS_TYPES.unicast : ADDRESS_TYPES.unreachable)
  }

const byLength = (routes: readonly Route[]): TypedPrefix[] =>
  routes
    .toSorted((a, b) => b.destination.length - a.destination.length || a.metric - b.metric)
    .map((route) => ({ prefix: route.destination, type: routeType(route) }))

const routeType = ({ type, table }: Route): number =>
  table === 'local' || type === 'unicast' ? ADDRESS_TYPES[type] : ADDRESS_TYPES.unreachable

const FIXED_TYPES: readonly TypedPrefix[] = [
  { prefix: { family: 4, value: 0n, length: 8 }, type: ADDRESS_TYPES.broadcast },
  { prefix: { family: 4, value: 0xffff_ffffn, length: 32 }, type: ADDRESS_TYPES.broadcast },
  { prefix: { family: 4, value: 0xe000_0000n, length: 4 }, type: ADDRESS_TYPES.multicast },
  { prefix: { family: 6, value: 0xffn << 120n, length: 8 }, type: ADDRESS_TYPES.multicast },
]

/** The first prefix that holds an address gives its type. */
function layTypes(family: 4 | 6, layers: readonly TypedPrefix[], otherwise: number): TypedRange[] {
  const typed: TypedRange[] = []
  let free: Range[] = [{ first: 0n, last: family === 4 ? (1n << 32n) - 1n : (1n << 128n) - 1n }]
  for (const { prefix, type } of layers) {
    if (prefix.family !== family) continue
    const own = [{ first: prefix.value, last: lastOf(prefix) }]
    typed.push(...intersectRanges(free, own).map((range) => ({ ...range, type })))
    free = free.flatMap((range) => subtract(range, own[0] ?? range))
  }
  return [...typed, ...free.map((range) => ({ ...range, type: otherwise }))].toSorted((a, b) => (a.first < b.first ? -1 : 1))
}

function subtract(range: Range, own: Range): Range[] {
  if (own.last < range.first || own.first > range.last) return [range]
  const rest: Range[] = []
  if (own.first > range.first) rest.push({ first: range.first, last: own.first - 1n })
  if (own.last < range.last) rest.push({ first: own.last + 1n, last: range.last })
  return rest
}
