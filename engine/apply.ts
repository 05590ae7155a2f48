import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { isSealed } from '@portcullis/core/plan/seal.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { confirmedApply, type HostOutcome } from './confirmedApply.ts'
import { fanOut } from './fanOut.ts'
import { addEnded, cutSteps, NO_FLOWS_ENDED, type FlowsEnded } from '@portcullis/core/plan/flowEnds.ts'
import { endFlows } from './endFlows.ts'
import { openJournal, type Journal } from './journal.ts'
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
  const outcomes = await fanOut(known, options.concurrency, async (host) => endAfter(world, about, host, plan, await confirmedApply(world, journal, host, plan, options), options))
  const confirmed = outcomes.filter((outcome) => outcome.kind === 'confirmed').length
  // The hosts have what they have: a store that is lost by now must not hide it.
  await about.signal('end', { detail: { hosts: hosts.length, confirmed } }).catch(() => undefined)
  return succeed({ run: journal.run, plan: plan.id, hosts: outcomes })
}

/** Once a host has confirmed: cuts at once what is to be cut at once, and the rest when the time of the warning is over. What is not known is told, and never counted as done. */
async function endAfter(world: World, journal: Journal, host: Host, plan: ChangePlan, outcome: HostOutcome, { signal }: FleetApplyOptions): Promise<HostOutcome> {
  const hostPlan = plan.hosts.find((one) => one.host === host.name)
  const steps = hostPlan && outcome.kind === 'confirmed' ? cutSteps(hostPlan) : []
  if (!hostPlan || steps.length === 0) return outcome
  let ended: FlowsEnded = NO_FLOWS_ENDED
  for (const step of steps) {
    const warnSeconds = hostPlan.endings?.warnSeconds ?? 0
    if (step === 'warned' && !(await waitWarned(world, journal, host, warnSeconds, signal))) return unknownFlows(outcome, ended, uncut(host.name))
    const done = await endFlows(world, journal, host, hostPlan, step)
    if (!done.ok) return unknownFlows(outcome, ended, ...done.faults)
    ended = addEnded(ended, done.value)
  }
  return { ...outcome, flows: ended }
}

async function waitWarned(world: World, journal: Journal, host: Host, seconds: number, signal: FleetApplyOptions['signal']): Promise<boolean> {
  await journal.about({ host: host.name }).signal('warn', { detail: { seconds } }).catch(() => undefined)
  return world.clock.sleep(seconds * 1000, signal).then(
    () => true,
    () => false,
  )
}

function unknownFlows(outcome: HostOutcome, ended: FlowsEnded, ...faults: readonly Fault[]): HostOutcome {
  const { left: _, ...known } = ended
  return { ...outcome, faults: [...outcome.faults, ...faults], flows: known }
}

const uncut = (host: string): Fault => ({
  code: 'FLOWS_UNCUT',
  what: { en: `${host}: stopped before flows that are no longer let in were cut: they live on`, zh: `${host}：在切断不再放行的流之前已停止，这些流仍在继续` },
})
