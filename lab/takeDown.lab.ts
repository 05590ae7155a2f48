import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { mustRun } from './command.ts'
import { openNamespaces } from './netns.ts'
import { folderOf, registered, release } from './registry.ts'
import { startWorld } from './start.ts'
import { flatWorld, interfaceIn, network } from './world.ts'

const PREFIX = `lab-t${process.pid}`
const MAIN = join(import.meta.dirname, 'main.ts')

afterEach(() => {
  if (existsSync(folderOf(PREFIX))) release(PREFIX)
})

test('a stopped world leaves no namespace, process, mount, interface or file', async () => {
  const before = await machineState()
  const lab = await startWorld(flatWorld(3), { prefix: PREFIX })
  lab.host('host-1').start('sleeper', ['sleep', '1000'])
  await lab.host('host-2').must(['sh', '-c', 'setsid sleep 1000 >/dev/null 2>&1 &'])
  await lab.vantage('host-3').perform({ kind: 'connect', address: '10.77.0.10', port: 22 })
  expect(tracesOf(PREFIX)).not.toEqual([])
  await lab.stop()
  expect(tracesOf(PREFIX)).toEqual([])
  expect(await machineState()).toEqual(before)
})

test('bare namespaces leave nothing', async () => {
  const spaces = openNamespaces(PREFIX)
  const [a, b] = [await spaces.add('a'), await spaces.add('b')]
  await spaces.link(
    { at: a, device: 'eth0', addresses: ['10.1.0.1/24', 'fd01::1/64'] },
    { at: b, device: 'eth0', addresses: ['10.1.0.2/24', 'fd01::2/64'] },
  )
  await a.must(['ping', '-c1', '-W2', '10.1.0.2'])
  await a.must(['ping', '-c1', '-W2', 'fd01::2'])
  b.spawn(['sleep', '1000'])
  await spaces.close()
  expect(tracesOf(PREFIX)).toEqual([])
})

test('a world that cannot start leaves nothing, and says why', async () => {
  const [host] = flatWorld(1).hosts
  if (host === undefined) throw new Error('a world of one host has one')
  const broken = { ...flatWorld(1), hosts: [{ ...host, services: [...host.services, { daemon: 'debugHttp', port: 70_000 } as const] }] }
  await expect(startWorld(broken, { prefix: PREFIX })).rejects.toThrow('debugHttp on host-1 ended')
  expect(tracesOf(PREFIX)).toEqual([])
})

test('a host that cannot boot leaves nothing of the others either, and says why', async () => {
  const [first, second] = flatWorld(2).hosts
  if (first === undefined || second === undefined) throw new Error('a world of two hosts has two')
  const wide = network('wide', '10.9.0.0/24', 'fe00::/7')
  const multicast = { ...interfaceIn(wide, 10), ipv6: 'ff02::a' }
  const broken = { networks: [...flatWorld(2).networks, wide], hosts: [first, { ...second, interfaces: [multicast] }] }
  await expect(startWorld(broken, { prefix: PREFIX })).rejects.toThrow(/^host-2 did not start: Error: ipv6: Cannot assign multicast address/)
  expect(tracesOf(PREFIX)).toEqual([])
})

test.each([
  ['SIGINT', 0],
  ['SIGTERM', 0],
  ['SIGKILL', null],
] as const)('a lab whose owner gets %s is taken down', async (signal, exitCode) => {
  const owner = await up([])
  const ended = new Promise((resolve) => owner.once('exit', resolve))
  owner.kill(signal)
  expect(await ended).toBe(exitCode)
  await until(() => tracesOf(PREFIX).length === 0)
})

test('what owner and guard left, both killed, is removed by the next lab of any prefix', async () => {
  const owner = await up([])
  const guard = childrenOf(owner.pid ?? 0).find((pid) => commandOf(pid).includes('guard.sh'))
  process.kill(guard ?? 0, 'SIGKILL')
  const ended = new Promise((resolve) => owner.once('exit', resolve))
  owner.kill('SIGKILL')
  await ended
  expect(registered().find((lab) => lab.prefix === PREFIX)).toMatchObject({ isOwned: false, isKept: false })
  await openNamespaces(`${PREFIX}b`).close()
  expect(tracesOf(PREFIX)).toEqual([])
})

test('a kept lab outlives its owner, can be entered, and goes with `lab down`', async () => {
  const owner = await up(['--keep'])
  if (owner.exitCode === null) await new Promise((resolve) => owner.once('exit', resolve))
  expect(await mustRun([process.execPath, MAIN, 'shell', 'host-2', '--prefix', PREFIX, '--', 'hostname'])).toBe('host-2\n')
  await openNamespaces(`${PREFIX}b`).close()
  expect(tracesOf(PREFIX)).not.toEqual([])
  await mustRun([process.execPath, MAIN, 'down', '--prefix', PREFIX])
  expect(tracesOf(PREFIX)).toEqual([])
})

test('two labs with one prefix are refused, two with different ones do not see each other', async () => {
  await using first = await startWorld(flatWorld(1), { prefix: PREFIX })
  await expect(startWorld(flatWorld(1), { prefix: PREFIX })).rejects.toThrow('stands already')
  await using second = await startWorld(flatWorld(2), { prefix: `${PREFIX}b` })
  const ping = (lab: typeof first) => lab.host('host-1').run(['ping', '-c1', '-W1', '10.77.0.11'])
  expect((await ping(second)).exitCode).toBe(0)
  expect((await ping(first)).exitCode).not.toBe(0)
})

/** Resolves when the lab says that it stands. */
async function up(options: readonly string[]): Promise<ChildProcess> {
  const owner = spawn(process.execPath, [MAIN, 'up', '--world', 'flat:2', '--prefix', PREFIX, ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => createInterface(owner.stdout).once('line', resolve))
  return owner
}

/** Whatever of the prefix is on this machine. */
function tracesOf(prefix: string): string[] {
  const namespaces = readdirSync('/run/netns').filter((name) => name.startsWith(`${prefix}-`))
  const folder = existsSync(folderOf(prefix)) ? [folderOf(prefix)] : []
  const processes = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(Number(pid)).includes(`/${prefix}/`))
  return [...namespaces, ...folder, ...processes]
}

/** What a lab might disturb outside of itself. */
async function machineState(): Promise<unknown> {
  const [links, forwarding, rules] = await Promise.all([
    mustRun(['ip', '-o', 'link']),
    mustRun(['sysctl', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding', 'net.ipv4.conf.all.rp_filter', 'kernel.hostname']),
    mustRun(['nft', 'list', 'ruleset']),
  ])
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n').filter((line) => line.includes(PREFIX))
  return { links: links.split('\n').length, forwarding, rules, mounts }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => {
    try {
      return new RegExp(`\\) . ${parent} `).test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    } catch {
      return false
    }
  })
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') + readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 15_000; !holds(); await sleep(50)) {
    if (Date.now() > deadline) throw new Error('it did not come about within 15 s')
  }
}
