import type { FlowObservation } from '../inventory/observation.ts'
import { isLoopback } from '../inventory/loopback.ts'
import { isUse } from '../inventory/usage.ts'
import type { Address } from '../net/address.ts'
import { containsPort, parsePortRange, type PortRange } from '../net/port.ts'
import { containsAddress, parsePrefix, type Prefix } from '../net/prefix.ts'
import type { TransportProtocol } from '../net/protocol.ts'
import type { Endings, Grant, Intent } from '../policy/intent.ts'
import { WARN_SECONDS, type FlowEnd } from '../policy/policy.ts'
import { formatGrant } from '../policy/resolve.ts'
import { readIntent } from './intentText.ts'
import type { HostEndings, HostPlan } from './plan.ts'
import { grantedTo, hasSource } from './sources.ts'

/** From the gentlest on. */
const ENDS: readonly FlowEnd[] = ['drain', 'warn-then-cut', 'cut-now']

const DRAINING: Endings = { otherwise: 'drain', needs: {}, warnSeconds: WARN_SECONDS }

/**
 * What becomes of flows that the intent does not let in any more. A need that it still knows has its word there; of one that
 * is gone, the intent before remembers. Undefined where nothing is cut: also while the intent only observes.
 */
export function endingsBetween(before: Intent | undefined, after: Intent): HostEndings | undefined {
  if (after.mode === 'observe') return undefined
  const [then, now] = [before?.endings ?? DRAINING, after.endings ?? DRAINING]
  const known = new Set(after.grants.flatMap(({ needs }) => needs))
  const kept = new Set(after.grants.map(formatGrant))
  const endOf = (need: string): FlowEnd => (known.has(need) ? endFor(now, need) : endFor(then, need))
  const granted = (before?.grants ?? [])
    .filter((grant) => !kept.has(formatGrant(grant)))
    .map((grant) => ({ grant, end: gentlest(grant.needs.map(endOf)) ?? now.otherwise }))
  if (now.otherwise === 'drain' && granted.every(({ end }) => end === 'drain')) return undefined
  return { otherwise: now.otherwise, warnSeconds: now.warnSeconds, granted: granted.map(({ grant, end }) => endedGrant(grant, end)) }
}

const endFor = ({ needs, otherwise }: Endings, need: string): FlowEnd => (Object.hasOwn(needs, need) ? needs[need] : undefined) ?? otherwise

const gentlest = (ends: readonly FlowEnd[]): FlowEnd | undefined => ENDS.find((end) => ends.includes(end))

function endedGrant(grant: Grant, end: FlowEnd): HostEndings['granted'][number] {
  const [protocol = '', ports = '', , from = ''] = formatGrant(grant).split(' ')
  return { protocol: protocol as TransportProtocol, ports, from, end }
}

/** Says of a flow what becomes of it: undefined where the intent lets it in. */
export type EndOf = (flow: Pick<FlowObservation, 'protocol' | 'port' | 'source'>) => FlowEnd | undefined

export function endsUnder(intent: Intent, endings: HostEndings | undefined): EndOf {
  const granted = (endings?.granted ?? []).flatMap(readGrant)
  return ({ protocol, port, source }) => {
    if (intent.mode === 'observe' || hasSource(grantedTo(intent, protocol, port), source)) return undefined
    const own = granted.filter((grant) => grant.protocol === protocol && containsPort(grant.ports, port) && containsAddress(grant.from, source))
    return gentlest(own.map(({ end }) => end)) ?? endings?.otherwise ?? 'drain'
  }
}

function readGrant({ protocol, ports, from, end }: HostEndings['granted'][number]): { protocol: TransportProtocol; ports: PortRange; from: Prefix; end: FlowEnd }[] {
  const [range, prefix] = [parsePortRange(ports), parsePrefix(from)]
  return range.ok && prefix.ok ? [{ protocol, ports: range.value, from: prefix.value, end }] : []
}

/** Says of a flow whether the plan cuts it, now or after a warning. */
export function isCutBy(plan: HostPlan): (flow: Pick<FlowObservation, 'protocol' | 'port' | 'source'>) => boolean {
  const intent = readIntent(plan.intent)
  if (!intent.ok || !plan.endings) return () => false
  const endOf = endsUnder(intent.value, plan.endings)
  return (flow) => (endOf(flow) ?? 'drain') !== 'drain'
}

/** When flows of a host are cut: as soon as it has confirmed, and when the time of the warning is over. */
export const CUT_STEPS = ['now', 'warned'] as const
export type CutStep = (typeof CUT_STEPS)[number]

/** The second takes along what the first has missed. */
const ENDS_OF_STEP: Readonly<Record<CutStep, readonly FlowEnd[]>> = { now: ['cut-now'], warned: ['cut-now', 'warn-then-cut'] }

/** Which of the steps a plan has for its host. */
export function cutSteps({ endings }: Pick<HostPlan, 'endings'>): readonly CutStep[] {
  if (!endings) return []
  const ends = new Set([endings.otherwise, ...endings.granted.map(({ end }) => end)])
  return [...(ends.has('cut-now') ? (['now'] as const) : []), ...(ends.has('warn-then-cut') ? (['warned'] as const) : [])]
}

/** A client with its live connections to one port. */
export interface LiveFlow {
  readonly protocol: TransportProtocol
  readonly port: number
  readonly source: Address
  readonly connections: number
}

export interface SortedFlows {
  /** To be cut in this step. */
  readonly ending: readonly LiveFlow[]
  /** No longer let in, and left to their own end, or to a later step. */
  readonly draining: readonly LiveFlow[]
}

/** Of the flows that are alive in one reading of the host. What does not come from outside is never cut. */
export function sortFlows(plan: HostPlan, step: CutStep, alive: readonly FlowObservation[]): SortedFlows {
  const intent = readIntent(plan.intent)
  if (!intent.ok) return { ending: [], draining: [] }
  const endOf = endsUnder(intent.value, plan.endings)
  const inbound = alive.filter((flow) => flow.tally === 'snapshot' && isUse(flow) && !isLoopback(flow.source))
  const ended = inbound.flatMap((flow) => {
    const end = endOf(flow)
    return end === undefined ? [] : [{ end, flow: { protocol: flow.protocol, port: flow.port, source: flow.source, connections: flow.connections } }]
  })
  const isNow = (end: FlowEnd): boolean => ENDS_OF_STEP[step].includes(end)
  return { ending: ended.filter(({ end }) => isNow(end)).map(({ flow }) => flow), draining: ended.filter(({ end }) => !isNow(end)).map(({ flow }) => flow) }
}

/** What became of the flows that were to be cut, in connections. `left` is absent where nobody knows. */
export interface FlowsEnded {
  readonly before: number
  readonly cut: number
  readonly left?: number
  /** No longer let in, and left to their own end. */
  readonly draining: number
  /** Forwarded ones that said nothing while they were being cut: forgotten by the host, but their ends were not told. */
  readonly silent: number
  /** Let in by a lease. */
  readonly leased: number
}

export const NO_FLOWS_ENDED: FlowsEnded = { before: 0, cut: 0, left: 0, draining: 0, silent: 0, leased: 0 }

/** What the later step has found left, and draining, is what there is. Once it was not known it stays so. */
export const addEnded = (before: FlowsEnded, after: FlowsEnded): FlowsEnded => ({
  before: before.before + after.before,
  cut: before.cut + after.cut,
  ...(before.left === undefined || after.left === undefined ? {} : { left: after.left }),
  draining: after.draining,
  silent: before.silent + after.silent,
  leased: after.leased,
})
