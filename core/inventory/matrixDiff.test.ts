import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { foldMatrix, type MatrixRow } from './matrix.ts'
import { diffMatrix } from './matrixDiff.ts'
import type { Observation } from './observation.ts'

const ip = (text: string): Address => {
  const read = parseAddress(text)
  if (!read.ok) throw new Error(text)
  return read.value
}
const listener = (port: number, process = 'sshd', at = 1): Observation => ({ kind: 'listener', host: 'h', sensor: 'ss', at, address: ip('0.0.0.0'), protocol: 'tcp', port, process, isLoopback: false, isEphemeral: false })
const reading = (at: number): Observation => ({ kind: 'reading', host: 'h', sensor: 'ss', at, covers: 'listeners' })
const scan = (state: 'open' | 'filtered', at: number): Observation => ({ kind: 'scan', host: 'h', sensor: 'scan', at, address: ip('10.0.0.1'), protocol: 'tcp', port: 22, state, from: 'elsewhere' })
const flow = (connections: number, at: number): Observation => ({ kind: 'flow', host: 'h', sensor: 'zeek', at, source: ip('9.9.9.9'), protocol: 'tcp', port: 22, connections, lastSeen: at, verdict: 'accepted' })
const fold = (...observations: Observation[]): MatrixRow[] => [...foldMatrix({ observations, zones: [] })]

describe('what is different between two times', () => {
  test.each<[what: string, before: Observation[], after: Observation[], changes: readonly string[]]>([
    ['nothing', [listener(22)], [listener(22)], []],
    ['seen again later', [listener(22), reading(1)], [listener(22), reading(1), listener(22, 'sshd', 2), reading(2)], []],
    ['used more often', [listener(22), flow(1, 1)], [listener(22), flow(1, 1), flow(5, 2)], []],
    ['a new listener', [listener(22)], [listener(22), listener(23, 'inetd')], ['appeared 23: listening → inetd, reachable → unknown, used → unknown']],
    ['another process', [listener(22)], [listener(22, 'dropbear')], ['changed 22: listening sshd → dropbear']],
    ['gone from the host', [listener(22), reading(1)], [listener(22), reading(1), reading(2)], ['changed 22: listening sshd → gone sshd']],
    ['no longer spoken of', [listener(22), listener(23)], [listener(22)], ['gone 23: listening sshd → , reachable unknown → , used unknown → ']],
    ['closed', [listener(22), scan('open', 1)], [listener(22), scan('open', 1), scan('filtered', 2)], ['changed 22: reachable open → filtered, contradictions  → listening-but-filtered']],
    ['first use', [listener(22)], [listener(22), flow(1, 2)], ['changed 22: used unknown → used']],
  ])('%s', (_, before, after, changes) => {
    const said = [...diffMatrix(fold(...before), fold(...after))].map(
      ({ row, kind, fields }) => `${kind} ${row.port}: ${fields.map((each) => `${each.field} ${kind === 'appeared' ? '' : `${each.before} `}→ ${each.after}`).join(', ')}`,
    )
    expect(said).toEqual(changes)
  })
})
