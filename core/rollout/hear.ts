import type { Fault } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'
import { cutsAgain, heardCut } from './cutting.ts'
import { IN_FLIGHT, isWatching, update } from './progress.ts'
import type { Command, GateMeasured, GateProgress, HostPhase, HostProgress, Rollout, Signal } from './rollout.ts'

/** Takes a signal into the state, and decides nothing. An answer to another attempt than the present one is too late to matter. */
export function hear(state: Rollout, signal: Signal): Rollout {
  switch (signal.kind) {
    case 'tick':
      return dueAlerts(state, signal.at)
    case 'taken':
      return takenOver(state, signal.at)
    case 'applied':
      return hearHost(state, signal, 'applying', (host) => applied(state, host, signal))
    case 'settled':
      return hearHost(state, signal, 'settling', (host) => settled(state, host, signal))
    case 'putBack':
      return hearHost(state, signal, 'reverting', (host) => returned(state, host, signal))
    case 'cut':
      return heardCut(state, signal)
    case 'measured':
      return measured(state, signal.gates, signal.at)
    case 'told':
      return told(state, signal)
    case 'asked':
      return COMMANDS[signal.command](state, signal.by, signal.at)
  }
}

type HostSignal = Extract<Signal, { kind: 'applied' | 'settled' | 'putBack' }>

function hearHost(state: Rollout, signal: HostSignal, phase: HostPhase, change: (host: HostProgress) => HostProgress): Rollout {
  const host = state.hosts.get(signal.host)
  return host?.phase === phase && host.attempt === signal.attempt ? update(state, [signal.host], change) : state
}

/** In a phase where nothing is being done. */
function rest(host: HostProgress, phase: HostPhase, at: Instant, fault?: Fault): HostProgress {
  const { notBefore: _, fault: __, ...kept } = host
  return { ...kept, phase, since: at, ...(fault ? { fault } : {}) }
}

const RETRY_MS = 2_000
const RETRY_MS_MAX = 30_000

const later = (host: HostProgress, at: Instant, fault?: Fault): HostProgress => {
  const failures = host.failures + 1
  return { ...host, failures, notBefore: at + Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (failures - 1)), ...(fault ? { fault } : {}) }
}

function applied(state: Rollout, host: HostProgress, { at, result, fault }: Extract<Signal, { kind: 'applied' }>): HostProgress {
  if (result === 'changed') return { ...rest(host, 'changed', at), failures: 0, isContested: false }
  if (result === 'unsettled') return { ...rest(host, 'settling', at, fault), attempt: host.attempt + 1, failures: 0 }
  const isLast = result === 'kept' || host.failures + 1 >= state.options.attemptsMax
  if (isLast || state.trip || state.isAborting) return rest(host, 'failed', at, fault)
  return { ...later(rest(host, 'waiting', at), at, fault) }
}

/** A host that does not answer is asked again and again; its own revert has long fired, but only it knows. */
function settled(state: Rollout, host: HostProgress, { at, result, fault }: Extract<Signal, { kind: 'settled' }>): HostProgress {
  if (result === 'unreached') return isGivenUp(state, host, at) ? rest(host, 'left', at, fault) : later(host, at, fault)
  if (result === 'overtaken') return rest(host, 'left', at, fault)
  if (result === 'changed') return { ...rest(host, 'changed', at), failures: 0, isContested: false }
  if (state.trip || state.isAborting) return rest(host, 'failed', at, fault ?? host.fault)
  return { ...rest(host, 'waiting', at), failures: 0 }
}

function returned(state: Rollout, host: HostProgress, { at, result, fault }: Extract<Signal, { kind: 'putBack' }>): HostProgress {
  if (result === 'reverted') return { ...rest(host, 'reverted', at), isContested: false }
  if (result === 'overtaken') return rest(host, 'left', at, fault)
  return isGivenUp(state, host, at) ? rest(host, 'left', at, fault) : later(host, at, fault)
}

const isGivenUp = (state: Rollout, host: HostProgress, at: Instant): boolean => at - host.since > state.options.revertSecondsMax * 1000

/** Whatever was being done is begun anew: by asking the host first, and from now on as one that somebody else may be changing. */
function takenOver(state: Rollout, at: Instant): Rollout {
  const hosts = update(state, state.hosts.inPhase(IN_FLIGHT), (host) => ({
    ...rest(host, host.phase === 'reverting' ? 'reverting' : 'settling', at, host.fault),
    attempt: host.attempt + 1,
    isContested: true,
  }))
  return withAlerts(cutsAgain(hosts), () => true)
}

const dueAlerts = (state: Rollout, at: Instant): Rollout => withAlerts(state, (notBefore) => notBefore !== undefined && notBefore <= at)

/** Alerts that are not told yet and are chosen begin a new attempt. */
function withAlerts(state: Rollout, isChosen: (notBefore: Instant | undefined) => boolean): Rollout {
  const chosen = Object.entries(state.alerts).filter(([, alert]) => !alert.isTold && isChosen(alert.notBefore))
  if (chosen.length === 0) return state
  const again = chosen.map(([id, { alert, attempt }]) => [id, { alert, attempt: attempt + 1, isTold: false }] as const)
  return { ...state, alerts: { ...state.alerts, ...Object.fromEntries(again) } }
}

function told(state: Rollout, { at, alert: id, attempt, isTold }: Extract<Signal, { kind: 'told' }>): Rollout {
  const alert = state.alerts[id]
  if (!alert || alert.isTold || (alert.attempt !== attempt && !isTold)) return state
  const heard = isTold ? { alert: alert.alert, attempt: alert.attempt, isTold } : { ...alert, notBefore: at + RETRY_MS }
  return { ...state, alerts: { ...state.alerts, [id]: heard } }
}

/**
 * Each gate is measured in its own time, and what was watched is as much as the slowest of them has seen. A gap counts as no
 * more than two measurings, so that a rollout that nobody watched has not baked.
 */
function measured(state: Rollout, gates: readonly GateMeasured[], at: Instant): Rollout {
  if (!isWatching(state)) return state
  const progress = gates.map((gate) => [gate.gate, gateProgress(state.measured[gate.gate], gate, at)] as const)
  const heard = { ...dueAlerts(state, at), measured: { ...state.measured, ...Object.fromEntries(progress) }, measuredAt: at }
  const [before, until] = [allMeasuredAt(state), allMeasuredAt(heard)]
  if (before === undefined || until === undefined) return heard
  const watched = Math.min(Math.max(0, until - Math.max(state.phaseSince, before)), 2 * state.options.sampleSeconds * 1000)
  return { ...heard, watchedMs: state.watchedMs + watched }
}

/** Up to when every gate has been measured. */
function allMeasuredAt({ gates, measured: progress }: Rollout): Instant | undefined {
  const times = gates.map(({ name }) => progress[name]?.at)
  return times.length === 0 || times.includes(undefined) ? undefined : Math.min(...times.filter((time) => time !== undefined))
}

/** An interruption ends when the service is seen to work again; a measuring that brought nothing ends none. */
function gateProgress(before: GateProgress | undefined, { verdict, isGood }: GateMeasured, at: Instant): GateProgress {
  const interruptedSince = isGood === true ? undefined : (before?.interruptedSince ?? (isGood === false ? at : undefined))
  const grown = before?.interruptedSince === undefined ? 0 : Math.max(0, at - before.at)
  return { verdict, at, interruptedMs: (before?.interruptedMs ?? 0) + grown, ...(interruptedSince === undefined ? {} : { interruptedSince }) }
}

const COMMANDS: Readonly<Record<Command, (state: Rollout, by: string, at: Instant) => Rollout>> = {
  pause: (state) => (state.phase === 'ended' ? state : { ...state, isPaused: true }),
  resume: (state) => ({ ...state, isPaused: false }),
  abort: (state) => (state.phase === 'ended' ? state : { ...state, isAborting: true }),
  promote: (state, by) => (state.phase === 'baking' ? { ...state, promoted: { wave: state.wave, by } } : state),
  approve: (state, by, at) => (state.coreApproval || state.phase === 'ended' ? state : { ...state, coreApproval: { by, at } }),
  rollback: (state, by, at) => (state.phase === 'ended' || state.rollbackAsked ? state : { ...state, rollbackAsked: { by, at } }),
}
