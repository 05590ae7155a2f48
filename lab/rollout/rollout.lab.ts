import { makeHosts } from '@portcullis/adapters/transport/hosts.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { hostSession, type HostVersion } from '@portcullis/engine/hostSession.ts'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ReceivedAlert } from './receiver.ts'
import { openShops, readRollout, SHOP_PORT, type Shops } from './shops.ts'

const RECEIVER = fileURLToPath(new URL('receiver.ts', import.meta.url))
const HOSTS = 6
const NETWORK = '10.89'
const METRICS_PORT = 9100
const ALERT_PORT = 9099
const PATIENCE_MS = 900_000

/** Short enough to wait for; a gate needs some sixty good samples before it says that nothing is worse. */
const PACE = ['--baseline', '5', '--bake-min', '5', '--bake-max', '300', '--every', '1', '--outage', '5', '--confirm-within', '10', '--shares', '60', '--approve-core']

let shops: Shops
const hosts = makeHosts()

beforeAll(async () => {
  shops = await openShops(`ro-${process.pid}`, NETWORK, HOSTS)
  shops.outside.spawn([process.execPath, RECEIVER, String(ALERT_PORT), alertLog()])
  await writeFile(join(shops.folder, 'gates.yaml'), `version: 1\ngates:\n  - { name: shop, service: shop, critical: true, probe: tcp, with: { port: ${SHOP_PORT}, worse: none } }\n`)
  await writeFile(join(shops.folder, 'alerts.yaml'), `version: 1\nreceivers:\n  - { kind: webhook, name: lab, url: "http://127.0.0.1:${ALERT_PORT}/" }\n`)
  await shops.writePolicy('whole', [SHOP_PORT, METRICS_PORT])
  await shops.writePolicy('forgetful', [METRICS_PORT])
}, 120_000)

afterAll(async () => {
  await hosts.close()
  await shops?.close()
})

test(
  'a controller that is killed in the middle is succeeded by the next, which completes the rollout: canary, then the others, core last',
  async () => {
    await shops.must('plan', '--policy', 'whole')
    await killAt('"kind":"action","action":{"kind":"apply"', 'rollout', 'start', '--policy', 'whole', '--yes', '--json', ...PACE, ...FILES)
    const ended = await shops.start(['rollout', 'resume', '--policy', 'whole', '--json', ...FILES]).ended
    const state = readRollout(ended) as RolloutState
    expect([ended.code, state.outcome, state.waves.map(({ name, hosts: names }) => `${name} ${names.length}`)]).toEqual([0, 'completed', ['canary 3', 'standard-1 2', 'core-1 1']])
    expect(state.waves.at(-1)?.hosts).toEqual([shops.servers.at(-1)?.name])
    for (const host of shops.servers) expect(await versionOf(host)).toMatchObject({ confirmed: { generation: 1 }, live: { generation: 1 } })
    expect(await shops.countServed()).toBe(HOSTS)
  },
  PATIENCE_MS,
)

test(
  'a policy that leaves a service out: the canary trips, everything is put back by itself, and it is told once',
  async () => {
    await shops.must('plan', '--policy', 'forgetful')
    const before = (await alertsTold()).length
    const ended = await shops.start(['rollout', 'start', '--policy', 'forgetful', '--yes', '--json', ...PACE, ...FILES]).ended
    const state = readRollout(ended) as RolloutState
    expect([ended.code, state.outcome, state.wave]).toEqual([4, 'reverted', 0])
    expect(Object.values(state.hosts).map(({ phase }) => phase).toSorted()).toEqual(['reverted', 'reverted', 'reverted', 'waiting', 'waiting', 'waiting'])
    expect(await shops.countServed()).toBe(HOSTS)
    for (const host of shops.servers) {
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

const alertLog = (): string => join(shops.folder, 'alerts.log')

/** SIGKILL as soon as a line of the events says so. */
async function killAt(words: string, ...argv: readonly string[]): Promise<void> {
  const { child, ended } = shops.start(argv)
  let told = ''
  if (!child.stderr) throw new Error('no stderr')
  for await (const line of createInterface({ input: child.stderr })) {
    told = line
    if (line.includes(words)) child.kill('SIGKILL')
  }
  const { out } = await ended
  if (!child.killed) throw new Error(`it ended before ${words}: ${out}${told}`)
}

async function versionOf(host: Host): Promise<HostVersion> {
  const link = await hosts.connect(host)
  if (!link.ok) throw new Error(JSON.stringify(link.faults))
  const version = await hostSession(link.value).version()
  await link.value.close()
  if (!version.ok) throw new Error(JSON.stringify(version.faults))
  return version.value
}

/** Ids as they arrived; what is posted twice stands twice. */
const alertsTold = async (): Promise<string[]> =>
  (await readFile(alertLog(), 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as ReceivedAlert).id)
