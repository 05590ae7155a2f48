import { HostTable } from './hostTable.ts'
import type { Rollout, RolloutState } from './rollout.ts'

/** Between what is decided on and what is written down: O(n), once for each. */

export const readRollout = (state: RolloutState): Rollout => ({ ...state, hosts: HostTable.of(state.hosts, state.waves) })

export const writeRollout = (rollout: Rollout): RolloutState => ({ ...rollout, hosts: Object.fromEntries(rollout.hosts.names.flatMap((name) => {
  const host = rollout.hosts.get(name)
  return host ? [[name, host]] : []
})) })
