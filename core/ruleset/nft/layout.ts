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

/** The sets that a policy fills, with the properties they are declared with. The name is where an opening goes. */
export const POLICY_SETS = {
  open: ['type inet_proto . inet_service'],
  open_ranges: ['type inet_proto . inet_service', 'flags interval'],
  open4: ['type inet_proto . inet_service'],
  open4_ranges: ['type inet_proto . inet_service', 'flags interval'],
  open6: ['type inet_proto . inet_service'],
  open6_ranges: ['type inet_proto . inet_service', 'flags interval'],
  hosts4: ['type ipv4_addr . inet_proto . inet_service'],
  hosts6: ['type ipv6_addr . inet_proto . inet_service'],
  prefixes4: ['type ipv4_addr . inet_proto . inet_service', 'flags interval'],
  prefixes6: ['type ipv6_addr . inet_proto . inet_service', 'flags interval'],
} as const satisfies Record<string, readonly string[]>

export type PolicySet = keyof typeof POLICY_SETS

/**
 * The same packets as the grants, as disjoint openings in a canonical order: equal packet sets give equal lists.
 * Disjoint, because the kernel refuses a set whose intervals overlap (nft_set_pipapo.c, -ENOTEMPTY).
 * Each elementary span of ports is aggregated by itself, then every source's neighbouring spans are joined again.
 */
export function arrange(grants: readonly Grant[]): Opening[] {
  return TRANSPORT_PROTOCOLS.flatMap((protocol) =>
    joinSpans(protocol, spansOf(grants.filter((grant) => grant.protocol === protocol))).toSorted(compareOpenings),
  )
}

/** The elements of each policy set, in the order of the openings. */
export function layOut(openings: readonly Opening[]): ReadonlyMap<PolicySet, readonly string[]> {
  const elements = new Map<PolicySet, string[]>()
  for (const opening of openings) {
    const set = setOf(opening)
    const list = elements.get(set)
    if (list) list.push(elementOf(opening))
    else elements.set(set, [elementOf(opening)])
  }
  return elements
}

/** Every port of the protocol that at least one source may reach: sorted, without overlaps. */
export const reachablePorts = (openings: readonly Opening[], protocol: TransportProtocol): PortRange[] =>
  mergePortRanges(openings.filter((opening) => opening.protocol === protocol).map((opening) => opening.ports))

export const isSinglePort = (ports: PortRange): boolean => ports.first === ports.last

interface Span {
  readonly ports: PortRange
  readonly from: readonly (Prefix | 'any')[]
}

/** Cuts the grants of one protocol where any of them begins or ends. O(spans × grants that overlap there). */
function spansOf(grants: readonly Grant[]): Span[] {
  const changes = changesByPort(grants)
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

function changesByPort(grants: readonly Grant[]): Map<number, Change> {
  const changes = new Map<number, Change>()
  const at = (port: number): Change => {
    const change = changes.get(port) ?? { beginning: [], ending: [] }
    changes.set(port, change)
    return change
  }
  for (const { ports, from } of grants) {
    // A copy of its own for each grant, so that it can be told from an equal prefix of another one.
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

function compareOpenings(a: Opening, b: Opening): number {
  return a.ports.first - b.ports.first || a.ports.last - b.ports.last || compareSources(a.from, b.from)
}

function compareSources(a: Prefix | 'any', b: Prefix | 'any'): number {
  if (a === 'any' || b === 'any') return Number(b === 'any') - Number(a === 'any')
  if (a.family !== b.family) return a.family - b.family
  return a.value === b.value ? a.length - b.length : a.value < b.value ? -1 : 1
}

function setOf({ from, ports }: Opening): PolicySet {
  const isSingle = isSinglePort(ports)
  if (from === 'any') return isSingle ? 'open' : 'open_ranges'
  if (from.length === 0) return isSingle ? `open${from.family}` : `open${from.family}_ranges`
  return isSingle && from.length === bitsOf(from.family) ? `hosts${from.family}` : `prefixes${from.family}`
}

function elementOf({ protocol, ports, from }: Opening): string {
  const endpoint = `${protocol} . ${formatPortRange(ports)}`
  return from === 'any' || from.length === 0 ? endpoint : `${formatPrefix(from)} . ${endpoint}`
}

export const formatSource = (source: Prefix | 'any'): string => (source === 'any' ? source : formatPrefix(source))
