import { succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { isUnchanged } from '@portcullis/core/plan/draft.ts'
import { readIntent } from '@portcullis/core/plan/intentText.ts'
import type { Comparison } from '@portcullis/core/plan/seal.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { Host, Policy } from '@portcullis/core/policy/policy.ts'
import { resolveAll } from '@portcullis/core/policy/resolve.ts'
import { foreignTables, leasesOf, type Lease } from '@portcullis/core/ruleset/nft/ownTable.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { BudgetError } from '@portcullis/core/space/arena.ts'
import { findIdleRules, type Finding } from '@portcullis/core/verify/findings.ts'
import { observe, type FleetOptions } from './observe.ts'
import type { HostReading } from './readHost.ts'
import { refusals, type Refusals } from './refusals.ts'
import type { World } from './world.ts'

export interface HostVerification {
  readonly host: string
  /**
   * `equal`: the kernel enforces what the policy means, and no other table refuses what it grants. `differs`: a packet shows otherwise.
   * `undecided` and `unread` are never "equal".
   */
  readonly kind: 'equal' | 'differs' | 'undecided' | 'unread'
  /** That the host has confirmed; 0 for none. */
  readonly generation: number
  /** The policy means something else than when the generation was made: a plan would change the host. */
  readonly isPolicyNewer: boolean
  /** Of our table with what the policy means. */
  readonly comparison?: Comparison
  /** What other tables refuse of what the policy grants; absent where that is not known. */
  readonly refusals?: Refusals
  /** In force beside the intent, until they end by themselves. */
  readonly leases: readonly Lease[]
  /** Rules that change nothing, of tables that are not ours. */
  readonly idle: readonly Finding[]
  readonly faults: readonly Fault[]
}

/** Compares what each kernel enforces now with what the policy means. A fault is a policy that resolves to nothing. */
export async function verify(world: World, policy: Policy, hosts: readonly Host[], options: FleetOptions): Promise<Result<readonly HostVerification[]>> {
  const intents = resolveAll(policy, () => 1)
  if (!intents.ok) return intents
  const observed = await observe(world, hosts, options)
  const read = observed.readings.flatMap((reading) => {
    const intent = intents.value.get(reading.host.name)
    return intent ? [verifyOne(world, reading, intent)] : []
  })
  const unread = observed.unread.map(({ host, faults }): HostVerification => ({ host, kind: 'unread', generation: 0, isPolicyNewer: false, leases: [], idle: [], faults }))
  return succeed([...read, ...unread].toSorted((a, b) => (a.host < b.host ? -1 : 1)))
}

function verifyOne(world: World, reading: HostReading, intent: Intent): HostVerification {
  const { version, snapshot, faults } = reading
  const live = world.facts.readRuleset(snapshot)
  const comparison = world.rules.compareLive(intent, snapshot)
  const refused = comparison.kind === 'equal' ? refusals(world, reading.host, intent, snapshot) : undefined
  return {
    host: reading.host.name,
    kind: kindOf(comparison, refused?.ok ? refused.value : undefined),
    generation: version.confirmed?.generation ?? 0,
    isPolicyNewer: isPolicyNewer(reading, intent),
    comparison,
    ...(refused?.ok ? { refusals: refused.value } : {}),
    leases: live.ok ? leasesOf(live.value.ruleset) : [],
    idle: live.ok ? idleRules(foreignTables(live.value.ruleset)) : [],
    faults: refused && !refused.ok ? [...faults, ...refused.faults] : live.ok ? faults : [...faults, ...live.faults],
  }
}

/** Whether other tables leave the granted services alone must be known too. */
function kindOf(comparison: Comparison, refused: Refusals | undefined): HostVerification['kind'] {
  if (comparison.kind !== 'equal') return comparison.kind === 'undecided' ? 'undecided' : 'differs'
  if (!refused) return 'undecided'
  return refused.differences.length > 0 ? 'differs' : 'equal'
}

function isPolicyNewer({ confirmed, host, snapshot, version }: HostReading, intent: Intent): boolean {
  const meant = confirmed ? readIntent(confirmed.intent) : undefined
  if (!meant?.ok) return false
  return !isUnchanged(intent, { host: host.name, confirmedGeneration: version.confirmed?.generation ?? 0, intent: meant.value, factsAt: snapshot.at, observations: [], foreignRefusals: [] })
}

function idleRules(ruleset: Ruleset): readonly Finding[] {
  try {
    return findIdleRules(ruleset)
  } catch (error) {
    if (error instanceof BudgetError) return []
    throw error
  }
}
