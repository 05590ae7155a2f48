import type { Diagram } from '../space/arena.ts'
import { BOTH, NO, YES } from '../space/outcome.ts'
import { IPV6, one } from './fieldValues.ts'
import type { PacketSpace } from './packetSpace.ts'
import type { Refused } from './refused.ts'
import { LINK_LOCAL } from './routing.ts'

/**
 * Only packets that the stack forwards at all, whatever the rules say: those that live for one more hop and came in a frame for this host.
 * IPv6 with a source that means nothing elsewhere goes back to the link that it came from, and nowhere else.
 * (net/ipv4/ip_forward.c, ip_forward; net/ipv6/ip6_output.c, ip6_forward.)
 */
export function forwardable(space: PacketSpace, following: Diagram, refused: Refused): Diagram {
  const { combiner } = space
  const isOfLink = combiner.combine(BOTH, space.test(...IPV6), space.test('saddr6', SOURCES_OF_ONE_LINK))
  const isLeaving = combiner.combine(BOTH, isOfLink, space.invert(sameInterface(space)))
  const isAlive = combiner.combine(BOTH, space.test('pkttype', one(0n)), space.test('ttl', [{ first: 2n, last: 255n }]))
  return space.choose(isAlive, space.choose(isLeaving, refused.ofLink, following), refused.ofHop)
}

/** ::, ::1, fe80::/10 and multicast. */
const SOURCES_OF_ONE_LINK = [{ first: 0n, last: 1n }, LINK_LOCAL, { first: 0xffn << 120n, last: (1n << 128n) - 1n }]

/** Yes where the packet leaves by the interface that it came in by, or may do so. */
function sameInterface(space: PacketSpace): Diagram {
  const { arena, names } = space
  const { firstLevel } = space.chunks('oif')
  const back = names.map((_, index) => {
    const mark = arena.open()
    for (let out = 0; out < names.length; out += 1) arena.emit(mark, out, out === index ? YES : NO)
    return arena.close(mark, firstLevel)
  })
  const mark = arena.open()
  for (const [index, child] of back.entries()) arena.emit(mark, index, child)
  return arena.close(mark, space.chunks('iif').firstLevel)
}
