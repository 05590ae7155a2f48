import type { Address } from '../net/address.ts'
import { containsAddress } from '../net/prefix.ts'
import type { HostFacts, Route } from '../ruleset/hostfacts.ts'
import { ADDRESS_TYPES } from '../ruleset/ruleset.ts'

/** Where a packet to an address goes: to this host, on to another by an interface, or nowhere. */
export type Destiny = { readonly kind: 'input' } | { readonly kind: 'forward'; readonly oif: string | undefined } | { readonly kind: 'nowhere'; readonly because: string }

const TABLE_ORDER = ['local', 'main', 'default'] as const

export function destinyOf(facts: HostFacts, address: Address): Destiny {
  if (isMulticast(address) || isLimitedBroadcast(address)) return { kind: 'input' }
  const route = findRoute(facts, address)
  if (!route) return { kind: 'nowhere', because: 'no route' }
  if (route.type === 'local' || route.type === 'broadcast' || route.type === 'anycast') return { kind: 'input' }
  if (route.type !== 'unicast') return { kind: 'nowhere', because: `route of type ${route.type}` }
  if (!facts.isForwarding[address.family]) return { kind: 'nowhere', because: 'forwarding is off' }
  return { kind: 'forward', oif: route.oif }
}

/** RTN number, as `fib … type` and addrtype see it; `device` restricts to addresses of that interface. */
export function addressTypeOf(facts: HostFacts, address: Address, device: string | undefined): number {
  if (address.family === 4) return ipv4TypeOf(facts, address, device)
  if (isMulticast(address)) return ADDRESS_TYPES.multicast
  const local = longest(facts.routes.filter((route) => route.table === 'local' && (device === undefined || route.oif === device)), address)
  if (local && (local.type === 'local' || local.type === 'anycast')) return ADDRESS_TYPES[local.type]
  const route = findRoute(facts, address)
  return route && route.type === 'unicast' ? ADDRESS_TYPES.unicast : ADDRESS_TYPES.unreachable
}

/** By which interface a packet from an address comes in, where replies to it leave by the same one; its own come by loopback. */
export function arrivalInterface(facts: HostFacts, source: Address): string | undefined {
  const route = findRoute(facts, source)
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

/** Is there a unicast route to the address, by `device` where one is named? (nft_fib4_eval and nft_fib6_eval, result oif.) */
export function hasRouteTo(facts: HostFacts, address: Address, device: string | undefined): boolean {
  const route = findRoute(facts, address)
  return route !== undefined && route.type === 'unicast' && (device === undefined || route.oif === device)
}

// __inet_dev_addr_type in net/ipv4/fib_frontend.c: zeronet and 255.255.255.255 are broadcast, then the local table alone decides.
function ipv4TypeOf(facts: HostFacts, address: Address, device: string | undefined): number {
  if (address.value >> 24n === 0n || isLimitedBroadcast(address)) return ADDRESS_TYPES.broadcast
  if (isMulticast(address)) return ADDRESS_TYPES.multicast
  const route = longest(facts.routes.filter((route) => route.table === 'local'), address)
  if (!route || (device !== undefined && route.oif !== device)) return ADDRESS_TYPES.unicast
  return ADDRESS_TYPES[route.type]
}

function findRoute(facts: HostFacts, address: Address): Route | undefined {
  for (const table of TABLE_ORDER) {
    const route = longest(facts.routes.filter((each) => each.table === table), address)
    if (route && route.type !== 'throw') return route
  }
  return undefined
}

function longest(routes: readonly Route[], address: Address): Route | undefined {
  let best: Route | undefined
  for (const route of routes) {
    if (!containsAddress(route.destination, address)) continue
    if (!best || isBetter(route, best)) best = route
  }
  return best
}

const isBetter = (route: Route, best: Route): boolean =>
  route.destination.length > best.destination.length || (route.destination.length === best.destination.length && route.metric < best.metric)

const isMulticast = (address: Address): boolean => (address.family === 4 ? address.value >> 28n === 0xen : address.value >> 120n === 0xffn)

const isLimitedBroadcast = (address: Address): boolean => address.family === 4 && address.value === 0xffff_ffffn
