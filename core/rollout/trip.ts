import type { Text } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'
import { isMissing } from './progress.ts'
import type { Rollout, Trip } from './rollout.ts'

/** Why everything is to be put back now; undefined where nothing asks for it. Nothing trips before a host was touched. */
export function tripOf(state: Rollout, at: Instant): Trip | undefined {
  if (state.phase === 'ended') return undefined
  if (state.rollbackAsked) return { at, cause: 'asked', scope: 'all', because: [{ en: `${state.rollbackAsked.by} asked for it`, zh: `应 ${state.rollbackAsked.by} 的要求` }] }
  if (!state.hosts.isTouched) return undefined
  const outages = state.gates.flatMap((gate) => (gate.isCritical ? outageOf(state, gate.name, at) : []))
  if (outages.length > 0) return tripped(state, at, 'outage', outages)
  const gates = state.gates.flatMap((gate) => gateTrip(state, gate.name))
  if (gates.length > 0) return tripped(state, at, 'gate', gates)
  const failed = state.hosts.failed + state.hosts.inPhase(['settling']).filter((name) => isMissing(state, name)).length
  if (failed > state.options.failuresMax) return tripped(state, at, 'budget', [budgetSpent(failed, state.options.failuresMax)])
  return undefined
}

const tripped = (state: Rollout, at: Instant, cause: Trip['cause'], because: readonly Text[]): Trip => ({ at, cause, scope: state.options.revertScope, because })

function outageOf(state: Rollout, name: string, at: Instant): Text[] {
  const since = state.measured[name]?.interruptedSince
  if (since === undefined || at - since < state.options.outageSecondsMax * 1000) return []
  const seconds = Math.floor((at - since) / 1000)
  return [{ en: `${name}: interrupted for ${seconds} s, more than ${state.options.outageSecondsMax} s`, zh: `${name}：已中断 ${seconds} 秒，超过 ${state.options.outageSecondsMax} 秒` }]
}

function gateTrip(state: Rollout, name: string): Text[] {
  const verdict = state.measured[name]?.verdict
  return verdict?.kind === 'trip' ? verdict.because.map((because) => ({ en: `${name}: ${because.en}`, zh: `${name}：${because.zh}` })) : []
}

const budgetSpent = (failed: number, max: number): Text => ({
  en: `${failed} ${failed === 1 ? 'host has' : 'hosts have'} failed, ${max} may`,
  zh: `已有 ${failed} 台主机失败，上限为 ${max} 台`,
})
