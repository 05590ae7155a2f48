import type { MatrixRowText, MatrixText } from '@portcullis/core/inventory/matrixText.ts'
import { DEMO_NEEDS } from '@portcullis/lab/demo/needs.ts'
import { describe, expect, test } from 'vitest'
import type { DemoSummary } from '../demo/summary.ts'
import { demoPage, percentLess } from './demoPage.ts'
import { reportEndpoints, type Sight } from './endpoints.ts'
import { grouped } from './markup.ts'

const ZONES = ['outside', 'core']

const row = (zone: string, state: MatrixRowText['reachable']['state'], change: Partial<MatrixRowText> = {}): MatrixRowText => ({
  host: 'db-1',
  protocol: 'tcp',
  port: 5432,
  addressClass: 'ipv4',
  zone,
  listening: { kind: 'seen', listeners: [{ sensor: 'ss', address: '0.0.0.0', process: '<postgres>', isEphemeral: false, lastSeen: '' }] },
  reachable: { state, evidence: [] },
  used: { kind: 'unknown', because: 'not watched' },
  needs: zone === 'core' ? [{ id: 'postgresql-db-1', covers: 'all' }] : [],
  published: [],
  contradictions: [],
  ...change,
})
const matrix = (...rows: MatrixRowText[]): MatrixText => ({ format: 'portcullis-matrix', version: 1, rows })

const BEFORE = matrix(row('outside', 'open'), row('core', 'open'))
const AFTER = matrix(row('outside', 'filtered'), row('core', 'open'))

describe('endpoints of the report', () => {
  const cases: readonly [what: string, before: MatrixText, after: MatrixText, sights: readonly (readonly [before: Sight, after: Sight])[]][] = [
    ['closed to one zone', BEFORE, AFTER, [['open', 'shut'], ['open', 'open']]],
    ['open on one family is open', matrix(row('outside', 'filtered'), row('outside', 'open', { addressClass: 'ipv6' })), AFTER, [['open', 'shut'], ['unknown', 'open']]],
    ['unknown is not shut', matrix(row('outside', 'unknown'), row('core', 'open')), matrix(row('core', 'closed')), [['unknown', 'unknown'], ['open', 'shut']]],
  ]
  test.each(cases)('%s', (_, before, after, sights) => {
    const [endpoint, ...others] = reportEndpoints(before, after, ZONES)
    expect(others).toEqual([])
    expect(endpoint?.zones.map((cell) => [cell.before, cell.after])).toEqual(sights)
    expect(endpoint?.zones.map((cell) => cell.isNeeded)).toEqual([false, true])
  })

  test('what nobody could ever reach, and what only the host itself can, are left out', () => {
    const shut = matrix(row('outside', 'filtered'), row('outside', 'open', { addressClass: 'loopback', port: 1 }))
    expect(reportEndpoints(shut, shut, ZONES)).toEqual([])
  })
})

const SUMMARY: DemoSummary = {
  format: 'portcullis-demo',
  version: 1,
  ok: false,
  seconds: 58,
  hosts: 14,
  hostsEqualToIntent: 14,
  servicesInterrupted: 0,
  unexpectedlyOpen: 0,
  unexpectedlyClosed: 1,
  undecided: 0,
  exposedBefore: 2,
  exposedAfter: 1,
  zones: ZONES.map((zone) => ({ zone, vantage: `${zone}-1`, before: 1, after: 0 })),
  checked: { addresses: 28, tcpBefore: '1-1024', udpBefore: '53', tcpAfter: '1-65535', udpAfter: '53', probes: 1_234_567, needs: 12, services: 35, uses: 100 },
  surprises: [{ kind: 'closed', vantage: 'core-1', host: 'db-1', family: 4, address: '10.0.0.1', protocol: 'tcp', port: 5432, needs: ['postgresql-db-1'] }],
  failedUses: [],
  interruptions: [],
  plan: { id: 'a'.repeat(64), closes: 1, narrows: 0 },
  phases: [{ name: 'lab', seconds: 3 }],
  files: { matrixBefore: '', matrixAfter: '', policy: '', plan: '', report: '' },
}

describe('the page', () => {
  const page = demoPage({ summary: SUMMARY, before: BEFORE, after: AFTER, needs: DEMO_NEEDS, at: 0, language: 'zh' })

  test('loads nothing and runs nothing', () => {
    expect(page).not.toMatch(/<script|<link|<img|src=|url\(|https?:/)
  })

  test('holds what hosts say as text', () => {
    expect(page).not.toContain('<postgres>')
    expect(page).toContain('&#60;postgres&#62;')
  })

  test('opens in the language asked for, and holds the other', () => {
    expect(page).toMatch(/id="in-zh" checked/)
    expect(page).toContain('<span lang="en">Not as promised: 1 closed that is needed</span><span lang="zh-CN">不符合承诺：1 处业务需要但不可达</span>')
  })

  test('names the need that is not met', () => {
    expect(page).toMatch(/closed, but needed.*core-1 → db-1.*tcp\/5432.*postgresql-db-1/s)
  })
})

test.each([[660, 74, 88], [100, 0, 100], [3, 2, 33], [0, 0, 0], [1000, 1, 99]])('%i to %i is %i percent less', (before, after, percent) => {
  expect(percentLess(before, after)).toBe(percent)
})

test.each([[7, '7'], [1234, '1\u2009234'], [1_234_567, '1\u2009234\u2009567']])('%i is written %s', (amount, text) => {
  expect(grouped(amount)).toBe(text)
})
