import type { Family } from '../../net/address.ts'
import type { Field, Interval, Match, NamedSet, SetElement, Source, Value } from '../ruleset.ts'
import { LineRefusal, splitWords, type Word } from './line.ts'
import { notA, readAddresses, readNumber, readProtocol, readRange } from './number.ts'

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

  match(name: Word, directions: Word, isNegated: boolean, _family: Family): Match {
    const set = this.#sets.get(name.text)
    if (!set?.dimensions) return { kind: 'unknown', what: `match-set ${name.text} ${directions.text}`, isDeterministic: true, isNegated }
    const sides = directions.text.split(',')
    const fields = set.dimensions.flatMap((dimension, index) => fieldsOf(dimension, sides[index] === 'dst' ? 'd' : 's', set.family))
    return { kind: 'lookup', fields, among: { kind: 'named', name: name.text }, isNegated }
  }

  named(): readonly NamedSet[] {
    return [...this.#sets.values()].map((set) => ({ name: set.name, elements: set.elements, isDynamic: !set.isKnown, source: set.source }))
  }

  #create(name: Word, rest: readonly Word[], source: Source): void {
    const type = rest[0]
    if (!type) throw notA(name, 'followed by a set type', '后接集合类型的名称')
    const at = rest.findIndex((word) => word.text === 'family')
    const family = rest[at + 1]?.text === 'inet6' && at >= 0 ? 6 : 4
    this.#sets.set(name.text, { name: name.text, family, dimensions: dimensionsOf(type.text), isPortOnly: type.text === 'bitmap:port', isKnown: true, elements: [], source })
  }

  #add(name: Word, rest: readonly Word[]): void {
    const set = this.#sets.get(name.text)
    const element = rest[0]
    if (!set || !element) throw notA(name, 'a set created above', '上文已创建的集合')
    if (!set.dimensions) return
    // An exception to a wider element would need an order of elements that the neutral form does not have.
    if (rest.some((word) => word.text === 'nomatch')) return this.markDynamic(name.text)
    const at = rest.findIndex((word) => word.text === 'timeout')
    const timeout = at >= 0 ? rest[at + 1] : undefined
    const expires = timeout ? { expiresSeconds: Number(readNumber(timeout, 4_294_967)) } : {}
    for (const values of valuesOf(set, element)) set.elements.push({ values, ...expires })
  }
}

interface IpSet {
  readonly name: string
  readonly family: Family
  /** Undefined: a type that is not modelled. */
  readonly dimensions: readonly Dimension[] | undefined
  readonly isPortOnly: boolean
  readonly isKnown: boolean
  readonly elements: SetElement[]
  readonly source: Source
}

const DIMENSIONS = ['ip', 'net', 'port', 'iface', 'mac', 'mark'] as const
type Dimension = (typeof DIMENSIONS)[number]

const isDimension = (name: string): name is Dimension => (DIMENSIONS as readonly string[]).includes(name)

function dimensionsOf(type: string): readonly Dimension[] | undefined {
  const [method = '', data = ''] = type.split(':')
  const names = data.split(',')
  return (method === 'hash' || method === 'bitmap') && names.every(isDimension) ? names : undefined
}

const FIELDS: Record<Dimension, (side: 's' | 'd', family: Family) => readonly Field[]> = {
  ip: (side, family) => [{ name: `${side}addr${family}` }],
  net: (side, family) => [{ name: `${side}addr${family}` }],
  port: (side) => [{ name: 'l4proto' }, { name: `${side}port` }],
  iface: (side) => [{ name: side === 's' ? 'iif' : 'oif' }],
  mac: () => [{ name: 'macSaddr' }],
  mark: () => [{ name: 'mark' }],
}

const fieldsOf = (dimension: Dimension, side: 's' | 'd', family: Family): readonly Field[] => FIELDS[dimension](side, family)

const one = (value: number | bigint): Interval => ({ first: BigInt(value), last: BigInt(value) })

function valuesOf(set: IpSet, element: Word): readonly (readonly Value[])[] {
  const parts = element.text.split(',')
  if (!set.dimensions || parts.length !== set.dimensions.length) throw notA(element, 'an element of the set’s type', '该集合类型的元素')
  // bitmap:port holds no protocol and is asked for TCP and UDP alike (ip_set_bitmap_port.c).
  if (set.isPortOnly) return [6, 17].map((protocol) => [one(protocol), readRange(element, 65_535, '-')])
  return [set.dimensions.flatMap((dimension, index) => READ[dimension]({ text: parts[index] ?? '', column: element.column }, set.family))]
}

const READ: Record<Dimension, (word: Word, family: Family) => readonly Value[]> = {
  ip: (word, family) => [readSpan(word, family)],
  net: (word, family) => [readSpan(word, family)],
  port: (word) => {
    const [protocol, port] = word.text.includes(':') ? word.text.split(':') : ['tcp', word.text]
    return [one(readProtocol({ ...word, text: protocol ?? '' })), readRange({ ...word, text: port ?? '' }, 65_535, '-')]
  },
  iface: (word) => [{ name: word.text.replace(/^physdev:/, ''), isPrefix: false }],
  mac: (word) => {
    if (!/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(word.text)) throw notA(word, 'a MAC address', 'MAC 地址')
    return [one(BigInt(`0x${word.text.replaceAll(':', '')}`))]
  },
  mark: (word) => [one(readNumber(word, 0xffff_ffff))],
}

function readSpan(word: Word, family: Family): Interval {
  const [first = '', last] = word.text.split('-')
  if (last === undefined) return readAddresses(word, family)
  return { first: readAddresses({ ...word, text: first }, family).first, last: readAddresses({ ...word, text: last }, family).last }
}
