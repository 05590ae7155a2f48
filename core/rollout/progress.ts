import type { Instant } from '../inventory/observation.ts'
import type { HostPhase, HostProgress, Rollout, RolloutOutcome, RolloutPhase } from './rollout.ts'

/** Small readings and changes of a rollout's state. */

/** Something is being done there, or waits to be tried again. */
export const IN_FLIGHT: readonly HostPhase[] = ['applying', 'settling', 'reverting']

/** Nothing of the present wave is awaited any more. */
export const isSettled = (state: Rollout): boolean =>
  !state.hosts.isAnyIn(['waiting', 'applying', 'reverting'], state.wave) && state.hosts.inPhase(['settling'], state.wave).every((name) => isMissing(state, name))

/** Has not said for a while what became of it: counted as failed, and asked on. */
export function isMissing(state: Rollout, name: string): boolean {
  const host = state.hosts.get(name)
  return host?.phase === 'settling' && host.failures >= state.options.attemptsMax
}

export const update = (state: Rollout, names: readonly string[], change: (host: HostProgress) => HostProgress): Rollout => ({ ...state, hosts: state.hosts.with(names, change) })

/** Whether anything of this rollout can hurt by now, so that its gates are to be measured. */
export const isWatching = (state: Rollout): boolean => state.phase !== 'ended'

export function enter(state: Rollout, phase: RolloutPhase, at: Instant): Rollout {
  const stage = { phase: state.phase, wave: state.wave, from: state.phaseSince, until: at }
  return { ...state, phase, phaseSince: at, watchedMs: 0, stages: [...state.stages, stage] }
}

export const ended = (state: Rollout, at: Instant): Rollout => ({ ...enter(state, 'ended', at), outcome: outcomeOf(state), ended: at })

function outcomeOf(state: Rollout): RolloutOutcome {
  if (state.hosts.isAnyIn(['left'])) return 'incomplete'
  if (state.trip) return 'reverted'
  return state.isAborting ? 'aborted' : 'completed'
}

/** When something is to be tried again, or be looked at though nothing happens. */
export function nextDue(state: Rollout): Instant | undefined {
  const cutAt = state.isPaused || state.isAborting || state.trip ? Infinity : state.hosts.cutAt
  const alerts = Object.values(state.alerts).flatMap((alert) => (alert.isTold || alert.notBefore === undefined ? [] : [alert.notBefore]))
  const due = Math.min(state.hosts.dueAt, cutAt, ...alerts)
  return due === Infinity ? undefined : due
}

/** When the next flows of a host are to be cut; undefined where there are none, or it is being done. */
export function cutDue({ phase, since, cut }: HostProgress): Instant | undefined {
  if (phase !== 'changed' || !cut || cut.isAtWork) return undefined
  const [step] = cut.steps
  if (step === undefined) return undefined
  return Math.max(since + (step === 'warned' ? cut.warnSeconds * 1000 : 0), cut.notBefore ?? 0)
}

/** Everything was done and told. */
export const isOver = (state: Rollout): boolean => state.phase === 'ended' && Object.values(state.alerts).every((alert) => alert.isTold)
