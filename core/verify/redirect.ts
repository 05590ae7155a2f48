import type { Address, Family } from '../net/address.ts'
import type { Interface } from '../ruleset/hostfacts.ts'
import type { Hook } from '../ruleset/ruleset.ts'
import type { Diagram } from '../space/arena.ts'
import { DROP } from '../space/outcome.ts'
import { mergeRanges, type Range } from '../space/ranges.ts'
import { IPV4, one } from './fieldValues.ts'
import type { PacketSpace } from './packetSpace.ts'
import { LINK_LOCAL, rangesWhere, type Routing } from './routing.ts'

const LOOPBACK: Readonly<Record<Family, bigint>> = { 4: 0x7f00_0001n, 6: 1n }

/**
 * `following` where the new destination is the one that `redirect` takes: the first address of the incoming interface, for the host's own
 * packets that of loopback (nf_nat_redirect.c). IPv6 takes one of the destination's scope. Without one the packet is dropped.
 */
export function ownAddresses(space: PacketSpace, hook: Hook, following: Diagram): Diagram {
  const byFamily = (of: (family: Family) => Diagram): Diagram => space.choose(space.test(...IPV4), of(4), of(6))
  if (hook === 'output') return byFamily((family) => space.where(`newDaddr${family}`, one(LOOPBACK[family]), following))
  const { routing } = space
  if (!routing) return following
  return byFamily((family) =>
    space.byInterface('iif', (name) => {
      const device = routing.facts.interfaces.find((each) => each.name === name)
      return device ? byScope(space, family, device, following) : space.where(`newDaddr${family}`, allOwn(routing, family), following)
    }),
  )
}

/** What scope an IPv6 destination asks for; global ones ask for none (ipv6_addr_scope). */
const SCOPES: readonly { readonly destinations: readonly Range[]; readonly own: Range }[] = [
  { destinations: mergeRanges([LINK_LOCAL, ...multicastOfScope(2n)]), own: LINK_LOCAL },
  { destinations: mergeRanges([...one(1n), ...multicastOfScope(1n)]), own: { first: 1n, last: 1n } },
  { destinations: mergeRanges([{ first: 0xfec0n << 112n, last: (0xff00n << 112n) - 1n }, ...multicastOfScope(5n)]), own: { first: 0xfec0n << 112n, last: (0xff00n << 112n) - 1n } },
]

function multicastOfScope(scope: bigint): Range[] {
  return Array.from({ length: 16 }, (_, flags) => (0xff00n | (BigInt(flags) << 4n) | scope) << 112n).map((first) => ({ first, last: first + (1n << 112n) - 1n }))
}

function byScope(space: PacketSpace, family: Family, device: Interface, following: Diagram): Diagram {
  const first = (own?: Range): Diagram => {
    const address = device.addresses.find(({ address: each }) => isIn(each, family, own))?.address
    return address ? space.where(`newDaddr${family}`, one(address.value), following) : DROP
  }
  if (family === 4) return first()
  return SCOPES.reduce((otherwise, { destinations, own }) => space.choose(space.test('daddr6', destinations), first(own), otherwise), first())
}

const isIn = (address: Address, family: Family, own: Range | undefined): boolean =>
  address.family === family && (!own || (own.first <= address.value && address.value <= own.last))

const allOwn = (routing: Routing, family: Family): Range[] => rangesWhere(routing.ownTable(family), ({ routes }) => routes[0]?.type === 'local')
