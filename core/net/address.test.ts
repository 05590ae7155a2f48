import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareAddresses, formatAddress, parseAddress, sameAddress, type Address } from './address.ts'

const anyAddress: fc.Arbitrary<Address> = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value): Address => ({ family: 4, value })),
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value): Address => ({ family: 6, value })),
  // Few groups are zero in a random number; these have runs of them.
  fc.array(fc.constantFrom(0n, 0n, 0n, 1n, 0xffffn), { minLength: 8, maxLength: 8 }).map(
    (groups): Address => ({ family: 6, value: groups.reduce<bigint>((value, group) => (value << 16n) | group, 0n) }),
  ),
)

const canonical = (text: string): string => {
  const address = parseAddress(text)
  return address.ok ? formatAddress(address.value) : 'refused'
}

describe('the canonical form', () => {
  test.each([
    // RFC 5952, section 1 and 2.1: one address, many spellings.
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:0000:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    // Section 2.2 and 4.2: where `::` stands.
    ['2001:db8:aaaa:bbbb:cccc:dddd::1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:0:1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:0:0:0::1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    // Section 4.1 and 4.3: leading zeros, lower case.
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8::AbCd', '2001:db8::abcd'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
  ])('%s is %s', (written, expected) => {
    expect(canonical(written)).toBe(expected)
  })

  test('reads back as the same address', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        const read = parseAddress(formatAddress(address))
        expect(read.ok && sameAddress(read.value, address)).toBe(true)
      }),
    )
  })
})

test.each([
  '', ' ', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.4 ', '1.2.3.-4', '0x1.2.3.4', '1.2.3.4/8',
  ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '12345::', 'g::', '::1%eth0', '[::1]', '::1.2.3', '1.2.3.4::', '::1.2.3.4:5',
])('%j is refused', (written) => {
  expect(canonical(written)).toBe('refused')
})

test('addresses are ordered by family, then number', () => {
  const sorted = ['::1', '10.0.0.1', '9.255.255.255', '::'].flatMap((text) => {
    const address = parseAddress(text)
    return address.ok ? [address.value] : []
  })
  expect(sorted.toSorted(compareAddresses).map(formatAddress)).toEqual(['9.255.255.255', '10.0.0.1', '::', '::1'])
})
