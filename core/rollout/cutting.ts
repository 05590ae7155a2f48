import type { Text } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'
import { addEnded, cutSteps, NO_FLOWS_ENDED, type FlowsEnded } from '../plan/flowEnds.ts'
import type { HostPlan } from '../plan/plan.ts'
import { update } from './progress.ts'
import type { CutProgress, HostProgress, Rollout, Signal } from './rollout.ts'

/** Flows that the new rules do not let in and that a policy wants cut: when, and what came of it. */

const CLIENTS_NAMED_MAX = 10

/** Undefined where nothing of the host is to be cut. */
export function cutOf(plan: HostPlan): CutProgress | undefined {
  const steps = cutSteps(plan)
  if (steps.length === 0) return undefined
  const warned = plan.flows.filter(({ isLive, end }) => isLive && end === 'warn-then-cut').map(({ source, protocol, port }) => `${source} → ${protocol}/${port}`)
  return { steps, warnSeconds: plan.endings?.warnSeconds ?? 0, clients: warned.slice(0, CLIENTS_NAMED_MAX), attempt: 0, failures: 0, isAtWork: false, ended: NO_FLOWS_ENDED }
}

/** Hosts whose flows are to be cut now. Nothing is begun while the rollout is paused, stops, or goes back. */
export const dueCuts = (state: Rollout, at: Instant): readonly string[] => (state.isPaused || state.isAborting || state.trip ? [] : state.hosts.cutsDue(at))

export const beginCuts = (state: Rollout, names: readonly string[]): Rollout =>
  update(state, names, (host) => {
    if (!host.cut) return host
    const { notBefore: _, ...cut } = host.cut
    return { ...host, cut: { ...cut, isAtWork: true, attempt: cut.attempt + 1 } }
  })

/** Why a wave is not left yet: its gates are to see what the cutting does. */
export function heldByCuts(state: Rollout): Text[] {
  const uncut = state.hosts.uncut(state.wave)
  if (uncut.length === 0) return []
  return [{ en: `flows of ${uncut.length} ${uncut.length === 1 ? 'host' : 'hosts'} are still to be cut`, zh: `尚有 ${uncut.length} 台主机的流待切断` }]
}

const RETRY_MS = 2_000
const RETRY_MS_MAX = 30_000

/** Takes an answer in. A step that fails again and again is given up, and what is left is then not known. */
export function heardCut(state: Rollout, { at, host: name, attempt, ended, fault }: Extract<Signal, { kind: 'cut' }>): Rollout {
  const host = state.hosts.get(name)
  if (!host?.cut?.isAtWork || host.cut.attempt !== attempt) return state
  const cut = ended ? stepDone(host.cut, ended) : stepFailed(state, host.cut, at, fault)
  const heard = update(state, [name], (one) => ({ ...one, cut }))
  // What the cutting breaks is to be seen in a whole bake.
  const isSeenAnew = state.phase === 'baking' && host.wave === state.wave && (ended?.cut ?? 0) > 0
  return isSeenAnew ? { ...heard, watchedMs: 0 } : heard
}

function stepDone(cut: CutProgress, ended: FlowsEnded): CutProgress {
  const { fault: _, ...rest } = cut
  return { ...rest, steps: cut.steps.slice(1), failures: 0, isAtWork: false, ended: addEnded(cut.ended, ended) }
}

function stepFailed({ options }: Rollout, cut: CutProgress, at: Instant, fault: CutProgress['fault']): CutProgress {
  const failures = cut.failures + 1
  const told = fault ? { fault } : {}
  if (failures < options.attemptsMax) return { ...cut, ...told, failures, isAtWork: false, notBefore: at + Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (failures - 1)) }
  const { left: _, ...known } = cut.ended
  return { ...cut, ...told, failures, isAtWork: false, steps: [], ended: known }
}

/** A host that goes back lets its flows in again. */
export const withoutSteps = (host: HostProgress): HostProgress => (host.cut ? { ...host, cut: { ...host.cut, steps: [], isAtWork: false } } : host)

/** A controller that is gone may or may not have cut: cutting twice does no harm. */
export const cutsAgain = (state: Rollout): Rollout =>
  update(state, state.hosts.names.filter((name) => state.hosts.get(name)?.cut?.isAtWork), (host) => (host.cut ? { ...host, cut: { ...host.cut, isAtWork: false } } : host))
