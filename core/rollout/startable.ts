import type { Instant } from '../inventory/observation.ts'
import type { RolloutState } from './rollout.ts'

/** Hosts of the wave that may begin now: no more than the limit at a time, and of one application one after the other, so that no service loses two replicas at once. */
export function startable(state: RolloutState, names: readonly string[], at: Instant): readonly string[] {
  const busy = Object.values(state.hosts).filter((host) => host.phase === 'applying' || host.phase === 'settling')
  const apps = new Set(busy.map((host) => host.app))
  const begun: string[] = []
  for (const name of names) {
    const host = state.hosts[name]
    if (busy.length + begun.length >= state.options.concurrencyMax) break
    if (host?.phase !== 'waiting' || apps.has(host.app) || (host.notBefore ?? 0) > at) continue
    apps.add(host.app)
    begun.push(name)
  }
  return begun
}
