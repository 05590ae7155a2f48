import { parseAddress } from '../../net/address.ts'
import type { Interval, Value } from '../ruleset.ts'
import type { JsonNode } from './jsonNode.ts'
import {
  ADDRESS_TYPE_SYMBOLS,
  CT_STATE_SYMBOLS,
  CT_STATUS_SYMBOLS,
  DIRECTION_SYMBOLS,
  DSCP_SYMBOLS,
  FAMILY_SYMBOLS,
  ICMP_CODE_SYMBOLS,
  ICMP_TYPE_SYMBOLS,
  ICMPV6_CODE_SYMBOLS,
  ICMPV6_TYPE_SYMBOLS,
  IIFTYPE_SYMBOLS,
  PKTTYPE_SYMBOLS,
  PROTOCOL_SYMBOLS,
  TCP_FLAG_SYMBOLS,
  type Symbols,
} from './symbols.ts'

/** How a field's values are written. */
export type DataType = keyof typeof TYPES

const symbolic = (bits: number, symbols: Symbols): { bits: number; symbols: Symbols } => ({ bits, symbols })

const TYPES = {
  ipv4: symbolic(32, {}),
  ipv6: symbolic(128, {}),
  mac: symbolic(48, {}),
  port: symbolic(16, {}),
  number: symbolic(32, {}),
  protocol: symbolic(8, PROTOCOL_SYMBOLS),
  family: symbolic(8, FAMILY_SYMBOLS),
  'icmp-type': symbolic(8, ICMP_TYPE_SYMBOLS),
  'icmp-code': symbolic(8, ICMP_CODE_SYMBOLS),
  'icmpv6-type': symbolic(8, ICMPV6_TYPE_SYMBOLS),
  'icmpv6-code': symbolic(8, ICMPV6_CODE_SYMBOLS),
  dscp: symbolic(6, DSCP_SYMBOLS),
  'tcp-flags': symbolic(8, TCP_FLAG_SYMBOLS),
  'ct-state': symbolic(8, CT_STATE_SYMBOLS),
  'ct-status': symbolic(32, CT_STATUS_SYMBOLS),
  direction: symbolic(1, DIRECTION_SYMBOLS),
  pkttype: symbolic(8, PKTTYPE_SYMBOLS),
  iiftype: symbolic(16, IIFTYPE_SYMBOLS),
  'address-type': symbolic(8, ADDRESS_TYPE_SYMBOLS),
  fragment: symbolic(16, {}),
  exists: symbolic(1, {}),
  name: symbolic(0, {}),
  index: symbolic(0, {}),
} as const

/** The types of named sets (`nft describe`). Undefined in the table: the model has no field of that type. */
export const SET_TYPES: Readonly<Record<string, DataType>> = {
  ipv4_addr: 'ipv4',
  ipv6_addr: 'ipv6',
  ether_addr: 'mac',
  inet_service: 'port',
  inet_proto: 'protocol',
  nf_proto: 'family',
  ifname: 'name',
  iface_index: 'index',
  mark: 'number',
  integer: 'number',
  icmp_type: 'icmp-type',
  icmp_code: 'icmp-code',
  icmpv6_type: 'icmpv6-type',
  icmpv6_code: 'icmpv6-code',
  dscp: 'dscp',
  tcp_flag: 'tcp-flags',
  ct_state: 'ct-state',
  ct_status: 'ct-status',
  ct_dir: 'direction',
  pkt_type: 'pkttype',
  iface_type: 'iiftype',
  fib_addrtype: 'address-type',
}

export const lastValueOf = (type: DataType): bigint => (1n << BigInt(TYPES[type].bits)) - 1n

const exactly = (value: bigint): Interval => ({ first: value, last: value })

/** One element's value, a range, a prefix or a lone value. Undefined: not understood. */
export function parseValue(node: JsonNode, type: DataType): Value | undefined {
  const { key, node: body } = node.sole ?? {}
  if (key === 'elem' && body) return parseValue(body.require('val'), type)
  if (type === 'name' || type === 'index') return parseName(node, type)
  if (node.value === '*') return { first: 0n, last: lastValueOf(type) }
  if (key === 'prefix' && body) return parsePrefixValue(body, type)
  if (key === 'range' && body) {
    const [first, last] = body.items().map((end) => parseNumber(end, type))
    return first === undefined || last === undefined ? undefined : { first, last }
  }
  const value = parseNumber(node, type)
  return value === undefined ? undefined : exactly(value)
}

function parsePrefixValue(body: JsonNode, type: DataType): Interval | undefined {
  const first = parseNumber(body.require('addr'), type)
  const length = body.require('len').integer()
  const bits = TYPES[type].bits
  if (first === undefined || length < 0 || length > bits) return undefined
  const host = (1n << BigInt(bits - length)) - 1n
  return { first: first & ~host, last: first | host }
}

/** nft writes a trailing asterisk for a prefix, and `\*` for a name that ends with one. */
function parseName(node: JsonNode, type: 'name' | 'index'): Value | undefined {
  if (type === 'index' && typeof node.value === 'number') return undefined
  const text = node.text()
  if (text.endsWith('\\*')) return { name: `${text.slice(0, -2)}*`, isPrefix: false }
  return text.endsWith('*') && type === 'name' ? { name: text.slice(0, -1), isPrefix: true } : { name: text, isPrefix: false }
}

/** A number, a symbol, an address, a boolean, or flags joined: `["syn", "ack"]`, `{"|": ["syn", "ack"]}`. */
export function parseNumber(node: JsonNode, type: DataType): bigint | undefined {
  const { value } = node
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'string') return parseSymbol(value, type)
  const flags = node.isList ? node.items() : node.member('|')?.items()
  return flags?.reduce<bigint | undefined>((all, flag) => {
    const bits = parseNumber(flag, type)
    return all === undefined || bits === undefined ? undefined : all | bits
  }, 0n)
}

function parseSymbol(text: string, type: DataType): bigint | undefined {
  const { symbols } = TYPES[type]
  if (Object.hasOwn(symbols, text)) return BigInt(symbols[text] ?? 0)
  if (type === 'mac') return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? BigInt(`0x${text.replaceAll(':', '')}`) : undefined
  if (type === 'ipv4' || type === 'ipv6') {
    const address = parseAddress(text)
    return address.ok && address.value.family === (type === 'ipv4' ? 4 : 6) ? address.value.value : undefined
  }
  return /^(0x[0-9a-f]{1,16}|[0-9]{1,19})$/i.test(text) ? BigInt(text) : undefined
}
