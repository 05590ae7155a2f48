import { TERMINALS, type Diagram } from '../space/arena.ts'
import type { LevelField } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'

/** Only the named fields are told apart: terminals of packets that differ elsewhere are united, as bits. */
export function project(space: PacketSpace, diagram: Diagram, kept: readonly LevelField[]): Diagram {
  return space.forget(space.levels.fields.filter((field) => !kept.includes(field)), diagram)
}

/** Values of one level that lead to the same place. */
export interface Branch {
  readonly ranges: readonly { readonly first: number; readonly last: number }[]
  readonly child: Diagram
}

/** The branches of a diagram at one level; a diagram that does not test it has one branch of all values. */
export function branchesAt(space: PacketSpace, diagram: Diagram, level: number): Branch[] {
  const { arena } = space
  if (diagram < TERMINALS || arena.levelOf(diagram) !== level) {
    return [{ ranges: [{ first: 0, last: (arena.levelSizes[level] ?? 1) - 1 }], child: diagram }]
  }
  const byChild = new Map<Diagram, { first: number; last: number }[]>()
  let first = 0
  for (let edge = arena.startOf(diagram); edge < arena.endOf(diagram); edge += 1) {
    const range = { first, last: arena.lastOf(edge) }
    const child = arena.childOf(edge)
    const ranges = byChild.get(child)
    if (ranges) ranges.push(range)
    else byChild.set(child, [range])
    first = range.last + 1
  }
  return [...byChild].map(([child, ranges]) => ({ ranges, child }))
}
