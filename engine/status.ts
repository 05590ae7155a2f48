import type { Fault } from '@portcullis/core/fault/fault.ts'
import type { Instant } from '@portcullis/core/inventory/observation.ts'
import type { Host, Mode } from '@portcullis/core/policy/policy.ts'
import { writtenFault } from './applyFault.ts'
import { fanOut } from './fanOut.ts'
import { hostSession, type HostVersion } from './hostSession.ts'
import type { FleetOptions } from './observe.ts'
import { learnGeneration } from './readHost.ts'
import type { World } from './world.ts'

export interface HostStatus {
  readonly host: string
  readonly kind: 'confirmed' | 'unmanaged' | 'foreign' | 'unread'
  readonly generation: number
  readonly rulesetDigest?: string
  readonly mode?: Mode
  readonly plan?: string
  readonly confirmedAt?: Instant
  readonly factsAt?: Instant
  readonly armedSeconds?: number
  readonly script?: string
  readonly nft?: string
  readonly faults: readonly Fault[]
}

/** What each host holds now, by its own word, with what the store knows about it. */
export function status(world: World, hosts: readonly Host[], options: FleetOptions): Promise<readonly HostStatus[]> {
  return fanOut(hosts, options.concurrency, (host) => statusOf(world, host, options))
}

async function statusOf(world: World, host: Host, options: FleetOptions): Promise<HostStatus> {
  const factsAt = (await world.store.latestFacts(host.name))?.at
  const seen = factsAt === undefined ? {} : { factsAt }
  try {
    const link = await world.hosts.connect(host, options.signal)
    if (!link.ok) return { host: host.name, kind: 'unread', generation: 0, ...seen, faults: link.faults }
    const version = await hostSession(link.value).version(options.signal)
    await link.value.close()
    if (!version.ok) return { host: host.name, kind: 'unread', generation: 0, ...seen, faults: version.faults }
    return { ...(await statusOfVersion(world, host.name, version.value)), ...seen }
  } catch (error) {
    return { host: host.name, kind: 'unread', generation: 0, ...seen, faults: [writtenFault(host.name, 'connect', error)] }
  }
}

async function statusOfVersion(world: World, host: string, version: HostVersion): Promise<HostStatus> {
  const base = {
    host,
    generation: version.confirmed?.generation ?? 0,
    script: version.script,
    nft: version.nft,
    ...(version.confirmed ? { rulesetDigest: version.confirmed.digest } : {}),
    ...(version.armedSeconds === undefined ? {} : { armedSeconds: version.armedSeconds }),
    faults: [],
  }
  if (!version.confirmed) return { ...base, kind: 'unmanaged' }
  const known = await learnGeneration(world, host, version, world.clock.now())
  if (!known) return { ...base, kind: 'foreign' }
  return { ...base, kind: 'confirmed', mode: known.intent.mode, plan: known.plan, confirmedAt: known.confirmedAt }
}
