import { fail, FaultError, succeed, type Fault, type Result, type Text } from '../fault/fault.ts'
import { formatAddress, parseAddress, type Address } from '../net/address.ts'
import { PORT_MAX } from '../net/port.ts'
import { protocolName, protocolNumber, PROTOCOL_NUMBERS } from '../net/protocol.ts'
import { ICMP_TYPE_SYMBOLS, ICMPV6_TYPE_SYMBOLS, type Symbols } from './nft/symbols.ts'
import type { FlowEnds, Packet } from './packet.ts'
import { CT_STATES, CT_STATUS, PORT_PROTOCOLS, TCP_FLAGS, type CtState } from './ruleset.ts'

const TEXT_CHARACTERS_MAX = 2000

/**
 * Reads one packet as people write it: `tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new`.
 * IPv6 addresses stand in brackets: `tcp [2001:db8::7]:40000 -> [2001:db8::1]:22`. After the destination come words in any order:
 *
 * `iif NAME`, `oif NAME`, `ct new|established|related|invalid|untracked` (new), `flags syn,ack|none` (what the ct state implies),
 * `type echo-request|8` (an echo request), `code 0`, `fragment first|later`, `extension 0` (an IPv6 header's number), `direction reply`,
 * `status snat,dnat`, `mark 1`, `ctmark 1`, `mac 02:00:00:00:00:01`, `pkttype host|broadcast|multicast|other`, `ttl 64`, `dscp 0`,
 * `length 60`, and at last `original tcp A -> B`, the flow's first packet, and `reply tcp B -> A`, how its answers arrive.
 *
 * In parentheses: what holds where the word is left out; else nothing is stated and the question is about every value. `any` states nothing.
 * Faults: PACKET_TEXT, with the column.
 */
export function parsePacketText(text: string): Result<Packet> {
  try {
    if (text.length > TEXT_CHARACTERS_MAX) throw refusal(TEXT_CHARACTERS_MAX, TOO_LONG)
    return succeed(new Reader(text).packet())
  } catch (error) {
    if (error instanceof FaultError) return fail(error.fault)
    throw error
  }
}

/** The shortest text that reads back as the same packet. */
export function formatPacket(packet: Packet): string {
  const implied = impliedBy(packet)
  const words = [
    formatLine(packet.protocol, packet.source, packet.sourcePort, packet.destination, packet.destinationPort),
    ...name('iif', packet.iif),
    ...name('oif', packet.oif),
    `ct ${packet.ct}`,
    ...(packet.tcpFlags === implied.tcpFlags ? [] : [`flags ${packet.tcpFlags === undefined ? ANY : formatBits(packet.tcpFlags, TCP_FLAGS)}`]),
    ...(packet.icmpType === implied.icmpType ? [] : [`type ${packet.icmpType ?? ANY}`]),
    ...(packet.icmpCode === impliedCode(packet) ? [] : [`code ${packet.icmpCode ?? ANY}`]),
    ...(packet.fragment === undefined ? [] : [`fragment ${packet.fragment}`]),
    ...(packet.ctDirection === undefined ? [] : [`direction ${packet.ctDirection}`]),
    ...(packet.ctStatus === undefined ? [] : [`status ${formatBits(packet.ctStatus, CT_STATUS)}`]),
    ...(packet.macSource === undefined ? [] : [`mac ${formatMac(packet.macSource)}`]),
    ...(packet.pkttype === undefined ? [] : [`pkttype ${PKTTYPES[packet.pkttype]}`]),
    ...NUMBER_WORDS.flatMap(([word, key]) => (packet[key] === undefined ? [] : [`${word} ${packet[key]}`])),
    ...(packet.ctOriginal === undefined ? [] : [`original ${formatEnds(packet.ctOriginal)}`]),
    ...(packet.ctReply === undefined ? [] : [`reply ${formatEnds(packet.ctReply)}`]),
  ]
  return words.join(' ')
}

const ANY = 'any'
const ARROWS = ['->', '→']
const PKTTYPES = ['host', 'broadcast', 'multicast', 'other']
const FRAGMENTS = ['no', 'first', 'later'] as const

/** Words that take a number, its field and its largest value. */
const NUMBER_WORDS = [
  ['extension', 'extension', 255],
  ['mark', 'mark', 0xffff_ffff],
  ['ctmark', 'ctMark', 0xffff_ffff],
  ['ttl', 'ttl', 255],
  ['dscp', 'dscp', 63],
  ['length', 'length', 65_535],
] as const satisfies readonly (readonly [word: string, key: keyof Packet, max: number])[]

type Draft = { -readonly [Key in keyof Packet]?: Packet[Key] }

/** What a packet has where it is not stated: the flags of an ordinary segment, an echo request. A later fragment has no transport header. */
export function impliedBy({ protocol, ct, fragment }: Pick<Packet, 'protocol' | 'ct' | 'fragment'>): Pick<Packet, 'tcpFlags' | 'icmpType'> {
  if (fragment === 'later') return {}
  if (protocol === PROTOCOL_NUMBERS.tcp) return { tcpFlags: ct === 'new' ? TCP_FLAGS.syn : TCP_FLAGS.ack }
  if (protocol === PROTOCOL_NUMBERS.icmp) return { icmpType: 8 }
  return protocol === PROTOCOL_NUMBERS.icmpv6 ? { icmpType: 128 } : {}
}

export const impliedCode = ({ icmpType }: Pick<Packet, 'icmpType'>): number | undefined => (icmpType === undefined ? undefined : 0)

// ───────────────────────────── reading ─────────────────────────────

interface Word {
  readonly text: string
  readonly column: number
}

interface End {
  readonly address: Address
  readonly port?: number
}

class Reader {
  readonly #words: readonly Word[]
  readonly #end: number
  #at = 0

  constructor(text: string) {
    this.#words = [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], column: match.index + 1 }))
    this.#end = text.length + 1
  }

  packet(): Packet {
    const draft: Draft = { ct: 'new', ...this.#line() }
    const stated = new Map<string, number>()
    for (let word = this.#take(); word; word = this.#take()) this.#word(word, draft, stated)
    return finish(draft, stated)
  }

  /** `tcp A:P -> B:P`. */
  #line(): Pick<Packet, 'protocol' | 'source' | 'destination' | 'sourcePort' | 'destinationPort'> {
    const first = this.#need(PROTOCOL_WANTED)
    const protocol = readProtocol(first)
    const source = this.#address(protocol)
    const arrow = this.#need(ARROW_WANTED)
    if (!ARROWS.includes(arrow.text)) throw refusal(arrow.column, ARROW_WANTED)
    const at = this.#words[this.#at]?.column ?? this.#end
    const destination = this.#address(protocol)
    if (source.address.family !== destination.address.family) throw refusal(at, ONE_FAMILY)
    checkFamily(first, source.address)
    return {
      protocol,
      source: source.address,
      destination: destination.address,
      ...(source.port === undefined ? {} : { sourcePort: source.port }),
      ...(destination.port === undefined ? {} : { destinationPort: destination.port }),
    }
  }

  #address(protocol: number): End {
    const word = this.#need(ADDRESS_WANTED)
    const end = readEnd(word)
    if (end.port !== undefined && !PORT_PROTOCOLS.includes(protocol)) throw refusal(word.column, NO_PORTS)
    return end
  }

  #word(word: Word, draft: Draft, stated: Map<string, number>): void {
    if (stated.has(word.text)) throw refusal(word.column, quoted(word.text, 'stands twice', '重复出现'))
    stated.set(word.text, word.column)
    if (word.text === 'original' || word.text === 'reply') {
      draft[word.text === 'original' ? 'ctOriginal' : 'ctReply'] = this.#line()
      return
    }
    const read = Object.hasOwn(WORDS, word.text) ? WORDS[word.text] : undefined
    if (!read) throw refusal(word.column, quoted(word.text, `is none of ${Object.keys(WORDS).join(', ')}, original, reply`, `不是以下之一：${Object.keys(WORDS).join('、')}、original、reply`))
    const value = this.#need(quoted(word.text, 'needs a value', '后缺少取值'))
    if (value.text !== ANY) read(value, draft)
  }

  #take(): Word | undefined {
    const word = this.#words[this.#at]
    this.#at += 1
    return word
  }

  #need(wanted: Text): Word {
    const word = this.#take()
    if (!word) throw refusal(this.#end, wanted)
    return word
  }
}

/** Fills in what is implied, and holds that nothing is stated of a header that the packet does not have. */
function finish(draft: Draft, stated: ReadonlyMap<string, number>): Packet {
  const packet = draft as Packet
  checkHeader(packet, (word) => stated.get(word) ?? 1)
  const { tcpFlags, icmpType } = impliedBy(packet)
  if (!stated.has('flags') && tcpFlags !== undefined) draft.tcpFlags = tcpFlags
  if (!stated.has('type') && icmpType !== undefined) draft.icmpType = icmpType
  const icmpCode = impliedCode(draft)
  if (!stated.has('code') && icmpCode !== undefined) draft.icmpCode = icmpCode
  return packet
}

function checkHeader(packet: Packet, columnOf: (word: string) => number): void {
  if (packet.fragment === 'later' && HEADER_KEYS.some((key) => packet[key] !== undefined)) throw refusal(columnOf('fragment'), HEADERLESS)
  if (packet.tcpFlags !== undefined && packet.protocol !== PROTOCOL_NUMBERS.tcp) throw refusal(columnOf('flags'), FLAGS_OF_TCP)
  if (isIcmp(packet.protocol)) return
  if (packet.icmpType !== undefined) throw refusal(columnOf('type'), TYPE_OF_ICMP)
  if (packet.icmpCode !== undefined) throw refusal(columnOf('code'), TYPE_OF_ICMP)
}

const HEADER_KEYS = ['sourcePort', 'destinationPort', 'tcpFlags', 'icmpType', 'icmpCode'] as const

const isIcmp = (protocol: number): boolean => protocol === PROTOCOL_NUMBERS.icmp || protocol === PROTOCOL_NUMBERS.icmpv6

type ReadWord = (value: Word, draft: Draft) => void

const WORDS: Readonly<Record<string, ReadWord>> = {
  iif: (value, draft) => (draft.iif = readName(value)),
  oif: (value, draft) => (draft.oif = readName(value)),
  ct: (value, draft) => (draft.ct = readOneOf(value, Object.keys(CT_STATES) as CtState[])),
  flags: (value, draft) => (draft.tcpFlags = readBits(value, TCP_FLAGS, 255)),
  type: (value, draft) => (draft.icmpType = readIcmpType(value, draft.protocol)),
  code: (value, draft) => (draft.icmpCode = readNumber(value, 255)),
  fragment: (value, draft) => (draft.fragment = readOneOf(value, FRAGMENTS)),
  direction: (value, draft) => (draft.ctDirection = readOneOf(value, ['original', 'reply'])),
  status: (value, draft) => (draft.ctStatus = readBits(value, CT_STATUS, 0xffff_ffff)),
  mac: (value, draft) => (draft.macSource = readMac(value)),
  pkttype: (value, draft) => (draft.pkttype = PKTTYPES.indexOf(readOneOf(value, PKTTYPES))),
  ...Object.fromEntries(NUMBER_WORDS.map(([word, key, max]): [string, ReadWord] => [word, (value, draft) => (draft[key] = readNumber(value, max))])),
}

function readProtocol(word: Word): number {
  const number = protocolNumber(word.text)
  if (number !== undefined) return number
  if (!/^[0-9]{1,3}$/.test(word.text) || Number(word.text) > 255) throw refusal(word.column, PROTOCOL_WANTED)
  return Number(word.text)
}

/** ICMP of the one family carried by the other is no error of the network's, but never what is meant by the name. */
function checkFamily(protocol: Word, { family }: Address): void {
  if (protocol.text === 'icmp' && family === 6) throw refusal(protocol.column, { en: 'IPv6 has icmpv6', zh: 'IPv6 应使用 icmpv6' })
  if (protocol.text.includes('icmp') && protocol.text !== 'icmp' && family === 4) throw refusal(protocol.column, { en: 'IPv4 has icmp', zh: 'IPv4 应使用 icmp' })
}

/** `192.0.2.1:22`, `192.0.2.1`, `[2001:db8::1]:22`, `[2001:db8::1]`, `2001:db8::1`. */
function readEnd(word: Word): End {
  const { text, column } = word
  const isBracketed = text.startsWith('[')
  const close = text.indexOf(']')
  if (isBracketed && close < 0) throw refusal(column + text.length, { en: '] is missing', zh: '缺少 ]' })
  if (!isBracketed && text.indexOf(':') !== text.lastIndexOf(':')) return { address: readAddress(word) }
  const colon = isBracketed ? (text.length > close + 1 ? close + 1 : -1) : text.indexOf(':')
  const host = isBracketed ? { text: text.slice(1, close), column: column + 1 } : { text: colon < 0 ? text : text.slice(0, colon), column }
  const address = readAddress(host)
  if (isBracketed && address.family === 4) throw refusal(column, { en: 'only IPv6 addresses stand in brackets', zh: '只有 IPv6 地址使用方括号' })
  if (colon < 0) return { address }
  if (text[colon] !== ':') throw refusal(column + colon, { en: 'only :PORT may follow', zh: '此处只能是 :端口' })
  return { address, port: readNumber({ text: text.slice(colon + 1), column: column + colon + 1 }, PORT_MAX) }
}

function readAddress(word: Word): Address {
  const address = parseAddress(word.text)
  if (!address.ok) throw refusal(word.column, address.faults[0]?.what ?? ADDRESS_WANTED)
  return address.value
}

function readNumber(word: Word, max: number): number {
  const isHex = /^0x[0-9a-fA-F]{1,8}$/.test(word.text)
  if ((!isHex && !/^[0-9]{1,10}$/.test(word.text)) || Number(word.text) > max) {
    throw refusal(word.column, quoted(word.text, `is not a number from 0 to ${max}`, `不是 0 到 ${max} 的数`))
  }
  return Number(word.text)
}

/** linux/if.h, IFNAMSIZ: 15 characters. `""` is no interface at all, as a host's own packets have. */
function readName(word: Word): string {
  if (word.text === NO_NAME) return ''
  if (word.text.length > 15 || word.text.includes('/')) throw refusal(word.column, quoted(word.text, 'is not the name of an interface', '不是网络接口名称'))
  return word.text
}

const NO_NAME = '""'

function readOneOf<T extends string>(word: Word, names: readonly T[]): T {
  const found = names.find((each) => each === word.text)
  if (found === undefined) throw refusal(word.column, quoted(word.text, `is none of ${names.join(', ')}`, `不是以下之一：${names.join('、')}`))
  return found
}

function readBits(word: Word, bits: Readonly<Record<string, number>>, max: number): number {
  if (word.text === 'none') return 0
  if (/^[0-9]/.test(word.text)) return readNumber(word, max)
  return word.text.split(',').reduce((sum, each) => sum | (bits[readOneOf({ ...word, text: each }, Object.keys(bits))] ?? 0), 0)
}

function readIcmpType(word: Word, protocol: number | undefined): number {
  const names: Symbols = protocol === PROTOCOL_NUMBERS.icmpv6 ? ICMPV6_TYPE_SYMBOLS : ICMP_TYPE_SYMBOLS
  if (/^[0-9]/.test(word.text)) return readNumber(word, 255)
  return names[readOneOf(word, Object.keys(names))] ?? 0
}

function readMac(word: Word): bigint {
  if (!/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(word.text)) throw refusal(word.column, quoted(word.text, 'is not a MAC address', '不是 MAC 地址'))
  return BigInt(`0x${word.text.replaceAll(':', '')}`)
}

// ───────────────────────────── writing ─────────────────────────────

const name = (word: string, value: string | undefined): string[] => (value === undefined ? [] : [`${word} ${value === '' ? NO_NAME : value}`])

const formatEnds = (ends: FlowEnds): string => formatLine(ends.protocol, ends.source, ends.sourcePort, ends.destination, ends.destinationPort)

function formatLine(protocol: number, source: Address, sourcePort: number | undefined, destination: Address, destinationPort: number | undefined): string {
  const isForeign = protocol === (source.family === 4 ? PROTOCOL_NUMBERS.icmpv6 : PROTOCOL_NUMBERS.icmp)
  const named = isForeign ? undefined : protocolName(protocol)
  return `${named ?? protocol} ${formatEnd(source, sourcePort)} -> ${formatEnd(destination, destinationPort)}`
}

function formatEnd(address: Address, port: number | undefined): string {
  const text = address.family === 6 ? `[${formatAddress(address)}]` : formatAddress(address)
  return port === undefined ? text : `${text}:${port}`
}

function formatBits(value: number, bits: Readonly<Record<string, number>>): string {
  if (value === 0) return 'none'
  const names = Object.keys(bits).filter((each) => value & (bits[each] ?? 0))
  const isWhole = names.reduce((sum, each) => sum | (bits[each] ?? 0), 0) === value
  return isWhole ? names.join(',') : String(value)
}

const formatMac = (value: bigint): string => (value.toString(16).padStart(12, '0').match(/../g) ?? []).join(':')

// ───────────────────────────── refusals ─────────────────────────────

const PROTOCOL_WANTED: Text = { en: `a protocol stands here: ${Object.keys(PROTOCOL_NUMBERS).join(', ')} or its number`, zh: `此处应为协议：${Object.keys(PROTOCOL_NUMBERS).join('、')} 或协议号` }
const ADDRESS_WANTED: Text = { en: 'an address stands here: 192.0.2.1:22 or [2001:db8::1]:22', zh: '此处应为地址：192.0.2.1:22 或 [2001:db8::1]:22' }
const ARROW_WANTED: Text = { en: '-> stands between source and destination', zh: '源与目的之间应为 ->' }
const ONE_FAMILY: Text = { en: 'source and destination are of different families', zh: '源与目的地址族不同' }
const NO_PORTS: Text = { en: 'this protocol has no ports', zh: '该协议没有端口' }
const HEADERLESS: Text = { en: 'a later fragment has no ports, flags or ICMP type', zh: '后续分片没有端口、标志或 ICMP 类型' }
const FLAGS_OF_TCP: Text = { en: 'only tcp has flags', zh: '只有 tcp 有标志' }
const TYPE_OF_ICMP: Text = { en: 'only icmp and icmpv6 have a type and a code', zh: '只有 icmp 与 icmpv6 有类型和代码' }
const TOO_LONG: Text = { en: `a packet is written in at most ${TEXT_CHARACTERS_MAX} characters`, zh: `报文描述最多 ${TEXT_CHARACTERS_MAX} 个字符` }

const quoted = (text: string, en: string, zh: string): Text => ({ en: `"${text.slice(0, 64)}" ${en}`, zh: `“${text.slice(0, 64)}”${zh}` })

const refusal = (column: number, what: Text): FaultError => {
  const fault: Fault = { code: 'PACKET_TEXT', what, next: EXAMPLE, place: { file: 'packet', line: 1, column } }
  return new FaultError(fault)
}

const EXAMPLE: Text = {
  en: "write for example 'tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new'",
  zh: "示例：'tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new'",
}
