import type { Address, Family } from '../net/address.ts'
import { containsPort, singlePort, type PortRange } from '../net/port.ts'
import { containsAddress, type Prefix } from '../net/prefix.ts'
import { TRANSPORT_PROTOCOLS, type TransportProtocol } from '../net/protocol.ts'
import { contradictionsOf, type Contradiction } from './contradiction.ts'
import { foldListeners, type AnyListener, type Listening } from './listening.ts'
import { foldDocumented, type Documentation } from './documented.ts'
import { isLoopback } from './loopback.ts'
import type {
  DocumentedObservation,
  FlowObservation,
  Instant,
  Observation,
  PublishedObservation,
  ScanObservation,
  ScanRestObservation,
  UseObservation,
} from './observation.ts'
import { foldReach, type Reachable } from './reachable.ts'
import { Scanners, sourceKey, triedIn, type SourceKey } from './scanner.ts'
import { ScanRests } from './scanRests.ts'
import { foldSourcelessUse, isExplained, type SourcelessUse } from './sourcelessUse.ts'
import { foldSources, isUse, summariseSources, type SourceUsage, type Usage } from './usage.ts'
import { watchOf, type Watch } from './watch.ts'
import { coverZones, ITSELF, mapZones, zoneOf, type Coverage, type SourceZone, type ZoneMap } from './zone.ts'

/** One endpoint seen from one zone. What no observation tells stays `unknown`. */
export interface MatrixRow {
  readonly host: string
  readonly protocol: TransportProtocol
  readonly port: number
  readonly addressClass: AddressClass
  /** A zone's name, `elsewhere`, `itself` for loopback, or the vantage of a probe that stands in no zone. */
  readonly zone: string
  readonly listening: Listening
  readonly reachable: Reachable
  readonly used: Used
  /** The endpoint was used, nobody knows from which zone. */
  readonly usedByUnknown?: SourcelessUse
  /** Knocks of scanners that nothing answered, or that the gate denied or would have denied: no use, and so not part of `used`. */
  readonly scanners?: Usage
  /** Connections that the gate denied, or in observe mode would have denied. */
  readonly denied?: Usage
  /** Needs that let this zone in, by id; absent where there is no policy yet. */
  readonly needs?: readonly RowNeed[]
  readonly published: readonly Publication[]
  /** What an inventory of services says is there; absent where none speaks of the host. */
  readonly documented?: readonly Documentation[]
  /** What answers there, in the words of a probe or of a sensor that looked into connections. */
  readonly fingerprint?: string
  readonly contradictions: readonly Contradiction[]
}

/** A host's addresses that share a fate: reached over IPv4, over IPv6, by the host alone, or in another network namespace of the host. */
export const ADDRESS_CLASSES = ['ipv4', 'ipv6', 'loopback', 'namespace'] as const
export type AddressClass = (typeof ADDRESS_CLASSES)[number]

/** No address of the host leads there from outside. */
export const isInternal = (addressClass: AddressClass): boolean => addressClass === 'loopback' || addressClass === 'namespace'

/** `unused` is said only of a time that was watched without a loss, and not while a metric tells of use that no known source explains. */
export type Used =
  | ({ readonly kind: 'used' } & Usage)
  | { readonly kind: 'unused'; readonly since: Instant; readonly until: Instant }
  | { readonly kind: 'unknown'; readonly because: 'not watched' | 'evidence lost' | 'sources unknown' }

export interface RowNeed {
  readonly id: string
  /** Whether the need lets in all of the zone's addresses or a part. */
  readonly covers: 'all' | 'part'
}

export interface Publication {
  readonly ports: PortRange
  readonly target: string
  readonly holder?: string
  readonly sensor: string
  readonly lastSeen: Instant
}

/** What the fold reads of a need; a policy's Need has this shape. */
export interface NeedClaim {
  readonly id: string
  readonly hosts: readonly string[]
  readonly service: { readonly ports: readonly { readonly protocol: TransportProtocol; readonly ports: PortRange }[] }
  readonly from: readonly Prefix[]
}

export interface MatrixInput {
  readonly observations: Iterable<Observation>
  readonly zones: readonly SourceZone[]
  /** Absent while there is no policy. */
  readonly needs?: readonly NeedClaim[]
}

/**
 * A need of a wider port range makes no rows of its own: it only marks the endpoints that something else shows.
 * A publication of a wider range, or a stretch of ports that a probe found open and did not list, stands on the row of its first port.
 */
export const RANGE_ROWS_MAX = 64

/**
 * Folds observations per endpoint and zone, in any order, to rows sorted by host, protocol, port, address class and
 * zone. An endpoint that listens, is published or was found open has a row for every zone; one that was only tried or
 * is only wanted has rows for those zones alone. Ports that a probe found closed and nobody else speaks of have none; nor have those
 * that it did not list.
 */
export function* foldMatrix(input: MatrixInput): Generator<MatrixRow, void, undefined> {
  const zones = mapZones(input.zones)
  const byHost = groupByHost(input)
  const coverage = new CoverageMemo(zones)
  const scanners = new Scanners()
  for (const { observations } of byHost.values()) scanners.noteHost(triedIn(observations))
  for (const host of [...byHost.keys()].toSorted(compareText)) {
    const { observations, needs } = byHost.get(host) ?? { observations: [], needs: [] }
    yield* foldHost({ host, zones, coverage, scanners, observations, needs: input.needs === undefined ? undefined : needs })
  }
}

interface HostInput {
  readonly host: string
  readonly zones: ZoneMap
  readonly coverage: CoverageMemo
  /** Told by what each source tried on all hosts. */
  readonly scanners: Scanners
  readonly observations: readonly Observation[]
  readonly needs: readonly NeedClaim[] | undefined
}

/** All that was said of one endpoint. */
interface EndpointClaims {
  readonly protocol: TransportProtocol
  readonly port: number
  readonly addressClass: AddressClass
  readonly listeners: AnyListener[]
  readonly published: PublishedObservation[]
  readonly documented: DocumentedObservation[]
  readonly scans: ScanObservation[]
  readonly flows: FlowObservation[]
  readonly uses: UseObservation[]
  readonly needs: NeedClaim[]
}

function* foldHost(input: HostInput): Generator<MatrixRow, void, undefined> {
  const watch = watchOf(input.observations)
  const endpoints = new EndpointMap()
  for (const observation of input.observations) endpoints.add(observation)
  endpoints.shareUses()
  for (const need of input.needs ?? []) endpoints.claim(need)
  endpoints.shareRests()
  for (const claims of endpoints.sorted()) yield* foldEndpoint(input, watch, claims)
}

class EndpointMap {
  readonly #byKey = new Map<number, EndpointClaims>()
  readonly #uses: UseObservation[] = []
  readonly #rests = new ScanRests()

  add(observation: Observation): void {
    switch (observation.kind) {
      case 'listener':
        return void this.#at(observation, observation.isLoopback ? 'loopback' : classOf(observation.address)).listeners.push(observation)
      case 'inner-listener':
        return void this.#at(observation, 'namespace').listeners.push(observation)
      case 'flow':
        return void this.#at(observation, classOf(observation.source)).flows.push(observation)
      case 'scan':
        return void this.#at(observation, classOf(observation.address)).scans.push(observation)
      case 'scan-rest':
        return this.#rest(observation)
      case 'published':
        return this.#publish(observation)
      case 'documented':
        return this.#document(observation)
      case 'use':
        return void this.#uses.push(observation)
      case 'reading':
      case 'evidence':
    }
  }

  /** A metric knows a port and no address: its word stands on every class that something else shows, else on IPv4. */
  shareUses(): void {
    for (const use of this.#uses) {
      const shown = ADDRESS_CLASSES.flatMap((addressClass) => this.#byKey.get(keyOf(use, addressClass)) ?? [])
      for (const claims of shown.length > 0 ? shown : [this.#at(use, 'ipv4')]) claims.uses.push(use)
    }
  }

  /** Marks the endpoints that a need names, and makes those that nothing has shown, where the range is narrow. */
  claim(need: NeedClaim): void {
    const families = new Set(need.from.map((prefix) => prefix.family))
    for (const { protocol, ports } of need.service.ports) {
      for (const family of families) {
        const addressClass = family === 4 ? 'ipv4' : 'ipv6'
        for (const claims of isNarrow(ports) ? this.#range(protocol, ports, addressClass) : this.#shown(protocol, ports, addressClass)) {
          if (!claims.needs.includes(need)) claims.needs.push(need)
        }
      }
    }
  }

  /** After all that shows endpoints: what a probe did not list is said of those alone. */
  shareRests(): void {
    if (this.#rests.isEmpty) return
    for (const claims of this.#byKey.values()) claims.scans.push(...this.#rests.wordsOf(claims))
  }

  sorted(): EndpointClaims[] {
    return [...this.#byKey.keys()].toSorted((a, b) => a - b).flatMap((key) => this.#byKey.get(key) ?? [])
  }

  #publish(observation: PublishedObservation): void {
    const classes: readonly AddressClass[] = observation.address ? [classOf(observation.address)] : ['ipv4', 'ipv6']
    for (const addressClass of classes) {
      for (const claims of this.#range(observation.protocol, portsWithRows(observation.ports), addressClass)) claims.published.push(observation)
    }
  }

  #document(observation: DocumentedObservation): void {
    const classes: readonly AddressClass[] = observation.address ? [classOf(observation.address)] : ['ipv4', 'ipv6']
    for (const addressClass of classes) {
      for (const claims of this.#range(observation.protocol, portsWithRows(observation.ports), addressClass)) claims.documented.push(observation)
    }
  }

  #rest(observation: ScanRestObservation): void {
    const addressClass = classOf(observation.address)
    this.#rests.add(observation, addressClass)
    if (observation.state !== 'open') return
    const { protocol } = observation
    for (const { first, last } of observation.ports.map(portsWithRows)) for (let port = first; port <= last; port += 1) this.#at({ protocol, port }, addressClass)
  }

  *#range(protocol: TransportProtocol, ports: PortRange, addressClass: AddressClass): Generator<EndpointClaims> {
    for (let port = ports.first; port <= ports.last; port += 1) yield this.#at({ protocol, port }, addressClass)
  }

  #shown(protocol: TransportProtocol, ports: PortRange, addressClass: AddressClass): EndpointClaims[] {
    return this.sorted().filter(
      (claims) => claims.protocol === protocol && claims.addressClass === addressClass && containsPort(ports, claims.port),
    )
  }

  #at({ protocol, port }: { protocol: TransportProtocol; port: number }, addressClass: AddressClass): EndpointClaims {
    const key = keyOf({ protocol, port }, addressClass)
    let claims = this.#byKey.get(key)
    if (!claims) {
      claims = { protocol, port, addressClass, listeners: [], published: [], documented: [], scans: [], flows: [], uses: [], needs: [] }
      this.#byKey.set(key, claims)
    }
    return claims
  }
}

const isNarrow = ({ first, last }: PortRange): boolean => last - first < RANGE_ROWS_MAX

const portsWithRows = (ports: PortRange): PortRange => (isNarrow(ports) ? ports : singlePort(ports.first))

/** Sorting the keys sorts by protocol, port, class. */
const keyOf = ({ protocol, port }: { protocol: TransportProtocol; port: number }, addressClass: AddressClass): number =>
  (TRANSPORT_PROTOCOLS.indexOf(protocol) * 65_536 + port) * 4 + ADDRESS_CLASSES.indexOf(addressClass)

function* foldEndpoint(input: HostInput, watch: Watch, claims: EndpointClaims): Generator<MatrixRow, void, undefined> {
  const listening = foldListeners(claims.listeners, watch.listeners)
  const published = foldPublished(claims.published, watch)
  const documented = isInternal(claims.addressClass) ? undefined : foldDocumented(claims.documented, watch.documented)
  const isDocumented = documented !== undefined && documented.length > 0
  const isExposed = listening.kind === 'seen' || listening.kind === 'gone' || published.length > 0
  const isFoundOpen = claims.scans.some((scan) => scan.state === 'open' || scan.state === 'open|filtered')
  const knockers = knockersAt(input.scanners, claims.flows)
  const flows = groupFlows(input.zones, claims, knockers)
  const needs = input.needs && foldNeeds(input.coverage, claims)
  const usedByUnknown = foldSourcelessUse(claims.uses)
  const isUnexplained = usedByUnknown !== undefined && !isExplained(usedByUnknown, knockers.size === 0 ? claims.flows : claims.flows.filter(({ source }) => !knockers.has(sourceKey(source))))
  if (!isExposed && !isFoundOpen && flows.size === 0 && claims.needs.length === 0 && !isDocumented && !usedByUnknown) return
  const zones = isExposed || isFoundOpen || isDocumented || usedByUnknown ? everyZone(input.zones, claims) : triedZones(input.zones, claims, flows, needs)
  const fingerprint = newestService(claims.scans) ?? newestService(claims.flows)
  for (const zone of zones) {
    const { accepted, denied, knocks } = flows.get(zone) ?? NO_FLOWS
    const scans = claims.scans.length === 0 ? claims.scans : claims.scans.filter((scan) => scan.from === zone)
    const sources = foldSources(accepted)
    const deniedSources = foldSources(denied)
    const deniedUsage = summariseSources(deniedSources)
    const scannerUsage = summariseSources(foldSources(knocks))
    const rowNeeds = needs && (needs.get(zone) ?? [])
    const row = {
      host: input.host,
      protocol: claims.protocol,
      port: claims.port,
      addressClass: claims.addressClass,
      zone,
      listening,
      reachable: foldReach(scans, sources),
      used: usedOf(summariseSources(sources), watch, claims, isUnexplained),
      ...(usedByUnknown ? { usedByUnknown } : {}),
      ...(scannerUsage ? { scanners: scannerUsage } : {}),
      ...(deniedUsage ? { denied: deniedUsage } : {}),
      ...(rowNeeds ? { needs: rowNeeds } : {}),
      published,
      ...(documented ? { documented } : {}),
      ...(fingerprint === undefined ? {} : { fingerprint }),
    }
    yield {
      ...row,
      contradictions: contradictionsOf(row, { scans, unneeded: uncovered(claims, needs, sources), denied: covered(claims, deniedSources) }),
    }
  }
}

const NO_FLOWS: ZoneFlows = { accepted: [], denied: [], knocks: [] }

interface ZoneFlows {
  readonly accepted: FlowObservation[]
  readonly denied: FlowObservation[]
  /** Of scanners; those that were denied stand under `denied` as well. */
  readonly knocks: FlowObservation[]
}

/** The scanners that got no answer here; one that did has found something, which is use until somebody says otherwise. */
function knockersAt(scanners: Scanners, flows: readonly FlowObservation[]): ReadonlySet<SourceKey> {
  const found = flows.filter(({ source }) => scanners.has(source))
  if (found.length === 0) return NOBODY
  const answered = new Set(found.filter((flow) => flow.isAnswered === true).map(({ source }) => sourceKey(source)))
  return new Set(found.map(({ source }) => sourceKey(source)).filter((key) => !answered.has(key)))
}

const NOBODY: ReadonlySet<SourceKey> = new Set()

function groupFlows(zones: ZoneMap, claims: EndpointClaims, knockers: ReadonlySet<SourceKey>): Map<string, ZoneFlows> {
  const groups = new Map<string, ZoneFlows>()
  for (const flow of claims.flows) {
    const zone = isInternal(claims.addressClass) ? ITSELF : zoneOf(zones, flow.source)
    let group = groups.get(zone)
    if (!group) groups.set(zone, (group = { accepted: [], denied: [], knocks: [] }))
    if (knockers.has(sourceKey(flow.source))) group.knocks.push(flow)
    else if (isUse(flow)) group.accepted.push(flow)
    if (flow.verdict === 'denied') group.denied.push(flow)
  }
  return groups
}

function foldNeeds(coverage: CoverageMemo, claims: EndpointClaims): Map<string, RowNeed[]> {
  const byZone = new Map<string, RowNeed[]>()
  if (isInternal(claims.addressClass)) return byZone
  for (const need of claims.needs.toSorted((a, b) => compareText(a.id, b.id))) {
    for (const [zone, covers] of coverage.of(need, claims.addressClass === 'ipv4' ? 4 : 6)) {
      if (covers === 'none') continue
      const list = byZone.get(zone)
      if (list) list.push({ id: need.id, covers })
      else byZone.set(zone, [{ id: need.id, covers }])
    }
  }
  return byZone
}

/** A need often stands on thousands of hosts: how it covers the zones is computed once. */
class CoverageMemo {
  readonly #zones: ZoneMap
  readonly #memo = new Map<NeedClaim, Partial<Record<Family, Map<string, Coverage>>>>()

  constructor(zones: ZoneMap) {
    this.#zones = zones
  }

  of(need: NeedClaim, family: Family): Map<string, Coverage> {
    let families = this.#memo.get(need)
    if (!families) this.#memo.set(need, (families = {}))
    return (families[family] ??= coverZones(this.#zones, family, need.from))
  }
}

const everyZone = (zones: ZoneMap, claims: EndpointClaims): readonly string[] => {
  const base = isInternal(claims.addressClass) ? [ITSELF] : zones.names
  const vantages = claims.scans.map((scan) => scan.from).filter((from) => !base.includes(from))
  return vantages.length === 0 ? base : [...base, ...[...new Set(vantages)].toSorted()]
}

function triedZones(
  zones: ZoneMap,
  claims: EndpointClaims,
  flows: ReadonlyMap<string, ZoneFlows>,
  needs: ReadonlyMap<string, readonly RowNeed[]> | undefined,
): readonly string[] {
  const tried = new Set([...flows.keys(), ...(needs?.keys() ?? []), ...claims.scans.map((scan) => scan.from)])
  return everyZone(zones, claims).filter((zone) => tried.has(zone))
}

function usedOf(usage: Usage | undefined, watch: Watch, { protocol, port, addressClass }: EndpointClaims, isUnexplained: boolean): Used {
  if (usage) return { kind: 'used', ...usage }
  if (isUnexplained) return { kind: 'unknown', because: 'sources unknown' }
  // No sensor counts what a host says to itself.
  if (isInternal(addressClass)) return { kind: 'unknown', because: 'not watched' }
  if (watch.isLossy || watch.lostAt.has(`${protocol} ${port}`)) return { kind: 'unknown', because: 'evidence lost' }
  if (watch.flows === undefined) return { kind: 'unknown', because: 'not watched' }
  return { kind: 'unused', since: watch.flows.since, until: watch.flows.until }
}

const uncovered = (
  claims: EndpointClaims,
  needs: ReadonlyMap<string, readonly RowNeed[]> | undefined,
  sources: readonly SourceUsage[],
): readonly Address[] =>
  needs === undefined || isInternal(claims.addressClass)
    ? []
    : sources.filter(({ source }) => !isLetIn(claims, source)).map(({ source }) => source)

const covered = (claims: EndpointClaims, sources: readonly SourceUsage[]): readonly Address[] =>
  claims.needs.length === 0 ? [] : sources.filter(({ source }) => isLetIn(claims, source)).map(({ source }) => source)

const isLetIn = (claims: EndpointClaims, source: Address): boolean =>
  claims.needs.some((need) => need.from.some((prefix) => containsAddress(prefix, source)))

function foldPublished(published: readonly PublishedObservation[], watch: Watch): readonly Publication[] {
  if (published.length === 0) return NOTHING_PUBLISHED
  const newest = new Map<string, Publication>()
  for (const { ports, target, holder, sensor, at } of published) {
    const key = `${ports.first}-${ports.last} ${target} ${sensor}`
    const before = newest.get(key)
    const isCurrent = at >= (watch.published.get(sensor) ?? at)
    if (isCurrent && (before === undefined || before.lastSeen < at)) newest.set(key, { ports, target, ...(holder === undefined ? {} : { holder }), sensor, lastSeen: at })
  }
  return [...newest.keys()].toSorted(compareText).flatMap((key) => newest.get(key) ?? [])
}

const NOTHING_PUBLISHED: readonly Publication[] = []

const newestService = (claims: readonly (ScanObservation | FlowObservation)[]): string | undefined =>
  claims
    .filter((claim) => claim.service !== undefined)
    .toSorted((a, b) => b.at - a.at || compareText(a.service ?? '', b.service ?? ''))[0]?.service

const classOf = (address: Address): AddressClass => (isLoopback(address) ? 'loopback' : address.family === 4 ? 'ipv4' : 'ipv6')

function groupByHost(input: MatrixInput): Map<string, { observations: Observation[]; needs: NeedClaim[] }> {
  const byHost = new Map<string, { observations: Observation[]; needs: NeedClaim[] }>()
  const at = (host: string): { observations: Observation[]; needs: NeedClaim[] } => {
    let group = byHost.get(host)
    if (!group) byHost.set(host, (group = { observations: [], needs: [] }))
    return group
  }
  for (const observation of input.observations) at(observation.host).observations.push(observation)
  for (const need of input.needs ?? []) for (const host of need.hosts) at(host).needs.push(need)
  return byHost
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

