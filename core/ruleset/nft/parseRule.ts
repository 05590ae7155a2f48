import { parseAddress, type Address } from '../../net/address.ts'
import type { PortRange } from '../../net/port.ts'
import {
  PORT_PROTOCOLS,
  type Element,
  type Elements,
  type Field,
  type Interval,
  type LookupMatch,
  type MarkStatement,
  type NatAddress,
  type NatElement,
  type NatTarget,
  type NatVerdict,
  type Step,
  type TableFamily,
  type Value,
  type Verdict,
  type VerdictElement,
} from '../ruleset.ts'
import { entryOf, type JsonNode } from './jsonNode.ts'
import { FRAGMENT_OFFSET_MASK, parseField, type ReadField } from './parseField.ts'
import { lastValueOf, parseNumber, parseValue, type DataType } from './parseValue.ts'
import { printNft } from './print.ts'

/** What the rules of one table tell about its sets. */
export interface TableContext {
  readonly family: TableFamily
  /** Sets that rules fill; JSON does not always print the flag. Added to while rules are read. */
  readonly dynamicSets: Set<string>
}

/** The statements of one rule, in order. */
export function parseSteps(expression: JsonNode, table: TableContext): readonly Step[] {
  const rule = new RuleReader(table)
  for (const statement of expression.items()) rule.statement(statement)
  return trimmed(rule.steps)
}

/** Without the room for 17 that a list keeps which was added to one by one. */
const trimmed = <T>(list: readonly T[]): readonly T[] => list.slice()

const ALL_BITS = 0xffff_ffffn

class RuleReader {
  readonly steps: Step[] = []
  readonly #table: TableContext
  #family: 4 | 6 | undefined
  #protocol: number | undefined

  constructor(table: TableContext) {
    this.#table = table
    this.#family = table.family === 'ip' ? 4 : table.family === 'ip6' ? 6 : undefined
  }

  statement(node: JsonNode): void {
    const { key, node: body } = node.sole ?? node.refuse('must be a statement', '必须是语句')
    const read = entryOf(STATEMENTS, key)
    if (read) read(this, body, node)
    else if (NOTES.has(key)) this.note(node, false)
    else if (UNMODELLED_NOTES.has(key)) this.note(node, true)
    else if (UNKNOWN_MATCHES.has(key)) this.unknown(node, false)
    else this.steps.push({ kind: 'unmodelled', what: printNft(node) })
  }

  note(node: JsonNode, isUnmodelled: boolean): void {
    this.steps.push({ kind: 'note', what: printNft(node), isUnmodelled })
  }

  unknown(node: JsonNode, isDeterministic: boolean): void {
    this.steps.push({ kind: 'unknown', what: printNft(node), isDeterministic, isNegated: false })
  }

  match(body: JsonNode, node: JsonNode): void {
    const read = parseOperands(body, this.#table.family)
    if (!read) {
      const left = printNft(body.require('left'))
      this.unknown(node, !FRESH_EACH_TIME.test(left))
      return
    }
    this.#need(read.needs)
    this.steps.push(read.match)
    this.#learn(read.match)
  }

  vmap(body: JsonNode, node: JsonNode): void {
    const fields = parseFields(body.require('key'), this.#table.family)
    const among = fields && parsePairs(body.require('data'), fields, parseVerdictElement)
    if (!fields || !among) {
      this.steps.push({ kind: 'unmodelled', what: printNft(node) })
      return
    }
    this.#need(fields)
    this.steps.push({ kind: 'vmap', fields: fieldsOf(fields), among })
  }

  /** The kernel breaks the rule off when the element's expression cannot be read and when the set is full (nft_dynset.c). */
  setStatement(body: JsonNode, node: JsonNode): void {
    const name = body.require('set').text().replace(/^@/, '')
    this.#table.dynamicSets.add(name)
    const element = body.require('elem')
    const fields = parseFields(element.member('elem')?.require('val') ?? element, this.#table.family)
    if (fields) this.#need(fields)
    this.steps.push({ kind: 'unknown', what: printNft(node), isDeterministic: false, isNegated: false, fills: name })
  }

  mangle(body: JsonNode, node: JsonNode): void {
    const key = printNft(body.require('key'))
    const value = body.require('value')
    if (key === 'meta mark' || key === 'ct mark') this.#mark(key, value, node)
    else {
      if (typeof value.value === 'object') this.unknown(node, false)
      this.note(node, !HARMLESS_MANGLES.has(key))
    }
  }

  /** Reading the mark of an entry that the packet has not breaks the rule off, and so may the lookup of a value (nft_ct.c, nft_lookup.c). */
  #mark(key: 'meta mark' | 'ct mark', value: JsonNode, node: JsonNode): void {
    const { step, of } = parseMark(key, value)
    if (step.isUnknown) this.unknown(node, false)
    if (of === 'ctMark') this.steps.push(HAS_ENTRY)
    this.steps.push(step)
  }

  reject(body: JsonNode): void {
    this.steps.push({ kind: 'reject', with: body.member('type')?.value === 'tcp reset' ? 'tcp-reset' : 'icmp' })
  }

  nat(change: NatVerdict['change'], body: JsonNode, node: JsonNode): void {
    const { target, fields } = parseNatTarget(body, change, node, this.#table.family)
    const family = natFamily(body, target)
    // In an inet table NAT of the other family does nothing and the next rule is asked (nft_nat.c, nft_nat_inet_eval).
    this.#need([...fields, ...(family ? [{ family }] : [])])
    this.steps.push({ kind: 'nat', change, target })
  }

  /** Writes the tests that nft puts before a field, once a rule. */
  #need(needs: readonly Pick<ReadField, 'family' | 'protocol'>[]): void {
    for (const { family, protocol } of needs) {
      if (family !== undefined && family !== this.#family) this.steps.push(FAMILY_TESTS[(this.#family = family)])
      if (protocol !== undefined && protocol !== this.#protocol) this.#needProtocol((this.#protocol = protocol))
    }
  }

  #needProtocol(protocol: number): void {
    this.steps.push(PROTOCOL_TESTS.get(protocol) ?? test('l4proto', protocol))
  }

  /** After `meta l4proto tcp`, a TCP field needs no test of its own. */
  #learn(match: LookupMatch): void {
    const only = match.among.kind === 'inline' && match.among.elements.length === 1 ? match.among.elements[0]?.values[0] : undefined
    const field = match.fields[0]
    if (match.isNegated || match.fields.length !== 1 || !only || !field || field.mask !== undefined) return
    if ('name' in only || only.first !== only.last) return
    if (field.name === 'family') this.#family = only.first === 4n ? 4 : 6
    if (field.name === 'l4proto') this.#protocol = Number(only.first)
  }
}

const test = (name: 'family' | 'l4proto', number: number): LookupMatch => {
  const value = BigInt(number)
  return { kind: 'lookup', fields: [{ name }], among: { kind: 'inline', elements: [{ values: [{ first: value, last: value }] }] }, isNegated: false }
}

type Read = (rule: RuleReader, body: JsonNode, node: JsonNode) => void

const ACCEPT: Verdict = { kind: 'accept' }
const DROP: Verdict = { kind: 'drop' }

const STATEMENTS: Readonly<Record<string, Read>> = {
  match: (rule, body, node) => rule.match(body, node),
  vmap: (rule, body, node) => rule.vmap(body, node),
  set: (rule, body, node) => rule.setStatement(body, node),
  map: (rule, body, node) => rule.setStatement(body, node),
  mangle: (rule, body, node) => rule.mangle(body, node),
  notrack: (rule) => rule.steps.push({ kind: 'notrack' }),
  accept: (rule) => rule.steps.push(ACCEPT),
  drop: (rule) => rule.steps.push(DROP),
  continue: (rule) => rule.steps.push({ kind: 'continue' }),
  return: (rule) => rule.steps.push({ kind: 'return' }),
  jump: (rule, body) => rule.steps.push({ kind: 'jump', chain: body.require('target').text() }),
  goto: (rule, body) => rule.steps.push({ kind: 'goto', chain: body.require('target').text() }),
  reject: (rule, body) => rule.reject(body),
  queue: (rule, body) => rule.steps.push(parseQueue(body)),
  dnat: (rule, body, node) => rule.nat('dnat', body, node),
  snat: (rule, body, node) => rule.nat('snat', body, node),
  redirect: (rule, body, node) => rule.nat('redirect', body, node),
  masquerade: (rule, body, node) => rule.nat('masquerade', body, node),
}

const NOTES = new Set(['counter', 'log', 'ct helper', 'ct timeout', 'ct expectation', 'secmark', 'ct secmark', 'last'])
/** They steer packets past the model; a verdict behind them is conditional and says so. */
const UNMODELLED_NOTES = new Set(['flow', 'dup', 'fwd', 'reset', 'exthdr'])
const UNKNOWN_MATCHES = new Set(['limit', 'quota', 'ct count', 'meter'])
const HARMLESS_MANGLES = new Set(['meta priority', 'meta nftrace', 'ct event', 'ct label', 'ct helper'])
const FRESH_EACH_TIME = /numgen|meta (time|hour|day|random|cpu)|ct (expiration|bytes|packets|avgpkt|count|id|label)/

const FAMILY_TESTS = { 4: test('family', 4), 6: test('family', 6) }
const PROTOCOL_TESTS: ReadonlyMap<number, LookupMatch> = new Map([1, 58, ...PORT_PROTOCOLS].map((protocol) => [protocol, test('l4proto', protocol)]))

// ───────────────────────────── matches ─────────────────────────────

interface Operands {
  readonly match: LookupMatch
  readonly needs: readonly ReadField[]
}

function parseOperands(body: JsonNode, family: TableFamily): Operands | undefined {
  const left = body.require('left')
  const right = body.require('right')
  const operator = body.require('op').text()
  const masked = left.member('&')?.items()
  if (masked) return parseMasked(masked, right, operator, family)
  const fields = parseFields(left, family)
  const only = fields?.length === 1 ? fields[0] : undefined
  if (only && isIndexNumber(only, right)) return parseIndex(only, right, operator)
  if (only && (operator === 'in' || operator === '!')) return parseBitTest(only, right, operator)
  if (only && ORDER_OPERATORS.has(operator)) return parseOrder(only, right, operator)
  if (!fields || (operator !== '==' && operator !== '!=')) return undefined
  if (fields.some((read) => read.type === 'fragment')) return undefined
  const among = parseElements(right, fields)
  return among && lookup(fields, among, operator === '!=')
}

const lookup = (reads: readonly ReadField[], among: Elements, isNegated: boolean, fields = fieldsOf(reads)): Operands => ({
  match: { kind: 'lookup', fields, among, isNegated },
  needs: reads,
})

const fieldsOf = (reads: readonly ReadField[]): readonly Field[] =>
  reads.length === 1 && reads[0] ? reads[0].alone : reads.map((read) => read.field)

const inline = (...intervals: readonly Value[]): Elements => ({
  kind: 'inline',
  elements: intervals.map((value) => ({ values: [value] })),
})

const exactly = (value: bigint): Interval => ({ first: value, last: value })

function parseMasked(masked: readonly JsonNode[], right: JsonNode, operator: string, family: TableFamily): Operands | undefined {
  const [left, maskNode] = masked
  const read = left && parseField(left, family)
  const mask = read && maskNode && parseNumber(maskNode, read.type)
  if (!read || mask === undefined || (operator !== '==' && operator !== '!=')) return undefined
  if (read.type === 'fragment') return parseFragment(read, mask, right, operator)
  const among = parseElements(right, [read])
  return among && lookup([read], among, operator === '!=', [{ name: read.field.name, mask }])
}

/** Only whether the offset is zero is modelled; the more-fragments bit is not. */
function parseFragment(read: ReadField, mask: bigint, right: JsonNode, operator: string): Operands | undefined {
  if (mask !== FRAGMENT_OFFSET_MASK || parseNumber(right, 'fragment') !== 0n) return undefined
  return lookup([read], inline(exactly(operator === '!=' ? 1n : 0n)), false)
}

/** `tcp flags syn`, `ct state established,related`: any of these bits; `tcp flags ! syn`: none of them. */
function parseBitTest(read: ReadField, right: JsonNode, operator: string): Operands | undefined {
  const mask = parseNumber(right, read.type)
  if (mask === undefined) return undefined
  return lookup([read], inline(exactly(0n)), operator === 'in', [{ name: read.field.name, mask }])
}

const ORDER_OPERATORS = new Set(['<', '>', '<=', '>='])

function parseOrder(read: ReadField, right: JsonNode, operator: string): Operands | undefined {
  const edge = parseNumber(right, read.type)
  if (edge === undefined) return undefined
  const last = lastValueOf(read.type)
  const interval = {
    first: operator === '>' ? edge + 1n : operator === '>=' ? edge : 0n,
    last: operator === '<' ? edge - 1n : operator === '<=' ? edge : last,
  }
  return lookup([read], interval.first > interval.last ? inline() : inline(interval), false)
}

const isIndexNumber = (read: ReadField, right: JsonNode): boolean => read.type === 'index' && typeof right.value === 'number'

function parseIndex(read: ReadField, right: JsonNode, operator: string): Operands | undefined {
  if (operator !== '==' && operator !== '!=') return undefined
  const name = read.field.name === 'iif' ? 'iifIndex' : 'oifIndex'
  return lookup([read], inline(exactly(BigInt(right.integer()))), operator === '!=', [{ name }])
}

/** A field, or a concatenation of fields. */
export function parseFields(node: JsonNode, family: TableFamily): ReadField[] | undefined {
  const parts = node.member('concat')?.items() ?? [node]
  const fields: ReadField[] = []
  for (const part of parts) {
    const read = parseField(part, family)
    if (!read || (parts.length > 1 && read.type === 'fragment')) return undefined
    fields.push(read)
  }
  return fields
}

function parseElements(right: JsonNode, reads: readonly ReadField[]): Elements | undefined {
  if (typeof right.value === 'string' && right.value.startsWith('@')) return { kind: 'named', name: right.value.slice(1) }
  const types = reads.map((read) => read.type)
  const items = right.member('set')?.oneOrMore() ?? [right]
  const elements: Element[] = []
  for (const item of items) {
    const element = parseElement(item, types)
    if (!element) return undefined
    elements.push(element)
  }
  return { kind: 'inline', elements: trimmed(elements) }
}

/** One element's values, in the order of the set's type. Undefined: not understood. */
export function parseElement(node: JsonNode, types: readonly DataType[]): Element | undefined {
  const inner = node.member('elem')?.require('val') ?? node
  if (inner.value === '*') return { values: types.map((type) => anyValue(type)) }
  const parts = inner.member('concat')?.items() ?? [inner]
  if (parts.length !== types.length) return undefined
  const values: Value[] = []
  for (const [index, type] of types.entries()) {
    const part = parts[index]
    const value = part && parseValue(part, type)
    if (!value || !isInDomain(value, type)) return undefined
    values.push(value)
  }
  return { values: trimmed(values) }
}

const anyValue = (type: DataType): Value =>
  type === 'name' || type === 'index' ? { name: '', isPrefix: true } : { first: 0n, last: lastValueOf(type) }

const isInDomain = (value: Value, type: DataType): boolean =>
  'name' in value || (value.first <= value.last && value.last <= lastValueOf(type))

// ───────────────────────────── maps, verdicts ─────────────────────────────

type Pairs<T> = { readonly kind: 'inline'; readonly elements: readonly T[] } | { readonly kind: 'named'; readonly name: string }

function parsePairs<T>(
  data: JsonNode,
  reads: readonly ReadField[],
  parse: (pair: JsonNode, types: readonly DataType[]) => T | undefined,
): Pairs<T> | undefined {
  if (typeof data.value === 'string') return { kind: 'named', name: data.value.replace(/^@/, '') }
  const types = reads.map((read) => read.type)
  const elements: T[] = []
  for (const pair of data.require('set').oneOrMore()) {
    const element = parse(pair, types)
    if (element === undefined) return undefined
    elements.push(element)
  }
  return { kind: 'inline', elements }
}

/** `[key, {"accept": null}]`. */
export function parseVerdictElement(pair: JsonNode, types: readonly DataType[]): VerdictElement | undefined {
  const [keyNode, verdictNode] = pair.items()
  const element = keyNode && parseElement(keyNode, types)
  const verdict = verdictNode && parseVerdict(verdictNode)
  return element && verdict && { ...element, verdict }
}

function parseVerdict(node: JsonNode): Verdict | undefined {
  const { key, node: body } = node.sole ?? {}
  if (key === 'accept' || key === 'drop' || key === 'return' || key === 'continue') return { kind: key }
  if (body && (key === 'jump' || key === 'goto')) return { kind: key, chain: body.require('target').text() }
  return undefined
}

function parseQueue(body: JsonNode): Verdict {
  const flags = body.member('flags')?.oneOrMore() ?? []
  const number = body.member('num')?.value
  return { kind: 'queue', number: typeof number === 'number' ? number : 0, isBypass: flags.some((flag) => flag.value === 'bypass') }
}

// ───────────────────────────── marks ─────────────────────────────

interface MarkValue {
  readonly keep: bigint
  readonly flip: bigint
  readonly of?: 'mark' | 'ctMark'
}

function parseMark(key: 'meta mark' | 'ct mark', valueNode: JsonNode): { readonly step: MarkStatement; readonly of: MarkValue['of'] | undefined } {
  const field = key === 'meta mark' ? 'mark' : 'ctMark'
  const value = parseMarkValue(valueNode)
  if (!value) return { step: { kind: 'set-mark', field, keep: 0n, flip: 0n, isUnknown: true }, of: undefined }
  const step: MarkStatement = { kind: 'set-mark', field, keep: value.keep, flip: value.flip }
  return { step: value.of && value.of !== field ? { ...step, copyFrom: value.of } : step, of: value.of }
}

/** Any mark: yes where there is one to read. */
const HAS_ENTRY: LookupMatch = { kind: 'lookup', fields: [{ name: 'ctMark' }], among: { kind: 'inline', elements: [{ values: [{ first: 0n, last: ALL_BITS }] }] }, isNegated: false }

function parseMarkValue(node: JsonNode): MarkValue | undefined {
  if (typeof node.value === 'number') return { keep: 0n, flip: BigInt(node.integer()) & ALL_BITS }
  const text = printNft(node)
  if (text === 'meta mark' || text === 'ct mark') return { keep: ALL_BITS, flip: 0n, of: text === 'ct mark' ? 'ctMark' : 'mark' }
  const { key, node: body } = node.sole ?? {}
  const [left, right] = body?.isList ? body.items() : []
  const inner = left && parseMarkValue(left)
  const bits = typeof right?.value === 'number' ? BigInt(right.integer()) : undefined
  return inner && bits !== undefined ? combineMark(key, inner, bits) : undefined
}

function combineMark(operator: string | undefined, { keep, flip, of }: MarkValue, bits: bigint): MarkValue | undefined {
  const from = of ? { of } : {}
  if (operator === '&') return { keep: keep & bits, flip: flip & bits, ...from }
  if (operator === '|') return { keep: keep & ~bits & ALL_BITS, flip: (flip & ~bits & ALL_BITS) | bits, ...from }
  if (operator === '^') return { keep, flip: flip ^ bits, ...from }
  return undefined
}

// ───────────────────────────── NAT ─────────────────────────────

interface ParsedTarget {
  readonly target: NatTarget
  readonly fields: readonly ReadField[]
}

function parseNatTarget(body: JsonNode, change: NatVerdict['change'], node: JsonNode, family: TableFamily): ParsedTarget {
  const plain = (target: NatTarget): ParsedTarget => ({ target, fields: [] })
  if (change === 'masquerade' || !body.isObject) return plain({ kind: 'none' })
  const addressNode = body.member('addr')
  const portNode = body.member('port')
  const ports = portNode && parsePorts(portNode)
  const outside = plain({ kind: 'unknown', what: printNft(node) })
  if (portNode && !ports) return outside
  if (!addressNode) return plain(ports ? { kind: 'to', to: { ports } } : { kind: 'none' })
  const map = addressNode.member('map')
  if (map) return parseNatMap(map, ports, family) ?? outside
  const addresses = parseAddresses(addressNode)
  return addresses ? plain({ kind: 'to', to: { addresses, ...(ports ? { ports } : {}) } }) : outside
}

function parseNatMap(map: JsonNode, ports: PortRange | undefined, family: TableFamily): ParsedTarget | undefined {
  const fields = parseFields(map.require('key'), family)
  const among = fields && parsePairs(map.require('data'), fields, parseNatElement)
  if (!fields || !among) return undefined
  return { fields, target: { kind: 'map', fields: fieldsOf(fields), among, ...(ports ? { ports } : {}) } }
}

/** `[key, "172.17.0.3"]`, `[key, {"concat": ["172.17.0.2", 80]}]`, `[key, 8080]`. */
export function parseNatElement(pair: JsonNode, types: readonly DataType[]): NatElement | undefined {
  const [keyNode, targetNode] = pair.items()
  const element = keyNode && parseElement(keyNode, types)
  const target = targetNode && parseNatAddress(targetNode)
  return element && target && { ...element, target }
}

function parseNatAddress(node: JsonNode): NatAddress | undefined {
  const [addressNode = node, portNode] = node.member('concat')?.items() ?? [node]
  const addresses = parseAddresses(addressNode)
  const ports = parsePorts(portNode ?? addressNode)
  if (portNode) return addresses && ports && { addresses, ports }
  return addresses ? { addresses } : ports && { ports }
}

function parseAddresses(node: JsonNode): { first: Address; last: Address } | undefined {
  const [first, last = first] = (node.member('range')?.items() ?? [node]).map((end) =>
    typeof end.value === 'string' ? parseAddress(end.value) : undefined,
  )
  return first?.ok && last?.ok ? { first: first.value, last: last.value } : undefined
}

function parsePorts(node: JsonNode): PortRange | undefined {
  const [first, last = first] = (node.member('range')?.items() ?? [node]).map((end) => end.value)
  return typeof first === 'number' && typeof last === 'number' ? { first, last } : undefined
}

function natFamily(body: JsonNode, target: NatTarget): 4 | 6 | undefined {
  const stated = body.member('family')?.value
  if (stated === 'ip' || stated === 'ip6') return stated === 'ip' ? 4 : 6
  return target.kind === 'to' ? target.to.addresses?.first.family : undefined
}

