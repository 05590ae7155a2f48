import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../../net/address.ts'
import { bitsOf } from '../../net/address.ts'
import { containsAddress, formatPrefix, parsePrefix, type Prefix } from '../../net/prefix.ts'
import { aggregateSeen, sourceSetOf, type SeenSource } from './sourceSet.ts'

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new RangeError(text)
  return parsed.value
}
const prefix = (text: string): Prefix => {
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw new RangeError(text)
  return parsed.value
}
const lasts = (...numbers: readonly number[]): Address[] => numbers.map((number) => address(`10.0.0.${number}`))

describe('addresses joined to prefixes', () => {
  test.each<[string, readonly Address[], number, string[]]>([
    ['one', lasts(7), 0.5, ['10.0.0.7']],
    ['two that fill a prefix', lasts(4, 5), 0, ['10.0.0.4/31']],
    ['three of four, none unseen allowed', lasts(4, 5, 6), 0, ['10.0.0.4/31', '10.0.0.6']],
    ['three of four', lasts(4, 5, 6), 0.25, ['10.0.0.4/30']],
    ['two of four', lasts(4, 7), 0.5, ['10.0.0.4/30']],
    ['far apart', [address('10.0.0.1'), address('10.200.0.1')], 0.5, ['10.0.0.1', '10.200.0.1']],
    ['both families', [address('10.0.0.1'), address('2001:db8::1')], 0.5, ['10.0.0.1', '2001:db8::1']],
    ['the same twice', lasts(9, 9), 0.5, ['10.0.0.9']],
  ])('%s', (_, addresses, share, expected) => {
    expect(aggregateSeen(addresses, share).map(formatPrefix)).toEqual(expected)
  })

  test('every address is let in, and no prefix has more unseen addresses than allowed', () => {
    const addresses = fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 200 })
    fc.assert(
      fc.property(addresses, fc.constantFrom(0, 0.25, 0.5, 0.9), (offsets, share) => {
        const seen = [...new Set(offsets)].map((offset): Address => ({ family: 4, value: 0x0a00_0000n + BigInt(offset) }))
        const prefixes = aggregateSeen(seen, share)
        expect(seen.every((each) => prefixes.filter((of) => containsAddress(of, each)).length === 1)).toBe(true)
        for (const of of prefixes) expect(seen.filter((each) => containsAddress(of, each)).length).toBeGreaterThanOrEqual((1 - share) * 2 ** (bitsOf(4) - of.length) - 1e-9)
      }),
    )
  })
})

describe('who is let in', () => {
  const office = { name: 'office', prefixes: [prefix('10.0.0.0/24')] }
  const company = { name: 'company', prefixes: [prefix('10.0.0.0/8')] }
  const arriving = [3, 40, 77, 120, 180, 222].map((number, index) => ({ source: address(`10.0.0.${number}`), firstDay: index * 10 }))
  test('newcomers that the set would have refused: the smallest zone that holds all', () => {
    expect(sourceSetOf(arriving, [company, office], 0.5)).toMatchObject({ kind: 'zone', zone: 'office', foreseen: 0 })
  })
  /** Two clients that get another address of .20 to .219 every five days. */
  const leased = (network: string, days: number) => Array.from({ length: days / 5 }, (_, lease) => [0, 1].map((client) => ({ source: address(`${network}.${20 + ((lease * 37 + client * 101) % 200)}`), firstDay: lease * 5 }))).flat()
  test('clients that change addresses within one network: the network, where the earlier ones would have let in all later ones', () => {
    const set = sourceSetOf(leased('10.30.7', 90), [], 0.5)
    expect([set.prefixes.map(formatPrefix), set.isPool]).toEqual([['10.30.7.0/24'], true])
  })
  test.each<[string, SeenSource[], number]>([
    ['a new network among the later ones', [...leased('10.30.7', 90), { source: address('10.31.0.9'), firstDay: 80 }], 0.5],
    ['too few to know the network by', leased('10.30.7', 20), 0.5],
    ['a user who allows no address that was not seen', leased('10.30.7', 90), 0],
  ])('no network is taken for %s', (_, sources, share) => {
    expect(sourceSetOf(sources, [], share).isPool).toBeUndefined()
  })
  test('temporary addresses of IPv6 within their /64', () => {
    const daily = Array.from({ length: 60 }, (_, day) => ({ source: { family: 6 as const, value: (0x2001_0db8n << 96n) | (BigInt(day * 7919 + 1) << 40n) }, firstDay: day }))
    expect(sourceSetOf(daily, [], 0.5).prefixes.map(formatPrefix)).toEqual(['2001:db8::/64'])
  })
  test('without a zone it is said', () => {
    expect(sourceSetOf(arriving, [], 0.5)).toMatchObject({ kind: 'prefixes', foreseen: 0 })
  })
  test('a few that stay the same are named one by one, whatever zone they are in', () => {
    expect(sourceSetOf(lasts(3, 40).map((source) => ({ source, firstDay: 1 })), [office], 0.5)).toMatchObject({ kind: 'prefixes', seen: 2 })
  })
  test('from everywhere', () => {
    const everywhere = Array.from({ length: 200 }, (_, index) => ({ source: { family: 4 as const, value: BigInt(index) << 24n }, firstDay: 1 }))
    expect(sourceSetOf(everywhere, [office], 0.5)).toMatchObject({ kind: 'any' })
  })
})
