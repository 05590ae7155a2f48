import type { Family } from '@portcullis/core/net/address.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listensOf } from '../daemons/spec.ts'
import { startWorld, type Lab } from '../start.ts'
import type { WorldHost } from '../world.ts'
import { openAfter, openBefore, type ExpectedOpen } from './expectations.ts'
import { DEMO_NEEDS } from './needs.ts'
import { needUses, startDemoWorkload } from './uses.ts'
import { ATTACKER, DEMO_WORLD } from './world.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startWorld(DEMO_WORLD, { prefix: `lab-d${process.pid}` })
})
afterAll(() => lab?.stop())

const servers = DEMO_WORLD.hosts.filter((host) => host.role === 'server')

test.each(servers)('$name listens on what the world says, and on nothing else', async (host) => {
  const sockets = await lab.host(host.name).must(['ss', '-Htuln'])
  expect(sockets.split('\n').flatMap(socketsOf).toSorted()).toEqual(socketsSaid(host).toSorted())
})

test('every need is met on IPv4 and IPv6', async () => {
  const results = await Promise.all(
    needUses(lab).map(async (use) => ({ ...use, evidence: await lab.vantage(use.client).perform(use.use) })),
  )
  expect(results.filter(({ evidence }) => !evidence.ok).map(({ client, host, evidence }) => ({ client, host, evidence }))).toEqual([])
  expect(new Set(results.map(({ need }) => need.id))).toEqual(new Set(DEMO_NEEDS.map((need) => need.id)))
})

test('the attacker reaches on TCP exactly what is expected before', async () => {
  const lines = openBefore(DEMO_WORLD).filter((line) => line.vantage === ATTACKER)
  const ports = [...new Set(servers.flatMap((host) => host.services.flatMap(listensOf)).map((listen) => listen.port))]
  const found = await Promise.all(lines.map(async (line) => ({ host: line.host, family: line.family, open: await openPorts(line, ports) })))
  expect(found).toEqual(lines.map((line) => ({ host: line.host, family: line.family, open: tcpPorts(line) })))
})

test('afterwards the attacker reaches nothing, and each zone less than before', () => {
  const before = new Map(openBefore(DEMO_WORLD).map((line) => [`${line.vantage} ${line.address}`, line.open]))
  for (const line of openAfter(DEMO_WORLD, DEMO_NEEDS)) {
    const was = before.get(`${line.vantage} ${line.address}`)
    expect(was).toEqual(expect.arrayContaining([...line.open]))
    if (line.vantage === ATTACKER) expect(line.open).toEqual([])
  }
})

test('the workload tells an interruption, and only where there was one', async () => {
  const workload = startDemoWorkload(lab)
  await sleep(1_500)
  const pid = await lab.host('cache-1').must(['pidof', 'redis-server'])
  await lab.host('cache-1').must(['kill', '-9', pid.trim()])
  await sleep(1_000)
  lab.host('cache-1').start('redis', ['redis-server', '--protected-mode', 'no', '--save', '', '--dir', '/tmp'])
  await sleep(1_500)
  const records = await workload.stop()
  const interrupted = records.filter((record) => record.interruptions.length > 0)
  expect(interrupted.map((record) => record.name).toSorted()).toEqual([
    'portal-2 → redis on cache-1, IPv4, redis',
    'portal-2 → redis on cache-1, IPv6, redis',
  ])
  for (const { interruptions } of interrupted) {
    expect(interruptions).toHaveLength(1)
    expect(interruptions[0]?.because).toMatch(/ECONNREFUSED|ECONNRESET|closed/)
  }
  expect(records.filter((record) => record.uses === 0).map((record) => record.name)).toEqual([])
})

/** `tcp 4 22 network`: one for each socket and family. */
function socketsOf(line: string): string[] {
  const [protocol, , , , local] = line.trim().split(/\s+/)
  if (protocol === undefined || local === undefined) return []
  const at = local.lastIndexOf(':')
  const [address, port] = [local.slice(0, at).replace(/%.*/, ''), local.slice(at + 1)]
  const scope = /^(127\.|\[::1\])/.test(address) ? 'loopback' : 'network'
  const families: Family[] = address === '*' ? [4, 6] : address.startsWith('[') ? [6] : [4]
  return families.map((family) => `${protocol} ${family} ${port} ${scope}`)
}

/** A port that is published by NAT has no socket on the host. */
const socketsSaid = (host: WorldHost): string[] =>
  host.services
    .filter((service) => service.daemon !== 'container')
    .flatMap(listensOf)
    .flatMap(({ protocol, families, port, scope }) => families.map((family) => `${protocol} ${family} ${port} ${scope}`))

async function openPorts({ address }: ExpectedOpen, ports: readonly number[]): Promise<number[]> {
  const tried = await Promise.all(
    ports.map((port) => lab.vantage(ATTACKER).perform({ kind: 'connect', address, port })),
  )
  return tried.filter(({ ok }) => ok).map(({ port }) => port).toSorted((a, b) => a - b)
}

const tcpPorts = (line: ExpectedOpen): number[] => line.open.filter(({ protocol }) => protocol === 'tcp').map(({ port }) => port)
