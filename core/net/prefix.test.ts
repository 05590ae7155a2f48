import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bitsOf, type Family } from './address.ts'
import {
  aggregatePrefixes,
  comparePrefixes,
  containsAddress,
  containsPrefix,
  formatPrefix,
  lastOf,
  parsePrefix,
  prefixesOfRange,
  prefixOf,
  samePrefix,
  type Prefix,
} from './prefix.ts'

/** From a small corner of the space, so that prefixes meet, nest and stand side by side. */
const nearPrefix: fc.Arbitrary<Prefix> = fc
  .record({ family: fc.constantFrom<Family>(4, 6), low: fc.bigInt({ min: 0n, max: 255n }), up: fc.integer({ min: 0, max: 9 }) })
  .map(({ family, low, up }) => prefixOf({ family, value: 0xc0000200n + low }, bitsOf(family) - up))

const anyPrefix: fc.Arbitrary<Prefix> = fc.oneof(
  nearPrefix,
  fc.record({ value: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), length: fc.integer({ min: 0, max: 32 }) }).map(({ value, length }) => prefixOf({ family: 4, value }, length)),
  fc.record({ value: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), length: fc.integer({ min: 0, max: 128 }) }).map(({ value, length }) => prefixOf({ family: 6, value }, length)),
)

const read = (text: string): Prefix => {
  const prefix = parsePrefix(text)
  if (!prefix.ok) throw new Error(`${text} is not a prefix`)
  return prefix.value
}

describe('reading', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7/32', '192.0.2.7'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['2001:db8::1/128', '2001:db8::1'],
  ])('%s is %s', (written, expected) => {
    expect(formatPrefix(read(written))).toBe(expected)
  })

  test.each([
    ['10.0.0.1/8', 'NET_PREFIX_HOST_BITS'],
    ['2001:db8::1/64', 'NET_PREFIX_HOST_BITS'],
    ['10.0.0.0/33', 'NET_PREFIX_LENGTH'],
    ['10.0.0.0/08', 'NET_PREFIX_LENGTH'],
    ['10.0.0.0/', 'NET_PREFIX_LENGTH'],
    ['10.0.0.0/8/8', 'NET_PREFIX_LENGTH'],
    ['::/129', 'NET_PREFIX_LENGTH'],
    ['10.0.0/8', 'NET_ADDRESS'],
    ['any', 'NET_ADDRESS'],
  ])('%s is refused: %s', (written, code) => {
    const prefix = parsePrefix(written)
    expect(prefix.ok ? [] : prefix.faults.map((fault) => fault.code)).toEqual([code])
  })

  test('gives back what was written', () => {
    fc.assert(fc.property(anyPrefix, (prefix) => samePrefix(read(formatPrefix(prefix)), prefix)))
  })
})

describe('containment', () => {
  test('a prefix holds its first and last address and neither neighbour', () => {
    fc.assert(
      fc.property(anyPrefix, (prefix) => {
        const { family, value } = prefix
        const holds = (at: bigint): boolean => containsAddress(prefix, { family, value: at })
        expect([holds(value), holds(lastOf(prefix)), holds(value - 1n), holds(lastOf(prefix) + 1n)]).toEqual([true, true, false, false])
      }),
    )
  })

  test('prefixes nest or lie apart', () => {
    fc.assert(
      fc.property(nearPrefix, nearPrefix, (a, b) => {
        const meet = a.family === b.family && a.value <= lastOf(b) && b.value <= lastOf(a)
        expect(containsPrefix(a, b) || containsPrefix(b, a)).toBe(meet)
      }),
    )
  })
})

describe('aggregation', () => {
  const many = fc.array(nearPrefix, { maxLength: 12 })
  const members = (prefixes: readonly Prefix[], family: Family): bigint[] =>
    Array.from({ length: 1024 }, (_, index) => 0xc0000000n + BigInt(index)).filter((value) => prefixes.some((prefix) => containsAddress(prefix, { family, value })))

  test('the address set stays the same', () => {
    fc.assert(
      fc.property(many, (prefixes) => {
        const joined = aggregatePrefixes(prefixes)
        for (const family of [4, 6] as const) expect(members(joined, family)).toEqual(members(prefixes, family))
      }),
    )
  })

  test('order and repetition make no difference, and doing it again changes nothing', () => {
    fc.assert(
      fc.property(many, fc.nat(), (prefixes, seed) => {
        const joined = aggregatePrefixes(prefixes)
        const rotated = [...prefixes.slice(seed % (prefixes.length || 1)), ...prefixes]
        expect(aggregatePrefixes(rotated)).toEqual(joined)
        expect(aggregatePrefixes(joined)).toEqual(joined)
      }),
    )
  })

  test('the result is sorted, and no two of it could be one', () => {
    fc.assert(
      fc.property(many, (prefixes) => {
        const joined = aggregatePrefixes(prefixes)
        expect(joined.toSorted(comparePrefixes)).toEqual(joined)
        for (const [index, prefix] of joined.entries()) {
          const next = joined[index + 1]
          if (!next || next.family !== prefix.family) continue
          expect(next.value > lastOf(prefix)).toBe(true)
          const parent = prefix.length > 0 ? prefixOf(prefix, prefix.length - 1) : prefix
          expect(next.length === prefix.length && containsPrefix(parent, next)).toBe(false)
        }
      }),
    )
  })

  test('neighbours that make no prefix together stay apart', () => {
    expect(aggregatePrefixes([read('10.0.1.0/24'), read('10.0.2.0/24')]).map(formatPrefix)).toEqual(['10.0.1.0/24', '10.0.2.0/24'])
    expect(aggregatePrefixes([read('10.0.3.0/24'), read('10.0.2.0/24')]).map(formatPrefix)).toEqual(['10.0.2.0/23'])
    expect(aggregatePrefixes([read('0.0.0.0/1'), read('128.0.0.0/1'), read('::/0')]).map(formatPrefix)).toEqual(['0.0.0.0/0', '::/0'])
  })

  test('a range becomes the prefixes that cover exactly it', () => {
    expect(prefixesOfRange(4, 1n, 6n).map(formatPrefix)).toEqual(['0.0.0.1', '0.0.0.2/31', '0.0.0.4/31', '0.0.0.6'])
    expect(prefixesOfRange(6, 0n, 2n ** 128n - 1n).map(formatPrefix)).toEqual(['::/0'])
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 5000n }), fc.bigInt({ min: 0n, max: 5000n }), (a, b) => {
        const [first, last] = a <= b ? [a, b] : [b, a]
        let at = first
        for (const prefix of prefixesOfRange(4, first, last)) {
          expect(prefix.value).toBe(at)
          at = lastOf(prefix) + 1n
        }
        expect(at).toBe(last + 1n)
      }),
    )
  })
})
