import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { isSealed } from '@portcullis/core/plan/seal.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { confirmedApply, type HostOutcome } from './confirmedApply.ts'
import { fanOut } from './fanOut.ts'
import { openJournal } from './journal.ts'
import type { FleetOptions } from './observe.ts'
import type { World } from './world.ts'

export interface ApplyReport {
  readonly run: string
  readonly plan: string
  readonly hosts: readonly HostOutcome[]
}

export interface FleetApplyOptions extends FleetOptions {
  readonly confirmWithinSeconds: number
  /** Only these of the plan's hosts; all of them without it. */
  readonly only?: readonly string[]
}

/**
 * Carries out a sealed plan, each host by itself: a host that fails ends as it was and stops no other.
 * Faults before anything is touched: PLAN_BROKEN_SEAL, PLAN_HOST_UNKNOWN.
 */
export async function apply(world: World, plan: ChangePlan, fleet: readonly Host[], options: FleetApplyOptions): Promise<Result<ApplyReport>> {
  if (!isSealed(plan, world.digest)) return fail(brokenSeal(plan.id))
  const names = plan.hosts.map(({ host }) => host).filter((host) => options.only?.includes(host) ?? true)
  const hosts = names.map((host) => fleet.find((candidate) => candidate.name === host) ?? host)
  const unknown = hosts.filter((host) => typeof host === 'string')
  if (unknown.length > 0) return fail(...unknown.map(hostUnknown))
  const journal = openJournal(world)
  const about = journal.about({ plan: plan.id })
  await about.action('begin', { hosts: hosts.length, confirmWithinSeconds: options.confirmWithinSeconds })
  const known = hosts.filter((host) => typeof host !== 'string')
  const outcomes = await fanOut(known, options.concurrency, (host) => confirmedApply(world, journal, host, plan, options))
  const confirmed = outcomes.filter((outcome) => outcome.kind === 'confirmed').length
  // The hosts have what they have: a store that is lost by now must not hide it.
  await about.signal('end', { detail: { hosts: hosts.length, confirmed } }).catch(() => undefined)
  return succeed({ run: journal.run, plan: plan.id, hosts: outcomes })
}

const brokenSeal = (id: string): Fault => ({
  code: 'PLAN_BROKEN_SEAL',
  what: { en: `plan ${id.slice(0, 12)} is not what was sealed: it was edited or damaged`, zh: `计划 ${id.slice(0, 12)} 与封存时不一致：被修改或损坏` },
  next: { en: 'run portcullis plan again', zh: '请重新运行 portcullis plan' },
})

const hostUnknown = (host: string): Fault => ({
  code: 'PLAN_HOST_UNKNOWN',
  what: { en: `the plan changes ${host}, which the policy does not name`, zh: `计划涉及 ${host}，而策略中没有该主机` },
  next: { en: 'run portcullis plan with the same policy file', zh: '请用同一策略文件重新运行 portcullis plan' },
})
