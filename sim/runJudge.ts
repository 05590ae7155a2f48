import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { next, type RolloutRules } from '@portcullis/core/rollout/next.ts'
import type { GateMeasured, RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { readRollout } from '@portcullis/core/rollout/rolloutState.ts'
import type { Alert } from '@portcullis/engine/gates.ts'
import type { NewRolloutRecord, RolloutEvent } from '@portcullis/engine/rolloutStore.ts'
import type { SimHost } from './host.ts'
import type { Broken } from './promises.ts'
import { CHAOS_MS, type Scenario, type Window } from './scenario.ts'

/** A rollout that is over, and what the world looks like then. */
export interface FinishedRun {
  readonly scenario: Scenario
  readonly made: NewRolloutRecord
  readonly plan: ChangePlan
  readonly events: readonly RolloutEvent[]
  readonly state: RolloutState
  readonly isInTime: boolean
  readonly hosts: readonly SimHost[]
  readonly alerts: readonly Alert[]
  /** The longest that a host's service was interrupted. */
  readonly longestMs: number
  /** Hosts whose service was worse by the new rules at any time. */
  readonly wasWorse: ReadonlySet<string>
  readonly rules?: RolloutRules
}

/** Promises that are judged when all is over, by what is there and not by what the rollout says of itself. */
export const judgeRun = (run: FinishedRun): Broken[] => [...unended(run), ...hostEnds(run), ...promotions(run), ...alertsTold(run), ...interruption(run), ...worsePromoted(run), ...flowsEnded(run)]

function unended({ isInTime, state }: FinishedRun): Broken[] {
  return isInTime && state.phase === 'ended' ? [] : [{ promise: 'no host is forgotten', how: `the rollout never ended: ${state.phase}` }]
}

function hostEnds({ plan, state, hosts }: FinishedRun): Broken[] {
  const digests = new Map(plan.hosts.map((one) => [one.host, one.rulesetDigest]))
  return hosts.flatMap((host) => hostEnd(state, host, digests.get(host.name)))
}

function hostEnd(state: RolloutState, host: SimHost, digest: string | undefined): Broken[] {
  const isNew = host.confirmed?.digest === digest
  const phase = state.hosts[host.name]?.phase
  const isBetween = host.live !== host.confirmed || host.armedUntilMs !== undefined
  const isForgotten = phase !== 'left' && isNew !== (phase === 'changed')
  return [
    ...(isBetween ? [{ promise: 'a host is in the old or the new ruleset, never between' as const, how: host.name }] : []),
    ...(isForgotten ? [{ promise: 'no host is forgotten' as const, how: `${host.name} is ${phase} and has the ${isNew ? 'new' : 'old'} rules` }] : []),
  ]
}

/** Each time a wave is left without a person's word, the last measuring of every gate must have brought data and passed. */
function promotions({ made, events, rules }: FinishedRun): Broken[] {
  const broken: Broken[] = []
  let state = readRollout(made.state)
  const last = new Map<string, GateMeasured>()
  for (const event of events) {
    if (event.kind !== 'signal') continue
    if (event.signal.kind === 'measured') for (const gate of event.signal.gates) last.set(gate.gate, gate)
    const after = next(state, event.signal, rules).state
    const isLeft = state.phase === 'baking' && (after.wave > state.wave || (after.phase === 'ended' && after.outcome === 'completed'))
    const unshown = state.gates.find(({ name }) => last.get(name)?.verdict.kind !== 'pass' || last.get(name)?.isGood !== true)
    const isShown = state.gates.length > 0 && unshown === undefined
    if (isLeft && after.promoted?.wave !== state.wave && !isShown) broken.push({ promise: 'no wave is left without data', how: `${state.waves[state.wave]?.name}: ${last.get(unshown?.name ?? '')?.verdict.because[0]?.en ?? 'never measured'}` })
    state = after
  }
  return broken
}

/** By what the hosts really did: a wave whose changed hosts served worse may be left by a person's word alone. */
function worsePromoted({ scenario, made, events, rules, wasWorse }: FinishedRun): Broken[] {
  if (!scenario.judged) return []
  const broken: Broken[] = []
  let state = readRollout(made.state)
  for (const event of events) {
    if (event.kind !== 'signal') continue
    const after = next(state, event.signal, rules).state
    const isLeft = state.phase === 'baking' && (after.wave > state.wave || (after.phase === 'ended' && after.outcome === 'completed'))
    const worse = (state.waves[state.wave]?.hosts ?? []).filter((name) => state.hosts.get(name)?.phase === 'changed' && wasWorse.has(name))
    if (isLeft && after.promoted?.wave !== state.wave && worse.length > 0) broken.push({ promise: 'no wave is left whose service is worse', how: `${state.waves[state.wave]?.name}: ${worse.join(' ')}` })
    state = after
  }
  return broken
}

function flowsEnded({ scenario, hosts, state }: FinishedRun): Broken[] {
  if (!scenario.ending) return []
  const promise = 'flows that are to be cut are cut or told, and those of a host that was not changed are left alone'
  return hosts.flatMap((host): Broken[] => {
    const { phase, cut, attempt = 0 } = state.hosts[host.name] ?? {}
    const isAlive = host.observations.length > 0
    const isSaidDone = cut !== undefined && cut.steps.length === 0 && cut.ended.left === 0
    if (phase === 'changed' && isAlive && isSaidDone) return [{ promise, how: `${host.name}: said to be cut, and alive` }]
    if (phase === 'changed' && isAlive && state.outcome === 'completed' && cut?.steps.length !== 0) return [{ promise, how: `${host.name}: forgotten` }]
    return attempt === 0 && !isAlive ? [{ promise, how: `${host.name}: cut though it was never changed` }] : []
  })
}

function alertsTold({ alerts, state }: FinishedRun): Broken[] {
  const events = alerts.map(({ title }) => title.en)
  const twice = events.filter((event, index) => events.indexOf(event) !== index)
  const expected = [...(state.trip ? ['/tripped'] : []), ...(state.phase === 'ended' ? ['/ended'] : [])]
  const missing = expected.filter((end) => !alerts.some(({ id }) => id.includes(end)))
  return [...twice.map((event) => `twice: ${event}`), ...missing.map((end) => `never: ${end}`)].map((how) => ({ promise: 'an alert is told once', how }))
}

/** A measuring, a way back over a slow network, a succession of controllers. */
const WAY_BACK_MS = 45_000

/** While nobody was there to act, or nothing was there to be acted on, the time does not count. */
function interruption({ scenario, longestMs }: FinishedRun): Broken[] {
  // A judge needs samples before it is sure; the limit of interruptions does not wait for it.
  const { kills, outages, absences, blind, options, commands } = scenario
  const sum = (windows: readonly Window[]): number => windows.reduce((total, { fromMs, untilMs }) => total + untilMs - fromMs, 0)
  const away = kills.reduce((total, { downMs }) => total + downMs + WAY_BACK_MS, 0) + sum(outages) + sum(absences) + sum(blind)
  const lossy = scenario.lostPerMille > 0 ? CHAOS_MS / 4 : 0
  const isByHand = commands.some(({ command }) => command === 'abort')
  const limitMs = options.outageSecondsMax * 1000 + WAY_BACK_MS + away + lossy
  return longestMs <= limitMs || isByHand ? [] : [{ promise: 'a critical service is not interrupted for longer than the limit and the way back', how: `${longestMs} ms, limit ${limitMs} ms` }]
}
