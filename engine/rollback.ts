import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { readIntent } from '@portcullis/core/plan/intentText.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
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
