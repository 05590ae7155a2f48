import type { Family } from '../net/address.ts'
import { lastOf } from '../net/prefix.ts'
import type { HostFacts, Route } from '../ruleset/hostfacts.ts'
import type { Diagram } from '../space/arena.ts'
import { boxesDiagram, type Box } from '../space/box.ts'
import { EITHER, NO, YES } from '../space/outcome.ts'
import { complementRanges, intersectRanges, mergeRanges, type Range } from '../space/ranges.ts'
import type { PacketSpace } from './packetSpace.ts'

/** Where packets from others come in: each source by the interface that the routes lead back to it. */
export function arrivingFromOthers(space: PacketSpace, facts: HostFacts): Diagram {
  const boxes = ([4, 6] as const).flatMap((family) =>
    [...sourcesByInterface(facts, family)].flatMap(([name, ranges]): Box[] => {
      const index = space.names.findIndex((each) => each.kind === 'name' && each.name === name)
      if (index < 0) return []
      return [
        [
          { chunks: space.chunks('iif'), ranges: [{ first: BigInt(index), last: BigInt(index) }] },
          { chunks: space.chunks('family'), ranges: family === 4 ? [{ first: 0n, last: 0n }] : [{ first: 1n, last: 1n }] },
          { chunks: space.chunks(`saddr${family}`), ranges },
        ],
      ]
    }),
  )
  return boxesDiagram(space.combiner, boxes, YES, NO, EITHER)
}

/** The longest prefix decides; what the host itself holds comes from nobody else. */
function sourcesByInterface(facts: HostFacts, family: Family): ReadonlyMap<string, Range[]> {
  const routes = facts.routes
    .filter((route) => route.destination.family === family && route.type !== 'throw')
    .toSorted((a, b) => TABLES.indexOf(a.table) - TABLES.indexOf(b.table) || b.destination.length - a.destination.length || a.metric - b.metric)
  const found = new Map<string, Range[]>()
  const max = (1n << (family === 4 ? 32n : 128n)) - 1n
  let free: Range[] = [{ first: 0n, last: max }]
  for (const route of routes) {
    const own = [{ first: route.destination.value, last: lastOf(route.destination) }]
    if (route.type === 'unicast' && route.oif !== undefined) found.set(route.oif, mergeRanges([...(found.get(route.oif) ?? []), ...intersectRanges(free, own)]))
    free = intersectRanges(free, complementRanges(own, max))
  }
  return found
}

const TABLES: readonly Route['table'][] = ['local', 'main', 'default']
