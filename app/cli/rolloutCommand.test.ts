import { FaultError, succeed, type Fault } from '@portcullis/core/fault/fault.ts'
import { START_RULES, type StartRules } from '@portcullis/core/plan/approval.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import { loadRollout } from '@portcullis/engine/loadRollout.ts'
import type { RolloutEvent } from '@portcullis/engine/rolloutStore.ts'
import { simRolloutStore } from '@portcullis/sim/rolloutStore.ts'
import { simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import { setTimeout } from 'node:timers/promises'
import { beforeEach, expect, test, vi } from 'vitest'
import type { Doors, OpenedRollouts } from './cli.ts'
import { EXIT } from './exitCode.ts'
import { expectSchema } from './testdata/schema.ts'
import { policyDoor, runTrial, type Ran } from './testdata/trial.ts'

vi.setConfig({ testTimeout: 60_000 })
const WAIT = { timeout: 50_000, interval: 50 }

const NAMES = ['db-1', 'web-1', 'web-2']
const START = ['rollout', 'start', '--yes', '--baseline', '0', '--bake-min', '5', '--every', '1']

let world: SimWorld
let policy: Policy
let rollouts: ReturnType<typeof simRolloutStore>
let verdict: 'pass' | 'hold' | 'trip'
let rules: StartRules
beforeEach(async () => {
  world = simWorld(NAMES)
  policy = simPolicy(NAMES)
  policy = { ...policy, hosts: policy.hosts.map((host) => (host.name === 'db-1' ? { ...host, tier: 'core' } : host)) }
  rollouts = simRolloutStore(world.clock)
  ;[verdict, rules] = ['pass', START_RULES]
  await run('plan')
})

test('a rollout that completes, core last, and what it has brought', async () => {
  const { code, out } = await run(...START, '--approve-core')
  expect(code).toBe(EXIT.ok)
  expect(out).toMatch(/^Rollout \S+ · plan \S+ · completed · /)
  expect(out).toMatch(/canary +1\/1 +✓\n.*standard-1 +1\/1 +✓\n.*core-1 +1\/1 +✓/)
  expect(out).toContain('3 changed, 0 put back')
  expect((await run('rollout', 'history')).out).toMatch(/completed +3\/3 hosts/)
})

test('a rollout that trips is put back, and says why', async () => {
  verdict = 'trip'
  const { code, out } = await run(...START)
  expect(code).toBe(EXIT.hostFailed)
  expect(out).toContain('✗ liveness: trip')
  expect(out).toContain('0 changed, 1 put back')
  expect(world.sims.map(({ confirmed }) => confirmed?.generation ?? 0).toSorted((a, b) => a - b)).toEqual([0, 0, 2])
})

test('with --json each event is a line, and the rollout an object', async () => {
  const { out, err } = await run(...START, '--approve-core', '--json')
  expect(JSON.parse(out)).toMatchObject({ format: 'portcullis-rollout', isOver: true, rollout: { outcome: 'completed' }, figures: { hosts: { changed: 3 } } })
  expectSchema('rollout', JSON.parse(out))
  const events = err.trim().split('\n').map((line) => JSON.parse(line) as RolloutEvent)
  for (const event of events) expectSchema('rollout-event', event)
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1))
  expectSchema('rollout-history', JSON.parse((await run('rollout', 'history', '--json')).out))
  expect(events.filter((event) => event.kind === 'action' && event.action.kind === 'apply')).toHaveLength(3)
})

test('a rollout that trips, as JSON', async () => {
  verdict = 'trip'
  const { code, out, err } = await run(...START, '--json')
  expect(code).toBe(EXIT.hostFailed)
  expectSchema('rollout', JSON.parse(out))
  for (const line of err.trim().split('\n')) expectSchema('rollout-event', JSON.parse(line))
})

test.each([
  ['rollout', 'pause'], ['rollout', 'resume'], ['rollout', 'abort'], ['rollout', 'promote'], ['rollout', 'promote', '--core'], ['rollout', 'rollback'],
])('what can no longer be done is refused: %s %s', async (...argv) => {
  await run(...START, '--approve-core')
  const { code, err } = await run(...argv)
  expect([code, err]).toEqual([EXIT.usage, expect.stringContaining('ROLLOUT_OVER')])
})

test('asked from beside: pause, resume, promote and the approval end when they are taken up; abort ends both', async () => {
  verdict = 'hold'
  const { clock } = world
  // Whoever holds a wave for ever lets others have their turn.
  world = { ...world, clock: { ...clock, sleep: async (durationMs) => setTimeout(2).then(() => clock.pass(durationMs)) } }
  const start = run(...START)
  const phase = async (): Promise<string> => {
    const active = await rollouts.active()
    const loaded = active && (await loadRollout({ rollouts }, active.id))
    return loaded ? `${loaded.state.phase} ${loaded.state.wave}${loaded.state.isPaused ? ' paused' : ''}` : ''
  }
  await vi.waitFor(async () => expect(await phase()).toBe('baking 0'), WAIT)
  expect((await run('rollout', 'pause')).code).toBe(EXIT.ok)
  expect(await phase()).toBe('baking 0 paused')
  expect((await run('rollout', 'resume')).code).toBe(EXIT.ok)
  expect((await run('rollout', 'promote')).code).toBe(EXIT.ok)
  await vi.waitFor(async () => expect(await phase()).toBe('baking 1'), WAIT)
  expect((await run('rollout', 'promote')).err).toContain('It is carried on by')
  await vi.waitFor(async () => expect(await phase()).toBe('approval 2'), WAIT)
  expect((await run('rollout', 'promote')).err).toContain('ROLLOUT_NOT_BAKING')
  expect((await run('rollout', 'promote', '--core')).code).toBe(EXIT.ok)
  await vi.waitFor(async () => expect(await phase()).toBe('baking 2'), WAIT)
  expect([(await run('rollout', 'abort')).code, (await start).code]).toEqual([EXIT.differs, EXIT.differs])
})

test.each(['text', 'json'])('the store goes away for a while: said once, and that it is there again; the rollout completes (%s)', async (form) => {
  const sound = rollouts
  let lost = 2
  const away = new FaultError({ code: 'STORE_UNREACHABLE', what: { en: 'the store is away', zh: '存储不可用' } })
  rollouts = { ...sound, append: (...entry) => ((lost -= 1) >= 0 ? Promise.reject(away) : sound.append(...entry)) }
  const { code, err } = await run(...START, '--approve-core', ...(form === 'json' ? ['--json'] : []))
  expect(code).toBe(EXIT.ok)
  if (form === 'text') return expect(err.match(/the store is away[\s\S]*portcullis rollout resume|The store is there again/g)).toHaveLength(2)
  const told = err.split('\n').filter((line) => line.includes('"name":"store"')).map((line) => JSON.parse(line) as { fault?: Fault })
  for (const line of told) expectSchema('event', line)
  expect(told.map(({ fault }) => fault?.code)).toEqual(['STORE_UNREACHABLE', undefined])
})

test('plans as JSON are what their schemas say', async () => {
  const id = (await world.store.plans(1))[0]?.id ?? ''
  expectSchema('approval', JSON.parse((await run('plan', 'approve', id, '--json')).out))
  expectSchema('stored-plan', JSON.parse((await run('plan', 'show', id, '--json')).out))
  expectSchema('plan-diff', JSON.parse((await run('plan', 'diff', id, id, '--json')).out))
  expectSchema('plan-export', JSON.parse((await run('plan', 'export', id)).out))
})

test('four eyes: nothing begins before two people have approved', async () => {
  rules = { ...START_RULES, approvalsMin: 1 }
  expect((await run(...START)).err).toContain('APPROVAL_MISSING')
  const id = (await world.store.plans(1))[0]?.id ?? ''
  expect((await run('plan', 'approve', id)).code).toBe(EXIT.ok)
  expect((await run('plan', 'show', id)).out).toMatch(/sealed\n.*\n✓ approved by /)
  expect((await run(...START, '--approve-core')).code).toBe(EXIT.ok)
  expect((await run('plan', 'diff', id, id)).code).toBe(EXIT.ok)
  expect(world.digest((await run('plan', 'export', id)).out)).toBe(id)
})

function run(...argv: readonly string[]): Promise<Ran> {
  const doors: Partial<Doors> = {
    ...policyDoor(policy),
    openWorld: async ({ report }) => succeed({ world: { ...world, report }, openRollouts: async ({ report: told }) => succeed(opened(told)), close: async () => undefined }),
  }
  return runTrial(argv, { now: () => world.clock.now(), doors })
}

const opened = (reportRollout: (event: RolloutEvent) => void): OpenedRollouts => ({
  world: {
    ...world, rollouts, reportRollout, canceller: () => new AbortController(), alerts: { raise: async () => undefined },
    gates: { sample: async (_, { hosts }) => ({ kind: 'samples', samples: hosts.map(({ name }) => ({ at: world.clock.now(), host: name, isGood: true })) }) },
    judge: (_, { changed }) => ({ kind: changed.length === 0 ? 'hold' : verdict, because: [{ en: verdict, zh: verdict }] }),
  },
  gates: [], rules, tellDue: async () => undefined,
})
