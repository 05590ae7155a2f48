import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startWorld, type Lab } from '../start.ts'
import { addressOf, interfaceIn, network, server } from '../world.ts'
import { readRollout, running, type Running, untilTold } from './shops.ts'

/**
 * Some of the hosts lose their network in the middle of a rollout over real OpenSSH. Whatever was armed there goes back by
 * itself, what had been changed is put back as soon as it can be reached, and the command says what became of each.
 */
const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
const NAMES = ['one', 'two', 'three'] as const
type Name = (typeof NAMES)[number]
/** The checks take a machine that is busy a while. */
const CONFIRM_WITHIN_SECONDS = 60
const PACE = ['--baseline', '1', '--bake-min', '5', '--bake-max', '1800', '--every', '1', '--outage', '30', '--confirm-within', String(CONFIRM_WITHIN_SECONDS), '--canary', '100', '--yes', '--json']
/** On a machine that does much else. */
const PATIENCE_MS = 1_200_000
const METRICS_PORT = 9100

const net = network('servers', '10.94.0.0/24', 'fd94::/64')
let lab: Lab
let policies = 0
/** What each host had confirmed before. */
let before: Record<string, number>

beforeAll(async () => {
  lab = await startWorld({ networks: [net], hosts: NAMES.map((name, index) => server(name, interfaceIn(net, 10 + index))) }, { prefix: `nl-${process.pid}` })
  await writePolicy()
  await must('host', 'install')
}, PATIENCE_MS)

afterAll(() => lab?.stop())

beforeEach(async () => {
  policies += 1
  await writePolicy()
  before = Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, (await standing(name)).confirmed])))
  await must('plan')
}, PATIENCE_MS)

test('after arming, before the confirmation: it goes back by itself, and so does the rollout', { timeout: PATIENCE_MS }, async () => {
  const rollout = start('rollout', 'start', ...PACE)
  await untilTold(rollout, /"host":"two","generation":[0-9]+,"kind":"action","name":"swap"/)
  await link('two', 'down')
  await untilTold(rollout, TRIPPED)
  while ((await standing('two')).armed) await sleep(500)
  expect(await standing('two')).toEqual({ confirmed: before.two, live: before.two, armed: false })
  await link('two', 'up')
  await expectPutBack(rollout)
})

test('two of three hosts while the wave bakes: all are put back, those two when they are there again', { timeout: PATIENCE_MS }, async () => {
  const rollout = start('rollout', 'start', ...PACE)
  for (const name of NAMES) await untilTold(rollout, new RegExp(`"kind":"applied","at":[0-9]+,"host":"${name}","attempt":[0-9]+,"result":"changed"`))
  for (const name of ['one', 'three'] as const) await link(name, 'down')
  await untilTold(rollout, TRIPPED)
  await sleep(5_000)
  expect(rollout.child.exitCode).toBeNull()
  for (const name of ['one', 'three'] as const) await link(name, 'up')
  const phases = await expectPutBack(rollout)
  expect(phases).toEqual({ one: 'reverted', two: 'reverted', three: 'reverted' })
})

const TRIPPED = /"kind":"action","action":\{"kind":"tell","alert":\{"id":"[^"]+\/tripped/

/** By what the command says and by what each host says: the old rules, as a generation of their own where the new ones had been confirmed. */
async function expectPutBack(rollout: Running): Promise<Record<string, string>> {
  const ended = await rollout.ended
  const { outcome, hosts } = readRollout(ended) as RolloutState
  expect([ended.code, outcome]).toEqual([4, 'reverted'])
  for (const name of NAMES) {
    const [phase, base = 0] = [hosts[name]?.phase, before[name]]
    expect([name, phase]).toEqual([name, expect.stringMatching(/^(reverted|failed|waiting)$/)])
    // One that went back by itself never confirmed the new ones.
    const generations = phase === 'reverted' ? [base, base + 2] : [base]
    expect(generations.map((generation) => ({ confirmed: generation, live: generation, armed: false }))).toContainEqual(await standing(name))
  }
  return Object.fromEntries(Object.entries(hosts).map(([name, { phase }]) => [name, phase]))
}

/** Asked on the host itself, whatever its network does. */
async function standing(name: Name): Promise<{ confirmed: number; live: number; armed: boolean }> {
  const text = await lab.host(name).must(['/usr/local/sbin/portcullis-host', 'version'])
  const word = (key: string): string => new RegExp(`^${key} (\\S+)`, 'm').exec(text)?.[1] ?? '-'
  return { confirmed: Number(word('confirmed').replace('-', '0')), live: Number(word('live').replace('-', '0')), armed: word('armed') !== '-' }
}

const link = (name: Name, way: 'up' | 'down'): Promise<string> => lab.host(name).must(['ip', 'link', 'set', 'eth0', way])

const file = (name: string): string => join(lab.directory, name)

const start = (...argv: readonly string[]): Running =>
  running(spawn('ip', ['netns', 'exec', lab.switchNamespace, process.execPath, BIN, ...argv, '--policy', file('portcullis.yaml'), '--state', file('state')], { stdio: ['ignore', 'pipe', 'pipe'] }))

async function must(...argv: readonly string[]): Promise<void> {
  const { code, out, err } = await start(...argv).ended
  if (code !== 0) throw new Error(`portcullis ${argv.join(' ')} ended with ${String(code)}: ${out}${err}`)
}

function writePolicy(): Promise<void> {
  const transport = (address: string): string => `{ ssh: { destination: ${address}, user: root, identityFile: ${lab.ssh.identityFile}, knownHostsFile: ${lab.ssh.knownHostsFile} } }`
  const hosts = lab.hosts.map(({ name, spec }) => `    ${name}: { addresses: [${addressOf(spec, 4)}], transport: ${transport(addressOf(spec, 4))} }\n`)
  return writeFile(file('portcullis.yaml'), `version: 1
defaults:
  mode: enforce
  management: { from: [10.94.0.1], ports: [22] }
services:
  metrics: { ports: [${METRICS_PORT + policies}/tcp] }
fleet:
  hosts:
${hosts.join('')}needs:
  - { service: metrics, to: all, from: [10.94.0.0/24], owner: lab, because: network loss, review: 2099-01-01 }
`)
}
