import { TERMINALS, type Diagram } from '../space/arena.ts'
import type { LevelField } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'

/** The fields that a diagram tests, in the order of levels. O(nodes). */
export function fieldsAsked(space: PacketSpace, diagram: Diagram): LevelField[] {
  const levels = levelsAsked(space, diagram)
  return space.levels.fields.filter((field) => chunksAmong(space, levels, field).length > 0)
}

/** Which chunks of one field a diagram tests. */
export const chunksAsked = (space: PacketSpace, diagram: Diagram, field: LevelField): number[] => chunksAmong(space, levelsAsked(space, diagram), field)

function chunksAmong(space: PacketSpace, levels: ReadonlySet<number>, field: LevelField): number[] {
  const { firstLevel, count } = space.chunks(field)
  return Array.from({ length: count }, (_, chunk) => chunk).filter((chunk) => levels.has(firstLevel + chunk))
}

function levelsAsked({ arena }: PacketSpace, diagram: Diagram): Set<number> {
  const levels = new Set<number>()
  const seen = new Set<Diagram>()
  const walk = (node: Diagram): void => {
    if (node < TERMINALS || seen.has(node)) return
    seen.add(node)
    levels.add(arena.levelOf(node))
    for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) walk(arena.childOf(edge))
  }
  walk(diagram)
  return levels
}
