import { FaultError, fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { FlowObservation, Observation } from '@portcullis/core/inventory/observation.ts'
import { NO_FLOWS_ENDED, sortFlows, type CutStep, type FlowsEnded, type LiveFlow } from '@portcullis/core/plan/flowEnds.ts'
import type { HostPlan } from '@portcullis/core/plan/plan.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { writtenFault } from './applyFault.ts'
import type { HostSession } from './hostSession.ts'
import type { Journal } from './journal.ts'
import { overLink, reachHost } from './reachHost.ts'
import type { World } from './world.ts'

/** A client that is cut may connect again before its port is closed to it on every path; and a host tells of so many flows at a time. */
const ROUNDS_MAX = 5
/** As many as the host script takes in one call. */
const FLOWS_PER_CUT_MAX = 5_000

/**
 * Ends the flows of a host that its confirmed plan does not let in any more and wants cut in this step, and reads the host
 * again to see whether any is left. A fault means that nobody knows what is left; cutting again does no harm.
 */
export async function endFlows(world: World, journal: Journal, host: Host, plan: HostPlan, step: CutStep): Promise<Result<FlowsEnded>> {
  const about = journal.about({ host: host.name, generation: plan.generation })
  try {
    await about.action('cut', { step })
    const ended = await overLink(reachHost(world.hosts, host), (session) => endOver(world, host, session, plan, step))
    await about.signal('cut', ended.ok ? { detail: { ...ended.value } } : faultOf(ended.faults))
    return ended
  } catch (error) {
    return fail(error instanceof FaultError ? error.fault : writtenFault(host.name, 'cut', error))
  }
}

const faultOf = ([fault]: readonly Fault[]): { fault?: Fault } => (fault ? { fault } : {})

async function endOver(world: World, host: Host, session: HostSession, plan: HostPlan, step: CutStep): Promise<Result<FlowsEnded>> {
  let sum: FlowsEnded = NO_FLOWS_ENDED
  for (let round = 0; ; round++) {
    const read = await readFlows(world, host, session)
    if (!read.ok) return read
    const { ending, draining } = sortFlows(plan, step, read.value.flows)
    sum = { ...sum, draining: total(draining) }
    // What a lease lets in is not ours to end, and stays in sight.
    if (total(ending) <= sum.leased && !read.value.isPartial) return succeed({ ...sum, left: 0 })
    if (round === ROUNDS_MAX || (ending.length === 0 && read.value.isPartial)) return read.value.isPartial ? fail(manyFlows(host.name)) : succeed({ ...sum, left: total(ending) - sum.leased })
    const cut = await session.cut(ending.slice(0, FLOWS_PER_CUT_MAX))
    if (!cut.ok) return cut
    const { before, left, silent, leased } = cut.value
    sum = { ...sum, before: sum.before + before, cut: sum.cut + Math.max(0, before - left), silent: sum.silent + silent, leased }
  }
}

const total = (flows: readonly LiveFlow[]): number => flows.reduce((sum, { connections }) => sum + connections, 0)

interface ReadFlows {
  readonly flows: readonly FlowObservation[]
  /** There are more than the host lists at a time. */
  readonly isPartial: boolean
}

async function readFlows(world: World, host: Host, session: HostSession): Promise<Result<ReadFlows>> {
  const startedMs = world.clock.now()
  const text = await session.facts()
  if (!text.ok) return text
  const at = world.clock.now()
  const facts = world.facts.readFacts({ host: host.name, at, durationMs: at - startedMs, text: text.value })
  if (!facts.ok) return facts
  const unread = facts.value.observations.find(isUnread)
  if (unread) return fail(flowsUnread(host.name, unread.because))
  const flows = facts.value.observations.filter((seen): seen is FlowObservation => seen.kind === 'flow')
  return succeed({ flows, isPartial: facts.value.observations.some((seen) => seen.kind === 'evidence' && seen.sensor === 'conntrack') })
}

/** The section of flows is absent, and the facts say why. */
const isUnread = (seen: Observation): seen is Extract<Observation, { kind: 'evidence' }> => seen.kind === 'evidence' && seen.sensor === 'facts' && seen.because.startsWith('flows ')

const flowsUnread = (host: string, because: string): Fault => ({
  code: 'FLOWS_UNREAD',
  what: { en: `${host}: which flows are left is not known: ${because}`, zh: `${host}：无法得知仍有哪些流：${because}` },
  next: { en: 'install conntrack on the host', zh: '请在主机上安装 conntrack' },
})

const manyFlows = (host: string): Fault => ({
  code: 'FLOWS_UNREAD',
  what: { en: `${host} has more flows than it lists: whether any that is no longer let in is left is not known`, zh: `${host} 的流超过可列出的数量：无法得知是否仍有不再放行的流` },
})
