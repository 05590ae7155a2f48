import { foldMatrix, type MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { ANY_IPV4 } from '@portcullis/core/net/prefix.ts'
import { describe, expect, test } from 'vitest'
import { CLOSABLE_SHOWN_MAX } from './closable.ts'
import { CONTRADICTION_WORDS } from './contradictionWords.ts'
import { matrixPage } from './matrixPage.ts'
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
    expect(page).toContain('server was never observed: db-&#60;9&#62;.')
    expect(page).toContain('endpoint listens, and nobody has tried')
  })

  const shut = (state: 'closed' | 'open'): Observation => ({ ...open('web-1', 22), state, from: 'elsewhere' } as Observation)
  const needed = (): MatrixRow[] => [...foldMatrix({ observations: [shut('open')], zones: [], needs: [{ id: 'ssh', hosts: ['web-1'], service: { ports: [{ protocol: 'tcp', ports: { first: 22, last: 22 } }] }, from: [ANY_IPV4] }] })]
  test.each<[what: string, page: string, verdict: string]>([
    ['all that is open is needed', pageOf(needed()), 'good'],
    ['nobody has tried what listens', pageOf(rowsOf([listener('web-1', 22)])), 'unsure'],
    ['a server was not observed', pageOf(needed(), ['db-1']), 'unsure'],
    ['nothing was observed', pageOf([]), 'unsure'],
    ['something is open without a need', pageOf(rowsOf([shut('open')])), 'bad'],
  ])('praises only what is known: %s', (_, text, verdict) => expect(/class="verdict (\w+)"/.exec(text)?.[1]).toBe(verdict))

  test.each([1, 2])('counts %d in the words of that number', (hosts) => {
    const text = pageOf([], Array.from({ length: hosts }, (_, index) => `h-${index}`))
    expect(text).toContain(hosts === 1 ? '</b> <span lang="en">server was never observed: h-0.' : '</b> <span lang="en">servers were never observed: h-0, h-1.')
  })

  test('does not miss what nobody could watch: a host that speaks to itself', () => {
    const loopback: Observation = { ...listener('web-1', 6010), isLoopback: true, address: { family: 4, value: 0x7f00_0001n } } as Observation
    expect(pageOf(rowsOf([loopback]))).not.toContain('was not watched')
  })

  test('says when it was made, on the page and in its title', () => {
    expect(page).toContain('<title>哪些端口开放，为何开放 · 1970-01-01</title>')
    expect(page).toContain('<time datetime="1970-01-01T00:00:00.000Z">1970-01-01 00:00 UTC</time>')
    expect(page).toContain('content:"Portcullis · 1970-01-01"')
  })

  test('every head of a table says what it is the head of', () => {
    const heads = page.match(/<th\b[^>]*>/g) ?? []
    expect(heads.length).toBeGreaterThan(8)
    expect(heads.filter((head) => !/ scope="(col|row|rowgroup)"/.test(head))).toEqual([])
    expect(page).not.toMatch(/<th\b[^>]*><\/th>/)
  })

  test('the place that is no zone has a name in both languages', () => {
    expect(pageOf(rowsOf([shut('open')]))).toContain('<span lang="en">elsewhere</span><span lang="zh-CN">其他来源</span>')
  })
})

test('a fleet that is too large for a page is cut, and the page says so', () => {
  const ports = Array.from({ length: 100 }, (_, index) => index + 1)
  const rows = rowsOf(Array.from({ length: 60 }, (_, host) => ports.flatMap((port) => [listener(`h-${host}`, port), open(`h-${host}`, port)])).flat())
  const page = pageOf(rows)
  expect(page).toContain('of 6\u2009000 endpoints')
  expect(page).toContain('5\u2009975 more are not shown')
  expect(page.match(/<th scope="row" class="end">/g)).toHaveLength(ENDPOINTS_SHOWN_MAX)
  expect(page.match(/class="dot /g)).toHaveLength(CLOSABLE_SHOWN_MAX)
  expect(page.length).toBeLessThan(2_000_000)
})

test('zones that do not fit beside each other are cut, the ones to which most is open stay, and the page says so', () => {
  const zones = Array.from({ length: 60 }, (_, index) => ({ name: `z${String(index).padStart(2, '0')}`, prefixes: [{ family: 4 as const, value: BigInt(index << 16), length: 16 }] }))
  const page = pageOf([...foldMatrix({ observations: [listener('web-1', 22), { ...open('web-1', 22), from: 'z57' } as Observation], zones, needs: [] })])
  expect(page).toContain('24 of 61 zones: those to which most stands open without a need.')
  expect(page.match(/class="up"/g)).toHaveLength(24)
  expect(page).toContain('<div>z57</div>')
})

test('of a fleet that is too large, the servers with the most to close are shown, by name', () => {
  const quiet = Array.from({ length: ENDPOINTS_SHOWN_MAX }, (_, port) => listener('a-quiet', port + 1))
  const page = pageOf(rowsOf([...quiet, open('z-late', 22), open('y-later', 5432)]))
  const hosts = [...page.matchAll(/class="host"[^>]*>([^<]+)</g)].map(([, host]) => host)
  expect(hosts).toEqual(['a-quiet', 'y-later', 'z-late'])
  expect(page.match(/<th scope="row" class="end">/g)).toHaveLength(ENDPOINTS_SHOWN_MAX)
})

test.each(Object.entries(CONTRADICTION_WORDS))('%s is said in both languages', (_, { title, meaning }) => {
  for (const { en, zh } of [title, meaning]) expect([en, zh]).toEqual([expect.stringMatching(/^[ -~]+$/), expect.stringMatching(/\p{Script=Han}/u)])
})
