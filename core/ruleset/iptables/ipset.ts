import type { Family } from '../../net/address.ts'
import { PROTOCOL_NUMBERS } from '../../net/protocol.ts'
import type { Field, Interval, Match, NamedSet, SetElement, Source, Value } from '../ruleset.ts'
import { icmpTypeOf } from './icmp.ts'
import { LineRefusal, splitWords, type Word } from './line.ts'
import { notA, readAddresses, readNumber, readProtocol, readRange } from './number.ts'

/** What a rule says of a set besides its name. */
export interface SetQuestion {
  /** `src,dst`: one for each dimension. */
  readonly directions: Word
  readonly isNegated: boolean
  /** Of the rule: a set of the other family holds none of its packets. */
  readonly family: Family
  /** `--return-nomatch`: exceptions match, and nothing else does (ip_set_core.c, ip_set_test). */
  readonly isOfExceptions: boolean
}

/** The sets of `ipset save`, for `-m set --match-set`. A set that is not given, or whose type is not modelled, answers unknown. */
export class IpSets {
  readonly #sets = new Map<string, IpSet>()

  /** Reads one line of `ipset save`; refuses with the column of what it cannot read. */
  readLine(line: string, source: Source): void {
    const [verb, name, ...rest] = splitWords(line)
    if (!verb || verb.text.startsWith('#')) return
    if (!name || (verb.text !== 'create' && verb.text !== 'add')) throw new LineRefusal(verb.column, `"${verb.text.slice(0, 32)}" is not create or add`, `“${verb.text.slice(0, 32)}”不是 create 或 add`)
    if (verb.text === 'create') this.#create(name, rest, source)
    else this.#add(name, rest)
  }

  /** Rules fill it: its content at the time of a packet is not known. */
  markDynamic(name: string): void {
    const set = this.#sets.get(name)
    if (set) this.#sets.set(name, { ...set, isKnown: false })
  }

  match(name: Word, { directions, isNegated, family, isOfExceptions }: SetQuestion): Match {
    const what = `match-set ${name.text} ${directions.text}${isOfExceptions ? ' return-nomatch' : ''}`
    const alternatives = this.#alternatives(name.text, { sides: directions.text.split(','), family, isOfExceptions })
    if (!alternatives) return { kind: 'unknown', what, isDeterministic: true, isNegated }
    const [only, ...others] = alternatives
    // What a set asks for and the packet has not is a no, and its negation a yes: unlike a lookup, which then answers no either way.
    return only && others.length === 0 && !isNegated ? only : { kind: 'any-of', isNegated, alternatives: alternatives.map((each) => [each]) }
  }

  named(): readonly NamedSet[] {
    return [...this.#sets.values()].flatMap((set) =>
      SHAPES.flatMap((shape) => (shape === 'whole' || set.elements[shape].length > 0 ? [{ name: nameOf(set, shape), elements: set.elements[shape], isDynamic: !set.isKnown, source: set.source }] : [])),
    )
  }

  /** Lookups of which one must answer yes; undefined: not known. */
  #alternatives(name: string, asked: Asked): readonly Match[] | undefined {
    const set = this.#sets.get(name)
    if (set?.members) return this.#ofMembers(set.members, asked)
    if (!set?.dimensions) return undefined
    const { dimensions } = set
    const { sides, family, isOfExceptions } = asked
    // ip_set_core.c, ip_set_test: fewer directions than dimensions, or the other family.
    if (sides.length < dimensions.length || (set.family !== undefined && set.family !== family)) return []
    if (isOfExceptions && dimensions.includes('net')) return set.isKnown ? [] : undefined
    // The frame's destination is not part of the model.
    if (dimensions.some((dimension, index) => dimension === 'mac' && sides[index] === 'dst')) return undefined
    return SHAPES.filter((shape) => shape === 'whole' || set.elements[shape].length > 0).map((shape): Match => ({
      kind: 'lookup',
      fields: dimensions.flatMap((dimension, index) => (dimension === 'port' ? PORT_FIELDS[shape] : FIELDS[dimension])(sides[index] === 'dst' ? 'd' : 's', set.family ?? family)),
      among: { kind: 'named', name: nameOf(set, shape) },
      isNegated: false,
    }))
  }

  /** A list of sets holds what any of them holds (ip_set_list_set.c, list_set_ktest). */
  #ofMembers(members: readonly string[], asked: Asked): readonly Match[] | undefined {
    const all: Match[] = []
    for (const member of members) {
      const own = this.#sets.get(member)?.members ? undefined : this.#alternatives(member, asked)
      if (!own) return undefined
      all.push(...own)
    }
    return all
  }

  #create(name: Word, rest: readonly Word[], source: Source): void {
    const type = rest[0]
    if (!type) throw notA(name, 'followed by a set type', '后接集合类型的名称')
    const at = rest.findIndex((word) => word.text === 'family')
    const family = rest[at + 1]?.text === 'inet6' && at >= 0 ? 6 : 4
    const dimensions = dimensionsOf(type.text)
    this.#sets.set(name.text, {
      name: name.text,
      family: dimensions?.some((dimension) => dimension === 'ip' || dimension === 'net') ? family : undefined,
      dimensions,
      ...(type.text === 'list:set' ? { members: [] } : {}),
      isPortOnly: type.text === 'bitmap:port',
      isKnown: true,
      elements: { whole: [], portless: [], icmp: [] },
      source,
    })
  }

  #add(name: Word, rest: readonly Word[]): void {
    const set = this.#sets.get(name.text)
    const element = rest[0]
    if (!set || !element) throw notA(name, 'a set created above', '上文已创建的集合')
    if (set.members) set.members.push(element.text)
    if (!set.dimensions) return
    // An exception to a wider element would need an order of elements that the neutral form does not have.
    if (rest.some((word) => word.text === 'nomatch')) return this.markDynamic(name.text)
    // The kernel writes the address of the first packet there (ip_set_bitmap_ipmac.c).
    if (set.dimensions.join() === 'ip,mac' && !element.text.includes(',')) return this.markDynamic(name.text)
    const at = rest.findIndex((word) => word.text === 'timeout')
    const timeout = at >= 0 ? rest[at + 1] : undefined
    const expires = timeout ? { expiresSeconds: Number(readNumber(timeout, 4_294_967)) } : {}
    const shape = shapeOf(set.dimensions, element)
    for (const values of valuesOf(set, element, shape)) set.elements[shape].push({ values, ...expires })
  }
}

interface Asked {
  readonly sides: readonly string[]
  readonly family: Family
  readonly isOfExceptions: boolean
}

interface IpSet {
  readonly name: string
  /** Undefined: of both. */
  readonly family: Family | undefined
  /** Undefined: a type that is not modelled. */
  readonly dimensions: readonly Dimension[] | undefined
  /** Of a list of sets. */
  readonly members?: string[]
  readonly isPortOnly: boolean
  readonly isKnown: boolean
  readonly elements: Readonly<Record<Shape, SetElement[]>>
  readonly source: Source
}

/**
 * Where others have ports, ICMP has its type and code, and protocols without ports have nothing; DCCP counts as one of them
 * (ip_set_getport.c, get_port). Elements of each kind are a set of their own in the neutral form.
 */
const SHAPES = ['whole', 'portless', 'icmp'] as const
type Shape = (typeof SHAPES)[number]

const nameOf = ({ name }: IpSet, shape: Shape): string => (shape === 'whole' ? name : `${name} (${shape})`)

const OF_PORTS: ReadonlySet<number> = new Set([PROTOCOL_NUMBERS.tcp, PROTOCOL_NUMBERS.udp, PROTOCOL_NUMBERS.sctp, PROTOCOL_NUMBERS.udplite])
const OF_TYPES: ReadonlySet<number> = new Set([PROTOCOL_NUMBERS.icmp, PROTOCOL_NUMBERS.icmpv6])

function shapeOf(dimensions: readonly Dimension[], element: Word): Shape {
  const part = element.text.split(',')[dimensions.indexOf('port')]
  if (!part?.includes(':')) return 'whole'
  const protocol = readProtocol({ ...element, text: part.split(':')[0] ?? '' })
  return OF_PORTS.has(protocol) ? 'whole' : OF_TYPES.has(protocol) ? 'icmp' : 'portless'
}

const DIMENSIONS = ['ip', 'net', 'port', 'iface', 'mac', 'mark'] as const
type Dimension = (typeof DIMENSIONS)[number]

const isDimension = (name: string): name is Dimension => (DIMENSIONS as readonly string[]).includes(name)

function dimensionsOf(type: string): readonly Dimension[] | undefined {
  const [method = '', data = ''] = type.split(':')
  const names = data.split(',')
  return (method === 'hash' || method === 'bitmap') && names.every(isDimension) ? names : undefined
}

type FieldsOf = (side: 's' | 'd', family: Family) => readonly Field[]

const FIELDS: Readonly<Record<Exclude<Dimension, 'port'>, FieldsOf>> = {
  ip: (side, family) => [{ name: `${side}addr${family}` }],
  net: (side, family) => [{ name: `${side}addr${family}` }],
  iface: (side) => [{ name: side === 's' ? 'iif' : 'oif' }],
  mac: () => [{ name: 'macSaddr' }],
  mark: () => [{ name: 'mark' }],
}

const PORT_FIELDS: Readonly<Record<Shape, FieldsOf>> = {
  whole: (side) => [{ name: 'l4proto' }, { name: `${side}port` }],
  portless: () => [{ name: 'l4proto' }],
  icmp: () => [{ name: 'l4proto' }, { name: 'icmpType' }, { name: 'icmpCode' }],
}

const one = (value: number | bigint): Interval => ({ first: BigInt(value), last: BigInt(value) })

function valuesOf(set: IpSet, element: Word, shape: Shape): readonly (readonly Value[])[] {
  const parts = element.text.split(',')
  if (!set.dimensions || parts.length !== set.dimensions.length) throw notA(element, 'an element of the set’s type', '该集合类型的元素')
  // bitmap:port holds no protocol and is asked for TCP and UDP alike (ip_set_bitmap_port.c).
  if (set.isPortOnly) return [6, 17].map((protocol) => [one(protocol), readRange(element, 65_535, '-')])
  return [set.dimensions.flatMap((dimension, index) => (dimension === 'port' ? READ_PORT[shape] : READ[dimension])({ text: parts[index] ?? '', column: element.column }, set.family ?? 4))]
}

type Reader = (word: Word, family: Family) => readonly Value[]

const READ: Readonly<Record<Exclude<Dimension, 'port'>, Reader>> = {
  ip: (word, family) => [readSpan(word, family)],
  net: (word, family) => [readSpan(word, family)],
  iface: (word) => [{ name: word.text.replace(/^physdev:/, ''), isPrefix: false }],
  mac: (word) => {
    if (!/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(word.text)) throw notA(word, 'a MAC address', 'MAC 地址')
    return [one(BigInt(`0x${word.text.replaceAll(':', '')}`))]
  },
  mark: (word) => [one(readNumber(word, 0xffff_ffff))],
}

const READ_PORT: Readonly<Record<Shape, Reader>> = {
  whole: (word) => {
    const [protocol, port] = word.text.includes(':') ? word.text.split(':') : ['tcp', word.text]
    return [one(readProtocol({ ...word, text: protocol ?? '' })), readRange({ ...word, text: port ?? '' }, 65_535, '-')]
  },
  portless: (word) => [one(readProtocol({ ...word, text: word.text.split(':')[0] ?? '' }))],
  icmp: (word) => {
    const [protocol = '', type = ''] = word.text.split(':')
    const number = readProtocol({ ...word, text: protocol })
    const read = icmpTypeOf({ ...word, text: type }, number === PROTOCOL_NUMBERS.icmp ? 'icmp' : 'icmpv6')
    if (!read) throw notA(word, 'an ICMP type', 'ICMP 类型')
    return [one(number), one(read.type), one(read.code ?? 0)]
  },
}

function readSpan(word: Word, family: Family): Interval {
  const [first = '', last] = word.text.split('-')
  if (last === undefined) return readAddresses(word, family)
  return { first: readAddresses({ ...word, text: first }, family).first, last: readAddresses({ ...word, text: last }, family).last }
}
