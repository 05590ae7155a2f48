import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress } from '../net/address.ts'
import { aggregatePrefixes, containsAddress, parsePrefix, prefixOf, type Prefix } from '../net/prefix.ts'
import { coverZones, mapZones, zoneOf } from './zone.ts'

const prefix = (text: string): Prefix => {
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}
const zones = Object.entries({ all10: ['10.0.0.0/8'], office: ['10.1.0.0/16', '10.3.0.0/16'], desk: ['10.1.2.0/24'], twin: ['10.3.0.0/16'], v6: ['2001:db8::/32'] }).map(
  ([name, prefixes]) => ({ name, prefixes: prefixes.map(prefix) }),
)

describe('the longest prefix owns an address', () => {
  test.each([
    ['0.0.0.0', 'elsewhere'], ['9.255.255.255', 'elsewhere'], ['10.0.0.0', 'all10'], ['10.1.0.0', 'office'], ['10.1.2.0', 'desk'], ['10.1.2.255', 'desk'],
    ['10.1.3.0', 'office'], ['10.2.0.0', 'all10'], ['10.3.0.1', 'office'], ['10.4.0.0', 'all10'], ['10.255.255.255', 'all10'], ['11.0.0.0', 'elsewhere'],
    ['255.255.255.255', 'elsewhere'], ['2001:db8::1', 'v6'], ['2001:db9::', 'elsewhere'], ['::', 'elsewhere'],
  ])('%s is in %s', (text, expected) => {
    const address = parseAddress(text)
    expect(address.ok && zoneOf(mapZones(zones), address.value)).toBe(expected)
  })

  test('it is what a search of all prefixes finds', () => {
    const address = fc.integer({ min: 0, max: 255 }).map((value) => ({ family: 4 as const, value: BigInt(value) }))
    const small = fc.record({ at: address, length: fc.integer({ min: 24, max: 32 }) }).map(({ at, length }) => prefixOf(at, length))
    fc.assert(
      fc.property(fc.array(fc.array(small, { maxLength: 4 }), { maxLength: 4 }), address, (lists, at) => {
        const named = lists.map((prefixes, index) => ({ name: `z${index}`, prefixes }))
        const owner = named
          .flatMap(({ name, prefixes }) => prefixes.filter((each) => containsAddress(each, at)).map(({ length }) => ({ name, length })))
          .toSorted((a, b) => b.length - a.length || (a.name < b.name ? -1 : 1))[0]
        expect(zoneOf(mapZones(named), at)).toBe(owner?.name ?? 'elsewhere')
      }),
    )
  })
})

test.each([
  [['0.0.0.0/0'], { elsewhere: 'all', all10: 'all', office: 'all', desk: 'all' }],
  [['10.1.2.0/25', '10.1.2.128/25'], { elsewhere: 'none', all10: 'none', office: 'none', desk: 'all' }],
  [['10.1.0.0/16'], { elsewhere: 'none', all10: 'none', office: 'part', desk: 'all' }],
  [['192.0.2.0/24'], { elsewhere: 'part', all10: 'none', office: 'none', desk: 'none' }],
])('%s covers %o', (from, expected) => {
  expect(Object.fromEntries(coverZones(mapZones(zones), 4, aggregatePrefixes(from.map(prefix))))).toEqual(expected)
})
