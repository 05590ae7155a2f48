import { foldMatrix, type MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { describe, expect, test } from 'vitest'
import { paintFor } from '../paint.ts'
import { widthOf } from '../table.ts'
import { showMatrix } from './matrix.ts'

const AT = new Date(2026, 10, 30, 4, 22).getTime()
const zone = (name: string, third: number) => ({ name, prefixes: [{ family: 4 as const, value: 0x0a00_0000n + BigInt(third << 8), length: 24 }] })
const ZONES = ['core', 'field', 'office', 'ops'].map((name, index) => zone(name, index))
const claim = { sensor: 'ss', at: AT, protocol: 'tcp' } as const
const ANY = [{ family: 4, value: 0n }, { family: 6, value: 0n }] as const
const listener = (host: string, port: number, process: string): Observation[] => ANY.map((address) => ({ ...claim, kind: 'listener', host, address, port, process, isLoopback: false, isEphemeral: false }))
const flow = (host: string, port: number): Observation => ({ ...claim, sensor: 'nft-counters', kind: 'flow', host, source: { family: 4, value: 0x0a00_0207n }, port, connections: 155, lastSeen: AT, verdict: 'accepted' })
const FLEET: Observation[] = [
  ...listener('db-1', 5432, 'postgres'),
  ...listener('web-1', 443, 'nginx'),
  ...listener('web-1', 22, 'sshd'),
  flow('web-1', 443),
  { ...claim, kind: 'inner-listener', host: 'web-1', namespace: 'docker shop', address: { family: 4, value: 0n }, port: 80, process: 'nginx', isLoopback: false, isEphemeral: false },
]
const rowsOf = (observations: Observation[]): MatrixRow[] => [...foldMatrix({ observations, zones: ZONES, needs: [] })]
const shown = (rows: MatrixRow[], columns = 120, { language = 'en', isWide = false }: { language?: 'en' | 'zh'; isWide?: boolean } = {}): string =>
  showMatrix({ language, paint: paintFor(false) }, rows, { columns, isWide, now: AT, unwanted: 0 })

test('families and zones that say the same stand in one line', () => {
  expect(shown(rowsOf(FLEET))).toBe(`ENDPOINT       LISTENER                ZONE         REACH    USED                 NEED  NOTE
db-1
tcp/5432 v4+6  postgres                all 5 zones  unknown  unknown              -
web-1
tcp/22 v4+6    sshd                    all 5 zones  unknown  unknown              -
tcp/80 ns      nginx (in docker shop)  itself       unknown  unknown              -
tcp/443 v4     nginx                   office       unknown  155× 10.0.2.7 04:22  -     used-without-need
tcp/443 v6     nginx                   office       unknown  unknown              -
tcp/443 v4+6   nginx                   4 others     unknown  unknown              -

4 endpoints, 31 rows, 1 endpoint with contradictions, use of 3 not watched
`)
})

test('what a scanner did stands beside the use, and is none', () => {
  const knocks = [7, 9, 11, 13, 15, 17, 19, 21].map((port) => ({ ...flow('web-1', port), connections: 1 }))
  const rows = rowsOf([...FLEET, { kind: 'reading', host: 'web-1', sensor: 'ss', at: AT, covers: 'listeners' }, { kind: 'reading', host: 'web-1', sensor: 'nft-counters', at: AT, covers: 'flows' }, ...knocks])
  expect(shown(rows)).toMatch(/^tcp\/7 v4 +nothing +office +unknown +unused since 04:22 \(scanner 1×\) +-$/m)
  expect(shown(rows)).toMatch(/^tcp\/443 v4 +nginx +office +unknown +unused since 04:22 \(scanner 155×\) +-$/m)
  expect(shown(rows)).toContain(', scanners knocked at 9\n')
  expect(shown(rows, 120, { language: 'zh' })).toContain('（扫描 155×）')
})

describe('the width of the terminal', () => {
  const long = rowsOf([...FLEET, { ...claim, sensor: 'nmap', kind: 'scan', host: 'web-1', address: { family: 4, value: 9n }, port: 443, state: 'open', from: 'office', service: 'nginx 1.22.1 with a banner that has much to say of itself' }, ...listener('web-1', 9999, 'a-process-with-quite-a-name')])
  test.each([80, 100, 120, 140])('%i columns hold it, and what is cut has its mark', (columns) => {
    const text = shown(long, columns)
    expect(Math.max(...text.split('\n').map(widthOf))).toBeLessThanOrEqual(columns)
    expect(text.replace('… is cut', '').includes('…')).toBe(text.includes('… is cut'))
  })

  test.each([80, 120])('in Chinese, %i columns too', (columns) => expect((shown(long, columns, { language: 'zh' }).split('\n').filter((line) => widthOf(line) > columns)).join()).toBe(''))

  test('--wide cuts nothing, and has a line for each zone', () => {
    const text = shown(long, 80, { isWide: true })
    expect(text).toContain('nginx 1.22.1 with a banner that has much to say of itself')
    expect(text.match(/ (?:core|field|office|ops|elsewhere) /g)).toHaveLength(25)
    expect(text).not.toContain('…')
  })

  test('where notes have no room beside, they stand beneath', () => expect(shown(long, 80)).toMatch(/\n {4}! used-without-need: office/))
})

test('sorted otherwise, each line names its host', () => {
  const rows = rowsOf(FLEET).toSorted((a, b) => a.port - b.port)
  const mixed = rows.filter(({ port }) => port === 22 || port === 443).concat(rows.filter(({ port }) => port === 5432), rows.filter(({ port }) => port === 80))
  expect(shown(mixed)).toMatch(/^HOST {3}ENDPOINT/)
})
