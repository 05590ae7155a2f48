import type { ChangePlan, EndpointChange, HostPlan } from '../plan/plan.ts'
import type { RolloutPhase, RolloutState } from './rollout.ts'

/** What a rollout has brought and cost. */
export interface RolloutFigures {
  readonly hosts: { readonly changed: number; readonly failed: number; readonly reverted: number; readonly left: number; readonly untouched: number }
  /** On hosts that have the new rules. */
  readonly endpoints: { readonly closed: number; readonly narrowed: number; readonly opened: number }
  /** Endpoints that anyone may reach, on all hosts of the plan. */
  readonly openToAnyone: { readonly before: number; readonly after: number }
  /** By service: for how long a gate saw it interrupted while the rollout went on. */
  readonly interruptedMs: Readonly<Record<string, number>>
  readonly stages: readonly { readonly phase: RolloutPhase; readonly wave: string; readonly durationMs: number }[]
  readonly durationMs: number
}

export function figuresOf(state: RolloutState, plan: ChangePlan): RolloutFigures {
  const phases = Object.values(state.hosts).map(({ phase }) => phase)
  const count = (...wanted: readonly string[]): number => phases.filter((phase) => wanted.includes(phase)).length
  const isChanged = ({ host }: HostPlan): boolean => state.hosts[host]?.phase === 'changed'
  const changes = plan.hosts.filter(isChanged).flatMap((host) => host.changes)
  const ofKind = (...kinds: readonly EndpointChange['kind'][]): number => changes.filter(({ kind }) => kinds.includes(kind)).length
  return {
    hosts: { changed: count('changed'), failed: count('failed'), reverted: count('reverted'), left: count('left'), untouched: count('waiting', 'applying', 'settling', 'reverting') },
    endpoints: { closed: ofKind('closes'), narrowed: ofKind('narrows', 'moves'), opened: ofKind('opens', 'widens') },
    openToAnyone: {
      before: plan.hosts.flatMap((host) => host.changes).filter(({ before }) => isAnyone(before)).length,
      after: plan.hosts.flatMap((host) => host.changes.filter(({ before, after }) => isAnyone(isChanged(host) ? after : before))).length,
    },
    interruptedMs: interruptions(state),
    stages: state.stages.filter(({ from, until }) => until > from).map(({ phase, wave, from, until }) => ({ phase, wave: state.waves[wave]?.name ?? '', durationMs: until - from })),
    durationMs: (state.ended ?? state.measuredAt ?? state.begun) - state.begun,
  }
}

/** Of several gates of one service the longest: they see the same interruption. */
function interruptions(state: RolloutState): Record<string, number> {
  const byService: Record<string, number> = {}
  for (const { name, service = name } of state.gates) byService[service] = Math.max(byService[service] ?? 0, state.measured[name]?.interruptedMs ?? 0)
  return byService
}

const isAnyone = (sources: readonly string[]): boolean => sources.includes('0.0.0.0/0') || sources.includes('::/0')
