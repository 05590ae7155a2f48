import { makeHosts } from '@portcullis/adapters/transport/hosts.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { hostSession, type HostVersion } from '@portcullis/engine/hostSession.ts'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openNamespaces, type Namespace, type Namespaces } from '../netns.ts'
import type { ReceivedAlert } from './receiver.ts'

const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
const RECEIVER = fileURLToPath(new URL('receiver.ts', import.meta.url))
const PREFIX = `ro-${process.pid}`
const HOSTS = 6
const SHOP_PORT = 8080
const ALERT_PORT = 9099
const PATIENCE_MS = 400_000

/** Short enough to wait for; a gate needs some sixty good samples before it says that nothing is worse. */
const PACE = ['--baseline', '5', '--bake-min', '5', '--bake-max', '300', '--every', '1', '--outage', '5', '--confirm-within', '10', '--shares', '60', '--approve-core']

let spaces: Namespaces
let outside: Namespace
let folder: string
let servers: readonly Host[]
const hosts = makeHosts()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), `${PREFIX}-`))
  spaces = openNamespaces(PREFIX)
  outside = await spaces.add('out')
  servers = await Promise.all(Array.from({ length: HOSTS }, (_, index) => startHost(index)))
  outside.spawn([process.execPath, RECEIVER, String(ALERT_PORT), alertLog()])
  await writeFile(join(folder, 'gates.yaml'), `version: 1\ngates:\n  - { name: shop, service: shop, critical: true, probe: tcp, with: { port: ${SHOP_PORT}, worse: none } }\n`)
  await writeFile(join(folder, 'alerts.yaml'), `version: 1\nreceivers:\n  - { kind: webhook, name: lab, url: "http://127.0.0.1:${ALERT_PORT}/" }\n`)
  await writeFile(policyFile('whole'), policyText(true))
  await writeFile(policyFile('forgetful'), policyText(false))
}, 120_000)

afterAll(async () => {
  await hosts.close()
  await spaces.close()
  await rm(folder, { recursive: true, force: true })
  for (const { name } of servers) await rm(`/run/portcullis-lab/${PREFIX}-${name}`, { recursive: true, force: true })
})

test(
  'a controller that is killed in the middle is succeeded by the next, which completes the rollout: canary, then the others, core last',
  async () => {
    await must('plan', '--policy', policyFile('whole'))
    await killAt('"kind":"action","action":{"kind":"apply"', 'rollout', 'start', '--policy', policyFile('whole'), '--yes', '--json', ...PACE, ...FILES)
    const { code, state } = await rollout('rollout', 'resume', '--policy', policyFile('whole'), '--json', ...FILES)
    expect([code, state.outcome, state.waves.map(({ name, hosts: names }) => `${name} ${names.length}`)]).toEqual([0, 'completed', ['canary 3', 'standard-1 2', 'core-1 1']])
    expect(state.waves.at(-1)?.hosts).toEqual([servers.at(-1)?.name])
    for (const host of servers) expect(await versionOf(host)).toMatchObject({ confirmed: { generation: 1 }, live: { generation: 1 } })
    expect(await shopsThatAnswer()).toBe(HOSTS)
  },
  PATIENCE_MS,
)

test(
  'a policy that leaves a service out: the canary trips, everything is put back by itself, and it is told once',
  async () => {
    await must('plan', '--policy', policyFile('forgetful'))
    const before = (await alertsTold()).length
    const { code, state } = await rollout('rollout', 'start', '--policy', policyFile('forgetful'), '--yes', '--json', ...PACE, ...FILES)
    expect([code, state.outcome, state.wave]).toEqual([4, 'reverted', 0])
    expect(Object.values(state.hosts).map(({ phase }) => phase).toSorted()).toEqual(['reverted', 'reverted', 'reverted', 'waiting', 'waiting', 'waiting'])
    expect(await shopsThatAnswer()).toBe(HOSTS)
    for (const host of servers) {
      const { confirmed, live, armedSeconds } = await versionOf(host)
      expect([live, armedSeconds]).toEqual([confirmed, undefined])
    }
    const told = (await alertsTold()).slice(before)
    expect(told.filter((id) => id.endsWith('/tripped'))).toHaveLength(1)
    expect(told.toSorted()).toEqual([`${state.id}/ended`, `${state.id}/tripped`])
  },
  PATIENCE_MS,
)

const FILES = ['--gates', 'gates.yaml', '--alerts', 'alerts.yaml'] as const

const policyFile = (name: string): string => join(folder, `${name}.yaml`)
const alertLog = (): string => join(folder, 'alerts.log')

async function startHost(index: number): Promise<Host> {
  const server = await spaces.add(`h${index}`)
  await spaces.link({ at: outside, device: `eth${index}`, addresses: [`10.89.${index}.1/24`] }, { at: server, device: 'eth0', addresses: [`10.89.${index}.2/24`] })
  for (const port of [22, SHOP_PORT]) server.spawn(['socat', `TCP4-LISTEN:${port},reuseaddr,fork`, 'EXEC:echo hello'])
  const address = parseAddress(`10.89.${index}.2`)
  if (!address.ok) throw new Error('no address')
  return { name: `h${index}`, addresses: [address.value], labels: {}, tier: index === HOSTS - 1 ? 'core' : 'standard', transport: { kind: 'netns', namespace: server.netns } }
}

const policyText = (isWhole: boolean): string => `version: 1
defaults:
  mode: enforce
  management: { from: [10.89.0.0/16], ports: [22] }
services:
  shop: { ports: [${SHOP_PORT}/tcp] }
  metrics: { ports: [9100/tcp] }
fleet:
  hosts:
${servers.map(({ name, tier, transport }, index) => `    ${name}: { addresses: [10.89.${index}.2], tier: ${tier}, transport: { netns: ${transport.kind === 'netns' ? transport.namespace : ''} } }`).join('\n')}
needs:
  - { service: metrics, to: all, from: [10.89.0.0/16], owner: lab, because: the rollout test, review: 2099-01-01 }
${isWhole ? '  - { service: shop, to: all, from: [10.89.0.0/16], owner: lab, because: the rollout test, review: 2099-01-01, critical: true }\n' : ''}`

const controller = (...argv: readonly string[]): ChildProcess =>
  spawn('ip', ['netns', 'exec', outside.netns, process.execPath, BIN, ...argv, '--state', join(folder, 'state')], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })

async function must(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await run(argv)
  if (code !== 0) throw new Error(`portcullis ${argv.join(' ')} ended with ${String(code)}: ${out}${err}`)
  return out
}

async function rollout(...argv: readonly string[]): Promise<{ code: number | null; state: RolloutState }> {
  const { code, out, err } = await run(argv)
  const read = JSON.parse(out) as { rollout?: RolloutState }
  if (!read.rollout) throw new Error(`${out}${err.slice(-2000)}`)
  return { code, state: read.rollout }
}

async function run(argv: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = controller(...argv)
  let [out, err] = ['', '']
  child.stdout?.on('data', (chunk) => (out += String(chunk)))
  child.stderr?.on('data', (chunk) => (err += String(chunk)))
  const code = await new Promise<number | null>((resolve) => child.once('close', (exit) => resolve(exit)))
  return { code, out, err }
}

/** SIGKILL as soon as a line of the events says so. */
async function killAt(words: string, ...argv: readonly string[]): Promise<void> {
  const child = controller(...argv)
  const ended = new Promise((resolve) => child.once('close', resolve))
  let told = ''
  child.stdout?.on('data', (chunk) => (told += String(chunk)))
  if (!child.stderr) throw new Error('no stderr')
  for await (const line of createInterface({ input: child.stderr })) {
    told = line
    if (line.includes(words)) child.kill('SIGKILL')
  }
  await ended
  if (!child.killed) throw new Error(`it ended before ${words}: ${told}`)
}

async function versionOf(host: Host): Promise<HostVersion> {
  const link = await hosts.connect(host)
  if (!link.ok) throw new Error(JSON.stringify(link.faults))
  const version = await hostSession(link.value).version()
  await link.value.close()
  if (!version.ok) throw new Error(JSON.stringify(version.faults))
  return version.value
}

async function shopsThatAnswer(): Promise<number> {
  const answers = await Promise.all(servers.map((_, index) => outside.run(['socat', '-u', `TCP4:10.89.${index}.2:${SHOP_PORT},connect-timeout=2`, '-'])))
  return answers.filter(({ stdout }) => stdout.includes('hello')).length
}

/** Ids as they arrived; what is posted twice stands twice. */
const alertsTold = async (): Promise<string[]> =>
  (await readFile(alertLog(), 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as ReceivedAlert).id)
