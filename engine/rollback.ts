import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { readIntent, writeIntent } from '@portcullis/core/plan/intentText.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { undoNeed } from '@portcullis/core/plan/undoNeed.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { observe, type FleetOptions } from './observe.ts'
import { nextGenerations, planIntents, type PlanReport, type WantedIntent } from './planChange.ts'
import type { HostReading } from './readHost.ts'
import type { World } from './world.ts'

/** How many earlier generations a rollback can reach. */
const GENERATIONS_KEPT = 100

/**
 * Plans to undo a plan, or the newest change of each given host. What the hosts had before comes back as a new
 * generation, because a host never goes back one. Before its first generation a host denied nothing: it then gets the
 * same grants in observe mode, which denies nothing either.
 * Faults: ROLLBACK_NOTHING where a host has confirmed nothing, ROLLBACK_OVERTAKEN where a later plan has changed it since.
 */
export async function planRollback(
  world: World,
  hosts: readonly Host[],
  of: ChangePlan | undefined,
  options: FleetOptions,
): Promise<Result<PlanReport>> {
  const observed = await observe(world, hosts, options)
  const next = await nextGenerations(world, observed.readings)
  const wanted: WantedIntent[] = []
  const targets: { host: string; generation: number }[] = []
  const faults: Fault[] = []
  for (const reading of observed.readings) {
    const host = reading.host.name
    const { generation, known } = next.get(host) ?? { generation: 1, known: 0 }
    const earlier = await earlierIntent(world, reading, of)
    if (!earlier.ok) {
      faults.push(...earlier.faults)
      continue
    }
    targets.push({ host, generation: earlier.value.generation })
    wanted.push({ reading, known, intent: { ...earlier.value.intent, generation } })
  }
  if (faults.length > 0) return fail(...faults)
  const policy = (await policyOf(world, of)) ?? ''
  return succeed(await planIntents(world, wanted, policy, { kind: 'rollback', of: of?.id ?? '', to: targets }, observed.unread))
}

/**
 * Plans to take back what one plan did for one need, and leaves whatever was changed later as it is. Hosts on which the plan
 * did nothing for the need are left out. Faults: ROLLBACK_NOTHING where a host has confirmed nothing, UNDO_NOTHING where no host is left.
 */
export async function planUndoNeed(world: World, hosts: readonly Host[], of: ChangePlan, need: string, options: FleetOptions): Promise<Result<PlanReport>> {
  const observed = await observe(world, hosts, options)
  const next = await nextGenerations(world, observed.readings)
  const wanted: WantedIntent[] = []
  const targets: { host: string; generation: number }[] = []
  for (const reading of observed.readings) {
    const host = reading.host.name
    const { generation, known } = next.get(host) ?? { generation: 1, known: 0 }
    const undone = await undoneIntent(world, reading, of, need)
    if (!undone.ok) return undone
    if (undone.value === undefined) continue
    targets.push({ host, generation: reading.confirmed?.generation ?? 0 })
    wanted.push({ reading, known, intent: { ...undone.value, generation } })
  }
  if (wanted.length === 0) return fail(undoNothing(of.id, need))
  return succeed(await planIntents(world, wanted, of.policy, { kind: 'rollback', of: of.id, to: targets }, observed.unread))
}

/** Undefined where the plan did nothing for the need on this host, or it is undone already. */
async function undoneIntent(world: World, reading: HostReading, of: ChangePlan, need: string): Promise<Result<Intent | undefined>> {
  const made = of.hosts.find(({ host }) => host === reading.host.name)
  if (!made) return succeed(undefined)
  if (!reading.confirmed) return fail(nothingToRollBack(reading.host.name))
  const base = (await world.store.generations(made.host, GENERATIONS_KEPT)).find((one) => one.generation === made.baseGeneration)
  const [current, before, after] = [readIntent(reading.confirmed.intent), readIntent(base?.intent ?? { ...made.intent, grants: [] }), readIntent(made.intent)]
  if (!current.ok) return current
  if (!before.ok) return before
  if (!after.ok) return after
  const undone = undoNeed(current.value, before.value, after.value, need)
  return succeed(JSON.stringify(writeIntent(undone)) === JSON.stringify(writeIntent(current.value)) ? undefined : undone)
}

const undoNothing = (plan: string, need: string): Fault => ({
  code: 'UNDO_NOTHING',
  what: { en: `plan ${plan.slice(0, 12)} did nothing for need ${need} that is still so`, zh: `计划 ${plan.slice(0, 12)} 对业务需求 ${need} 没有仍然有效的变更` },
  next: { en: 'portcullis plan show names the needs of each host', zh: 'portcullis plan show 列出每台主机的业务需求' },
})

interface EarlierIntent {
  /** 0 for before the first. */
  readonly generation: number
  readonly intent: Intent
}

async function earlierIntent(world: World, reading: HostReading, of: ChangePlan | undefined): Promise<Result<EarlierIntent>> {
  const host = reading.host.name
  const current = reading.confirmed
  if (!current) return fail(nothingToRollBack(host))
  if (of && current.plan !== of.id) return fail(overtaken(host, current.plan))
  const before = (await world.store.generations(host, GENERATIONS_KEPT)).find((one) => one.generation < current.generation)
  const intent = readIntent((before ?? current).intent)
  if (!intent.ok) return intent
  return succeed(
    before ? { generation: before.generation, intent: intent.value } : { generation: 0, intent: { ...intent.value, mode: 'observe' } },
  )
}

async function policyOf(world: World, of: ChangePlan | undefined): Promise<string | undefined> {
  const parent = of?.parent === undefined ? undefined : await world.store.plan(of.parent)
  return parent?.policy ?? of?.policy
}

const nothingToRollBack = (host: string): Fault => ({
  code: 'ROLLBACK_NOTHING',
  what: { en: `${host} has no confirmed generation that this state folder knows`, zh: `${host} 没有本机状态已知的已确认代次` },
})

const overtaken = (host: string, plan: string): Fault => ({
  code: 'ROLLBACK_OVERTAKEN',
  what: { en: `${host} was changed since by plan ${plan.slice(0, 12)}`, zh: `${host} 此后已被计划 ${plan.slice(0, 12)} 变更` },
  next: { en: 'roll back that one first, or name the hosts', zh: '请先回滚该计划，或直接指定主机' },
})
