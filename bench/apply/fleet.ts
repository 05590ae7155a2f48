import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { SshAccess } from '@portcullis/lab/machine.ts'
import { addressOf, client, interfaceIn, network, server, type World } from '@portcullis/lab/world.ts'

/** The controller's own host, so that no other process of the machine stands in its network. */
export const CONTROLLER = 'ops'

/** So many hosts with sshd on one network, and one more for who changes them. */
export function worldOf(count: number): World {
  const flat = network('flat', '10.94.0.0/16', 'fd94::/64')
  const hosts = Array.from({ length: count }, (_, index) => server(`host-${index + 1}`, interfaceIn(flat, index + 10)))
  return { networks: [flat], hosts: [...hosts, client(CONTROLLER, interfaceIn(flat, 2))] }
}

/** What a controller is told of a host; the rest is the same for all. */
export interface FleetHost {
  readonly name: string
  readonly address: string
}

export const fleetOf = (world: World): FleetHost[] => world.hosts.filter(({ role }) => role === 'server').map((host) => ({ name: host.name, address: addressOf(host, 4) }))

/** The host as a policy names it. */
export function managed({ name, address }: FleetHost, { identityFile, knownHostsFile }: Pick<SshAccess, 'identityFile' | 'knownHostsFile'>): Host {
  const parsed = parseAddress(address)
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return { name, addresses: [parsed.value], labels: {}, tier: 'standard', transport: { kind: 'ssh', destination: address, port: 22, user: 'root', identityFile, knownHostsFile, sudo: false } }
}
