import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import { simNeed, simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import { beforeEach, describe, expect, test } from 'vitest'
import { apply } from './apply.ts'
import { drift } from './drift.ts'
import { planChange, type PlanReport } from './planChange.ts'
import { planRollback } from './rollback.ts'
import { status } from './status.ts'

const OPTIONS = { concurrency: 4, confirmWithinSeconds: 60 }
const SEEN = { digest: 'd'.repeat(64), file: 'portcullis.yaml', text: '', seenAt: 0 }
const HOSTS = ['db-1', 'web-1']
const FIRST = simPolicy(HOSTS)
const SECOND: Policy = { ...FIRST, needs: [simNeed('web', HOSTS, 443, '10.1.0.0/16')] }

let world: SimWorld
beforeEach(() => {
  world = simWorld(HOSTS)
})

describe('the next generation', () => {
  test('is one more than the host has', async () => {
    await change(FIRST)
    expect(generationsOf(await plan(SECOND))).toEqual({ 'db-1': [1, 2], 'web-1': [1, 2] })
  })

  test('never repeats one that a reinstalled host has forgotten', async () => {
    await change(FIRST)
    await change(SECOND)
    forget('web-1')
    const report = await plan(FIRST)
    expect(generationsOf(report)['web-1']).toEqual([0, 3])
    expect(guardsOf(report)).toContain('web-1 GENERATION_LOST')
  })

  test('follows one that another controller has made', async () => {
    await change(FIRST)
    await change(SECOND)
    const newcomer = { ...simWorld(HOSTS), hosts: world.hosts, clock: world.clock }
    const report = await plan(FIRST, newcomer)
    expect(generationsOf(report)['web-1']).toEqual([2, 3])
    expect(guardsOf(report)).toContain('web-1 GENERATION_UNKNOWN')
  })

  test('is not needed where nothing changes, however often one asks', async () => {
    await change(FIRST)
    expect((await plan(FIRST)).kind).toBe('nothing')
    expect((await plan(FIRST)).kind).toBe('nothing')
  })

  test('is needed where somebody changed the live ruleset, though the policy is the same', async () => {
    await change(FIRST)
    delete sim('web-1').live
    expect(generationsOf(await plan(FIRST))).toEqual({ 'web-1': [1, 2] })
  })
})

test('a plan names the newest plan before it as its parent', async () => {
  const first = await change(FIRST)
  expect([first.parent, (await plan(SECOND)).plan?.parent]).toEqual([undefined, first.id])
})

test('a host that does not answer is left out and named', async () => {
  world.hosts.strike('db-1', 'facts', 'lost')
  const report = await plan(FIRST)
  expect([Object.keys(generationsOf(report)), report.unread.map(({ host }) => host)]).toEqual([['web-1'], ['db-1']])
})

test('a plan whose text is not the intent is not sealed, and not stored', async () => {
  const rules = { ...world.rules, compare: () => ({ kind: 'counterexample', packet: 'tcp :23', because: 'accepted' }) as const }
  const report = await planChange({ ...world, rules }, FIRST, SEEN, FIRST.hosts, OPTIONS)
  expect(report.ok && [report.value.kind, report.value.faults[0]?.code]).toEqual(['refused', 'PLAN_NOT_EQUAL'])
  expect(await world.store.plans(1)).toEqual([])
})

describe('rollback', () => {
  test('brings the earlier intent back as a new generation', async () => {
    await change(FIRST)
    const second = await change(SECOND)
    const undone = await rollBack(second)
    expect(generationsOf(undone)).toEqual({ 'db-1': [2, 3], 'web-1': [2, 3] })
    expect(undone.plan?.hosts.map((host) => host.intent.grants[0]?.from)).toEqual(['10.0.0.0/8', '10.0.0.0/8'])
    expect(undone.plan?.cause).toEqual({ kind: 'rollback', of: second.id, to: [{ host: 'db-1', generation: 1 }, { host: 'web-1', generation: 1 }] })
  })

  test('of the first generation observes, which denies nothing, as there was nothing before', async () => {
    const undone = await rollBack(await change(FIRST))
    expect(undone.plan?.hosts.map((host) => [host.generation, host.intent.mode])).toEqual([[2, 'observe'], [2, 'observe']])
  })

  test('of a plan that a later one has overtaken is refused', async () => {
    const first = await change(FIRST)
    await change(SECOND)
    const report = await planRollback(world, FIRST.hosts, first, OPTIONS)
    expect(report.ok ? [] : report.faults.map((fault) => fault.code)).toEqual(['ROLLBACK_OVERTAKEN', 'ROLLBACK_OVERTAKEN'])
  })

  test('of a rollback brings the later intent again', async () => {
    await change(FIRST)
    const undone = await rollBack(await change(SECOND))
    await carryOut(undone.plan)
    const again = await rollBack(undone.plan)
    expect(again.plan?.hosts.map((host) => host.intent.grants[0]?.from)).toEqual(['10.1.0.0/16', '10.1.0.0/16'])
  })
})

describe('drift and status', () => {
  const cases: readonly [what: string, prepare: () => unknown, drifts: string, states: string][] = [
    ['nothing applied', () => undefined, 'unmanaged unmanaged', 'unmanaged unmanaged'],
    ['all well', () => change(FIRST), 'same same', 'confirmed confirmed'],
    ['a table was removed', async () => (await change(FIRST), delete sim('web-1').live), 'same differs', 'confirmed confirmed'],
    ['a host is away', async () => (await change(FIRST), world.hosts.strike('db-1', 'version', 'gone')), 'unread same', 'unread confirmed'],
    ['the state folder is lost', async () => (await change(FIRST), (world = { ...world, store: simWorld([]).store })), 'foreign foreign', 'foreign foreign'],
  ]
  test.each(cases)('%s', async (_, prepare, drifts, states) => {
    await prepare()
    expect((await status(world, FIRST.hosts, OPTIONS)).map((one) => one.kind).join(' ')).toBe(states)
    expect((await drift(world, FIRST.hosts, OPTIONS)).map((one) => one.kind).join(' ')).toBe(drifts)
  })

  test('a change that waits for its confirmation is told with the time it has left', async () => {
    sim('web-1').answer({ verb: 'arm', args: ['30'], timeoutMs: 1 })
    expect((await status(world, FIRST.hosts, OPTIONS)).map((one) => one.armedSeconds)).toEqual([undefined, 30])
  })
})

async function plan(policy: Policy, on: SimWorld = world): Promise<PlanReport> {
  on.clock.pass(1000)
  const report = await planChange(on, policy, SEEN, policy.hosts, OPTIONS)
  if (!report.ok) throw new Error(JSON.stringify(report.faults))
  return report.value
}

async function change(policy: Policy): Promise<ChangePlan> {
  const { plan: sealed } = await plan(policy)
  await carryOut(sealed)
  return sealed as ChangePlan
}

async function carryOut(sealed: ChangePlan | undefined): Promise<void> {
  const report = sealed && (await apply(world, sealed, FIRST.hosts, OPTIONS))
  expect(report?.ok && report.value.hosts.every((host) => host.kind === 'confirmed')).toBe(true)
}

async function rollBack(of: ChangePlan | undefined): Promise<PlanReport> {
  world.clock.pass(1000)
  const report = await planRollback(world, FIRST.hosts, of, OPTIONS)
  if (!report.ok) throw new Error(JSON.stringify(report.faults))
  return report.value
}

/** By host, the generation before and after. */
const generationsOf = (report: PlanReport): Record<string, readonly [number, number]> =>
  Object.fromEntries(report.drafted.hosts.map(({ draft }) => [draft.host, [draft.baseGeneration, draft.generation] as const]))

const guardsOf = (report: PlanReport): string[] => report.drafted.hosts.flatMap(({ findings }) => findings.map((finding) => `${finding.host} ${finding.guard}`))

function sim(name: string): SimWorld['sims'][number] {
  const found = world.sims.find((one) => one.name === name)
  if (!found) throw new RangeError(name)
  return found
}

function forget(name: string): void {
  const host = sim(name)
  delete host.confirmed
  delete host.live
}
