import { fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { isSealed } from '@portcullis/core/plan/seal.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { confirmedApply, type HostOutcome } from './confirmedApply.ts'
import { fanOut } from './fanOut.ts'
import { openJournal } from './journal.ts'
import type { FleetOptions } from './observe.ts'
import { brokenSeal, hostUnknown } from './planFault.ts'
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
