import type { PortRange } from '../net/port.ts'
import type { PacketSet } from './cover.ts'
import type { PacketSpace } from './packetSpace.ts'
import { branchesAt } from './project.ts'

/** Protocols, and of these ports and ICMP types. Empty lists mean: any. */
export interface Service {
  readonly protocols: readonly PortRange[]
  readonly ports: readonly PortRange[]
  readonly icmpTypes: readonly PortRange[]
}

/** The services of a set that tests protocol, port and ICMP type alone, in few; none: any, or that there is nothing in it. */
export function servicesOf(space: PacketSpace, set: PacketSet): Service[] {
  if (set === 1 || set === 0) return []
  return listed(space, set, 'l4proto', 255).flatMap(({ ranges: protocols, child }) =>
    listed(space, child, 'dport', 65_535).flatMap(({ ranges: ports, child: rest }) => listed(space, rest, 'icmpType', 255).map(({ ranges: icmpTypes }) => ({ protocols, ports, icmpTypes }))),
  )
}

function listed(space: PacketSpace, set: PacketSet, field: 'l4proto' | 'dport' | 'icmpType', max: number): { readonly ranges: readonly PortRange[]; readonly child: PacketSet }[] {
  return branchesAt(space, set, space.chunks(field).firstLevel)
    .filter(({ child }) => child !== 0)
    .map(({ ranges, child }) => ({ child, ranges: ranges.length === 1 && ranges[0]?.first === 0 && ranges[0].last === max ? [] : ranges }))
}
