import type { Instant } from '../inventory/observation.ts'
import type { HostPlan } from '../plan/plan.ts'
import { alertsOf } from './alerts.ts'
import type { Gate } from './gate.ts'
import { beginCuts, cutOf, dueCuts, withoutSteps } from './cutting.ts'
import { hear } from './hear.ts'
import { mayPromote } from './promotion.ts'
import { ended, enter, IN_FLIGHT, isSettled, update } from './progress.ts'
import type { Action, HostPhase, HostProgress, Rollout, RolloutOptions, RolloutState, Signal, Step, Trip } from './rollout.ts'
import { startable } from './startable.ts'
import { tripOf } from './trip.ts'
import type { Wave, WaveHost } from './waves.ts'

/** The decisions that keep the promises, each replaceable, so that a test can show what happens without it. */
export interface RolloutRules {
  readonly hear: typeof hear
  readonly tripOf: typeof tripOf
  readonly mayPromote: typeof mayPromote
  readonly startable: typeof startable
  readonly dueCuts: typeof dueCuts
  readonly alertsOf: typeof alertsOf
}

export const ROLLOUT_RULES: RolloutRules = { hear, tripOf, mayPromote, startable, dueCuts, alertsOf }

export interface NewRollout {
  readonly id: string
  readonly plan: string
  readonly options: RolloutOptions
  readonly gates: readonly Gate[]
  readonly waves: readonly Wave[]
  readonly hosts: readonly WaveHost[]
  /** What is to be done on each host. */
  readonly changes?: readonly HostPlan[]
}

/** A rollout that has done nothing yet. */
export function beginRollout({ id, plan, options, gates, waves, hosts, changes = [] }: NewRollout, at: Instant): RolloutState {
  const apps = new Map(hosts.map((host) => [host.name, host.app]))
  const cuts = new Map(changes.flatMap((change) => {
    const cut = cutOf(change)
    return cut ? [[change.host, { cut }] as const] : []
  }))
  const progress = waves.flatMap((wave, index) =>
    wave.hosts.map((host): [string, HostProgress] => [
      host,
      { phase: 'waiting', wave: index, app: apps.get(host) ?? host, attempt: 0, since: at, failures: 0, isContested: false, ...cuts.get(host) },
    ]),
  )
  return {
    format: 1, id, plan, options, gates, waves, phase: 'baseline', wave: 0, isPaused: false, isAborting: false, hosts: Object.fromEntries(progress),
    measured: {}, watchedMs: 0, phaseSince: at, alerts: {}, stages: [], begun: at,
  }
}

/** What a signal makes of a rollout, and what is to be done because of it. The same state and signal always give the same. O(log n) for each host that they concern. */
export function next(state: Rollout, signal: Signal, rules: RolloutRules = ROLLOUT_RULES): Step {
  const heard = rules.hear(state, signal)
  const decided = heard.phase === 'ended' ? heard : decide(heard, signal.at, rules)
  const told = rules.alertsOf(state, decided, signal.at)
  return { state: told, actions: actionsBetween(state, told) }
}

/** More transitions than this in one go would be a circle. */
const TRANSITIONS_MAX = 1000

/** Goes on until nothing changes any more: each transition may allow the next one. */
function decide(state: Rollout, at: Instant, rules: RolloutRules): Rollout {
  let now = state
  for (let count = 0; count < TRANSITIONS_MAX; count++) {
    const later = decideOnce(now, at, rules)
    if (later === now) return now
    now = later
  }
  throw new RangeError(`rollout ${state.id} does not come to rest`)
}

function decideOnce(state: Rollout, at: Instant, rules: RolloutRules): Rollout {
  if (state.phase === 'ended') return state
  const trip = state.trip ? undefined : rules.tripOf(state, at)
  if (trip) return putBack({ ...state, trip }, trip, at)
  const unsettled = state.hosts.due('settling', at)
  if (unsettled.length > 0) return update(state, unsettled, (host) => beginning(host, 'settling', at))
  const uncut = rules.dueCuts(state, at)
  if (uncut.length > 0) return beginCuts(state, uncut)
  if (state.isAborting && state.phase !== 'reverting') return finishWhenStill(state, at)
  return PHASES[state.phase](state, at, rules)
}

type Transition = (state: Rollout, at: Instant, rules: RolloutRules) => Rollout

const PHASES: Readonly<Record<Exclude<Rollout['phase'], 'ended'>, Transition>> = { baseline, applying, baking, approval, reverting }

/** Nothing is touched while a service that is watched fails by itself: nobody could tell later who broke it. */
function baseline(state: Rollout, at: Instant): Rollout {
  if (state.isPaused || state.watchedMs < state.options.baselineSeconds * 1000) return state
  if (Object.values(state.measured).some((gate) => gate.interruptedSince !== undefined)) return state
  return enterWave(state, 0, at)
}

function enterWave(state: Rollout, wave: number, at: Instant): Rollout {
  const kind = state.waves[wave]?.kind
  if (kind === undefined) return finishWhenStill(state, at)
  if (kind === 'core' && !state.coreApproval) return enter({ ...state, wave }, 'approval', at)
  return enter({ ...state, wave }, 'applying', at)
}

function approval(state: Rollout, at: Instant): Rollout {
  return state.coreApproval && !state.isPaused ? enter(state, 'applying', at) : state
}

function applying(state: Rollout, at: Instant, rules: RolloutRules): Rollout {
  if (isSettled(state)) return enter(state, 'baking', at)
  if (state.isPaused) return state
  const begun = rules.startable(state, at)
  return begun.length === 0 ? state : update(state, begun, (host) => beginning(host, 'applying', at))
}

function baking(state: Rollout, at: Instant, rules: RolloutRules): Rollout {
  if (state.isPaused || !rules.mayPromote(state, at)) return state
  return enterWave(state, state.wave + 1, at)
}

const beginning = (host: HostProgress, phase: HostPhase, at: Instant): HostProgress => {
  const { notBefore: _, ...rest } = host
  return { ...rest, phase, attempt: host.attempt + 1, since: host.phase === phase ? host.since : at }
}

/** Everything in scope that has the new rules, or may get them yet. */
function putBack(state: Rollout, trip: Trip, at: Instant): Rollout {
  const names = state.hosts.names.filter((name) => {
    const host = state.hosts.get(name)
    const isInScope = trip.scope === 'all' || host?.wave === state.wave
    return host !== undefined && isInScope && (['changed', 'settling'].includes(host.phase) || (host.isContested && host.phase !== 'left' && host.phase !== 'applying'))
  })
  return enter(update(state, names, (host) => ({ ...beginning(withoutSteps(host), 'reverting', at), failures: 0 })), 'reverting', at)
}

/** Hosts that were still being applied are broken off by the actions; their answers bring them here. */
function reverting(state: Rollout, at: Instant): Rollout {
  const late = lateChanges(state)
  if (late.length > 0) return update(state, late, (host) => ({ ...beginning(withoutSteps(host), 'reverting', at), failures: 0 }))
  const again = state.hosts.due('reverting', at)
  if (again.length > 0) return update(state, again, (host) => beginning(host, 'reverting', at))
  if (state.hosts.isAnyIn(IN_FLIGHT)) return state
  return widened(state, at) ?? finishWhenStill(state, at)
}

/** Confirmed after the rollout had turned round. */
const lateChanges = ({ hosts, trip, wave }: Rollout): readonly string[] => (trip ? hosts.inPhase(['changed'], trip.scope === 'all' ? undefined : wave) : [])

/** A wave was put back and a critical service is still interrupted: an earlier wave broke it. Waits for a measuring that is younger than the last host's return. */
function widened(state: Rollout, at: Instant): Rollout | undefined {
  if (state.trip?.scope !== 'wave') return undefined
  const broken = state.gates.filter((gate) => gate.isCritical && state.measured[gate.name]?.interruptedSince !== undefined)
  if (broken.length === 0) return undefined
  const returned = state.hosts.inPhase(['reverted']).reduce((last, name) => Math.max(last, state.hosts.get(name)?.since ?? 0), 0)
  if (broken.some((gate) => (state.measured[gate.name]?.at ?? 0) <= returned)) return state
  const trip: Trip = { ...state.trip, scope: 'all' }
  return putBack({ ...state, trip }, trip, at)
}

/** A rollout ends when nothing is in flight any more, and nobody else can be changing one of its hosts. */
function finishWhenStill(state: Rollout, at: Instant): Rollout {
  if (state.hosts.isAnyIn(IN_FLIGHT) || isCutting(state)) return state
  const contested = state.hosts.contested()
  if (contested.length > 0) return enter(update(state, contested, (host) => ({ ...beginning(host, 'reverting', at), failures: 0 })), 'reverting', at)
  return ended(state, at)
}

/** What goes on is awaited; what has not begun only where the rollout neither stops nor has gone back. */
const isCutting = (state: Rollout): boolean =>
  state.hosts.uncut().some((name) => state.hosts.get(name)?.cut?.isAtWork === true || !(state.isAborting || state.trip))

/** What changed between two states and is a doing. */
function actionsBetween(before: Rollout, after: Rollout): Action[] {
  const ofHosts = after.hosts.changedFrom(before.hosts).flatMap((name): Action[] => {
    const [was, is] = [before.hosts.get(name), after.hosts.get(name)]
    return [...hostActions(name, was, is), ...cutActions(name, was, is)]
  })
  return [...ofHosts, ...cancels(before, after), ...tells(before, after)]
}

function hostActions(host: string, before: HostProgress | undefined, after: HostProgress | undefined): Action[] {
  if (!after || before?.attempt === after.attempt) return []
  const { attempt, isContested } = after
  if (after.phase === 'applying') return [{ kind: 'apply', host, attempt }]
  if (after.phase === 'settling') return [{ kind: 'settle', host, attempt }]
  return after.phase === 'reverting' ? [{ kind: 'putBack', host, attempt, isContested }] : []
}

function cutActions(host: string, before: HostProgress | undefined, after: HostProgress | undefined): Action[] {
  const step = after?.cut?.steps[0]
  if (!after?.cut?.isAtWork || step === undefined || before?.cut?.attempt === after.cut.attempt) return []
  return [{ kind: 'cut', host, attempt: after.cut.attempt, step }]
}

const isBreakingOff = (state: Rollout): boolean => state.trip !== undefined || state.isAborting

const cancels = (before: Rollout, after: Rollout): Action[] =>
  isBreakingOff(before) || !isBreakingOff(after)
    ? []
    : after.hosts.inPhase(['applying']).map((host): Action => ({ kind: 'cancel', host, attempt: after.hosts.get(host)?.attempt ?? 0 }))

const tells = (before: Rollout, after: Rollout): Action[] =>
  before.alerts === after.alerts
    ? []
    : Object.entries(after.alerts).flatMap(([id, { alert, attempt, isTold }]): Action[] => (!isTold && before.alerts[id]?.attempt !== attempt ? [{ kind: 'tell', alert, attempt }] : []))
