import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import type { SimHost } from '@portcullis/sim/host.ts'
import { simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import { expect, test } from 'vitest'
import type { HostOutcome } from './confirmedApply.ts'
import { apply } from './apply.ts'
import { applyHost, putBackHost, type HostAnswer, type HostCase } from './hostSettlement.ts'
import { openJournal } from './journal.ts'
import { planChange } from './planChange.ts'
import type { RolloutWorld } from './rolloutWorld.ts'
import { sealWayBack } from './startRollout.ts'
import { WaysBack } from './waysBack.ts'

const [host] = simPolicy(['web-1']).hosts
if (!host) throw new Error('no host')

async function resultOf(kind: HostOutcome['kind'], codes: readonly string[]): Promise<HostAnswer<unknown>['result']> {
  const faults = codes.map((code) => ({ code, what: { en: code, zh: code } }))
  const world = { ...simWorld(['web-1']), pieces: { applyHost: async (): Promise<HostOutcome> => ({ host: 'web-1', kind, generation: 2, step: 'arm', faults }) } }
  // What it does not come to is not asked for.
  const waysBack = new WaysBack({ clock: world.clock, canceller: () => new AbortController() })
  const one = { host: host as NonNullable<typeof host>, plan: {} as ChangePlan, wayBack: {} as ChangePlan, confirmWithinSeconds: 60, waysBack, saveWayBack: async () => undefined, staged: new Set<string>() }
  return (await applyHost(world as unknown as RolloutWorld, openJournal(world), one, new AbortController().signal)).result
}

test.each<[what: string, kind: HostOutcome['kind'], codes: string[], result: string]>([
  ['a host that was away for a moment is tried again', 'refused', ['HOST_UNREACHABLE'], 'again'],
  ['so is one whose store was away', 'reverted', ['STORE_UNREACHABLE'], 'again'],
  ['or had no room', 'refused', ['STORE_REFUSED'], 'again'],
  ['rules that the host does not want will not be wanted later', 'refused', ['HOST_REFUSED'], 'kept'],
  ['one reason that stays is enough', 'refused', ['STORE_UNREACHABLE', 'HOST_FOREIGN'], 'kept'],
  ['what a host became while nobody heard is asked', 'unknown', ['HOST_LINK_LOST'], 'unsettled'],
])('%s', async (_, kind, codes, result) => {
  expect(await resultOf(kind, codes)).toBe(result)
})

/** A host that has had its first rules and then the change of a rollout, with the way back staged. */
async function changedCase(): Promise<{ readonly world: RolloutWorld & SimWorld; readonly one: HostCase }> {
  const sims = simWorld(['web-1'])
  const world = { ...sims, canceller: () => new AbortController() } as unknown as RolloutWorld & SimWorld
  const planned = async (policy: Policy): Promise<ChangePlan> => {
    const report = await planChange(world, policy, { digest: 'd'.repeat(64), file: 'portcullis.yaml', text: '', seenAt: 0 }, policy.hosts, { concurrency: 1 })
    if (!report.ok || !report.value.plan) throw new Error(JSON.stringify(report))
    return report.value.plan
  }
  const policy = simPolicy(['web-1'])
  await apply(world, await planned(policy), policy.hosts, { concurrency: 1, confirmWithinSeconds: 60 })
  const plan = await planned(simPolicy(['web-1'], { defaults: { ...policy.defaults, refusal: 'reject' } }))
  const wayBack = await sealWayBack(world, plan)
  if (!wayBack.ok) throw new Error(JSON.stringify(wayBack))
  const one: HostCase = { host: host as NonNullable<typeof host>, plan, wayBack: wayBack.value, confirmWithinSeconds: 60, waysBack: new WaysBack(world), saveWayBack: () => world.store.savePlan(wayBack.value), staged: new Set() }
  expect((await applyHost(world, openJournal(world), one, new AbortController().signal)).result).toBe('changed')
  return { world, one }
}

/** Something that happens to the host between its change and its way back. */
type Meanwhile = (sim: SimHost, one: HostCase) => void

test.each<[what: string, meanwhile: Meanwhile, verbs: string]>([
  ['what lies there is only switched to', () => undefined, 'swap facts confirm'],
  ['a controller that did not bring it asks first', (_, { staged }) => staged.clear(), 'version swap facts confirm'],
  ['where it lies there no more, it is brought again', (sim) => delete sim.staged, 'swap version version stage version arm swap facts confirm'],
])('on the way back, %s', async (_, meanwhile, verbs) => {
  const { world, one } = await changedCase()
  const [sim] = world.sims
  if (!sim) throw new Error('no host')
  meanwhile(sim, one)
  const before = world.hosts.calls.length
  expect(await putBackHost(world, openJournal(world), one, false)).toEqual({ result: 'reverted' })
  expect(world.hosts.calls.slice(before).map((call) => call.split(' ')[1]).join(' ')).toBe(verbs)
  expect([sim.confirmed?.generation, sim.live?.digest, sim.armedUntilMs]).toEqual([3, one.wayBack.hosts[0]?.rulesetDigest, undefined])
  expect((await world.store.plan(one.wayBack.id))?.id).toBe(one.wayBack.id)
})

test('a host that is away is not asked twice, and its way back is tried again later', async () => {
  const { world, one } = await changedCase()
  world.hosts.strike('web-1', 'swap', 'lost')
  expect((await putBackHost(world, openJournal(world), one, false)).result).toBe('again')
  expect((await putBackHost(world, openJournal(world), one, false)).result).toBe('reverted')
  expect(world.sims[0]?.confirmed?.generation).toBe(3)
})
