import type { Instant } from '../inventory/observation.ts'
import type { HostProgress, RolloutOutcome, RolloutPhase, RolloutState } from './rollout.ts'

/** Small readings and changes of a rollout's state. */

export const hostsOf = (state: RolloutState, wave: number): readonly string[] => state.waves[wave]?.hosts ?? []

/** Something is being done there, or waits to be tried again. */
export const inFlight = (state: RolloutState): string[] =>
  Object.keys(state.hosts).filter((name) => ['applying', 'settling', 'reverting'].includes(state.hosts[name]?.phase ?? ''))

export function isSettled(state: RolloutState, name: string): boolean {
  const host = state.hosts[name]
  return host !== undefined && (isMissing(state, host) || !['waiting', 'applying', 'settling', 'reverting'].includes(host.phase))
}

/** Has not said for a while what became of it: counted as failed, and asked on. */
export const isMissing = (state: RolloutState, host: HostProgress): boolean => host.phase === 'settling' && host.failures >= state.options.attemptsMax

/** Not changed by us, but perhaps yet by a controller that lost the rollout. */
export const contestedHosts = (state: RolloutState): string[] =>
  Object.keys(state.hosts).filter((name) => {
    const host = state.hosts[name]
    return host?.isContested === true && ['waiting', 'failed'].includes(host.phase)
  })

export function update(state: RolloutState, names: readonly string[], change: (host: HostProgress, name: string) => HostProgress): RolloutState {
  const hosts = { ...state.hosts }
  for (const name of names) {
    const host = hosts[name]
    if (host) hosts[name] = change(host, name)
  }
  return { ...state, hosts }
}

/** Hosts that have the new rules. */
export const changedHosts = (state: RolloutState): string[] => Object.keys(state.hosts).filter((name) => state.hosts[name]?.phase === 'changed')

/** Whether anything of this rollout can hurt by now, so that its gates are to be measured. */
export const isWatching = (state: RolloutState): boolean => state.phase !== 'ended'

export function enter(state: RolloutState, phase: RolloutPhase, at: Instant): RolloutState {
  const stage = { phase: state.phase, wave: state.wave, from: state.phaseSince, until: at }
  return { ...state, phase, phaseSince: at, watchedMs: 0, stages: [...state.stages, stage] }
}

export const ended = (state: RolloutState, at: Instant): RolloutState => ({ ...enter(state, 'ended', at), outcome: outcomeOf(state), ended: at })

function outcomeOf(state: RolloutState): RolloutOutcome {
  if (Object.values(state.hosts).some((host) => host.phase === 'left')) return 'incomplete'
  if (state.trip) return 'reverted'
  return state.isAborting ? 'aborted' : 'completed'
}

/** When something is to be tried again, or be looked at though nothing happens. */
export function nextDue(state: RolloutState): Instant | undefined {
  const hosts = Object.values(state.hosts).flatMap((host) => (host.notBefore === undefined ? [] : [host.notBefore]))
  const cuts = state.isPaused || state.isAborting || state.trip ? [] : Object.values(state.hosts).flatMap((host) => cutDue(host) ?? [])
  const alerts = Object.values(state.alerts).flatMap((alert) => (alert.isTold || alert.notBefore === undefined ? [] : [alert.notBefore]))
  const due = [...hosts, ...cuts, ...alerts]
  return due.length === 0 ? undefined : Math.min(...due)
}

/** When the next flows of a host are to be cut; undefined where there are none, or it is being done. */
export function cutDue({ phase, since, cut }: HostProgress): Instant | undefined {
  if (phase !== 'changed' || !cut || cut.isAtWork) return undefined
  const [step] = cut.steps
  if (step === undefined) return undefined
  return Math.max(since + (step === 'warned' ? cut.warnSeconds * 1000 : 0), cut.notBefore ?? 0)
}

/** Everything was done and told. */
export const isOver = (state: RolloutState): boolean => state.phase === 'ended' && Object.values(state.alerts).every((alert) => alert.isTold)
