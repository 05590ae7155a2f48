import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readHolders } from '@portcullis/adapters/facts/holders.ts'
import { readFacts } from '@portcullis/adapters/facts/reading.ts'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { mustRun, runCommand } from '../command.ts'

/** The host script where systemd is the first process: its timers hold the revert, its unit loads the confirmed ruleset. */
const HOST = join(import.meta.dirname, '../../host')
const GOLDEN = readFileSync(join(import.meta.dirname, '../../core/ruleset/nft/golden/mixed.nft'), 'utf8')
const DIGEST = createHash('sha256').update(GOLDEN).digest('hex')
const GENERATION = '7'
const BOOT_MS_MAX = 60_000
/** Daemons that packages have enabled on this machine, whichever they are: none of this test. */
const SILENCED = ['multi-user', 'sockets', 'sysinit', 'timers'].flatMap((target) => {
  const folder = `/etc/systemd/system/${target}.target.wants`
  return existsSync(folder) ? readdirSync(folder).filter((unit) => !unit.endsWith('.target')) : []
})

/** A port that systemd holds until somebody comes: systemd's own forwarder, to a port where nobody listens. */
const SHOP: Readonly<Record<string, string>> = {
  'shop.socket': '[Socket]\nListenStream=7070\n',
  'shop.service': '[Unit]\nRequires=shop.socket\n[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd 127.0.0.1:9\n',
}

interface Machine {
  readonly launcher: ChildProcess
  readonly pid: number
}

let folder: string
let machine: Machine | undefined

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-systemd-'))
  await mustRun(['mount', '-t', 'tmpfs', 'tmpfs', folder])
  for (const path of ['root', 'upper/etc/systemd/system/sysinit.target.wants', 'upper/etc/systemd/system/sockets.target.wants', 'upper/usr/local/sbin', 'work']) mkdirSync(join(folder, path), { recursive: true })
  for (const unit of new Set(SILENCED)) symlinkSync('/dev/null', join(folder, `upper/etc/systemd/system/${unit}`))
  await mustRun(['install', '-m', '755', join(HOST, 'portcullis-host'), join(folder, 'upper/usr/local/sbin/portcullis-host')])
  await mustRun(['install', '-m', '644', join(HOST, 'portcullis.service'), join(folder, 'upper/etc/systemd/system/portcullis.service')])
  symlinkSync('/etc/systemd/system/portcullis.service', join(folder, 'upper/etc/systemd/system/sysinit.target.wants/portcullis.service'))
  for (const [unit, text] of Object.entries(SHOP)) writeFileSync(join(folder, 'upper/etc/systemd/system', unit), text)
  symlinkSync('/etc/systemd/system/shop.socket', join(folder, 'upper/etc/systemd/system/sockets.target.wants/shop.socket'))
  machine = await boot()
})

afterAll(async () => {
  await cutPower()
  await runCommand(['umount', '--lazy', folder])
  rmSync(folder, { recursive: true, force: true })
})

async function boot(): Promise<Machine> {
  const namespaces = ['--mount', '--pid', '--fork', '--net', '--uts', '--ipc', '--cgroup', '--propagation', 'private']
  const launcher = spawn('unshare', [...namespaces, 'sh', join(import.meta.dirname, 'boot.sh'), folder], { stdio: 'ignore' })
  const pid = await vi.waitFor(async () => {
    const [child] = (await mustRun(['ps', '-o', 'pid=', '--ppid', String(launcher.pid)])).trim().split(/\s+/)
    const found = Number(child)
    if (!(found > 0) || !(await readState(found)).match(/^(?:running|degraded)$/)) throw new Error('is not up yet')
    return found
  }, { timeout: BOOT_MS_MAX, interval: 300 })
  return { launcher, pid }
}

const entering = (pid: number): string[] => ['nsenter', '--target', String(pid), '--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup', '--root', '--wd=/', '--']
const readState = async (pid: number): Promise<string> => (await runCommand([...entering(pid), 'systemctl', 'is-system-running'])).stdout.trim()

/** No unit is stopped: as when the plug is pulled. */
async function cutPower(): Promise<void> {
  if (!machine) return
  const { launcher, pid } = machine
  machine = undefined
  const ended = new Promise((resolve) => launcher.once('close', resolve))
  process.kill(pid, 'SIGKILL')
  await ended
}

const run = (...argv: readonly string[]): Promise<string> => mustRun([...entering(machine?.pid ?? -1), ...argv])
const say = (...words: readonly string[]): Promise<string> => run('/usr/local/sbin/portcullis-host', ...words)
const tables = (): Promise<string> => run('nft', 'list', 'tables')
const stage = (): Promise<string> => mustRun([...entering(machine?.pid ?? -1), '/usr/local/sbin/portcullis-host', 'stage', GENERATION, DIGEST], { input: GOLDEN })
const started = async (unit: string): Promise<number> => Number((await run('systemctl', 'show', '--value', '-p', 'ActiveEnterTimestampMonotonic', unit)).trim())

test('the revert is a timer of systemd, and fires by itself', async () => {
  await stage()
  await say('arm', '5')
  expect(await run('systemctl', 'list-timers', '--all', '--no-legend')).toContain('portcullis-revert.timer')
  await say('swap', GENERATION, DIGEST)
  expect(await tables()).toContain('table inet portcullis\n')
  await vi.waitFor(async () => expect(await tables()).not.toContain('portcullis'), { timeout: 20_000, interval: 500 })
  expect(await say('version')).toMatch(/\nlive -\narmed -\n/)
})

test('what is confirmed is loaded at boot, before the network and other firewalls come up', async () => {
  await stage()
  await say('arm', '60')
  await say('swap', GENERATION, DIGEST)
  await say('confirm', GENERATION)
  expect(await run('systemctl', 'list-timers', '--all', '--no-legend')).not.toContain('portcullis')
  await cutPower()
  machine = await boot()
  expect(await say('version')).toContain(`confirmed ${GENERATION} ${DIGEST}\nstaged -\nlive ${GENERATION} ${DIGEST}\n`)
  expect(await started('portcullis.service')).toBeLessThan(await started('network-pre.target'))
})

test('a change that was armed when the power went is not there afterwards', async () => {
  const next = GOLDEN.replaceAll('_g7', '_g8').replaceAll('generation 7', 'generation 8')
  const digest = createHash('sha256').update(next).digest('hex')
  await mustRun([...entering(machine?.pid ?? -1), '/usr/local/sbin/portcullis-host', 'stage', '8', digest], { input: next })
  await say('arm', '600')
  await say('swap', '8', digest)
  await sleep(200)
  await cutPower()
  machine = await boot()
  expect(await say('version')).toContain(`live ${GENERATION} ${DIGEST}\narmed -\n`)
})

test('a port that systemd holds is the unit’s that it starts, before and after the first connection', async () => {
  expect(await shopListener()).toMatchObject({ unit: 'shop.service', activatedBy: 'shop.socket', untold: 'program: systemd starts it at the first connection' })
  await run('bash', '-c', 'exec 3<>/dev/tcp/127.0.0.1/7070; sleep 0.2')
  await vi.waitFor(async () => expect(await shopListener()).toMatchObject({ unit: 'shop.service', activatedBy: 'shop.socket', process: 'systemd-socket-', executable: '/usr/lib/systemd/systemd-socket-proxyd', package: 'systemd' }), { timeout: 20_000, interval: 500 })
})

async function shopListener(): Promise<unknown> {
  const holders = readHolders('lab', await say('holders'))
  const reading = holders.ok ? readFacts('lab', 1, await say('facts'), holders.value) : holders
  if (!reading.ok) throw new Error(reading.faults[0]?.what.en)
  return reading.value.observations.find((seen) => seen.kind === 'listener' && seen.port === 7070)
}
