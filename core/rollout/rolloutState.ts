import type { Instant } from '../inventory/observation.ts'
import { HostTable } from './hostTable.ts'
import type { Rollout, RolloutState } from './rollout.ts'

/** Between what is decided on and what is written down: O(n), once for each. */

export const readRollout = (state: RolloutState): Rollout => ({ ...state, hosts: HostTable.of(state.hosts, state.waves) })

export const writeRollout = (rollout: Rollout): RolloutState => ({ ...rollout, hosts: Object.fromEntries(rollout.hosts.names.flatMap((name) => {
  const host = rollout.hosts.get(name)
  return host ? [[name, host]] : []
})) })

/** The newest moment that is written down: whoever goes on from here is later than this. */
export const latestOf = ({ begun, phaseSince, measuredAt = begun, hosts }: RolloutState): Instant =>
  Object.values(hosts).reduce((latest, { since }) => Math.max(latest, since), Math.max(begun, phaseSince, measuredAt))
