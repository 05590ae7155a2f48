import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CtState } from '../ruleset/ruleset.ts'
import type { AcceptedRow } from './accepts.ts'
import { condense, type Dimensions } from './condense.ts'

const ALL: Dimensions = { states: ['new', 'established', 'invalid'], interfaces: ['lo', 'eth0', 'other'] }
const PORTS = [22, 80, 443]

const row: fc.Arbitrary<AcceptedRow> = fc.record({
  states: fc.subarray([...ALL.states], { minLength: 1 }),
  interfaces: fc.subarray([...ALL.interfaces], { minLength: 1 }),
  protocols: fc.constantFrom([], [{ first: 6, last: 6 }]),
  ports: fc.subarray(PORTS).map((ports) => ports.map((port) => ({ first: port, last: port }))),
  icmpTypes: fc.constant([]),
  sources: fc.constantFrom<AcceptedRow['sources']>({ kind: 'any' }, { kind: 'family', family: 4 }, { kind: 'prefixes', prefixes: [{ family: 4, value: 10n << 24n, length: 8 }], more: 0 }),
  verdict: fc.constantFrom<AcceptedRow['verdict']>('accepted', 'accepted', 'undecided'),
})

interface Point {
  readonly state: CtState
  readonly name: string
  readonly protocol: number
  readonly port: number
  readonly source: 'ten' | 'ipv4' | 'ipv6'
}

const POINTS: readonly Point[] = ALL.states.flatMap((state) =>
  ALL.interfaces.flatMap((name) =>
    [6, 17].flatMap((protocol) => PORTS.flatMap((port) => (['ten', 'ipv4', 'ipv6'] as const).map((source) => ({ state, name, protocol, port, source })))),
  ),
)

const holds = (each: AcceptedRow, point: Point): boolean =>
  (each.states.length === 0 || each.states.includes(point.state)) &&
  (each.interfaces.length === 0 || each.interfaces.includes(point.name)) &&
  (each.protocols.length === 0 || point.protocol === 6) &&
  (each.ports.length === 0 || each.ports.some((range) => range.first === point.port)) &&
  (each.sources.kind === 'any' || (each.sources.kind === 'family' ? point.source !== 'ipv6' : point.source === 'ten'))

const accepted = (rows: readonly AcceptedRow[]): readonly boolean[] => POINTS.map((point) => rows.some((each) => each.verdict === 'accepted' && holds(each, point)))

test('what is accepted stays the same, in no more rows', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8 }), (rows) => {
      const fewer = condense(rows, ALL)
      return fewer.length <= rows.length && accepted(fewer).join() === accepted(rows).join()
    }),
    { numRuns: 300 },
  )
})

test('nothing becomes undecided that was not, and nothing undecided is lost unless it is accepted elsewhere', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8 }), (rows) => {
      const fewer = condense(rows, ALL)
      const open = (some: readonly AcceptedRow[], point: Point): boolean => some.some((each) => each.verdict === 'undecided' && holds(each, point))
      const sure = accepted(rows)
      return POINTS.every((point, index) => sure[index] || open(fewer, point) === open(rows, point))
    }),
    { numRuns: 300 },
  )
})

test('a port open on every other interface reads as open everywhere, because loopback accepts all', () => {
  const any = { protocols: [], ports: [], icmpTypes: [], sources: { kind: 'any' }, verdict: 'accepted' } as const
  const ssh = { ...any, protocols: [{ first: 6, last: 6 }], ports: [{ first: 22, last: 22 }] }
  const rows: AcceptedRow[] = [
    { ...any, states: ['established'], interfaces: [...ALL.interfaces] },
    { ...any, states: ['new'], interfaces: ['lo'] },
    { ...ssh, states: ['new'], interfaces: ['eth0'] },
    { ...ssh, states: ['new'], interfaces: ['other'] },
  ]
  expect(condense(rows, ALL).map(({ states, interfaces, ports }) => [states.join(), interfaces.join(), ports.length])).toEqual([
    ['established', '', 0],
    ['new', 'lo', 0],
    ['new', '', 1],
  ])
})
