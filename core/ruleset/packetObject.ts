import { fail, succeed, type Fault, type Result, type Text } from '../fault/fault.ts'
import { formatAddress, parseAddress } from '../net/address.ts'
import { protocolName, protocolNumber, PROTOCOL_NUMBERS } from '../net/protocol.ts'
import type { FlowEnds, Packet } from './packet.ts'
import { impliedBy, impliedCode } from './packetText.ts'
import { CT_STATES, CT_STATUS, PORT_PROTOCOLS, TCP_FLAGS, type CtState } from './ruleset.ts'

/** A packet as JSON has it, one line of a stream; every field is a plain value. What is left out is as in {@link parsePacketText}. */
export interface PacketObject {
  readonly family?: 4 | 6
  readonly iif?: string
  readonly oif?: string
  readonly ct?: CtState
  /** A name, or the number. */
  readonly proto: string | number
  readonly saddr: string
  readonly daddr: string
  readonly sport?: number
  readonly dport?: number
  /** Of TCP_FLAGS; `[]`: none is set. */
  readonly flags?: readonly string[] | null
  readonly icmpType?: number | null
  readonly icmpCode?: number | null
  readonly fragment?: 'no' | 'first' | 'later'
  readonly extension?: number
  readonly ctDirection?: 'original' | 'reply'
  readonly ctStatus?: readonly string[]
  readonly ctMark?: number
  readonly mark?: number
  readonly mac?: string
  readonly pkttype?: number
  readonly ttl?: number
  readonly dscp?: number
  readonly length?: number
  /** The first packet of the flow as it arrived, and how its answers arrive. */
  readonly ctOriginal?: FlowObject
  readonly ctReply?: FlowObject
}

export type FlowObject = Pick<PacketObject, 'proto' | 'saddr' | 'daddr' | 'sport' | 'dport'>

/** Reads what JSON.parse gave, about a microsecond each. A field of another name is refused. `null` states nothing, not even what is implied. Faults: PACKET_OBJECT, without a place. */
export function readPacketObject(value: unknown): Result<Packet> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(refusal({ en: 'a packet is an object', zh: '报文应为对象' }))
  const draft: Draft = { ct: 'new' }
  for (const key of Object.keys(value)) {
    const read = Object.hasOwn(READERS, key) ? READERS[key] : undefined
    const each: unknown = value[key as keyof typeof value]
    const wrong = read ? (each === null ? undefined : read(each, draft, value)) : unknownKey(key)
    if (wrong) return fail(refusal(wrong))
  }
  const wrong = contradiction(draft, value)
  if (wrong) return fail(refusal(wrong))
  return succeed(withImplied(draft, value))
}

/** The same packet in the form that reads back as it. */
export function writePacketObject(packet: Packet): PacketObject {
  const { source, destination, protocol, ct, iif, oif, sourcePort, destinationPort, tcpFlags, ctStatus, macSource } = packet
  const implied = impliedBy(packet)
  return {
    family: source.family,
    ...defined({ iif, oif }),
    ct,
    proto: protocolName(protocol) ?? protocol,
    saddr: formatAddress(source),
    daddr: formatAddress(destination),
    ...defined({ sport: sourcePort, dport: destinationPort }),
    ...(tcpFlags === undefined ? unsaid('flags', implied.tcpFlags) : { flags: namesOf(tcpFlags, TCP_FLAGS) }),
    ...(packet.icmpType === undefined ? unsaid('icmpType', implied.icmpType) : {}),
    ...(packet.icmpCode === undefined ? unsaid('icmpCode', impliedCode(packet)) : {}),
    ...defined(Object.fromEntries(SAME_KEYS.map((key) => [key, packet[key]]))),
    ...(ctStatus === undefined ? {} : { ctStatus: namesOf(ctStatus, CT_STATUS) }),
    ...(macSource === undefined ? {} : { mac: (macSource.toString(16).padStart(12, '0').match(/../g) ?? []).join(':') }),
    ...(packet.ctOriginal ? { ctOriginal: writeEnds(packet.ctOriginal) } : {}),
    ...(packet.ctReply ? { ctReply: writeEnds(packet.ctReply) } : {}),
  }
}

const writeEnds = ({ protocol, source, destination, sourcePort, destinationPort }: FlowEnds): FlowObject => ({
  proto: protocolName(protocol) ?? protocol,
  saddr: formatAddress(source),
  daddr: formatAddress(destination),
  ...defined({ sport: sourcePort, dport: destinationPort }),
})

const unsaid = (key: string, implied: number | undefined): object => (implied === undefined ? {} : { [key]: null })

/** Numbers and words that have the same name on both sides. */
const SAME_KEYS = ['icmpType', 'icmpCode', 'fragment', 'extension', 'ctDirection', 'ctMark', 'mark', 'pkttype', 'ttl', 'dscp', 'length'] as const

const defined = (values: Readonly<Record<string, unknown>>): object => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

const namesOf = (value: number, bits: Readonly<Record<string, number>>): string[] => Object.keys(bits).filter((name) => value & (bits[name] ?? 0))

type Draft = { -readonly [Key in keyof Packet]?: Packet[Key] }

/** Gives what is wrong with the value, or writes it into the draft. `whole` is the object that it is of. */
type Reader = (value: unknown, draft: Draft, whole: { readonly proto?: unknown }) => Text | undefined

type NumberKey = 'sourcePort' | 'destinationPort' | (typeof NUMBER_KEYS)[number][0]

const NUMBER_KEYS = [
  ['icmpType', 255],
  ['icmpCode', 255],
  ['extension', 255],
  ['ctMark', 0xffff_ffff],
  ['mark', 0xffff_ffff],
  ['pkttype', 3],
  ['ttl', 255],
  ['dscp', 63],
  ['length', 65_535],
] as const

const number =
  (name: string, key: NumberKey, max: number): Reader =>
  (value, draft) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) return wrongValue(name, `a number from 0 to ${max}`, `0 到 ${max} 的数`)
    draft[key] = value
    return undefined
  }

const word =
  <K extends 'ct' | 'fragment' | 'ctDirection'>(key: K, words: readonly string[]): Reader =>
  (value, draft) => {
    if (typeof value !== 'string' || !words.includes(value)) return wrongValue(key, `one of ${words.join(', ')}`, `以下之一：${words.join('、')}`)
    draft[key] = value as Draft[K]
    return undefined
  }

const device =
  (key: 'iif' | 'oif'): Reader =>
  (value, draft) => {
    if (typeof value !== 'string' || value.length > 15) return wrongValue(key, 'the name of an interface', '网络接口名称')
    draft[key] = value
    return undefined
  }

const address =
  (name: string, key: 'source' | 'destination'): Reader =>
  (value, draft) => {
    const read = typeof value === 'string' ? parseAddress(value) : undefined
    if (!read?.ok) return wrongValue(name, 'an IP address', 'IP 地址')
    draft[key] = read.value
    return undefined
  }

const bits =
  (name: string, key: 'tcpFlags' | 'ctStatus', known: Readonly<Record<string, number>>): Reader =>
  (value, draft) => {
    let sum = 0
    for (const each of Array.isArray(value) ? (value as unknown[]) : [undefined]) {
      const bit = typeof each === 'string' && Object.hasOwn(known, each) ? known[each] : undefined
      if (bit === undefined) return wrongValue(name, `a list of ${Object.keys(known).join(', ')}`, `列表，取值：${Object.keys(known).join('、')}`)
      sum |= bit
    }
    draft[key] = sum
    return undefined
  }

/** No flags of a packet that cannot have any say nothing. */
const flags: Reader = (value, draft, whole) => {
  const isEmpty = Array.isArray(value) && value.length === 0
  return isEmpty && whole.proto !== 'tcp' && whole.proto !== PROTOCOL_NUMBERS.tcp ? undefined : tcpFlags(value, draft, whole)
}

const tcpFlags = bits('flags', 'tcpFlags', TCP_FLAGS)

const protocol: Reader = (value, draft) => {
  const read = typeof value === 'string' ? protocolNumber(value) : value
  if (typeof read !== 'number' || !Number.isInteger(read) || read < 0 || read > 255) return wrongValue('proto', `one of ${Object.keys(PROTOCOL_NUMBERS).join(', ')}, or a number`, `${Object.keys(PROTOCOL_NUMBERS).join('、')} 之一，或协议号`)
  draft.protocol = read
  return undefined
}

/** The addresses say it too; see {@link contradiction}. */
const family: Reader = (value) => (value === 4 || value === 6 ? undefined : wrongValue('family', '4 or 6', '4 或 6'))

const mac: Reader = (value, draft) => {
  if (typeof value !== 'string' || !/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(value)) return wrongValue('mac', 'a MAC address', 'MAC 地址')
  draft.macSource = BigInt(`0x${value.replaceAll(':', '')}`)
  return undefined
}

/** A packet of the flow's, of which only the ends count. */
const ends =
  (key: 'ctOriginal' | 'ctReply'): Reader =>
  (value, draft) => {
    const read = readPacketObject(value)
    if (!read.ok || Object.keys(value as object).some((each) => !END_KEYS.includes(each))) return wrongValue(key, `an object of ${END_KEYS.join(', ')}`, `对象，字段为 ${END_KEYS.join('、')}`)
    const { protocol: upper, source, destination, sourcePort, destinationPort } = read.value
    draft[key] = { protocol: upper, source, destination, ...(sourcePort === undefined ? {} : { sourcePort }), ...(destinationPort === undefined ? {} : { destinationPort }) }
    return undefined
  }

const END_KEYS: readonly string[] = ['proto', 'saddr', 'daddr', 'sport', 'dport']

const READERS: Readonly<Record<string, Reader>> = {
  family,
  iif: device('iif'),
  oif: device('oif'),
  ct: word('ct', Object.keys(CT_STATES)),
  proto: protocol,
  saddr: address('saddr', 'source'),
  daddr: address('daddr', 'destination'),
  sport: number('sport', 'sourcePort', 65_535),
  dport: number('dport', 'destinationPort', 65_535),
  flags,
  fragment: word('fragment', ['no', 'first', 'later']),
  ctDirection: word('ctDirection', ['original', 'reply']),
  ctStatus: bits('ctStatus', 'ctStatus', CT_STATUS),
  mac,
  ctOriginal: ends('ctOriginal'),
  ctReply: ends('ctReply'),
  ...Object.fromEntries(NUMBER_KEYS.map(([key, max]) => [key, number(key, key, max)])),
}

/** What must be there, and what cannot be at once. */
function contradiction(draft: Draft, stated: { readonly family?: unknown }): Text | undefined {
  const { source, destination, protocol: upper } = draft
  if (upper === undefined || !source || !destination) return { en: 'proto, saddr and daddr must be given', zh: '必须给出 proto、saddr 与 daddr' }
  if (source.family !== destination.family || (stated.family ?? source.family) !== source.family) return { en: 'saddr, daddr and family are not of one family', zh: 'saddr、daddr 与 family 的地址族不一致' }
  const isLater = draft.fragment === 'later'
  if (hasPorts(draft) && (isLater || !PORT_PROTOCOLS.includes(upper))) return { en: 'this packet has no ports', zh: '该报文没有端口' }
  if (draft.tcpFlags !== undefined && (isLater || upper !== PROTOCOL_NUMBERS.tcp)) return { en: 'only tcp has flags', zh: '只有 tcp 有标志' }
  const hasType = draft.icmpType !== undefined || draft.icmpCode !== undefined
  return hasType && (isLater || !isIcmp(upper)) ? { en: 'only icmp and icmpv6 have a type and a code', zh: '只有 icmp 与 icmpv6 有类型和代码' } : undefined
}

const hasPorts = ({ sourcePort, destinationPort }: Draft): boolean => sourcePort !== undefined || destinationPort !== undefined

const isIcmp = (upper: number): boolean => upper === PROTOCOL_NUMBERS.icmp || upper === PROTOCOL_NUMBERS.icmpv6

function withImplied(draft: Draft, stated: object): Packet {
  const packet = draft as Packet
  const { tcpFlags, icmpType } = impliedBy(packet)
  if (tcpFlags !== undefined && !('flags' in stated)) draft.tcpFlags = tcpFlags
  if (icmpType !== undefined && !('icmpType' in stated)) draft.icmpType = icmpType
  const icmpCode = impliedCode(packet)
  if (icmpCode !== undefined && !('icmpCode' in stated)) draft.icmpCode = icmpCode
  return packet
}

const unknownKey = (key: string): Text => ({
  en: `"${key.slice(0, 64)}" is none of ${Object.keys(READERS).join(', ')}`,
  zh: `“${key.slice(0, 64)}”不是以下字段之一：${Object.keys(READERS).join('、')}`,
})

const wrongValue = (name: string, en: string, zh: string): Text => ({ en: `${name} must be ${en}`, zh: `${name} 必须是${zh}` })

const refusal = (what: Text): Fault => ({ code: 'PACKET_OBJECT', what })
