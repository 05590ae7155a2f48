import type { Address } from '../net/address.ts'
import { containsAddress } from '../net/prefix.ts'
import type { HostFacts, Route } from '../ruleset/hostfacts.ts'
import { ADDRESS_TYPES } from '../ruleset/ruleset.ts'

/** Where a packet to an address goes: to this host, on to another by one of these interfaces, or nowhere. */
export type Destiny =
  | { readonly kind: 'input' }
  | { readonly kind: 'forward'; readonly oifs: readonly (string | undefined)[] }
  | { readonly kind: 'nowhere'; readonly because: string }

const TABLE_ORDER = ['local', 'main', 'default'] as const

/** `iif`: link-local addresses are those of the link that the packet came in by. */
export function destinyOf(facts: HostFacts, address: Address, iif: string | undefined): Destiny {
  if (isMulticast(address) || isLimitedBroadcast(address)) return { kind: 'input' }
  const routes = findRoutes(facts, address, iif)
  const [route] = routes
  if (!route) return { kind: 'nowhere', because: 'no route' }
  if (route.type === 'local' || route.type === 'broadcast' || route.type === 'anycast') return { kind: 'input' }
  if (route.type !== 'unicast') return { kind: 'nowhere', because: `route of type ${route.type}` }
  if (!facts.isForwarding[address.family]) return { kind: 'nowhere', because: 'forwarding is off' }
  return { kind: 'forward', oifs: [...new Set(routes.map((each) => each.oif))] }
}

/**
 * RTN number, as `fib … type` and addrtype see it. `device`: only its own addresses count as the host's. `link`: the interface that
 * link-local addresses are looked up on.
 */
export function addressTypeOf(facts: HostFacts, address: Address, device: string | undefined, link: string | undefined): number {
  if (address.family === 4) return ipv4TypeOf(facts, address, device)
  if (isMulticast(address)) return ADDRESS_TYPES.multicast
  const [route] = findRoutes(facts, address, link)
  // nft_fib_ipv6.c, __nft_fib6_eval_type: whose the address is, where the route is no error.
  if (!route) return ADDRESS_TYPES.unreachable
  if (route.type === 'local') return device === undefined || route.oif === device ? ADDRESS_TYPES.local : ADDRESS_TYPES.unicast
  return route.type === 'broadcast' ? ADDRESS_TYPES.unicast : ADDRESS_TYPES[route.type]
}

/** By which interface a packet from an address comes in, where replies to it leave by the same one; its own come by loopback. */
export function arrivalInterface(facts: HostFacts, source: Address): string | undefined {
  const [route] = findRoutes(facts, source, undefined)
  if (route?.type === 'local') return facts.interfaces.find((each) => each.type === LOOPBACK_TYPE)?.name
  return route?.type === 'unicast' ? route.oif : undefined
}

// ARPHRD_LOOPBACK (linux/if_arp.h).
const LOOPBACK_TYPE = 772

/** The same without facts, of an address that routing has sent to the host itself or away from it. */
export function routedTypeOf({ family, value }: Address, isOwn: boolean): number {
  if (family === 4 && (value >> 24n === 0n || isLimitedBroadcast({ family, value }))) return ADDRESS_TYPES.broadcast
  if (isMulticast({ family, value })) return ADDRESS_TYPES.multicast
  return isOwn ? ADDRESS_TYPES.local : ADDRESS_TYPES.unicast
}

/**
 * Is there a way to the address that is no error and not the host itself, by `device` where one is named? IPv4 looks at all equal routes, IPv6
 * takes one of them by the flow's hash (nft_fib4_eval, nft_fib6_eval, result oif).
 */
export function hasRouteTo(facts: HostFacts, address: Address, device: string | undefined, link: string | undefined): 'yes' | 'no' | 'perhaps' {
  const routes = findRoutes(facts, address, link)
  const [route] = routes
  if (!route || NO_WAY.has(route.type) || (address.family === 6 && (route.type === 'anycast' || route.type === 'broadcast'))) return 'no'
  if (device === undefined || routes.every((each) => each.oif === device)) return 'yes'
  if (!routes.some((each) => each.oif === device)) return 'no'
  return address.family === 4 ? 'yes' : 'perhaps'
}

const NO_WAY: ReadonlySet<Route['type']> = new Set(['local', 'blackhole', 'unreachable', 'prohibit', 'throw'])

// __inet_dev_addr_type in net/ipv4/fib_frontend.c: zeronet and 255.255.255.255 are broadcast, then the local table alone decides.
function ipv4TypeOf(facts: HostFacts, address: Address, device: string | undefined): number {
  if (address.value >> 24n === 0n || isLimitedBroadcast(address)) return ADDRESS_TYPES.broadcast
  if (isMulticast(address)) return ADDRESS_TYPES.multicast
  const [route] = longest(facts.routes.filter((each) => each.table === 'local'), address)
  if (!route || (device !== undefined && route.oif !== device)) return ADDRESS_TYPES.unicast
  return ADDRESS_TYPES[route.type]
}

/** Of the first table that has any: the longest prefix with the lowest metric, several where they are equal. */
function findRoutes(facts: HostFacts, address: Address, link: string | undefined): readonly Route[] {
  const device = isLinkLocal(address) ? facts.interfaces.find((each) => each.name === link)?.name : undefined
  for (const table of TABLE_ORDER) {
    const routes = longest(facts.routes.filter((each) => each.table === table && (device === undefined || each.oif === device)), address)
    if (routes.length > 0 && routes[0]?.type !== 'throw') return routes
  }
  return []
}

function longest(routes: readonly Route[], address: Address): readonly Route[] {
  let best: Route[] = []
  for (const route of routes) {
    if (!containsAddress(route.destination, address)) continue
    const order = best[0] ? route.destination.length - best[0].destination.length || best[0].metric - route.metric : 1
    if (order > 0) best = [route]
    else if (order === 0) best.push(route)
  }
  return best
}

/** fe80::/10. */
export const isLinkLocal = (address: Address): boolean => address.family === 6 && address.value >> 118n === 0x3fan

const isMulticast = (address: Address): boolean => (address.family === 4 ? address.value >> 28n === 0xen : address.value >> 120n === 0xffn)

const isLimitedBroadcast = (address: Address): boolean => address.family === 4 && address.value === 0xffff_ffffn
