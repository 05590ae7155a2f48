import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { globSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openShops, readRollout, SHOP_PORT, type Ended, type Running, type Shops, untilTold } from './shops.ts'

/**
 * The clock of the machine that a controller, its database and what they start see is set while a rollout goes on. Nobody may
 * set the clock of the machine that tests run on, so it is libfaketime that does (Debian: libfaketime); what only counts from
 * some moment on (CLOCK_MONOTONIC) is left as it is, as the kernel leaves it (clock_settime(2)).
 */
const LIBFAKETIME = '/usr/lib/*/faketime/libfaketimeMT.so.1'
const HOSTS = 3
const NETWORK = '10.94'
const BAKE_SECONDS = 10
const OUTAGE_SECONDS = 5
/** One wave: it is left the sooner. */
const PACE = ['--baseline', '1', '--bake-min', String(BAKE_SECONDS), '--bake-max', '600', '--every', '0.5', '--outage', String(OUTAGE_SECONDS), '--confirm-within', '60', '--canary', '100', '--yes', '--json']
const FILES = ['--gates', 'gates.yaml']
/** On a machine that does much else. */
const PATIENCE_MS = 900_000
/** From an outage being long enough to everything being put back and written down. */
const WAY_BACK_SECONDS = 60
const METRICS_PORT = 9100
const POLICY = 'portcullis.yaml'

let shops: Shops
let generation = 0
const clock = (): string => join(shops.folder, 'clock')

beforeAll(async () => {
  const [library] = globSync(LIBFAKETIME)
  if (library === undefined) throw new Error(`${LIBFAKETIME} is not there: apt-get install libfaketime`)
  const env = { LD_PRELOAD: library, FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '1', FAKETIME_DISABLE_SHM: '1' }
  shops = await openShops(`ck-${process.pid}`, NETWORK, HOSTS, { core: 0, env: (folder) => ({ ...env, FAKETIME_TIMESTAMP_FILE: join(folder, 'clock') }) })
  writeFileSync(join(shops.folder, 'gates.yaml'), `version: 1\ngates:\n  - { name: shop, service: shop, critical: true, probe: tcp, with: { port: ${SHOP_PORT}, worse: none } }\n`)
}, PATIENCE_MS)

afterAll(() => shops?.close())

beforeEach(() => {
  generation += 1
  set('+0')
})

const TO = [
  ['forwards', '+1d'],
  ['back', '-1d'],
] as const
const WHEN = [
  ['a change of rules is under way', /"kind":"action","action":\{"kind":"apply"/],
  ['the wave bakes', new RegExp(`(?:"result":"changed"[^]*){${HOSTS}}`)],
] as const

describe('is set by a day', () => {
  test.each(TO.flatMap(([name, to]) => WHEN.map(([when, words]) => [name, when, to, words] as const)))('%s while %s: the rollout is completed, not sooner and not later', { timeout: PATIENCE_MS }, async (_name, _when, to, words) => {
    await plan(SHOP_PORT, METRICS_PORT + generation)
    const running = start()
    await untilTold(running, words)
    set(to)
    const ended = await secondsUntilEnd(running)
    expect(outcomeOf(ended)).toEqual([0, 'completed', 'changed changed changed'])
    expect(ended.seconds).toBeGreaterThan(BAKE_SECONDS - 2)
    expect(ended.seconds).toBeLessThan(BAKE_SECONDS + WAY_BACK_SECONDS)
    expect(await shops.countServed()).toBe(HOSTS)
  })

  test.each(TO)('%s while a service is out: everything is put back in the same time', { timeout: PATIENCE_MS }, async (_name, to) => {
    await plan(METRICS_PORT + generation)
    const running = start()
    await untilTold(running, /"result":"changed"/)
    set(to)
    const ended = await secondsUntilEnd(running)
    expect(outcomeOf(ended)).toEqual([4, 'reverted', 'reverted reverted reverted'])
    expect(ended.seconds).toBeLessThan(OUTAGE_SECONDS + WAY_BACK_SECONDS)
    expect(await shops.countServed()).toBe(HOSTS)
  })

  test.each(TO)('%s while a service is out and the controller is killed: the next one puts everything back', { timeout: PATIENCE_MS }, async (_name, to) => {
    await plan(METRICS_PORT + generation)
    const running = start()
    await untilTold(running, /"result":"changed"/)
    running.child.kill('SIGKILL')
    await running.ended
    set(to)
    const ended = await secondsUntilEnd(shops.start(['rollout', 'resume', '--policy', POLICY, '--json', ...FILES]))
    expect(outcomeOf(ended)).toEqual([4, 'reverted', expect.stringContaining('reverted')])
    expect(ended.seconds).toBeLessThan(OUTAGE_SECONDS + WAY_BACK_SECONDS)
    expect(await shops.countServed()).toBe(HOSTS)
  })
})

/** As faketime(1) reads it. */
const set = (to: string): void => writeFileSync(clock(), `${to}\n`)

async function plan(...ports: readonly number[]): Promise<void> {
  await shops.writePolicy(POLICY, ports)
  await shops.must('plan', '--policy', POLICY)
}

const start = (): Running => shops.start(['rollout', 'start', '--policy', POLICY, ...PACE, ...FILES])

interface EndedAfter extends Ended {
  readonly seconds: number
}

async function secondsUntilEnd({ ended }: Running): Promise<EndedAfter> {
  const startedMs = performance.now()
  const end = await ended
  return { ...end, seconds: (performance.now() - startedMs) / 1000 }
}

function outcomeOf(ended: Ended): readonly [code: number | null, outcome: string | undefined, phases: string] {
  const { outcome, hosts } = readRollout(ended) as RolloutState
  return [ended.code, outcome, Object.values(hosts).map(({ phase }) => phase).join(' ')]
}
