import { fail, succeed, type Fault, type Result } from '../fault/fault.ts'

export type Family = 4 | 6

/** An IPv4 or IPv6 address; `value` is the address as an unsigned number of 32 or 128 bits. */
export interface Address {
  readonly family: Family
  readonly value: bigint
}

export const bitsOf = (family: Family): 32 | 128 => (family === 4 ? 32 : 128)

/** Reads dotted quads (no leading zeros, RFC 6943 section 3.1.1) and RFC 4291 text with one optional `::` and an optional dotted tail. */
export function parseAddress(input: string): Result<Address> {
  const value = input.includes(':') ? parseIPv6(input) : parseIPv4(input)
  if (value === undefined) return fail(notAnAddress(input))
  return succeed({ family: input.includes(':') ? 6 : 4, value })
}

/** IPv6 in the canonical form of RFC 5952: lower case, longest run of zeros compressed. */
export function formatAddress(address: Address): string {
  return address.family === 4 ? formatIPv4(address.value) : formatIPv6(address.value)
}

export const sameAddress = (a: Address, b: Address): boolean => a.family === b.family && a.value === b.value

export function compareAddresses(a: Address, b: Address): number {
  if (a.family !== b.family) return a.family - b.family
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0
}

/** By characters, because streams of packets and long blocklists are read with it. */
function parseIPv4(input: string): bigint | undefined {
  let value = 0
  let octets = 0
  let octet = -1
  for (let at = 0; at <= input.length; at += 1) {
    const digit = input.charCodeAt(at) - DIGIT_ZERO
    if (digit >= 0 && digit <= 9) {
      if (octet === 0) return undefined
      octet = octet < 0 ? digit : octet * 10 + digit
      if (octet > 255) return undefined
    } else if (octet >= 0 && (at === input.length || input[at] === '.')) {
      value = value * 256 + octet
      octets += 1
      octet = -1
    } else return undefined
  }
  return octets === 4 ? BigInt(value) : undefined
}

const DIGIT_ZERO = 48

function parseIPv6(input: string): bigint | undefined {
  const halves = input.split('::')
  if (halves.length > 2 || input.length > 45) return undefined
  const head = parseGroups(halves[0] ?? '', halves.length === 1)
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : []
  if (!head || !tail) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail]
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n)
}

function parseGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
      continue
    }
    const dotted = isLast && index === parts.length - 1 ? parseIPv4(part) : undefined
    if (dotted === undefined) return undefined
    groups.push(Number(dotted >> 16n), Number(dotted & 0xffffn))
  }
  return groups
}

const formatIPv4 = (value: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => ((value >> shift) & 0xffn).toString()).join('.')

function formatIPv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn))
  const run = longestZeroRun(groups)
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  if (run.length < 2) return hex(groups)
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let length = 0
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0
    if (length > best.length) best = { start: index - length + 1, length }
  }
  return best
}

const notAnAddress = (input: string): Fault => ({
  code: 'NET_ADDRESS',
  what: { en: `"${input.slice(0, 64)}" is not an IP address`, zh: `“${input.slice(0, 64)}”不是 IP 地址` },
  next: { en: 'write 192.0.2.7 or 2001:db8::7', zh: '应写成 192.0.2.7 或 2001:db8::7' },
})
