import { isLetIn, needsOf, openAfter, type Port } from '@portcullis/lab/demo/expectations.ts'
import { DEMO_NEEDS } from '@portcullis/lab/demo/needs.ts'
import { ATTACKER, DEMO_WORLD } from '@portcullis/lab/demo/world.ts'
import { hostNamed } from '@portcullis/lab/world.ts'
import { describe, expect, test } from 'vitest'
import type { DrillLine } from './drill.ts'
import { VANTAGES } from './drills.ts'
import { judge, type Expectations } from './judge.ts'
import { isAsPromised, type Judged } from './summary.ts'

const EXPECTATIONS: Expectations = {
  lines: openAfter(DEMO_WORLD, DEMO_NEEDS),
  isLetIn: (host, port, vantage) => isLetIn(DEMO_WORLD, DEMO_NEEDS, host, port, vantage),
  needsOf: (host, port, vantage) => needsOf(DEMO_NEEDS, hostNamed(DEMO_WORLD, host), port, hostNamed(DEMO_WORLD, vantage)).map(({ id }) => id),
}

/** What scans from every vantage find of a fleet whose policy has these needs. */
function found(needs = DEMO_NEEDS): DrillLine[] {
  const vantages = new Set(VANTAGES.map(({ host }) => host))
  return openAfter(DEMO_WORLD, needs)
    .filter(({ vantage }) => vantages.has(vantage))
    .map((line) => ({ ...line, zone: '', closed: [], filtered: [], unknown: 0 }))
}

/** The same, but of one place and address something else. */
const foundBut = (vantage: string, host: string, change: (line: DrillLine) => Partial<DrillLine>): DrillLine[] =>
  found().map((line) => (line.vantage === vantage && line.host === host && line.family === 6 ? { ...line, ...change(line) } : line))

const words = (lines: readonly DrillLine[]): string[] =>
  judge(EXPECTATIONS, lines).map(({ kind, vantage, host, family, protocol, port, needs }) => [kind, vantage, host, `IPv${family}`, `${protocol}/${port}`, ...needs].join(' '))

test('what was promised surprises nobody', () => {
  expect(words(found())).toEqual([])
})

describe('a need that the policy forgot', () => {
  test.each(DEMO_NEEDS.map((need) => [need.id, need] as const))('%s is found and named', (id, forgotten) => {
    const surprises = judge(EXPECTATIONS, found(DEMO_NEEDS.filter((need) => need !== forgotten)))
    expect(surprises.length).toBeGreaterThan(0)
    for (const { kind, host, needs } of surprises) {
      expect(kind).toBe('closed')
      expect(forgotten.hosts).toContain(host)
      expect(needs).toContain(id)
    }
  })
})

describe('one port on one address from one place', () => {
  const telnet: Port = { protocol: 'tcp', port: 23 }
  const high: Port = { protocol: 'tcp', port: 61_234 }
  const dicom: Port = { protocol: 'tcp', port: 104 }
  const cases: readonly [what: string, lines: DrillLine[], surprises: string[]][] = [
    ['left open', foundBut(ATTACKER, 'legacy-1', () => ({ open: [telnet] })), ['open attacker-1 legacy-1 IPv6 tcp/23']],
    ['open where nothing listened before', foundBut(ATTACKER, 'db-1', () => ({ open: [high] })), ['open attacker-1 db-1 IPv6 tcp/61234']],
    ['answers that nothing listens: packets pass', foundBut('tag-1', 'db-1', () => ({ closed: [high] })), ['open tag-1 db-1 IPv6 tcp/61234']],
    ['answers that nothing listens, and a need lets packets pass', foundBut('office-1', 'pacs-1', () => ({ closed: [dicom] })), []],
    ['closed though needed', foundBut('office-1', 'dns-1', ({ open }) => ({ open: open.filter(({ protocol }) => protocol === 'tcp') })), ['closed office-1 dns-1 IPv6 udp/53 dns-dns-1']],
    ['not told', foundBut(ATTACKER, 'db-1', () => ({ unknown: 1 })), ['unknown attacker-1 db-1 IPv6 undefined/undefined']],
  ]
  test.each(cases)('%s', (_, lines, surprises) => {
    expect(words(lines)).toEqual(surprises)
  })
})

describe('as promised', () => {
  const good: Judged = { hosts: 14, hostsEqualToIntent: 14, servicesInterrupted: 0, unexpectedlyOpen: 0, unexpectedlyClosed: 0, undecided: 0 }
  const cases: readonly [change: Partial<Judged>, promised: boolean][] = [
    [{}, true],
    [{ servicesInterrupted: 1 }, false],
    [{ unexpectedlyOpen: 1 }, false],
    [{ unexpectedlyClosed: 1 }, false],
    [{ undecided: 1 }, false],
    [{ hostsEqualToIntent: 13 }, false],
    [{ hosts: 0, hostsEqualToIntent: 0 }, false],
  ]
  test.each(cases)('%o: %s', (change, promised) => {
    expect(isAsPromised({ ...good, ...change })).toBe(promised)
  })
})
