import type { Text } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'
import { heldByCuts } from './cutting.ts'
import type { Rollout } from './rollout.ts'

/** Whether the present wave may be left: baked long enough, and every gate passes by a fresh measuring. No data holds. */
export const mayPromote = (state: Rollout, at: Instant): boolean => state.promoted?.wave === state.wave || heldBy(state, at).length === 0

/** Why the present wave is not left yet; nothing where it may be. */
export function heldBy(state: Rollout, at: Instant): Text[] {
  const leftMs = state.options.bakeSecondsMin * 1000 - state.watchedMs
  const bake = leftMs > 0 ? [{ en: `bakes ${Math.ceil(leftMs / 1000)} s more`, zh: `观察期还剩 ${Math.ceil(leftMs / 1000)} 秒` }] : []
  const ungated = state.gates.length === 0 ? [{ en: 'no gate watches this rollout', zh: '没有放行条件在观察此次发布' }] : []
  const unchanged = state.hosts.isAnyIn(['changed'], state.wave) ? [] : [{ en: 'no host of this wave has the new rules', zh: '本批次没有主机启用新规则' }]
  return [...bake, ...ungated, ...unchanged, ...heldByCuts(state), ...state.gates.flatMap((gate) => heldByGate(state, gate.name, at))]
}

/** Measurings that may be missed before a gate's verdict is too old to go by. */
const MISSED_MAX = 3

function heldByGate(state: Rollout, name: string, at: Instant): Text[] {
  const gate = state.measured[name]
  if (!gate) return [{ en: `${name}: not measured yet`, zh: `${name}：尚未测量` }]
  if (gate.at < state.phaseSince || at - gate.at > MISSED_MAX * state.options.sampleSeconds * 1000) return [{ en: `${name}: not measured since this bake began, or too long ago`, zh: `${name}：观察期内尚未测量，或测量过旧` }]
  if (gate.interruptedSince !== undefined) return [{ en: `${name}: interrupted`, zh: `${name}：已中断` }]
  return gate.verdict.kind === 'pass' ? [] : gate.verdict.because.map((because) => ({ en: `${name}: ${because.en}`, zh: `${name}：${because.zh}` }))
}
