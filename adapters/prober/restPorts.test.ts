import { countPorts, parsePortRanges } from '@portcullis/core/net/port.ts'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { PortRuns, RestList } from './restPorts.ts'
import { PORT_STATES, type PortState } from './scanSpec.ts'

const runsOf = (told: Iterable<readonly [port: number, state: PortState]>): PortRuns => {
  const runs = new PortRuns()
  for (const [port, state] of told) runs.add(state, port)
  return runs
}

test.each<[what: string, told: [number, PortState][], entries: [string, string][]]>([
  ['nothing', [], []],
  ['one port', [[22, 'closed']], [['closed', '22']]],
  ['neighbours are a range', [[21, 'closed'], [22, 'closed'], [23, 'closed'], [25, 'closed']], [['closed', '21-23,25']]],
  ['each state has its own', [[21, 'closed'], [22, 'filtered'], [23, 'closed'], [24, 'closed']], [['closed', '21,23-24'], ['filtered', '22']]],
  ['nobody knows anything of what is unknown', [[21, 'closed'], [22, 'unknown'], [23, 'closed']], [['closed', '21,23']]],
])('%s', (_, told, entries) => expect(runsOf(told).entries()).toEqual(entries))

test('whatever was told reads back, and nothing else', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }), fc.array(fc.constantFrom(...PORT_STATES), { minLength: 40, maxLength: 40 }), (ports, states) => {
      const told = ports.toSorted((a, b) => a - b).map((port, index) => [port, states[index] ?? 'unknown'] as const)
      for (const [state, text] of runsOf(told).entries()) {
        const ranges = parsePortRanges(text)
        const read = ranges.ok ? ranges.value.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index)) : []
        expect(read).toEqual(told.flatMap(([port, each]) => (each === state ? [port] : [])))
        expect(ranges.ok && countPorts(ranges.value)).toBe(read.length)
      }
    }),
  )
})

test('what there is no room for is counted by its addresses, and never told in part', () => {
  const worst = runsOf(Array.from({ length: 200 }, (_, index) => [index + 1, index % 2 === 0 ? 'closed' : 'filtered'] as const))
  const list = new RestList(50_000)
  for (let host = 0; host < 100; host += 1) list.add(`10.0.0.${host}`, 'tcp', worst)
  list.add('10.0.1.0', 'udp', new PortRuns())
  expect(list.leftOut).toBeGreaterThan(0)
  expect(list.entries.length + 2 * list.leftOut).toBe(200)
  expect(JSON.stringify(list.entries, undefined, 2).length).toBeLessThanOrEqual(50_000)
})
