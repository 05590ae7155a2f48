import type { FlowObservation, Instant, ListenerObservation, Observation, PublishedObservation } from '../inventory/observation.ts'
import { isLoopback } from '../inventory/loopback.ts'
import { foldSources, isUse } from '../inventory/usage.ts'
import { formatAddress, sameAddress, type Address, type Family } from '../net/address.ts'
import { formatPortRange, singlePort, type PortRange } from '../net/port.ts'
import { formatPrefix } from '../net/prefix.ts'
import type { TransportProtocol } from '../net/protocol.ts'
import type { Intent } from '../policy/intent.ts'
import type { Tier } from '../policy/policy.ts'
import { endingsBetween, endsUnder, type EndOf } from './flowEnds.ts'
import { writeIntent } from './intentText.ts'
import type { AffectedFlow, EndpointChange, Evidence, HostPlan, NeedReport } from './plan.ts'
import { compareSources, grantedTo, grantsOn, hasSource, reachOf, type Sources } from './sources.ts'

/** What is known of a host at the moment of planning. */
export interface LiveHost {
  readonly host: string
  /** 0 where the host has confirmed nothing yet. */
  readonly confirmedGeneration: number
  /** The intent of that generation; absent where there is none, or where another controller's is live. */
  readonly intent?: Intent
  readonly tier?: Tier
  /** Ids of needs whose interruption puts a rollout back, where the policy is at hand. */
  readonly critical?: ReadonlySet<string>
  readonly factsAt: Instant
  /** The first time that flows to it were read, or a sensor saw one; absent where that is these facts. */
  readonly watchedSince?: Instant
  /** Host's clock minus the controller's. */
  readonly clockSkewMs?: number
  /** Listeners, published ports, flows and lost evidence: those of the facts, and flows that the store remembers. */
  readonly observations: readonly Observation[]
  /** Where the controller's own connection comes from and which port it uses, as the host sees it. */
  readonly controller?: ControllerPath
  /** Needs that a table which is not ours refuses. */
  readonly foreignRefusals: readonly ForeignRefusal[]
}

export interface ControllerPath {
  readonly source: Address
  readonly port: number
}

export interface ForeignRefusal {
  readonly table: string
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  readonly needs: readonly string[]
}

export type HostDraft = Omit<HostPlan, 'rulesetDigest' | 'verification' | 'findings'>

/** Intent minus live, for one host: what it does to each endpoint, each need and each client. */
export function draftHost(intent: Intent, live: LiveHost): HostDraft {
  const endings = endingsBetween(live.intent, intent)
  return {
    host: intent.host,
    ...(live.tier ? { tier: live.tier } : {}),
    baseGeneration: live.confirmedGeneration,
    generation: intent.generation,
    intent: writeIntent(intent),
    changes: changesOf(intent, live),
    needs: needReports(intent, live),
    flows: affectedFlows(intent, live, endsUnder(intent, endings)),
    ...(endings ? { endings } : {}),
    evidence: evidenceOf(live),
  }
}

/** True where the plan has nothing to do on the host. */
export const isUnchanged = (intent: Intent, live: LiveHost): boolean =>
  live.intent !== undefined &&
  JSON.stringify(writeIntent({ ...intent, generation: 0 })) === JSON.stringify(writeIntent({ ...live.intent, generation: 0 }))

/** A port, or a published range, with everything that answers on it. */
interface Door {
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  readonly families: ReadonlySet<Family>
  readonly names: readonly string[]
}

function changesOf(intent: Intent, live: LiveHost): EndpointChange[] {
  const doors = doorsOf(live.observations)
  const edges = edgesOf(intent, live)
  const listening = doors.flatMap((door) => splitAt(door, edges)).map((door) => changeOf(door, intent, live))
  const silent = silentDoors(intent, live, doors)
    .flatMap((door) => splitAt(door, edges))
    .map((door) => changeOf(door, intent, live))
    .filter((change) => change.kind !== 'stays')
  return [...listening, ...silent].toSorted(
    (a, b) => compareText(a.protocol, b.protocol) || Number.parseInt(a.ports, 10) - Number.parseInt(b.ports, 10),
  )
}

/** First ports of the pieces that every range has to be cut into, so that one grant covers all of a piece or none of it. */
function edgesOf(intent: Intent, live: LiveHost): readonly number[] {
  const grants = [...intent.management, ...intent.grants, ...(live.intent?.management ?? []), ...(live.intent?.grants ?? [])]
  return [...new Set(grants.flatMap((grant) => [grant.ports.first, grant.ports.last + 1]))].toSorted((a, b) => a - b)
}

function splitAt(door: Door, edges: readonly number[]): Door[] {
  const starts = [door.ports.first, ...edges.filter((edge) => edge > door.ports.first && edge <= door.ports.last)]
  return starts.map((first, index) => ({ ...door, ports: { first, last: (starts[index + 1] ?? door.ports.last + 1) - 1 } }))
}

function changeOf(door: Door, intent: Intent, live: LiveHost): EndpointChange {
  const reached = (sources: Sources): Sources => sources.filter((prefix) => door.families.has(prefix.family))
  const isSilent = door.names.length === 0
  const before = reached((isSilent ? grantedTo : reachOf)(live.intent, door.protocol, door.ports.first))
  const granted = reached(grantedTo(intent, door.protocol, door.ports.first))
  const after = isSilent ? granted : reached(reachOf(intent, door.protocol, door.ports.first))
  const listener = door.names.join(', ')
  return {
    kind: compareSources(before, after),
    protocol: door.protocol,
    ports: formatPortRange(door.ports),
    ...(listener === '' ? {} : { listener }),
    before: before.map(formatPrefix),
    after: after.map(formatPrefix),
    ...(intent.mode === 'observe' && !isSilent ? { ifEnforced: { kind: compareSources(before, granted), after: granted.map(formatPrefix) } } : {}),
    needs: [...new Set(grantsOn(intent, door.protocol, door.ports.first).flatMap((grant) => grant.needs))].toSorted(),
  }
}

function doorsOf(observations: readonly Observation[]): Door[] {
  const doors = new Map<string, Door>()
  for (const seen of observations) {
    const door = seen.kind === 'listener' ? listenerDoor(seen) : seen.kind === 'published' ? publishedDoor(seen) : undefined
    if (!door) continue
    const key = `${door.protocol}/${formatPortRange(door.ports)}`
    const known = doors.get(key)
    doors.set(key, known ? joinDoors(known, door) : door)
  }
  return [...doors.values()]
}

function listenerDoor(listener: ListenerObservation): Door | undefined {
  if (listener.isLoopback) return undefined
  const name = listener.process ?? '?'
  return {
    protocol: listener.protocol,
    ports: singlePort(listener.port),
    families: familiesOf(listener.address),
    names: [listener.unit === undefined ? name : `${name} (${listener.unit})`],
  }
}

const publishedDoor = (published: PublishedObservation): Door => ({
  protocol: published.protocol,
  ports: published.ports,
  families: published.address ? new Set([published.address.family]) : new Set([4, 6]),
  names: [`→ ${published.target}`],
})

/** A socket on `::` takes IPv4 too, unless IPV6_V6ONLY is set (ipv6(7)), which only the host knows: both are assumed. */
const familiesOf = (address: Address): ReadonlySet<Family> =>
  new Set<Family>(address.family === 6 && address.value === 0n ? [4, 6] : [address.family])

const joinDoors = (a: Door, b: Door): Door => ({
  ...a,
  families: new Set([...a.families, ...b.families]),
  names: [...new Set([...a.names, ...b.names])].toSorted(),
})

/** Port ranges that the old or the new intent grants and that nothing listens on. Before the first intent nothing about them changes. */
function silentDoors(intent: Intent, live: LiveHost, doors: readonly Door[]): Door[] {
  if (!live.intent) return []
  const silent = new Map<string, Door>()
  for (const grant of [...intent.management, ...intent.grants, ...live.intent.management, ...live.intent.grants]) {
    if (isHeard(grant.protocol, grant.ports, doors)) continue
    const door = { protocol: grant.protocol, ports: grant.ports, families: new Set<Family>([4, 6]), names: [] }
    silent.set(`${grant.protocol}/${formatPortRange(grant.ports)}`, door)
  }
  return [...silent.values()]
}

const isHeard = (protocol: TransportProtocol, ports: PortRange, doors: readonly Door[]): boolean =>
  doors.some((door) => door.protocol === protocol && door.ports.first <= ports.last && ports.first <= door.ports.last)

function needReports(intent: Intent, live: LiveHost): NeedReport[] {
  const doors = doorsOf(live.observations)
  const portsOfNeed = new Map<string, Map<string, boolean>>()
  for (const grant of intent.grants) {
    const ports = `${grant.protocol}/${formatPortRange(grant.ports)}`
    for (const need of grant.needs) {
      const known = portsOfNeed.get(need) ?? new Map<string, boolean>()
      portsOfNeed.set(need, known.set(ports, isHeard(grant.protocol, grant.ports, doors)))
    }
  }
  return [...portsOfNeed].toSorted(([a], [b]) => compareText(a, b)).map(([need, ports]) => ({ ...needReport(need, ports), ...(live.critical?.has(need) ? { isCritical: true as const } : {}) }))
}

function needReport(need: string, ports: ReadonlyMap<string, boolean>): NeedReport {
  const silentPorts = [...ports].filter(([, heard]) => !heard).map(([name]) => name)
  const state = silentPorts.length === 0 ? 'served' : silentPorts.length === ports.size ? 'unserved' : 'partly'
  return { need, state, silentPorts }
}

function affectedFlows(intent: Intent, live: LiveHost, endOf: EndOf): AffectedFlow[] {
  const lost = live.observations.filter((seen): seen is FlowObservation => seen.kind === 'flow' && (loses(seen, intent, live) || isLeftover(seen, live, endOf)))
  return [...Map.groupBy(lost, (flow) => `${flow.protocol}/${flow.port}`).values()]
    .flatMap((flows) => clientsOf(flows, live.factsAt, endOf))
    .toSorted(
      (a, b) => Number(b.isLive) - Number(a.isLive) || b.lastSeen - a.lastSeen || a.port - b.port || compareText(a.source, b.source),
    )
}

/** Let in until now and no longer: a flow that was refused before loses nothing. */
const loses = (flow: FlowObservation, intent: Intent, live: LiveHost): boolean =>
  isUse(flow) &&
  !isLoopback(flow.source) &&
  hasSource(reachOf(live.intent, flow.protocol, flow.port), flow.source) &&
  !hasSource(grantedTo(intent, flow.protocol, flow.port), flow.source)

/** Alive though the rules before did not let it in either, and now to be cut. */
function isLeftover(flow: FlowObservation, live: LiveHost, endOf: EndOf): boolean {
  return isUse(flow) && isAliveAt(flow, live.factsAt) && !isLoopback(flow.source) && (endOf(flow) ?? 'drain') !== 'drain'
}

const isAliveAt = (flow: FlowObservation, factsAt: Instant): boolean => flow.tally === 'snapshot' && flow.at >= factsAt

/** One line a client; `flows` are all of one protocol and port. */
function clientsOf(flows: readonly FlowObservation[], factsAt: Instant, endOf: EndOf): AffectedFlow[] {
  const [{ protocol, port } = { protocol: 'tcp' as const, port: 0 }] = flows
  const alive = flows.filter((flow) => isAliveAt(flow, factsAt))
  return foldSources(flows).map(({ source, connections, firstSeen, lastSeen }) => {
    const own = alive.filter((flow) => sameAddress(flow.source, source))
    const counted = own.flatMap(({ bytes }) => bytes ?? [])
    const end = endOf({ protocol, port, source })
    return {
      isLive: own.length > 0,
      source: formatAddress(source),
      protocol,
      port,
      connections,
      since: firstSeen,
      lastSeen,
      ...(counted.length === 0 ? {} : { bytes: counted.reduce((sum, bytes) => sum + bytes, 0) }),
      ...(end === undefined ? {} : { end }),
    }
  })
}

function evidenceOf(live: LiveHost): Evidence {
  const lost = live.observations.filter((seen) => seen.kind === 'evidence')
  return {
    factsAt: live.factsAt,
    lost: lost.reduce((sum, seen) => sum + seen.lost, 0),
    because: [...new Set(lost.map((seen) => `${seen.sensor}: ${seen.because}`))].toSorted(),
    ...(live.watchedSince === undefined ? {} : { since: live.watchedSince }),
  }
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
