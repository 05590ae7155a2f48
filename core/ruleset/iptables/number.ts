import { parseAddress, type Address, type Family } from '../../net/address.ts'
import { lastOf, prefixOf } from '../../net/prefix.ts'
import { PROTOCOL_NUMBERS } from '../../net/protocol.ts'
import type { Interval } from '../ruleset.ts'
import { LineRefusal, type Word } from './line.ts'

/** Numbers, ports, addresses and names as iptables prints and reads them; each refuses with the column of its word. */

export function readNumber(word: Word, max: number | bigint): bigint {
  if (!/^(?:0x[0-9a-fA-F]{1,16}|[0-9]{1,20})$/.test(word.text)) throw notA(word, 'a number', '数字')
  const value = BigInt(word.text)
  if (value > BigInt(max)) throw notA(word, `at most ${max}`, `不大于 ${max} 的值`)
  return value
}

/** `22`, `22:25`, `:25`, `22:`. */
export function readRange(word: Word, max: number, separator = ':'): Interval {
  const [first = '', last] = word.text.split(separator)
  const part = (text: string, otherwise: number): bigint => (text === '' ? BigInt(otherwise) : readNumber({ ...word, text }, max))
  const low = part(first, 0)
  const high = last === undefined ? low : part(last, max)
  if (word.text === '' || word.text.split(separator).length > 2 || low > high) throw notA(word, 'a range', '范围')
  return { first: low, last: high }
}

/** Address, prefix or address with a mask; a mask with holes is refused because it is no interval. */
export function readAddresses(word: Word, family: Family): Interval {
  const [text = '', length] = word.text.split('/')
  const address = readAddress({ ...word, text }, family)
  const bits = family === 4 ? 32 : 128
  if (length === undefined) return { first: address.value, last: address.value }
  const prefix = prefixOf(address, maskLength({ ...word, text: length }, family, bits))
  return { first: prefix.value, last: lastOf(prefix) }
}

export function readAddress(word: Word, family: Family): Address {
  const parsed = parseAddress(word.text)
  if (!parsed.ok || parsed.value.family !== family) throw notA(word, `an IPv${family} address`, `IPv${family} 地址`)
  return parsed.value
}

export function readProtocol(word: Word): number {
  const name = word.text.toLowerCase()
  for (const names of [ALIASES, PROTOCOL_NUMBERS as Readonly<Record<string, number>>]) if (Object.hasOwn(names, name)) return names[name] ?? 0
  return Number(readNumber(word, 255))
}

/** Value and mask, `0x1/0xff`. */
export function readMasked(word: Word): { readonly value: bigint; readonly mask: bigint } {
  const [value = '', mask] = word.text.split('/')
  return {
    value: readNumber({ ...word, text: value }, 0xffff_ffff),
    mask: mask === undefined ? 0xffff_ffffn : readNumber({ ...word, text: mask }, 0xffff_ffff),
  }
}

export const notA = (word: Word, english: string, chinese: string): LineRefusal =>
  new LineRefusal(word.column, `"${word.text.slice(0, 64)}" is not ${english}`, `“${word.text.slice(0, 64)}”不是${chinese}`)

// /etc/protocols names that iptables-save prints besides the IANA ones.
const ALIASES: Readonly<Record<string, number>> = { 'ipv6-icmp': 58, 'icmpv6': 58, 'ipencap': 4, 'ipv6-auth': 51, 'ipv6-crypt': 50, 'mobility-header': 135, 'pim': 103, 'l2tp': 115, 'egp': 8, 'igp': 9, 'rsvp': 46, 'eigrp': 88, 'ipcomp': 108, 'hopopt': 0, 'ipv6-opts': 60, 'ipv6-route': 43, 'ipv6-frag': 44, 'ipv6-nonxt': 59 }

function maskLength(word: Word, family: Family, bits: number): number {
  if (/^[0-9]{1,3}$/.test(word.text)) return Number(readNumber(word, bits))
  const mask = readAddress(word, family).value
  const inverted = ~mask & ((1n << BigInt(bits)) - 1n)
  if ((inverted & (inverted + 1n)) !== 0n) throw notA(word, 'a mask without holes', '连续的掩码')
  return bits - inverted.toString(2).replace(/^0$/, '').length
}
