import { foldMatrix, type MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { describe, expect, test } from 'vitest'
import { CONTRADICTION_WORDS } from './contradictionWords.ts'
import { CLOSABLE_SHOWN_MAX, matrixPage } from './matrixPage.ts'
import { ENDPOINTS_SHOWN_MAX } from './matrixTable.ts'

const ANY = { family: 4, value: 0n } as const
const listener = (host: string, port: number): Observation => ({ kind: 'listener', host, sensor: 'ss', at: 1, address: ANY, protocol: 'tcp', port, process: '<nginx>', isLoopback: false, isEphemeral: false })
const open = (host: string, port: number): Observation => ({ kind: 'scan', host, sensor: 'scan', at: 1, address: { family: 4, value: 9n }, protocol: 'tcp', port, state: 'open', from: 'elsewhere' })
const rowsOf = (observations: Iterable<Observation>): MatrixRow[] => [...foldMatrix({ observations, zones: [], needs: [] })]
const pageOf = (rows: readonly MatrixRow[], unseenHosts: readonly string[] = []): string => matrixPage({ rows, hosts: 1, unseenHosts, at: 0, since: 0, language: 'zh' })

describe('the page of the matrix', () => {
  const page = pageOf(rowsOf([listener('web-1', 5432), open('web-1', 5432), listener('web-1', 22)]), ['db-<9>'])

  test('loads nothing and runs nothing', () => expect(page).not.toMatch(/<script|<link|<img|src=|url\(|https?:/))

  test('holds what hosts say as text', () => {
    expect(page).not.toMatch(/<nginx>|db-<9>/)
    expect(page).toContain('&#60;nginx&#62;')
  })

  test('says in both languages what is open without a need, and opens in the one asked for', () => {
    expect(page).toMatch(/id="in-zh" checked/)
    expect(page).toContain('1 endpoint is open to zones that no need lets in, 1 at high risk')
    expect(page).toContain('1 个端点向无业务需求的区域开放，其中 1 个为高风险')
  })

  test('says what is unknown, and which host was not observed', () => {
    expect(page).toContain('servers were never observed: db-&#60;9&#62;.')
    expect(page).toContain('endpoints listen, and nobody has tried')
  })

  test('praises only where nothing is open without a need', () => {
    expect(pageOf(rowsOf([listener('web-1', 22)]))).toContain('Nothing was found open that no need asks for')
  })
})

test('a fleet that is too large for a page is cut, and the page says so', () => {
  const ports = Array.from({ length: 100 }, (_, index) => index + 1)
  const rows = rowsOf(Array.from({ length: 250 }, (_, host) => ports.flatMap((port) => [listener(`h-${host}`, port), open(`h-${host}`, port)])).flat())
  const page = pageOf(rows)
  expect(page).toContain('of 25\u2009000 endpoints')
  expect(page).toContain('24\u2009975 more are not shown')
  expect(page.match(/<td class="end">/g)).toHaveLength(ENDPOINTS_SHOWN_MAX)
  expect(page.match(/class="dot /g)).toHaveLength(CLOSABLE_SHOWN_MAX)
  expect(page.length).toBeLessThan(2_000_000)
})

test.each(Object.entries(CONTRADICTION_WORDS))('%s is said in both languages', (_, { title, meaning }) => {
  for (const { en, zh } of [title, meaning]) expect([en, zh]).toEqual([expect.stringMatching(/^[ -~]+$/), expect.stringMatching(/\p{Script=Han}/u)])
})
