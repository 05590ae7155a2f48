import type { Fault } from '@portcullis/core/fault/fault.ts'
import { readIntent } from '@portcullis/core/plan/intentText.ts'
import type { ChangePlan, HostPlan } from '@portcullis/core/plan/plan.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { ApplyResult, RevertResult, SettleResult } from '@portcullis/core/rollout/rollout.ts'
import { moved, otherApply, writtenFault } from './applyFault.ts'
import { confirmedApply, isUnstaged, type HostOutcome } from './confirmedApply.ts'
import { hostSession, type HeldGeneration, type HostVersion } from './hostSession.ts'
import type { Journal } from './journal.ts'
import type { Cancellation } from './ports.ts'
import { overLink, reachHost } from './reachHost.ts'
import type { RolloutWorld } from './rolloutWorld.ts'
import type { WayBack, WaysBack } from './waysBack.ts'

/** One host of a rollout: the change that it is to get, and the one that takes it back. */
export interface HostCase {
  readonly host: Host
  /** Of this host alone. */
  readonly plan: ChangePlan
  readonly wayBack: ChangePlan
  readonly confirmWithinSeconds: number
  /** Those of the same rollout. */
  readonly waysBack: WaysBack
  /** Makes `wayBack` known to the store. */
  readonly saveWayBack: () => Promise<void>
  /** Hosts of the same rollout on which their part of `wayBack` lies. */
  readonly staged: Set<string>
}

export interface HostAnswer<Kind> {
  readonly result: Kind
  readonly fault?: Fault
}

/** Faults that go by themselves: the host, the way to it, or the store may be there again in a moment. */
const PASSING: ReadonlySet<string> = new Set(['HOST_UNREACHABLE', 'HOST_LINK_LOST', 'HOST_TIMEOUT', 'HOST_TRANSPORT', 'HOST_BUSY', 'HOST_OTHER_APPLY', 'HOST_NOT_READY', 'HOST_CANCELLED', 'CONFIRM_LATE', 'STOPPED', 'STORE_UNREACHABLE', 'STORE_REFUSED'])

export async function applyHost(world: RolloutWorld, journal: Journal, one: HostCase, signal: Cancellation): Promise<HostAnswer<ApplyResult>> {
  const { host, plan, confirmWithinSeconds } = one
  const apply = world.pieces?.applyHost ?? confirmedApply
  const outcome = await apply(world, journal, host, plan, { confirmWithinSeconds, signal })
  const fault = outcome.faults[0]
  const result = resultOf(outcome)
  if (result === 'changed') await stageWayBack(world, one, signal)
  return { result, ...(fault ? { fault } : {}) }
}

/** So that a rollout which turns round has only to switch: checking and rehearsing the old rules is most of bringing them back. Where it does not succeed, `putBackHost` does it. */
async function stageWayBack(world: RolloutWorld, one: HostCase, signal: Cancellation): Promise<void> {
  const { back } = plansOf(one)
  const intent = readIntent(back.intent)
  if (!intent.ok || signal.aborted) return
  try {
    const held = { generation: back.generation, digest: back.rulesetDigest }
    const staged = await overLink(reachHost(world.hosts, one.host, signal), (session) => session.stage(held, world.rules.render(intent.value), signal))
    if (staged.ok) one.staged.add(one.host.name)
  } catch {
    // As where it is refused.
  }
}

function resultOf({ kind, faults }: HostOutcome): ApplyResult {
  if (kind === 'confirmed') return 'changed'
  if (kind === 'unknown' || kind === 'reverting') return 'unsettled'
  return faults.every((fault) => PASSING.has(fault.code)) ? 'again' : 'kept'
}

/** Asks the host what it has. What a controller that is gone left armed there is taken back at once, not waited for. */
export async function settleHost(world: RolloutWorld, one: HostCase): Promise<HostAnswer<SettleResult>> {
  const asked = await askVersion(world, one)
  if ('code' in asked) return { result: 'unreached', fault: asked }
  const { forward } = plansOf(one)
  const held = asked.confirmed?.generation ?? 0
  if (isHeld(asked.confirmed, forward)) {
    await remember(world, one, forward)
    return { result: 'changed' }
  }
  return held === forward.baseGeneration ? { result: 'kept' } : { result: 'overtaken', fault: moved(one.host.name, forward.generation, held) }
}

/**
 * Brings back what the host had before, as its next generation. Where a controller that lost the rollout may still be at
 * work, a host that was not changed gets its old rules under the new number too: it then refuses the other's older one.
 */
export async function putBackHost(world: RolloutWorld, journal: Journal, one: HostCase, isContested: boolean): Promise<HostAnswer<RevertResult>> {
  const way = one.waysBack.begin(one.confirmWithinSeconds)
  try {
    return await bringBack(world, journal, one, isContested, way)
  } finally {
    way.end()
  }
}

/** To what lies there the host only switches; where it lies there no more, it is asked what it has. */
async function bringBack(world: RolloutWorld, journal: Journal, one: HostCase, isContested: boolean, way: WayBack): Promise<HostAnswer<RevertResult>> {
  if (one.staged.delete(one.host.name)) {
    const { forward, back } = plansOf(one)
    const answer = await applyBack(world, journal, one, { ...back, baseGeneration: forward.generation }, way, true)
    if (!answer.fault || !isUnstaged([answer.fault])) return answer
  }
  return askAndBringBack(world, journal, one, isContested, way)
}

async function askAndBringBack(world: RolloutWorld, journal: Journal, one: HostCase, isContested: boolean, way: WayBack): Promise<HostAnswer<RevertResult>> {
  const asked = await askVersion(world, one)
  if ('code' in asked) return { result: 'again', fault: asked }
  const { forward, back } = plansOf(one)
  const held = asked.confirmed?.generation ?? 0
  if (isHeld(asked.confirmed, back)) {
    await one.saveWayBack()
    await remember(world, one, back)
    return { result: 'reverted' }
  }
  const isOld = held === forward.baseGeneration
  if (isOld && !isContested) return { result: 'reverted' }
  if (!isOld && !isHeld(asked.confirmed, forward)) return { result: 'overtaken', fault: moved(one.host.name, forward.generation, held) }
  if (!isOld) await remember(world, one, forward)
  return applyBack(world, journal, one, { ...back, baseGeneration: held }, way, isHeld(asked.staged, back))
}

/** The rollout's own record has the way back: that it stands among the plans, too, must not keep a host waiting, but be so before it is told to be there. */
async function applyBack(world: RolloutWorld, journal: Journal, one: HostCase, back: HostPlan, way: WayBack, isStaged: boolean): Promise<HostAnswer<RevertResult>> {
  void one.saveWayBack().catch(() => undefined)
  const options = { confirmWithinSeconds: one.confirmWithinSeconds, wayBack: way, isStaged }
  const outcome = await (world.pieces?.applyHost ?? confirmedApply)(world, journal, one.host, { ...one.wayBack, hosts: [back] }, options)
  const fault = outcome.faults[0]
  if (outcome.kind !== 'confirmed') return { result: 'again', ...(fault ? { fault } : {}) }
  await one.saveWayBack()
  return { result: 'reverted' }
}

function plansOf({ host, plan, wayBack }: HostCase): { readonly forward: HostPlan; readonly back: HostPlan } {
  const forward = plan.hosts.find((one) => one.host === host.name)
  const back = wayBack.hosts.find((one) => one.host === host.name)
  if (!forward || !back) throw new RangeError(`plan ${plan.id} does not change ${host.name}`)
  return { forward, back }
}

const isHeld = (held: HeldGeneration | undefined, plan: HostPlan): boolean => held?.generation === plan.generation && held.digest === plan.rulesetDigest

/** The host's word, with nothing of ours armed there any more. */
async function askVersion(world: RolloutWorld, one: HostCase): Promise<HostVersion | Fault> {
  try {
    const link = await reachHost(world.hosts, one.host)
    if (!link.ok) return faultOf(link.faults, one)
    try {
      const session = hostSession(link.value)
      const version = await session.version()
      if (!version.ok) return faultOf(version.faults, one)
      if (version.value.armedSeconds === undefined) return version.value
      const { forward, back } = plansOf(one)
      const ours = [forward.rulesetDigest, back.rulesetDigest]
      if (!ours.includes(version.value.staged?.digest ?? '')) return otherApply(one.host.name, version.value.armedSeconds)
      const reverted = await session.revert()
      if (!reverted.ok) return faultOf(reverted.faults, one)
      const again = await session.version()
      return again.ok ? again.value : faultOf(again.faults, one)
    } finally {
      await link.value.close().catch(() => undefined)
    }
  } catch (error) {
    return writtenFault(one.host.name, 'connect', error)
  }
}

const faultOf = (faults: readonly Fault[], { host }: HostCase): Fault => faults[0] ?? writtenFault(host.name, 'connect', new Error('no answer'))

/** A confirmation whose answer was lost is written down as soon as the host tells of it. */
async function remember(world: RolloutWorld, { host, plan, wayBack }: HostCase, confirmed: HostPlan): Promise<void> {
  const { generation, rulesetDigest, intent } = confirmed
  const of = wayBack.hosts.includes(confirmed) ? wayBack : plan
  await world.store.addGeneration({ host: host.name, generation, rulesetDigest, plan: of.id, intent, confirmedAt: world.clock.now() })
}
