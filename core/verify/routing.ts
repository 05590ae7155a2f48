import type { Family } from '../net/address.ts'
import { lastOf } from '../net/prefix.ts'
import type { HostFacts, Route } from '../ruleset/hostfacts.ts'
import { ADDRESS_TYPES } from '../ruleset/ruleset.ts'
import { mergeRanges, type Range } from '../space/ranges.ts'

/** Addresses for which the kernel finds the same routes: the longest prefix of the first table that has one, several where they are equal (multipath). */
export interface RoutedRange extends Range {
  readonly routes: readonly Route[]
}

/** fe80::/10: the same addresses on every link, so that they are looked up on one interface (net/ipv6/route.c, rt6_need_strict). */
export const LINK_LOCAL: Range = { first: 0xfe80n << 112n, last: (0xfec0n << 112n) - 1n }

const TABLES = ['local', 'main', 'default'] as const

/** A host's routing tables as ranges of addresses, for diagrams; the linear evaluator looks up one address at a time. */
export class Routing {
  readonly facts: HostFacts
  readonly #known = new Map<string, unknown>()

  constructor(facts: HostFacts) {
    this.facts = facts
  }

  /** All addresses of a family, without the link-local ones of IPv6. Sorted, without gaps but for those. */
  everywhere(family: Family): readonly RoutedRange[] {
    return this.#remembered(`everywhere ${family}`, () => lookedUp(this.facts.routes, family).flatMap((range) => (family === 4 ? [range] : cut(range, LINK_LOCAL))))
  }

  /** The link-local addresses of IPv6 as they are on one interface. */
  linkLocal(device: string | undefined): readonly RoutedRange[] {
    return this.#remembered(`link-local ${device}`, () => {
      const routes = this.facts.routes.filter((route) => touchesLinkLocal(route) && (device === undefined || route.oif === device))
      return lookedUp(routes, 6).flatMap((range) => common(range, LINK_LOCAL))
    })
  }

  /** The table `local` alone, which tells IPv4 address types. */
  ownTable(family: Family): readonly RoutedRange[] {
    return this.#remembered(`own ${family}`, () => longestPrefixes(this.facts.routes, family, 'local'))
  }

  /** The facts' interface of a name; of others nothing is known. */
  deviceOf(name: string | undefined): string | undefined {
    return this.facts.interfaces.some((each) => each.name === name) ? name : undefined
  }

  #remembered<T>(key: string, make: () => T): T {
    if (!this.#known.has(key)) this.#known.set(key, make())
    return this.#known.get(key) as T
  }
}

/** The values that the routes of ranges answer for, merged. */
export const rangesWhere = (ranges: readonly RoutedRange[], isWanted: (range: RoutedRange) => boolean): Range[] =>
  mergeRanges(ranges.filter(isWanted))

// ───────────────────────────── where packets go ─────────────────────────────

/** IPv4: class D and 255.255.255.255; IPv6: multicast. Decided before any route is looked up. */
export const ALWAYS_INPUT: Readonly<Record<Family, readonly Range[]>> = {
  4: [{ first: 0xe000_0000n, last: 0xefff_ffffn }, { first: 0xffff_ffffn, last: 0xffff_ffffn }],
  6: [{ first: 0xffn << 120n, last: (1n << 128n) - 1n }],
}

/** To this host, or the interfaces that it may leave by; empty: nowhere. */
export function destinyOfRoutes(facts: HostFacts, family: Family, routes: readonly Route[]): 'input' | readonly (string | undefined)[] {
  const [first] = routes
  if (first && OWN_TYPES.has(first.type)) return 'input'
  if (first?.type !== 'unicast' || !facts.isForwarding[family]) return []
  return [...new Set(routes.map((route) => route.oif))]
}

const OWN_TYPES: ReadonlySet<Route['type']> = new Set(['local', 'broadcast', 'anycast'])

// ───────────────────────────── what addresses are ─────────────────────────────

export interface TypedRange extends Range {
  readonly type: number
}

const { unicast, local, broadcast, multicast, unreachable } = ADDRESS_TYPES

/** Zeronet and 255.255.255.255 are broadcast, class D is multicast, whatever the tables say (net/ipv4/fib_frontend.c, __inet_dev_addr_type). */
export const FIXED_TYPES: Readonly<Record<Family, readonly TypedRange[]>> = {
  4: [
    { first: 0n, last: 0x00ff_ffffn, type: broadcast },
    { first: 0xe000_0000n, last: 0xefff_ffffn, type: multicast },
    { first: 0xffff_ffffn, last: 0xffff_ffffn, type: broadcast },
  ],
  6: [{ first: 0xffn << 120n, last: (1n << 128n) - 1n, type: multicast }],
}

/** The type of addresses whose routes these are. `device`: only its own addresses count as the host's (`fib daddr . iif type`). */
export function typeOfRoutes(family: Family, [route]: readonly Route[], device: string | undefined): number {
  if (family === 4) return route && (device === undefined || route.oif === device) ? ADDRESS_TYPES[route.type] : unicast
  // nft_fib_ipv6.c, __nft_fib6_eval_type: the route must not be an error; then whose the address is.
  if (!route) return unreachable
  if (route.type === 'local') return device === undefined || route.oif === device ? local : unicast
  return route.type === 'broadcast' ? unicast : ADDRESS_TYPES[route.type]
}

// ───────────────────────────── longest prefixes ─────────────────────────────

function lookedUp(routes: readonly Route[], family: Family): RoutedRange[] {
  const [first, ...rest] = TABLES.map((table) => longestPrefixes(routes, family, table))
  return rest.reduce((found, next) => overlay(found, next), first ?? [])
}

/** Where a table has no route, or says to look further, the next one is asked. */
function overlay(upper: readonly RoutedRange[], lower: readonly RoutedRange[]): RoutedRange[] {
  let at = 0
  return upper.flatMap((range) => {
    if (range.routes.length > 0 && range.routes[0]?.type !== 'throw') return [range]
    while ((lower[at]?.last ?? range.first) < range.first) at += 1
    const parts: RoutedRange[] = []
    for (let next = at; (lower[next]?.first ?? range.last + 1n) <= range.last; next += 1) parts.push(...(lower[next] ? common(lower[next] ?? range, range) : []))
    return parts
  })
}

interface Prefixed {
  readonly first: bigint
  readonly last: bigint
  readonly routes: Route[]
}

/** All addresses of a family by the longest prefix of one table. O(n log n). */
function longestPrefixes(routes: readonly Route[], family: Family, table: Route['table']): RoutedRange[] {
  const open: Prefixed[] = [{ first: 0n, last: (1n << (family === 4 ? 32n : 128n)) - 1n, routes: [] }]
  const ranges: RoutedRange[] = []
  let from = 0n
  const upTo = (last: bigint): void => {
    const top = open.at(-1)
    if (top && from <= last) ranges.push({ first: from, last, routes: top.routes })
    if (from <= last) from = last + 1n
  }
  const closeBefore = (value: bigint): void => {
    for (let top = open.at(-1); top && top.last < value; top = open.at(-1)) {
      upTo(top.last)
      open.pop()
    }
  }
  for (const prefix of prefixesOf(routes, family, table)) {
    closeBefore(prefix.first)
    upTo(prefix.first - 1n)
    open.push(prefix)
  }
  closeBefore(1n << 128n)
  return ranges
}

/** Wider ones before those that they hold; of equal prefixes the routes with the lowest metric. */
function prefixesOf(routes: readonly Route[], family: Family, table: Route['table']): Prefixed[] {
  const byText = new Map<string, Prefixed>()
  for (const route of routes) {
    if (route.table !== table || route.destination.family !== family) continue
    const key = `${route.destination.value}/${route.destination.length}`
    const known = byText.get(key)
    const metric = known?.routes[0]?.metric ?? Infinity
    if (!known || route.metric < metric) byText.set(key, { first: route.destination.value, last: lastOf(route.destination), routes: [route] })
    else if (route.metric === metric) known.routes.push(route)
  }
  return [...byText.values()].toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.last > b.last ? -1 : 1))
}

const touchesLinkLocal = ({ destination }: Route): boolean =>
  destination.family === 6 && destination.value <= LINK_LOCAL.last && lastOf(destination) >= LINK_LOCAL.first

function common(range: RoutedRange, with_: Range): RoutedRange[] {
  const first = range.first > with_.first ? range.first : with_.first
  const last = range.last < with_.last ? range.last : with_.last
  return first <= last ? [{ ...range, first, last }] : []
}

const cut = (range: RoutedRange, hole: Range): RoutedRange[] => [
  ...common(range, { first: 0n, last: hole.first - 1n }),
  ...common(range, { first: hole.last + 1n, last: range.last }),
]
