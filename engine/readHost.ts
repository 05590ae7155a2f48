import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { Instant, Observation } from '@portcullis/core/inventory/observation.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { writtenFault } from './applyFault.ts'
import { hostSession, type HostSession, type HostVersion } from './hostSession.ts'
import type { Cancellation } from './ports.ts'
import type { ConfirmedGeneration, FactsSnapshot } from './store.ts'
import type { HostFacts, World } from './world.ts'

/** One reading of one host, already in the store. */
export interface HostReading {
  readonly host: Host
  readonly version: HostVersion
  readonly snapshot: FactsSnapshot
  readonly facts: HostFacts
  /** Those of the facts, then those of the kernel's counters. */
  readonly observations: readonly Observation[]
  /** What the store knows of the generation that the host has confirmed; absent where it has none, or another controller's. */
  readonly confirmed?: ConfirmedGeneration
  /** What could not be read beside the facts: the counters, who stands behind the listeners. */
  readonly faults: readonly Fault[]
}

/** Asks a host for everything, and remembers it. Never throws; a fault is a host that did not answer, or not in the agreed form. */
export async function readHost(world: World, host: Host, signal?: Cancellation): Promise<Result<HostReading>> {
  try {
    const link = await world.hosts.connect(host, signal)
    if (!link.ok) return link
    try {
      return await readSession(world, host, hostSession(link.value), signal)
    } finally {
      await link.value.close()
    }
  } catch (error) {
    return fail(writtenFault(host.name, 'connect', error))
  }
}

async function readSession(world: World, host: Host, session: HostSession, signal?: Cancellation): Promise<Result<HostReading>> {
  const version = await session.version(signal)
  if (!version.ok) return version
  const startedMs = world.clock.now()
  const text = await session.facts(signal)
  if (!text.ok) return text
  const at = world.clock.now()
  const snapshot = { host: host.name, at, durationMs: at - startedMs, text: text.value }
  await world.store.saveFacts(snapshot)
  const held = await session.holders(signal)
  const facts = world.facts.readFacts(snapshot, held.ok ? held.value : undefined)
  if (!facts.ok) return facts
  const counted = await readCounters(world, host, session, version.value, at, signal)
  const observations = [...facts.value.observations, ...(counted.ok ? counted.value : [])]
  await world.store.addObservations(observations)
  const confirmed = await learnGeneration(world, host.name, version.value, at)
  return succeed({
    host,
    version: version.value,
    snapshot,
    facts: facts.value,
    observations,
    ...(confirmed ? { confirmed } : {}),
    faults: [...(counted.ok ? [] : counted.faults), ...(held.ok ? [] : held.faults)],
  })
}

/** A host without a ruleset of ours has no counters. */
async function readCounters(
  world: World,
  host: Host,
  session: HostSession,
  version: HostVersion,
  at: Instant,
  signal?: Cancellation,
): Promise<Result<readonly Observation[]>> {
  if (!version.confirmed) return succeed([])
  const text = await session.counters(signal)
  return text.ok ? world.facts.readCounters(host.name, at, text.value) : text
}

/** How far back a generation may come from a plan whose end was never recorded, because the controller died after the host confirmed. */
const PLANS_SEARCHED_MAX = 200

/** What the store knows of the host's confirmed generation, completed from the plans where only the host knows that it was confirmed. */
export async function learnGeneration(world: World, host: string, version: HostVersion, at: Instant): Promise<ConfirmedGeneration | undefined> {
  const held = version.confirmed
  if (!held) return undefined
  const known = (await world.store.generations(host, PLANS_SEARCHED_MAX)).find((one) => one.generation === held.generation)
  if (known) return known.rulesetDigest === held.digest ? known : undefined
  for (const plan of await world.store.plans(PLANS_SEARCHED_MAX)) {
    const made = plan.hosts.find((one) => one.host === host && one.generation === held.generation && one.rulesetDigest === held.digest)
    if (!made) continue
    const learnt = { host, generation: held.generation, rulesetDigest: held.digest, plan: plan.id, intent: made.intent, confirmedAt: at }
    return (await world.store.addGeneration(learnt)) ? learnt : undefined
  }
  return undefined
}
