import fc from 'fast-check'
import { expect, test } from 'vitest'
import { containsPort, formatPortRange, formatPortRanges, mergePortRanges, parsePortRange, parsePortRanges, PORT_MAX, someContainsPort, type PortRange } from './port.ts'

const range: fc.Arbitrary<PortRange> = fc
  .tuple(fc.integer({ min: 1, max: PORT_MAX }), fc.integer({ min: 0, max: 40 }))
  .map(([first, more]) => ({ first, last: Math.min(PORT_MAX, first + more) }))
const nearRange = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 8 })).map(([first, more]): PortRange => ({ first, last: first + more }))

test.each(['1', '443', '65535', '60000-61000', '1-65535'])('%s is read and written back', (written) => {
  const ports = parsePortRange(written)
  expect(ports.ok && formatPortRange(ports.value)).toBe(written)
})

test.each(['', '0', '0-10', '65536', '1-65536', '20-10', '-1', '1-', '1-2-3', ' 1', '1 - 2', '0x50', '1e3', '1.5', '١', '999999'])('%j is refused', (written) => {
  expect(parsePortRange(written).ok).toBe(false)
})

test('every range reads back', () => {
  fc.assert(
    fc.property(range, (ports) => {
      expect(parsePortRange(formatPortRange(ports))).toEqual({ ok: true, value: ports })
    }),
  )
})

test('merging keeps the ports, sorts, and leaves a gap between any two', () => {
  fc.assert(
    fc.property(fc.array(nearRange, { maxLength: 10 }), (ranges) => {
      const merged = mergePortRanges(ranges)
      for (let port = 0; port <= 80; port += 1) {
        expect(merged.some((ports) => containsPort(ports, port))).toBe(ranges.some((ports) => containsPort(ports, port)))
      }
      for (const [index, ports] of merged.entries()) expect(ports.first).toBeGreaterThan((merged[index - 1]?.last ?? -1) + 1)
      expect(mergePortRanges(merged)).toEqual(merged)
    }),
  )
})

test.each([
  ['', ''],
  ['443', '443'],
  ['80, 22,8000-8100', '22,80,8000-8100'],
  ['20-25,22,1-21', '1-25'],
])('the list %j reads as %j', (written, read) => {
  const ports = parsePortRanges(written)
  expect(ports.ok && formatPortRanges(ports.value)).toBe(read)
})

test.each(['0', '1,x', '1;2', '9-1', '1-65536'])('the list %j is refused', (written) => {
  expect(parsePortRanges(written).ok).toBe(false)
})

test('a merged list is searched as if it was walked', () => {
  fc.assert(
    fc.property(fc.array(nearRange, { maxLength: 10 }), (ranges) => {
      for (let port = 0; port <= 80; port += 1) expect(someContainsPort(mergePortRanges(ranges), port)).toBe(ranges.some((ports) => containsPort(ports, port)))
    }),
  )
})

test('merging leaves its input alone', () => {
  const ranges = Object.freeze([Object.freeze({ first: 1, last: 2 }), Object.freeze({ first: 2, last: 9 })])
  expect(mergePortRanges(ranges)).toEqual([{ first: 1, last: 9 }])
})
