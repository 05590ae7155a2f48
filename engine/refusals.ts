import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { sameAddress, type Address } from '@portcullis/core/net/address.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { writeDifference, type DifferenceText } from '@portcullis/core/verify/differenceText.ts'
import { compareGrants, refusedNeeds } from '@portcullis/core/verify/refusedGrants.ts'
import type { FactsSnapshot } from './store.ts'
import type { LiveRuleset, World } from './world.ts'

/** What all the tables of a host together refuse of what an intent grants. */
export interface Refusals {
  readonly differences: readonly DifferenceText[]
  /** How many were left out. */
  readonly more: number
  /** Ids of needs that lose something by it; `management` for the controller's own way in. */
  readonly needs: readonly string[]
}

/** Faults: the host does not tell its rules (FACTS_*, RULESET_*, IPTABLES_*), or they are larger than the budget (VERIFY_BUDGET). */
export function refusals(world: World, host: Host, intent: Intent, snapshot: FactsSnapshot): Result<Refusals> {
  const live = world.facts.readRuleset(snapshot)
  if (!live.ok) return live
  const compared = compareGrants(intent, live.value.ruleset, live.value.topology, servedAddresses(host, live.value), { memory: world.memory })
  if (compared.kind === 'undecided') return fail(pastBudget(host.name))
  if (compared.kind === 'equal') return succeed({ differences: [], more: 0, needs: [] })
  return succeed({ differences: compared.differences.map(writeDifference), more: compared.more, needs: refusedNeeds(intent, compared.differences) })
}

const pastBudget = (host: string): Fault => ({
  code: 'VERIFY_BUDGET',
  what: { en: `${host}: whether other tables leave alone what is granted was not decided: its rules are larger than the budget`, zh: `${host}：规则超出预算，无法判定其他表是否影响已放行的流量` },
})

/** Addresses that clients use and the host holds; where something before it translates them, all that it holds. */
export function servedAddresses(host: Host, { topology }: LiveRuleset): readonly Address[] {
  const held = topology.interfaces.flatMap((link) => link.addresses.map(({ address }) => address)).filter((address) => !isLocalOnly(address))
  const named = host.addresses.filter((address) => held.some((each) => sameAddress(each, address)))
  return ([4, 6] as const).flatMap((family) => {
    const ofFamily = named.filter((address) => address.family === family)
    return ofFamily.length > 0 ? ofFamily : held.filter((address) => address.family === family)
  })
}

/** Loopback, and what is only valid on one link (RFC 4291 section 2.5.6). */
const isLocalOnly = ({ family, value }: Address): boolean => (family === 4 ? value >> 24n === 127n : value === 1n || value >> 118n === 0x3fan)
