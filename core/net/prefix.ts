import { fail, succeed, type Fault, type Result } from '../fault/fault.ts'
import { bitsOf, formatAddress, parseAddress, type Address, type Family } from './address.ts'

/** A CIDR prefix; `value` is the network address, its host bits zero. */
export interface Prefix {
  readonly family: Family
  readonly value: bigint
  readonly length: number
}

export const ANY_IPV4: Prefix = { family: 4, value: 0n, length: 0 }
export const ANY_IPV6: Prefix = { family: 6, value: 0n, length: 0 }

/** Reads `192.0.2.0/24` or a lone address (a full-length prefix). Set host bits are refused: which of the two was meant cannot be known. */
export function parsePrefix(input: string): Result<Prefix> {
  const slash = input.indexOf('/')
  const address = parseAddress(slash < 0 ? input : input.slice(0, slash))
  if (!address.ok) return address
  const bits = bitsOf(address.value.family)
  const lengthText = slash < 0 ? String(bits) : input.slice(slash + 1)
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText) || Number(lengthText) > bits) return fail(badLength(input, bits))
  const prefix = prefixOf(address.value, Number(lengthText))
  if (prefix.value !== address.value.value) return fail(hostBitsSet(input, prefix))
  return succeed(prefix)
}

export const formatPrefix = (prefix: Prefix): string => {
  const address = formatAddress(prefix)
  return prefix.length === bitsOf(prefix.family) ? address : `${address}/${prefix.length}`
}

/** The prefix of the given length that holds the address. */
export function prefixOf(address: Address, length: number): Prefix {
  const hostBits = BigInt(bitsOf(address.family) - length)
  return { family: address.family, value: (address.value >> hostBits) << hostBits, length }
}

export const hostPrefix = (address: Address): Prefix => prefixOf(address, bitsOf(address.family))

export const lastOf = (prefix: Prefix): bigint =>
  prefix.value | ((1n << BigInt(bitsOf(prefix.family) - prefix.length)) - 1n)

export const containsAddress = (prefix: Prefix, address: Address): boolean =>
  prefix.family === address.family && prefix.value <= address.value && address.value <= lastOf(prefix)

export const containsPrefix = (outer: Prefix, inner: Prefix): boolean =>
  outer.length <= inner.length && containsAddress(outer, inner)

export const samePrefix = (a: Prefix, b: Prefix): boolean =>
  a.family === b.family && a.value === b.value && a.length === b.length

export function comparePrefixes(a: Prefix, b: Prefix): number {
  if (a.family !== b.family) return a.family - b.family
  if (a.value !== b.value) return a.value < b.value ? -1 : 1
  return a.length - b.length
}

/** The fewest prefixes that cover exactly [first, last]. */
export function prefixesOfRange(family: Family, first: bigint, last: bigint): Prefix[] {
  const prefixes: Prefix[] = []
  const bits = bitsOf(family)
  for (let at = first; at <= last; ) {
    let length = bits
    while (length > 0) {
      const wider = prefixOf({ family, value: at }, length - 1)
      if (wider.value !== at || lastOf(wider) > last) break
      length -= 1
    }
    const prefix = { family, value: at, length }
    prefixes.push(prefix)
    at = lastOf(prefix) + 1n
  }
  return prefixes
}

/** Sorted, without overlaps, neighbours joined: the fewest prefixes of the same address set. O(n log n). */
export function aggregatePrefixes(prefixes: readonly Prefix[]): Prefix[] {
  return ([4, 6] as const).flatMap((family) => {
    const sorted = prefixes.filter((prefix) => prefix.family === family).toSorted(comparePrefixes)
    const ranges: { first: bigint; last: bigint }[] = []
    for (const prefix of sorted) {
      const open = ranges.at(-1)
      if (open && prefix.value <= open.last + 1n) open.last = open.last > lastOf(prefix) ? open.last : lastOf(prefix)
      else ranges.push({ first: prefix.value, last: lastOf(prefix) })
    }
    return ranges.flatMap((range) => prefixesOfRange(family, range.first, range.last))
  })
}

const badLength = (input: string, bits: number): Fault => ({
  code: 'NET_PREFIX_LENGTH',
  what: { en: `"${input.slice(0, 64)}" has no prefix length from 0 to ${bits}`, zh: `“${input.slice(0, 64)}”的前缀长度不在 0 到 ${bits} 之间` },
})

const hostBitsSet = (input: string, prefix: Prefix): Fault => ({
  code: 'NET_PREFIX_HOST_BITS',
  what: { en: `"${input}" has host bits set`, zh: `“${input}”的主机位不为零` },
  next: {
    en: `write ${formatPrefix(prefix)} for the network, or the lone address`,
    zh: `若指网段请写 ${formatPrefix(prefix)}，否则只写地址`,
  },
})
