import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openScanLab, spreadPorts, type LabTarget, type ScanLab } from './scanLab.ts'
import type { ScanResult } from './scanResult.ts'

const HUNDRED = spreadPorts(100)
let lab: ScanLab

beforeAll(async () => {
  lab = await openScanLab('pb-', [
    { behaviour: 'answers', openPorts: HUNDRED },
    { behaviour: 'drops', openPorts: HUNDRED },
    { behaviour: 'mixed', openPorts: [22, 40_000] },
    { behaviour: 'rejects', openPorts: [22] },
    { behaviour: 'drops', openPorts: [] },
  ])
})
afterEach(() => lab.setLoss(0))
afterAll(() => lab.close())

const target = (index: number): LabTarget => {
  const found = lab.targets[index]
  if (!found) throw new Error(`no target ${index}`)
  return found
}
const openOf = (result: ScanResult, address: string): number[] =>
  result.endpoints.filter((endpoint) => endpoint.address === address && endpoint.state === 'open').map(({ port }) => port)

test.each([
  ['answers', 0, { open: 100, closed: 65_435 }],
  ['drops', 1, { open: 100, filtered: 65_435 }],
  ['drops half', 2, { open: 2, closed: 32_767, filtered: 32_766 }],
  ['refuses by ICMP', 3, { open: 1, filtered: 65_534 }],
  ['says nothing', 4, { filtered: 65_535 }],
])('all ports of a host that %s, IPv4 and IPv6', async (_, index, counts) => {
  const { ipv4, ipv6, openPorts } = target(index)
  for (const address of [ipv4, ipv6]) {
    const result = await lab.scan({ targets: [address], rate: 1_000_000, method: 'syn' })
    expect(openOf(result, address)).toEqual(openPorts)
    expect(result.counts.tcp).toEqual({ open: 0, closed: 0, filtered: 0, 'open|filtered': 0, unknown: 0, ...counts })
    expect(result.notes).toEqual([])
  }
})

test('with 1 % of the packets lost each way: none missed, none invented, three times over', async () => {
  lab.setLoss(1)
  const scanned = [target(0), target(1), target(2)]
  for (const family of ['ipv4', 'ipv6', 'ipv4'] as const) {
    const result = await lab.scan({ targets: scanned.map((one) => one[family]), rate: 1_000_000 })
    for (const one of scanned) expect(openOf(result, one[family])).toEqual(one.openPorts)
    expect(result.counts.tcp).toMatchObject({ open: 202, unknown: 0 })
  }
}, 240_000)

test('a lossy link makes silence unknown instead of filtered', async () => {
  lab.setLoss(45)
  const { ipv4 } = target(1)
  const result = await lab.scan({ targets: [ipv4], ports: '1-20000' })
  expect(result.notes.map(({ code }) => code)).toEqual(['PROBER_LOSSY'])
  expect(result.counts.tcp.filtered).toBe(0)
  expect(result.counts.tcp.unknown).toBeGreaterThan(0)
})

test('an address that nobody has is unreachable, its ports unknown', async () => {
  const result = await lab.scan({ targets: ['10.98.9.9', '203.0.113.1', target(0).ipv4], ports: '1-1000' })
  expect(result.unreachable.map(({ address, fault }) => `${address} ${fault.code}`).toSorted((a, b) => a.localeCompare(b))).toEqual([
    '10.98.9.9 PROBER_NO_NEIGHBOUR',
    '203.0.113.1 PROBER_NO_ROUTE',
  ])
  expect(result.counts.tcp).toMatchObject({ unknown: 2000 })
})

test('the connect scan finds the same', async () => {
  const { ipv4, ipv6, openPorts } = target(0)
  const result = await lab.scan({ targets: [ipv4, ipv6], ports: '1-20000', method: 'connect' })
  const expected = openPorts.filter((port) => port <= 20_000)
  expect(openOf(result, ipv4)).toEqual(expected)
  expect(openOf(result, ipv6)).toEqual(expected)
  expect(result.method).toBe('connect')
  expect(result.counts.tcp.closed).toBe(2 * (20_000 - expected.length))
})

test('the connect scan tells a drop from a refusal', async () => {
  const result = await lab.scan({ targets: [target(1).ipv4, target(3).ipv4], ports: '22,40,50,443', method: 'connect' })
  expect(result.counts.tcp).toMatchObject({ open: 2, closed: 0, filtered: 6 })
})

test('our own addresses are asked by connecting: no wire leads there', async () => {
  const result = await lab.scan({ targets: ['127.0.0.1', '10.98.0.1'], ports: '1-200' })
  expect(result.method).toBe('connect')
  expect(result.counts.tcp.closed).toBe(400)
})

test('an interrupted scan goes on from where it was', async () => {
  const spec = { targets: [target(0).ipv4, target(1).ipv4], rate: 30_000 }
  const first = await lab.scanInterrupted(spec, 25_000)
  expect(first.isComplete).toBe(false)
  expect(first.counts.tcp.unknown).toBeGreaterThan(0)
  const second = await lab.scan({ ...spec, rate: 1_000_000, ...(first.resume ? { resume: first.resume } : {}) })
  expect(second.isComplete).toBe(true)
  expect(openOf(second, target(0).ipv4)).toEqual(HUNDRED)
  expect(openOf(second, target(1).ipv4)).toEqual(HUNDRED)
  expect(second.counts.tcp).toMatchObject({ open: 200, closed: 65_435, filtered: 65_435, unknown: 0 })
  expect(second.probes).toBeLessThan(65_535 + 2 * 65_535 - 10_000)
})

test('the rate is kept', async () => {
  const result = await lab.scan({ targets: [target(0).ipv4, target(1).ipv4], ports: '1-4000', rate: 5000 })
  expect(result.probes / result.seconds).toBeLessThanOrEqual(5100)
  const capped = await lab.scan({ targets: [target(0).ipv4, target(1).ipv4], ports: '1-4000', hostRate: 2500 })
  expect(capped.probes / capped.seconds).toBeLessThanOrEqual(5100)
})

test('UDP: answered is open, unreachable closed, silence open|filtered', async () => {
  const udp = '53,123,161,500,1900,9999'
  const closed = await lab.scan({ targets: [target(0).ipv4, target(0).ipv6], ports: '', udp })
  expect(closed.counts.udp).toMatchObject({ closed: 12 })
  const silent = await lab.scan({ targets: [target(1).ipv4], ports: '', udp, udpSecondsMax: 5 })
  expect(silent.counts.udp).toMatchObject({ 'open|filtered': 6 })
  const refused = await lab.scan({ targets: [target(3).ipv4], ports: '', udp, udpSecondsMax: 10 })
  expect(refused.counts.udp).toMatchObject({ filtered: 6 })
})
