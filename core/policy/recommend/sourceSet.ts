import type { Day } from '../../inventory/businessCalendar.ts'
import { bitsOf, type Address, type Family } from '../../net/address.ts'
import { ANY_IPV4, ANY_IPV6, comparePrefixes, containsAddress, formatPrefix, hostPrefix, lastOf, prefixOf, type Prefix } from '../../net/prefix.ts'
import type { Zone } from '../policy.ts'

/** A source by the first day on which it came. */
export interface SeenSource {
  readonly source: Address
  readonly firstDay: Day
}

/** Who is let in. `zone`: the policy names it. `any`: they come from everywhere. */
export interface SourceSet {
  readonly kind: 'prefixes' | 'zone' | 'any'
  /** As a policy file writes it. */
  readonly zone?: string
  readonly prefixes: readonly Prefix[]
  readonly seen: number
  /** Of the sources that were new in the last third of the time, the share that the set made of those before would have let in; absent where none were. */
  readonly foreseen?: number
  /** The prefixes are the networks in which clients change their addresses, not the addresses alone. */
  readonly isPool?: true
}

/** Sources in this many different sixteenths of their address space are the public. */
const PUBLIC_BLOCKS = 12

/**
 * The smallest set that holds every source and of whose addresses at most `unseenShare` were not seen. Where that set would have refused
 * later sources, the smallest zone of the policy that holds all of them takes its place: a person has said who they are.
 */
export function sourceSetOf(sources: readonly SeenSource[], zones: readonly Zone[], unseenShare: number): SourceSet {
  if (isPublic(sources)) return { kind: 'any', prefixes: familiesOf(sources).map((family) => (family === 4 ? ANY_IPV4 : ANY_IPV6)), seen: sources.length }
  const prefixes = aggregateSeen(sources.map(({ source }) => source), unseenShare)
  const foreseen = foreseenShare(sources, unseenShare)
  const measured = foreseen === undefined ? {} : { foreseen }
  const zone = smallestZone(sources, zones)
  const isZoneBetter = zone !== undefined && ((foreseen !== undefined && foreseen < FORESEEN_SHARE_MIN) || prefixes.length > PREFIXES_MAX || isSameSet(zone.prefixes, prefixes))
  if (isZoneBetter) return { kind: 'zone', zone: zone.name, prefixes: zone.prefixes, seen: sources.length, ...measured }
  const isChanging = (foreseen !== undefined && foreseen < FORESEEN_SHARE_MIN) || prefixes.length > PREFIXES_MAX
  const pools = isChanging && unseenShare > 0 ? poolsOf(sources) : undefined
  if (pools) return { kind: 'prefixes', prefixes: pools, seen: sources.length, foreseen: 1, isPool: true }
  return { kind: 'prefixes', prefixes, seen: sources.length, ...measured }
}

export const FORESEEN_SHARE_MIN = 0.97
/** Longer lists nobody reviews. */
export const PREFIXES_MAX = 24

function isPublic(sources: readonly SeenSource[]): boolean {
  const blocks = new Set(sources.map(({ source }) => `${source.family} ${source.value >> BigInt(source.family === 4 ? 28 : 108)}`))
  return blocks.size >= PUBLIC_BLOCKS
}

const familiesOf = (sources: readonly SeenSource[]): Family[] => ([4, 6] as const).filter((family) => sources.some(({ source }) => source.family === family))

/** Prefixes that hold every address, of whose addresses at most the given share was not seen. O(n log n). */
export function aggregateSeen(addresses: readonly Address[], unseenShare: number): Prefix[] {
  const stack: { prefix: Prefix; seen: number }[] = []
  const sorted = [...new Map(addresses.map((address) => [`${address.family} ${address.value}`, hostPrefix(address)])).values()].toSorted(comparePrefixes)
  for (const prefix of sorted) {
    stack.push({ prefix, seen: 1 })
    while (joinTop(stack, unseenShare)) continue
  }
  return stack.map(({ prefix }) => prefix)
}

/** Joins the topmost prefixes with as many below them as the wider prefix may hold; greedy, from the narrowest. */
function joinTop(stack: { prefix: Prefix; seen: number }[], unseenShare: number): boolean {
  const top = stack.at(-1)
  if (!top) return false
  const narrowest = Math.max(top.prefix.length - JOIN_BITS, bitsOf(top.prefix.family) - JOIN_BITS * 2, 1)
  for (let length = top.prefix.length - 1; length >= narrowest; length -= 1) {
    const wider = prefixOf(top.prefix, length)
    let from = stack.length - 1
    let seen = top.seen
    for (let below = stack[from - 1]; below && containsAddress(wider, below.prefix) && lastOf(below.prefix) <= lastOf(wider); below = stack[from - 1]) {
      seen += below.seen
      from -= 1
    }
    if (from === stack.length - 1 || seen < (1 - unseenShare) * 2 ** (bitsOf(wider.family) - length)) continue
    stack.splice(from, stack.length - from, { prefix: wider, seen })
    return true
  }
  return false
}

/** A step joins neighbours at most this many bits apart, and no prefix grows wider than twice that. */
const JOIN_BITS = 8

/** How the set of the first two thirds of the days would have done in the last third. */
function foreseenShare(sources: readonly SeenSource[], unseenShare: number): number | undefined {
  const { earlier, later, spanDays } = splitSeen(sources)
  if (spanDays < FORESEEN_DAYS_MIN || later.length < FORESEEN_SOURCES_MIN) return undefined
  return shareWithin(later, aggregateSeen(earlier.map(({ source }) => source), unseenShare))
}

const FORESEEN_DAYS_MIN = 9
const FORESEEN_SOURCES_MIN = 2

/** Sources by whether they came in the first two thirds of the days on which new ones came. */
function splitSeen(sources: readonly SeenSource[]): { earlier: SeenSource[]; later: SeenSource[]; spanDays: number } {
  const days = sources.map(({ firstDay }) => firstDay)
  const [first, last] = [days.reduce((a, b) => Math.min(a, b), Infinity), days.reduce((a, b) => Math.max(a, b), -Infinity)]
  const cut = first + Math.ceil(((last - first) * 2) / 3)
  return { earlier: sources.filter(({ firstDay }) => firstDay <= cut), later: sources.filter(({ firstDay }) => firstDay > cut), spanDays: last - first }
}

const shareWithin = (sources: readonly SeenSource[], prefixes: readonly Prefix[]): number =>
  sources.filter(({ source }) => prefixes.some((prefix) => containsAddress(prefix, source))).length / sources.length

/**
 * The networks in which clients change their addresses: in each, the narrowest prefix that holds all that came from it. Only where those
 * that the earlier sources give would have let every later one in, and there were enough of both to say so.
 */
function poolsOf(sources: readonly SeenSource[]): Prefix[] | undefined {
  const { earlier, later, spanDays } = splitSeen(sources)
  if (spanDays < FORESEEN_DAYS_MIN || later.length < POOL_NEWCOMERS_MIN) return undefined
  const before = networksOf(earlier)
  const isForeseen = before.length <= POOLS_MAX && before.every(({ seen }) => seen >= POOL_SEEN_MIN) && shareWithin(later, before.map(({ prefix }) => prefix)) === 1
  return isForeseen ? networksOf(sources).map(({ prefix }) => prefix) : undefined
}

const POOL_NEWCOMERS_MIN = 5
const POOL_SEEN_MIN = 8
const POOLS_MAX = 4

/** A DHCP pool is seldom wider than a /24; temporary addresses of IPv6 (RFC 8981) move within their /64. */
const NETWORK_BITS: Readonly<Record<Family, number>> = { 4: 24, 6: 64 }

function networksOf(sources: readonly SeenSource[]): { prefix: Prefix; seen: number }[] {
  const groups = Map.groupBy(sources, ({ source }) => formatPrefix(prefixOf(source, NETWORK_BITS[source.family])))
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (!first) return []
    const { family } = first.source
    let length = family === 4 ? bitsOf(4) : NETWORK_BITS[6]
    while (!group.every(({ source }) => containsAddress(prefixOf(first.source, length), source))) length -= 1
    return [{ prefix: prefixOf(first.source, length), seen: group.length }]
  })
}

function smallestZone(sources: readonly SeenSource[], zones: readonly Zone[]): Zone | undefined {
  const fitting = zones.filter((zone) => sources.every(({ source }) => zone.prefixes.some((prefix) => containsAddress(prefix, source))))
  return fitting.toSorted((a, b) => Number(sizeOf(a) - sizeOf(b)) || (a.name < b.name ? -1 : 1))[0]
}

const sizeOf = (zone: Zone): bigint => zone.prefixes.reduce((sum, prefix) => sum + (lastOf(prefix) - prefix.value + 1n), 0n)

const isSameSet = (a: readonly Prefix[], b: readonly Prefix[]): boolean =>
  a.length === b.length && a.every((prefix, index) => comparePrefixes(prefix, b[index] ?? prefix) === 0)
