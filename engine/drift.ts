import type { Fault } from '@portcullis/core/fault/fault.ts'
import { readIntent } from '@portcullis/core/plan/intentText.ts'
import type { Comparison } from '@portcullis/core/plan/seal.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { TableChange } from '@portcullis/core/verify/tableDigest.ts'
import { changedSince } from './foreignTables.ts'
import { observe, type FleetOptions } from './observe.ts'
import type { HostReading } from './readHost.ts'
import { refusals, type Refusals } from './refusals.ts'
import type { World } from './world.ts'

export interface HostDrift {
  readonly host: string
  /**
   * `same`: the kernel enforces the confirmed intent. `differs`: it accepts or refuses a packet that the intent does not.
   * `unmanaged`: the host has confirmed nothing. `foreign`: its generation is another controller's. `undecided` and
   * `unread` are never "same".
   */
  readonly kind: 'same' | 'differs' | 'undecided' | 'unmanaged' | 'foreign' | 'unread'
  readonly generation: number
  readonly comparison?: Comparison
  /** Tables that are not ours and that somebody has changed since the generation was confirmed; absent where that is not known. */
  readonly foreignChanges?: readonly TableChange[]
  /** What tables that are not ours refuse of what the intent grants; only where somebody has changed them. */
  readonly refusals?: Refusals
  /** Seconds until an unconfirmed change goes away by itself. */
  readonly armedSeconds?: number
  readonly faults: readonly Fault[]
}

/** Compares what each kernel enforces now with the intent that the host has confirmed: by meaning, not by text. */
export async function drift(world: World, hosts: readonly Host[], options: FleetOptions): Promise<readonly HostDrift[]> {
  const observed = await observe(world, hosts, options)
  const unread = observed.unread.map(({ host, faults }): HostDrift => ({ host, kind: 'unread', generation: 0, faults }))
  const read = await Promise.all(observed.readings.map((reading) => driftOf(world, reading)))
  return [...read, ...unread].toSorted((a, b) => (a.host < b.host ? -1 : 1))
}

async function driftOf(world: World, reading: HostReading): Promise<HostDrift> {
  const { version, confirmed, snapshot, faults } = reading
  const base = {
    host: reading.host.name,
    generation: version.confirmed?.generation ?? 0,
    ...(version.armedSeconds === undefined ? {} : { armedSeconds: version.armedSeconds }),
    faults,
  }
  if (!version.confirmed) return { ...base, kind: 'unmanaged' }
  const intent = confirmed ? readIntent(confirmed.intent) : undefined
  if (!confirmed || !intent?.ok) return { ...base, kind: 'foreign' }
  const comparison = world.rules.compareLive(intent.value, snapshot)
  const kind = comparison.kind === 'equal' ? 'same' : comparison.kind === 'undecided' ? 'undecided' : 'differs'
  const foreignChanges = await changedSince(world, snapshot, confirmed)
  const refused = foreignChanges && foreignChanges.length > 0 ? refusals(world, reading.host, intent.value, snapshot) : undefined
  return {
    ...base,
    kind,
    comparison,
    ...(foreignChanges ? { foreignChanges } : {}),
    ...(refused?.ok ? { refusals: refused.value } : {}),
    faults: refused && !refused.ok ? [...faults, ...refused.faults] : faults,
  }
}
