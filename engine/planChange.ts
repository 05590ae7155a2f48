import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { Instant, Observation } from '@portcullis/core/inventory/observation.ts'
import { sameAddress } from '@portcullis/core/net/address.ts'
import { draftHost, isUnchanged, type ControllerPath, type LiveHost } from '@portcullis/core/plan/draft.ts'
import { guardFleet, guardHost, GUARD_LIMITS } from '@portcullis/core/plan/guards.ts'
import { readIntent } from '@portcullis/core/plan/intentText.ts'
import type { ChangePlan, PlanCause } from '@portcullis/core/plan/plan.ts'
import { seal, type DraftedHost, type DraftPlan } from '@portcullis/core/plan/seal.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { Host, Policy } from '@portcullis/core/policy/policy.ts'
import { resolveAll } from '@portcullis/core/policy/resolve.ts'
import { observe, type FleetOptions, type UnreadHost } from './observe.ts'
import { ownAddress } from './ownAddress.ts'
import type { HostReading } from './readHost.ts'
import type { SeenPolicy } from './store.ts'
import type { World } from './world.ts'

export interface PlanReport {
  /** `nothing`: every host that was read already is as it should be. */
  readonly kind: 'sealed' | 'refused' | 'nothing'
  /** Only where it is sealed; already in the store. */
  readonly plan?: ChangePlan
  readonly drafted: DraftPlan
  /** Why it was refused. */
  readonly faults: readonly Fault[]
  /** Hosts that are not in the plan because they did not answer. */
  readonly unread: readonly UnreadHost[]
}

/** Reads the hosts, and makes the plan that brings them to the policy. A fault is a policy that resolves to nothing. */
export async function planChange(
  world: World,
  policy: Policy,
  seen: SeenPolicy,
  hosts: readonly Host[],
  options: FleetOptions,
): Promise<Result<PlanReport>> {
  const observed = await observe(world, hosts, options)
  const next = await nextGenerations(world, observed.readings)
  const intents = resolveAll(policy, (host) => next.get(host)?.generation ?? 1)
  if (!intents.ok) return intents
  await world.store.savePolicy(seen)
  const critical = new Set(policy.needs.filter((need) => need.critical).map(({ id }) => id))
  const wanted = observed.readings.flatMap((reading) => {
    const intent = intents.value.get(reading.host.name)
    return intent ? [{ reading, intent, known: next.get(reading.host.name)?.known ?? 0, critical }] : []
  })
  return succeed(await planIntents(world, wanted, seen.digest, { kind: 'change' }, observed.unread))
}

/** An intent that is to become a host's next generation. */
export interface WantedIntent {
  readonly reading: HostReading
  readonly intent: Intent
  /** The newest generation of the host in the store; 0 for none. */
  readonly known: number
  /** Ids of the policy's critical needs. */
  readonly critical?: ReadonlySet<string>
}

/** Drafts, guards and seals what brings each host to its intent; a sealed plan is stored. */
export async function planIntents(
  world: World,
  wanted: readonly WantedIntent[],
  policy: string,
  cause: PlanCause,
  unread: readonly UnreadHost[],
): Promise<PlanReport> {
  const hosts: DraftedHost[] = []
  const unchanged: string[] = []
  for (const want of wanted) {
    const live = await liveHost(world, want)
    if (isUnchanged(want.intent, live) && isAsIntended(world, live, want.reading)) unchanged.push(want.reading.host.name)
    else hosts.push(draftOne(world, want, live))
  }
  const findings = guardFleet(wanted.map((want) => want.intent))
  const drafted: DraftPlan = { hosts, unchanged, findings, policy, cause }
  if (hosts.length === 0) return { kind: 'nothing', drafted, faults: [], unread }
  const parent = (await world.store.plans(1))[0]?.id
  const sealed = seal(drafted, world.clock.now(), parent, world.digest)
  if (!sealed.ok) return { kind: 'refused', drafted, faults: sealed.faults, unread }
  await world.store.savePlan(sealed.value)
  return { kind: 'sealed', plan: sealed.value, drafted, faults: [], unread }
}

/** One more than the newest that the host or the store knows. */
export async function nextGenerations(
  world: World,
  readings: readonly HostReading[],
): Promise<ReadonlyMap<string, { readonly generation: number; readonly known: number }>> {
  const latest = new Map((await world.store.latestGenerations()).map((one) => [one.host, one.generation]))
  return new Map(
    readings.map(({ host, version }) => {
      const known = latest.get(host.name) ?? 0
      return [host.name, { generation: Math.max(known, version.confirmed?.generation ?? 0) + 1, known }]
    }),
  )
}

function draftOne(world: World, { reading, intent, known }: WantedIntent, live: LiveHost): DraftedHost {
  const draft = draftHost(intent, live)
  const text = world.rules.render(intent)
  const situation = { host: reading.host, intent, live, draft, now: world.clock.now(), knownGeneration: known, limits: GUARD_LIMITS }
  return { draft, findings: guardHost(situation), text, comparison: world.rules.compare(intent, text) }
}

/** A host whose ruleset someone else has changed is brought back, though its intent stays the same. */
const isAsIntended = (world: World, live: LiveHost, reading: HostReading): boolean =>
  live.intent !== undefined && world.rules.compareLive(live.intent, reading.snapshot).kind === 'equal'

/** A service that is used once a month is seen at least twice. */
const FLOWS_REMEMBERED_MS = 62 * 24 * 3600 * 1000

async function liveHost(world: World, { reading, intent, critical }: WantedIntent): Promise<LiveHost> {
  const { facts, snapshot, version, confirmed } = reading
  const live = confirmed ? readIntent(confirmed.intent) : fail()
  const remembered = await rememberedFlows(world, reading.host.name, snapshot.at)
  const watchedSince = await watchedFrom(world, reading.host.name, remembered)
  const controller = facts.controller ?? (await controllerPath(world, reading))
  return {
    host: reading.host.name,
    tier: reading.host.tier,
    ...(critical ? { critical } : {}),
    ...(watchedSince === undefined ? {} : { watchedSince }),
    confirmedGeneration: version.confirmed?.generation ?? 0,
    ...(live.ok ? { intent: live.value } : {}),
    factsAt: snapshot.at,
    ...(facts.clock === undefined ? {} : { clockSkewMs: skewMs(facts.clock, snapshot.at, snapshot.durationMs) }),
    observations: [...reading.observations, ...remembered],
    ...(controller ? { controller } : {}),
    foreignRefusals: world.facts.foreignRefusals(intent, snapshot),
  }
}

/** The host read its clock some time during the round trip: only what lies outside of it is skew. */
function skewMs(clock: Instant, at: Instant, durationMs: number): number {
  if (clock > at) return clock - at
  return Math.min(0, clock - (at - durationMs))
}

/**
 * Where our own connection comes from, by the host's word: one of its live flows to the port of the transport is from
 * the address that we leave with. Behind NAT, or where the host tracks no connections, it stays unknown.
 */
async function controllerPath(world: World, { host, observations }: HostReading): Promise<ControllerPath | undefined> {
  if (host.transport.kind !== 'ssh') return undefined
  const { port } = host.transport
  for (const address of host.addresses) {
    const source = await ownAddress(world, address)
    if (!source) continue
    const isSeen = observations.some((seen) => seen.kind === 'flow' && seen.tally === 'snapshot' && seen.port === port && sameAddress(seen.source, source))
    if (isSeen) return { source, port }
  }
  return undefined
}

/** Since the first flow that is remembered, or since the host's own counters count. */
async function watchedFrom(world: World, host: string, flows: readonly Observation[]): Promise<Instant | undefined> {
  const [oldest] = (await world.store.generations(host, GENERATIONS_KEPT)).toReversed()
  const since = flows.reduce((earliest, { at }) => Math.min(earliest, at), oldest?.confirmedAt ?? Number.POSITIVE_INFINITY)
  return Number.isFinite(since) ? since : undefined
}

const GENERATIONS_KEPT = 1000

async function rememberedFlows(world: World, host: string, at: Instant): Promise<readonly Observation[]> {
  const flows = await world.store.observations({ host, kinds: ['flow'], since: at - FLOWS_REMEMBERED_MS })
  return flows.filter((flow) => flow.at < at)
}
