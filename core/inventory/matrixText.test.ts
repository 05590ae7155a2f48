import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Address } from '../net/address.ts'
import { ANY_IPV4 } from '../net/prefix.ts'
import { csvCell, matrixCsv } from './csv.ts'
import { foldMatrix, type MatrixRow } from './matrix.ts'
import { matrixText } from './matrixText.ts'
import type { Observation } from './observation.ts'

const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../schemas/matrix.schema.json'), 'utf8')) as object
const validate = new Ajv2020({ allErrors: true, strict: true }).compile(schema)

const text = fc.constantFrom('nginx', 'we "ird", x', '=cmd()', 'two\nlines')
const address: fc.Arbitrary<Address> = fc.oneof(
  fc.constantFrom(0n, 1n, 0x0a010203n, 0x7f000001n).map((value) => ({ family: 4 as const, value })),
  fc.constantFrom(0n, 1n, 0x20010db8n << 96n).map((value) => ({ family: 6 as const, value })),
)
const claim = { host: fc.constantFrom('a', 'b'), sensor: fc.constantFrom('ss', 'nmap'), at: fc.integer({ min: 0, max: 4e12 }) }
const endpoint = { protocol: fc.constantFrom('tcp', 'udp', 'sctp'), port: fc.constantFrom(1, 22, 65_535) } as const
const observation = fc.oneof(
  fc.record({ kind: fc.constant('listener'), ...claim, ...endpoint, address, isLoopback: fc.boolean(), isEphemeral: fc.boolean(), process: text, unit: text, user: text, interface: text, activatedBy: text }),
  fc.record({ kind: fc.constant('listener'), ...claim, ...endpoint, address, isLoopback: fc.boolean(), isEphemeral: fc.boolean() }),
  fc.record({ kind: fc.constant('flow'), ...claim, ...endpoint, source: address, connections: fc.nat(), bytes: fc.nat(), tally: fc.constantFrom('running', 'snapshot', 'events'), isAnswered: fc.boolean(), firstSeen: fc.nat(), lastSeen: fc.nat(), verdict: fc.constantFrom('accepted', 'denied') }),
  fc.record({ kind: fc.constant('scan'), ...claim, ...endpoint, address, state: fc.constantFrom('open', 'closed', 'filtered', 'open|filtered'), from: fc.constantFrom('lan', 'probe'), service: text }),
  fc.record({ kind: fc.constant('published'), ...claim, protocol: endpoint.protocol, ports: fc.constantFrom({ first: 22, last: 22 }, { first: 22, last: 9000 }), target: text }),
  fc.record({ kind: fc.constant('reading'), ...claim, covers: fc.constantFrom('listeners', 'published', 'flows') }),
) as fc.Arbitrary<Observation>
const needs = [{ id: 'n', hosts: ['a', 'c'], service: { ports: [{ protocol: 'tcp' as const, ports: { first: 20, last: 22 } }] }, from: [ANY_IPV4] }]
const zones = [{ name: 'lan', prefixes: [{ family: 4 as const, value: 10n << 24n, length: 8 }] }]
const rowsOf = (observations: readonly Observation[]): MatrixRow[] => [...foldMatrix({ observations, zones, needs })]

describe('JSON', () => {
  test('every matrix is valid by its published schema', () => {
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 20 }), (observations) => {
        const document: unknown = JSON.parse(JSON.stringify(matrixText(rowsOf(observations))))
        validate(document)
        expect(validate.errors).toBeNull()
      }),
    )
  })

  test.each([
    ['an unknown key', { format: 'portcullis-matrix', version: 1, rows: [], more: 1 }],
    ['another version', { format: 'portcullis-matrix', version: 2, rows: [] }],
    ['a row without its keys', { format: 'portcullis-matrix', version: 1, rows: [{ host: 'a' }] }],
  ])('the schema refuses %s', (_, document) => {
    expect(validate(document)).toBe(false)
  })
})

describe('CSV', () => {
  test.each([
    ['nginx', 'nginx'], [80, '80'], ['', ''], ['a,b', '"a,b"'], ['say "x"', '"say ""x"""'], ['two\nlines', '"two\nlines"'], ['a\r', '"a\r"'],
    ['=1+1', "'=1+1"], ['@x', "'@x"], ['+x', "'+x"], ['-x', "'-x"], ['=a,b', '"\'=a,b"'], ['日志', '日志'],
  ])('%j is written %j', (value, expected) => {
    expect(csvCell(value)).toBe(expected)
  })

  test('every record has the header’s number of fields, whatever the names in it', () => {
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 10 }), (observations) => {
        const rows = rowsOf(observations)
        const records = readCsv([...matrixCsv(rows)].join(''))
        expect(records.map((record) => record.length)).toEqual(Array(rows.length + 1).fill(records[0]?.length))
      }),
    )
  })
})

/** RFC 4180, read by its grammar. */
function readCsv(csv: string): string[][] {
  const records: string[][] = []
  let record: string[] = []
  for (const [, quoted, plain, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    record.push(quoted?.replaceAll('""', '"') ?? plain ?? '')
    if (end === ',') continue
    records.push(record)
    record = []
  }
  return records
}
