import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openShops, readRollout, SHOP_PORT, type Running, type Shops, untilTold } from './shops.ts'

/**
 * Every command about a rollout by the real command line, from a second process while the first carries it on, on the one
 * embedded store. Bakes last an hour, so that a wave is only left when somebody says so.
 */
const PACE = ['--baseline', '1', '--bake-min', '3600', '--bake-max', '7200', '--every', '5', '--outage', '3600', '--confirm-within', '60', '--canary', '50', '--yes']
/** On a machine that does much else. */
const PATIENCE_MS = 900_000
const METRICS_PORT = 9100

let shops: Shops
let policies = 0

beforeAll(async () => {
  shops = await openShops(`pg-${process.pid}`, '10.91', 3)
}, 120_000)
afterAll(() => shops?.close())

test('status, watch, pause, resume, promote, promote --core and history', { timeout: PATIENCE_MS }, async () => {
  const start = await begin()
  await until((state) => state.phase === 'baking', start)
  expect(await phasesNow()).toEqual(['changed', 'waiting', 'waiting'])
  expect(await statusOf()).toMatchObject({ holder: expect.stringMatching(/^\S+:\d+:/), isOver: false })

  const watch = type('watch')
  await untilTold(watch, /canary · 1\/3/)
  watch.child.kill('SIGINT')
  expect(await watch.ended).toMatchObject({ code: 130, err: expect.stringContaining('It is carried on by') })

  await must('pause')
  await must('promote')
  await sleep(3_000)
  expect(await statusOf()).toMatchObject({ rollout: { isPaused: true, wave: 0 } })
  await must('resume')
  await until(({ phase, wave }) => phase === 'baking' && wave === 1, start)
  await must('promote')
  await until(({ phase }) => phase === 'approval', start)
  expect(await typed('promote')).toMatchObject({ code: 2, err: expect.stringContaining('ROLLOUT_NOT_BAKING') })
  await must('promote', '--core')
  await until(({ phase, wave }) => phase === 'baking' && wave === 2, start)
  await must('promote')

  const ended = await start.ended
  expect([ended.code, (readRollout(ended) as RolloutState).outcome]).toEqual([0, 'completed'])
  expect(await must('history')).toMatch(/completed +3\/3 hosts/)
  expect(await typed('rollback')).toMatchObject({ code: 2, err: expect.stringContaining('ROLLOUT_OVER') })
})

test('abort: changed hosts keep their new rules, and both processes end', { timeout: PATIENCE_MS }, async () => {
  const start = await begin()
  await until((state) => state.phase === 'baking', start)
  const abort = await typed('abort', '--json')
  const ended = await start.ended
  expect([abort.code, ended.code, (readRollout(abort) as RolloutState).outcome, (readRollout(ended) as RolloutState).outcome]).toEqual([1, 1, 'aborted', 'aborted'])
  expect(await phasesNow()).toEqual(['changed', 'waiting', 'waiting'])
})

test('Ctrl-C at the first: who watches carries it on; rollback from a third puts everything back', { timeout: PATIENCE_MS }, async () => {
  const start = await begin()
  await until((state) => state.phase === 'baking', start)
  const watch = type('watch', '--json')
  await untilTold(watch, /"kind":"signal"/)
  start.child.kill('SIGINT')
  expect((await start.ended).code).toBe(130)
  for (;;) {
    const { holder } = await statusOf()
    if (holder?.includes(`:${watch.child.pid}:`) === true) break
    expect(watch.child.exitCode).toBeNull()
  }
  const rollback = await typed('rollback', '--json')
  const ended = await watch.ended
  expect([rollback.code, ended.code, (readRollout(rollback) as RolloutState).outcome, (readRollout(ended) as RolloutState).outcome]).toEqual([1, 1, 'reverted', 'reverted'])
  expect(await phasesNow()).toEqual(['reverted', 'waiting', 'waiting'])
})

test('kill -9 at the first: the next one need not wait, and carries it on', { timeout: PATIENCE_MS }, async () => {
  const start = await begin()
  await until((state) => state.phase === 'baking', start)
  start.child.kill('SIGKILL')
  await start.ended
  expect(await typed('status')).toMatchObject({ code: 0, err: expect.stringContaining('Nobody carries it on') })
  const rollback = await typed('rollback', '--json')
  expect([rollback.code, (readRollout(rollback) as RolloutState).outcome]).toEqual([1, 'reverted'])
})

const POLICY = 'portcullis.yaml'

/** A rollout of a policy that is another one than the last, so that there is something to change on each host. */
async function begin(): Promise<Running> {
  policies += 1
  await shops.writePolicy(POLICY, [SHOP_PORT, METRICS_PORT + policies])
  await shops.must('plan', '--policy', POLICY)
  return shops.start(['rollout', 'start', '--policy', POLICY, '--json', ...PACE])
}

const type = (...argv: readonly string[]): Running => shops.start(['rollout', ...argv, '--policy', POLICY])
const typed = (...argv: readonly string[]): Running['ended'] => type(...argv).ended
const must = (verb: string, ...argv: readonly string[]): Promise<string> => shops.must('rollout', verb, ...argv, '--policy', POLICY)

interface Status {
  readonly isOver: boolean
  readonly holder?: string
  readonly rollout: RolloutState
}

const statusOf = async (): Promise<Status> => JSON.parse((await typed('status', '--json')).out) as Status

const phasesNow = async (): Promise<string[]> => Object.values((await statusOf()).rollout.hosts).map(({ phase }) => phase)

/** Asked by a process of its own each time, as a person would. */
async function until(isReached: (state: RolloutState) => boolean, start: Running): Promise<void> {
  for (;;) {
    const answer = await typed('status', '--json')
    const { rollout } = JSON.parse(answer.out) as Partial<Status>
    if (rollout && isReached(rollout)) return
    if (start.child.exitCode !== null) throw new Error(`the rollout ended with ${start.child.exitCode}: ${start.told().slice(-2000)}`)
    await sleep(1_000)
  }
}
