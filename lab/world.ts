import { formatAddress, parseAddress, type Family } from '@portcullis/core/net/address.ts'
import { containsAddress, parsePrefix, type Prefix } from '@portcullis/core/net/prefix.ts'
import type { Result } from '@portcullis/core/fault/fault.ts'
import type { Tier } from '@portcullis/core/policy/policy.ts'
import type { FirewallSpec, ServiceSpec } from './daemons/spec.ts'

/** A lab as a value: what stands where and what runs on it. `startWorld` makes it real. */
export interface World {
  readonly networks: readonly Network[]
  readonly hosts: readonly WorldHost[]
}

/** One Ethernet segment. The lab's switch routes between all of them and holds the first address of each prefix. */
export interface Network {
  readonly name: string
  /** `10.77.10.0/24` */
  readonly ipv4: string
  /** `fd77:10::/64` */
  readonly ipv6: string
}

export interface WorldHost {
  readonly name: string
  /** A server belongs to the fleet that is to be closed; a client only uses it (or attacks it). */
  readonly role: 'server' | 'client'
  readonly tier: Tier
  readonly labels: Readonly<Record<string, string>>
  /** eth0, eth1, …; the first one's network holds the default gateway. */
  readonly interfaces: readonly Interface[]
  readonly services: readonly ServiceSpec[]
  readonly firewall?: FirewallSpec
}

/** Addresses without prefix length; both families always. */
export interface Interface {
  readonly network: string
  readonly ipv4: string
  readonly ipv6: string
}

export const network = (name: string, ipv4: string, ipv6: string): Network => ({ name, ipv4, ipv6 })

/** The interface with the given number in a network: 10 in 10.77.1.0/24 and fd77:1::/64 is 10.77.1.10 and fd77:1::a. Number 1 is the gateway. */
export const interfaceIn = (network: Network, number: number): Interface => ({
  network: network.name,
  ipv4: addressIn(network.ipv4, number),
  ipv6: addressIn(network.ipv6, number),
})

export function server(name: string, eth0: Interface, rest: Partial<Omit<WorldHost, 'name' | 'role'>> = {}): WorldHost {
  const services: readonly ServiceSpec[] = [{ daemon: 'openssh' }, ...(rest.services ?? [])]
  return { name, role: 'server', tier: 'standard', labels: {}, interfaces: [eth0], ...rest, services }
}

export function client(name: string, eth0: Interface, rest: Partial<Omit<WorldHost, 'name' | 'role'>> = {}): WorldHost {
  return { name, role: 'client', tier: 'standard', labels: {}, interfaces: [eth0], services: [], ...rest }
}

/** Servers `host-1` … on one network: for capacity and for tests that need many alike. */
export function flatWorld(count: number): World {
  const flat = network('flat', '10.77.0.0/16', 'fd77::/64')
  const hosts = Array.from({ length: count }, (_, index) => server(`host-${index + 1}`, interfaceIn(flat, index + 10)))
  return { networks: [flat], hosts }
}

export const gatewayOf = (network: Network, family: Family): string => addressIn(network[ipOf(family)], 1)

export const addressOf = (host: WorldHost, family: Family): string => {
  const [eth0] = host.interfaces
  if (eth0 === undefined) throw new Error(`${host.name} has no interface`)
  return eth0[ipOf(family)]
}

export const hostNamed = (world: World, name: string): WorldHost => found(world.hosts, name, 'host')
export const networkNamed = (world: World, name: string): Network => found(world.networks, name, 'network')

/** What would keep the world from starting, all of it; empty for a sound world. */
export function flawsOf(world: World): string[] {
  return [...nameFlaws(world), ...world.hosts.flatMap((host) => addressFlaws(world, host)), ...duplicateAddresses(world)]
}

/** The text of a prefix's length: `24`. */
export const lengthIn = (prefix: string): string => prefix.slice(prefix.indexOf('/') + 1)

const ipOf = (family: Family): 'ipv4' | 'ipv6' => (family === 4 ? 'ipv4' : 'ipv6')

/** Interface names are at most 15 bytes (IFNAMSIZ) and a port of the switch is named HOST.NUMBER. */
const NAME = /^[a-z][a-z0-9-]{0,12}$/

function nameFlaws(world: World): string[] {
  const names = [...world.hosts, ...world.networks].map((named) => named.name)
  const bad = names.filter((name) => !NAME.test(name) || name === 'switch')
  const twice = names.filter((name, index) => names.indexOf(name) !== index)
  return [...bad.map((name) => `"${name}" is not a usable name`), ...twice.map((name) => `the name ${name} stands twice`)]
}

function addressFlaws(world: World, host: WorldHost): string[] {
  if (host.interfaces.length === 0) return [`${host.name} has no interface`]
  return host.interfaces.flatMap((face) => {
    const network = world.networks.find((candidate) => candidate.name === face.network)
    if (network === undefined) return [`${host.name} is on ${face.network}, which the world does not have`]
    return [
      [network.ipv4, face.ipv4],
      [network.ipv6, face.ipv6],
    ].flatMap(([prefix = '', address = '']) => (isIn(prefix, address) ? [] : [`${host.name}: ${address} is not in ${prefix}`]))
  })
}

function duplicateAddresses(world: World): string[] {
  const gateways = world.networks.flatMap((network) => [gatewayOf(network, 4), gatewayOf(network, 6)])
  const all = [...gateways, ...world.hosts.flatMap((host) => host.interfaces.flatMap((face) => [face.ipv4, face.ipv6]))]
  return all.filter((address, index) => all.indexOf(address) !== index).map((address) => `the address ${address} stands twice`)
}

function isIn(prefix: string, address: string): boolean {
  const [parsedPrefix, parsedAddress] = [parsePrefix(prefix), parseAddress(address)]
  return parsedPrefix.ok && parsedAddress.ok && containsAddress(parsedPrefix.value, parsedAddress.value)
}

function addressIn(prefix: string, number: number): string {
  const { family, value }: Prefix = valid(parsePrefix(prefix))
  return formatAddress({ family, value: value + BigInt(number) })
}

function valid<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.faults.map((fault) => fault.what.en).join('; '))
  return result.value
}

function found<T extends { readonly name: string }>(all: readonly T[], name: string, noun: string): T {
  const one = all.find((candidate) => candidate.name === name)
  if (one === undefined) throw new Error(`the world has no ${noun} ${name}`)
  return one
}
