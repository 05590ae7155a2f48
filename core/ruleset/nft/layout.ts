import { bitsOf } from '../../net/address.ts'
import { formatPortRange, mergePortRanges, type PortRange } from '../../net/port.ts'
import { aggregatePrefixes, formatPrefix, type Prefix } from '../../net/prefix.ts'
import { TRANSPORT_PROTOCOLS, type TransportProtocol } from '../../net/protocol.ts'
import type { Grant } from '../../policy/intent.ts'

/** Ports that a source may reach; `any` is every address of both families. */
export interface Opening {
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  readonly from: Prefix | 'any'
}

/** How a policy's openings are spread over sets, so that a packet costs a few lookups however many there are. */
export interface Layout {
  /** Elements of the sets that hold whole openings: the set's name is the shape of what it holds. */
  readonly sets: ReadonlyMap<EndpointSet | HostSet, readonly string[]>
  /** The different lists of networks that any ports are open to, each once. */
  readonly sources: readonly (readonly Prefix[])[]
  /** For each protocol: ports, and which of the lists they are open to. Disjoint, in ascending order. */
  readonly ports: ReadonlyMap<TransportProtocol, readonly PortsFrom[]>
}

export interface PortsFrom {
  readonly ports: PortRange
  /** Index in `sources`. */
  readonly source: number
}

/** Open to any source of both families, or of one; ports in ranges apart, for each protocol. */
export type EndpointSet = `open${Scope}` | `open${Scope}_${TransportProtocol}`
export type Scope = '' | '4' | '6'
/** A single address and a single port. */
export type HostSet = 'hosts4' | 'hosts6'

/**
 * The same packets as the grants, as disjoint openings, by protocol, first port, source: equal packet sets give equal lists.
 * Disjoint, because the kernel refuses sets whose intervals overlap.
 * Each elementary span of ports is aggregated by itself, then every source's neighbouring spans are joined again.
 */
export function arrange(grants: readonly Grant[]): Opening[] {
  return TRANSPORT_PROTOCOLS.flatMap((protocol) =>
    joinSpans(protocol, spansOf(grants.filter((grant) => grant.protocol === protocol))),
  )
}

/** Canonical: equal lists of openings give equal layouts. */
export function layOut(openings: readonly Opening[]): Layout {
  const sets = new Map<EndpointSet | HostSet, string[]>()
  const networks: Opening[] = []
  for (const opening of openings) {
    const set = setOf(opening)
    const list = set && sets.get(set)
    if (set === undefined) networks.push(opening)
    else if (list) list.push(elementOf(opening))
    else sets.set(set, [elementOf(opening)])
  }
  return { sets, ...layOutNetworks(networks) }
}

/** Every port of the protocol that at least one source may reach: sorted, without overlaps. */
export const reachablePorts = (openings: readonly Opening[], protocol: TransportProtocol): PortRange[] =>
  mergePortRanges(openings.filter((opening) => opening.protocol === protocol).map((opening) => opening.ports))

export const isSinglePort = (ports: PortRange): boolean => ports.first === ports.last

interface Span {
  readonly ports: PortRange
  readonly from: readonly (Prefix | 'any')[]
}

type Claim = Pick<Grant, 'protocol' | 'ports' | 'from'>

/** Cuts the claims of one protocol where any of them begins or ends. O(spans × claims that overlap there). */
function spansOf(claims: readonly Claim[]): Span[] {
  const changes = changesByPort(claims)
  const cuts = [...changes.keys()].toSorted((a, b) => a - b)
  const active = new Map<Prefix, number>()
  const spans: Span[] = []
  for (const [index, first] of cuts.entries()) {
    const change = changes.get(first)
    for (const prefix of change?.ending ?? []) active.delete(prefix)
    for (const prefix of change?.beginning ?? []) active.set(prefix, first)
    const next = cuts[index + 1]
    if (active.size === 0 || next === undefined) continue
    spans.push({ ports: { first, last: next - 1 }, from: sourcesOf([...active.keys()]) })
  }
  return spans
}

interface Change {
  readonly beginning: Prefix[]
  readonly ending: Prefix[]
}

function changesByPort(claims: readonly Claim[]): Map<number, Change> {
  const changes = new Map<number, Change>()
  const at = (port: number): Change => {
    const change = changes.get(port) ?? { beginning: [], ending: [] }
    changes.set(port, change)
    return change
  }
  for (const { ports, from } of claims) {
    // A copy of its own for each claim, so that it can be told from an equal prefix of another one.
    const source = { ...from }
    at(ports.first).beginning.push(source)
    at(ports.last + 1).ending.push(source)
  }
  return changes
}

function sourcesOf(prefixes: readonly Prefix[]): (Prefix | 'any')[] {
  const aggregated = aggregatePrefixes(prefixes)
  const isAny = aggregated.length === 2 && aggregated.every((prefix) => prefix.length === 0)
  return isAny ? ['any'] : aggregated
}

function joinSpans(protocol: TransportProtocol, spans: readonly Span[]): Opening[] {
  const openings: { protocol: TransportProtocol; ports: PortRange; from: Prefix | 'any' }[] = []
  const latest = new Map<string, (typeof openings)[number]>()
  for (const { ports, from } of spans) {
    for (const source of from) {
      const key = formatSource(source)
      const before = latest.get(key)
      if (before && before.ports.last + 1 === ports.first) {
        before.ports = { first: before.ports.first, last: ports.last }
        continue
      }
      const opening = { protocol, ports, from: source }
      openings.push(opening)
      latest.set(key, opening)
    }
  }
  return openings
}

function setOf({ protocol, from, ports }: Opening): EndpointSet | HostSet | undefined {
  const isSingle = isSinglePort(ports)
  if (from === 'any') return isSingle ? 'open' : `open_${protocol}`
  if (from.length === 0) return isSingle ? `open${from.family}` : `open${from.family}_${protocol}`
  return isSingle && from.length === bitsOf(from.family) ? `hosts${from.family}` : undefined
}

function elementOf({ protocol, ports, from }: Opening): string {
  if (from !== 'any' && from.length > 0) return `${formatPrefix(from)} . ${protocol} . ${formatPortRange(ports)}`
  return isSinglePort(ports) ? `${protocol} . ${formatPortRange(ports)}` : formatPortRange(ports)
}

/** Ports that are open to the same networks share one list of them. */
function layOutNetworks(openings: readonly Opening[]): Pick<Layout, 'sources' | 'ports'> {
  const lists = new Map<string, { readonly at: number; readonly prefixes: readonly Prefix[] }>()
  const ports = new Map<TransportProtocol, PortsFrom[]>()
  for (const protocol of TRANSPORT_PROTOCOLS) {
    const claims = openings.filter((opening): opening is Claim => opening.protocol === protocol && opening.from !== 'any')
    const spans = spansOf(claims).map((span) => {
      const prefixes = span.from.filter((source) => source !== 'any')
      const key = prefixes.map(formatPrefix).join()
      const list = lists.get(key) ?? { at: lists.size, prefixes }
      lists.set(key, list)
      return { ports: span.ports, source: list.at }
    })
    if (spans.length > 0) ports.set(protocol, spans)
  }
  return { sources: [...lists.values()].map(({ prefixes }) => prefixes), ports }
}

const formatSource = (source: Prefix | 'any'): string => (source === 'any' ? source : formatPrefix(source))
