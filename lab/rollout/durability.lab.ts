import { makeHosts } from '@portcullis/adapters/transport/hosts.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { hostSession } from '@portcullis/engine/hostSession.ts'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { mustRun } from '../command.ts'
import { openShops, readRollout, SHOP_PORT, type Running, type Shops, untilTold } from './shops.ts'

/**
 * What a rollout stands on goes away under it: its database, its database and itself, the disk of both. Each time it ends
 * by its rules, no host is forgotten, and what was wrong is said.
 */
const HOSTS = 3
/** One wave: it is left the sooner. */
const PACE = ['--baseline', '1', '--bake-min', '5', '--bake-max', '600', '--every', '0.5', '--outage', '300', '--confirm-within', '60', '--canary', '100', '--yes', '--json']
/** On a machine that does much else. */
const PATIENCE_MS = 900_000
const METRICS_PORT = 9100
const POLICY = 'portcullis.yaml'
/** An empty store takes a third of it. */
const DISK_MEBIBYTES = 192

let shops: Shops
let generation = 0
const hosts = makeHosts()
const state = (): string => join(shops.folder, 'state')

beforeAll(async () => {
  shops = await openShops(`du-${process.pid}`, '10.93', HOSTS, { core: 0 })
  mkdirSync(state(), { mode: 0o700 })
  await mustRun(['mount', '-t', 'tmpfs', '-o', `size=${DISK_MEBIBYTES}m,mode=0700`, 'portcullis-lab', state()])
}, PATIENCE_MS)

afterAll(async () => {
  await hosts.close()
  await mustRun(['umount', '--lazy', state()])
  await shops?.close()
})

beforeEach(async () => {
  generation += 1
  await shops.writePolicy(POLICY, [SHOP_PORT, METRICS_PORT + generation])
  await shops.must('plan', '--policy', POLICY)
}, PATIENCE_MS)

test('kill -9 of PostgreSQL: it is started again, and the rollout goes on', { timeout: PATIENCE_MS }, async () => {
  const running = begin()
  await untilTold(running, IS_APPLYING)
  process.kill(serverPid(), 'SIGKILL')
  await expectCompleted(running)
})

test('kill -9 of PostgreSQL and of the controller: the next one completes the rollout', { timeout: PATIENCE_MS }, async () => {
  const running = begin()
  await untilTold(running, IS_APPLYING)
  process.kill(serverPid(), 'SIGKILL')
  running.child.kill('SIGKILL')
  await running.ended
  await expectCompleted(shops.start(['rollout', 'resume', '--policy', POLICY, '--json']))
})

test('a full disk: said, and the rollout goes on or back when there is room again', { timeout: PATIENCE_MS }, async () => {
  const running = begin()
  await untilTold(running, IS_APPLYING)
  const ballast = join(state(), 'ballast')
  fill(ballast)
  await untilTold(running, STORE_LOST)
  await sleep(5_000)
  expect(running.child.exitCode).toBeNull()
  rmSync(ballast)
  // A host whose change could not be written down has failed, and may be one too many.
  const ended = await running.ended
  const { outcome, hosts: progress } = readRollout(ended) as RolloutState
  expect([`${String(ended.code)} ${String(outcome)}`]).toEqual([expect.stringMatching(/^(0 completed|4 reverted)$/)])
  for (const host of shops.servers) {
    const phase = progress[host.name]?.phase ?? 'unknown'
    const held = { changed: generation, reverted: generation + 1, failed: generation - 1, waiting: generation - 1 }[phase as string]
    expect([phase, await standing(host)]).toEqual([phase, { confirmed: held, live: held, armed: undefined }])
  }
})

const IS_APPLYING = /"kind":"action","action":\{"kind":"apply"/
/** A line of `schemas/event.schema.json`. */
const STORE_LOST = /"name":"store","fault":\{"code":"STORE_/

const begin = (): Running => shops.start(['rollout', 'start', '--policy', POLICY, ...PACE])

/** By what the command says, and by what each host says. */
async function expectCompleted(running: Running): Promise<void> {
  const ended = await running.ended
  const { outcome, hosts: progress } = readRollout(ended) as RolloutState
  expect([ended.code, outcome, Object.values(progress).map(({ phase }) => phase)]).toEqual([0, 'completed', Array.from({ length: HOSTS }, () => 'changed')])
  for (const host of shops.servers) expect(await standing(host)).toEqual({ confirmed: generation, live: generation, armed: undefined })
}

async function standing(host: Host): Promise<object> {
  const link = await hosts.connect(host)
  if (!link.ok) throw new Error(JSON.stringify(link.faults))
  const version = await hostSession(link.value).version()
  await link.value.close()
  if (!version.ok) throw new Error(JSON.stringify(version.faults))
  const { confirmed, live, armedSeconds } = version.value
  return { confirmed: confirmed?.generation ?? 0, live: live?.generation ?? 0, armed: armedSeconds }
}

const serverPid = (): number => Number(readFileSync(join(state(), 'data/postmaster.pid'), 'utf8').split('\n', 1)[0])

/** Until not a byte more fits. */
function fill(path: string): void {
  const fd = openSync(path, 'w')
  try {
    for (let size = 1 << 20; size > 0; size >>= 1) {
      try {
        for (;;) writeSync(fd, new Uint8Array(size))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    }
  } finally {
    closeSync(fd)
  }
}
