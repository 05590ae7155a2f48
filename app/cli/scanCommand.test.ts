import type { ScanResult } from '@portcullis/adapters/prober/scanResult.ts'
import { countPorts, parsePortRanges, someContainsPort } from '@portcullis/core/net/port.ts'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { EXIT } from './exitCode.ts'
import { paintFor } from './paint.ts'
import { showScan } from './show/scan.ts'
import { expectSchema } from './testdata/schema.ts'
import { runTrial, type Ran } from './testdata/trial.ts'

// Of this machine, on ports that the kernel chooses: their numbers say nothing.
vi.setConfig({ testTimeout: 60_000 })

const web = createHttpServer((_, response) => response.setHeader('content-type', 'text/html').end('<title>Ward</title>'))
const shut = createServer()
const nameServer = createSocket('udp4')
let folder: string
let [webPort, shutPort, namePort] = [0, 0, 0]

beforeAll(async () => {
  folder = mkdtempSync('/tmp/pc-scan-')
  web.listen(0, '127.0.0.1')
  shut.listen(0, '127.0.0.1')
  nameServer.bind(0, '127.0.0.1')
  await Promise.all([once(web, 'listening'), once(shut, 'listening'), once(nameServer, 'listening')])
  webPort = (web.address() as AddressInfo).port
  shutPort = (shut.address() as AddressInfo).port
  namePort = nameServer.address().port
  shut.close()
  // Silent to anything but a question of DNS, like the real ones.
  nameServer.on('message', (question, from) => {
    if (question.length !== 17 || question.readUInt16BE(4) !== 1) return
    const answer = Buffer.from(question)
    answer[2] = 0x81
    nameServer.send(answer, from.port, from.address)
  })
})

afterAll(() => {
  web.close()
  nameServer.close()
  rmSync(folder, { recursive: true, force: true })
})

const scan = (argv: readonly string[], signal?: AbortSignal): Promise<Ran> => runTrial(['scan', ...argv], { now: () => 0, ...(signal ? { signal } : {}) })
const resultOf = ({ out }: Ran): ScanResult => JSON.parse(out) as ScanResult

test('the real result keeps to its schema, and names come from handshakes', async () => {
  const ran = await scan(['127.0.0.1', '--ports', `${webPort},${shutPort}`, '--udp', String(namePort), '--udp-seconds', '1', '--identify', '--list', 'open', 'closed', 'open|filtered', '--json'])
  expectSchema('scan', JSON.parse(ran.out))
  expect(ran.code).toBe(EXIT.ok)
  const { endpoints, counts } = resultOf(ran)
  expect(endpoints.map(({ protocol, port, state, service }) => [protocol, port, state, service])).toEqual(
    [
      ['tcp', webPort, 'open', 'http'],
      ['tcp', shutPort, 'closed', undefined],
    ]
      .toSorted((a, b) => Number(a[1]) - Number(b[1]))
      .concat([['udp', namePort, 'open', 'dns']]),
  )
  expect(counts.udp).toEqual({ open: 1, closed: 0, filtered: 0, 'open|filtered': 0, unknown: 0 })
  for (const line of ran.err.split('\n').filter((text) => text !== '')) expect(Object.keys(JSON.parse(line) as object)).toContain('phase')
})

test('which ports are not listed is told as ranges, and only in JSON', async () => {
  const around = [shutPort - 1, shutPort, shutPort + 1].filter((port) => port !== webPort)
  const argv = ['127.0.0.1', '--ports', [...around, webPort].join(',')]
  const { endpoints, rest, counts } = resultOf(await scan([...argv, '--json']))
  expect(endpoints.filter(({ state }) => state === 'open').map(({ port }) => port)).toContain(webPort)
  const closed = rest.filter(({ state }) => state === 'closed').flatMap(({ ports }) => ports)
  const ranges = parsePortRanges(closed.join(','))
  expect(ranges.ok && someContainsPort(ranges.value, shutPort) && countPorts(ranges.value)).toBe(counts.tcp.closed)
  expect((await scan(argv)).out).not.toContain(`${shutPort}`)
})

test('an interrupted scan keeps to its schema, ends with 130, and is gone on with', async () => {
  const argv = ['127.0.0.1', '--ports', `1-60,${webPort}`, '--method', 'connect', '--json']
  const first = await scan([...argv, '--rate', '20'], AbortSignal.timeout(1500))
  expectSchema('scan', JSON.parse(first.out))
  expect(first.code).toBe(EXIT.interrupted)
  expect(resultOf(first)).toMatchObject({ isComplete: false })
  expect(resultOf(first).counts.tcp.unknown).toBeGreaterThan(0)
  const file = join(folder, 'interrupted.json')
  writeFileSync(file, first.out)
  const second = await scan([...argv, '--resume', file])
  expectSchema('scan', JSON.parse(second.out))
  expect(resultOf(second)).toMatchObject({ isComplete: true, counts: { tcp: { unknown: 0 } } })
  expect(resultOf(second).probes).toBeLessThan(61)
})

test.each<[string, string | undefined, string]>([
  ['is not there', undefined, 'SCAN_STATE_UNREADABLE'],
  ['was emptied by the shell', '', 'SCAN_NO_STATE'],
  ['is of a scan that has ended', '{"isComplete":true}', 'SCAN_COMPLETE'],
  ['is of another command', '{"format":"portcullis-plan"}', 'SCAN_NO_STATE'],
  ['is no JSON', 'tcp 22 open', 'SCAN_NO_STATE'],
  ['is of another scan', '{"resume":{"digest":"0","cells":{}}}', 'PROBER_FOREIGN_STATE'],
])('a file to go on from that %s is refused', async (_, text, code) => {
  const file = join(folder, `${code}-${text?.length ?? 'none'}.json`)
  if (text !== undefined) writeFileSync(file, text)
  const ran = await scan(['127.0.0.1', '--ports', '22', '--resume', file, '--json'])
  expect(ran.code).toBe(EXIT.usage)
  expectSchema('faults', JSON.parse(ran.out))
  expect(ran.out).toContain(code)
})

test('a slow rate is kept by connections too, and every port is told', async () => {
  const startedMs = performance.now()
  const ran = await scan(['127.0.0.1', '--ports', '1-12', '--method', 'connect', '--host-rate', '5', '--json'])
  expect(resultOf(ran).counts.tcp.unknown).toBe(0)
  expect(performance.now() - startedMs).toBeGreaterThan(2000)
})

test('what is to be said of many addresses alike is said once', () => {
  const unreachable = ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.9', '192.0.2.1'].map((address) => {
    const code = address.startsWith('10.') ? 'PROBER_NO_NEIGHBOUR' : 'PROBER_NO_ROUTE'
    return { address, fault: { code, what: { en: `${address}: ${code}`, zh: `${address}：${code}` } } }
  })
  const counts = { open: 0, closed: 0, filtered: 0, 'open|filtered': 0, unknown: 5 }
  const result: ScanResult = { endpoints: [], rest: [], counts: { tcp: counts, udp: { ...counts, unknown: 0 } }, unreachable, method: 'syn', notes: [], probes: 0, seconds: 1, isComplete: true }
  const shown = showScan({ language: 'en', paint: paintFor(false) }, result)
  expect(shown.split('\n').filter((line) => line.includes('PROBER'))).toEqual([
    expect.stringContaining('4 addresses, 10.0.0.2-10.0.0.4, 10.0.0.9: PROBER_NO_NEIGHBOUR'),
    expect.stringContaining('192.0.2.1: PROBER_NO_ROUTE'),
  ])
})
