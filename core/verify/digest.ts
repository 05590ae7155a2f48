import { TERMINALS, type Diagram } from '../space/arena.ts'
import { exampleOf } from './names.ts'
import type { PacketSpace } from './packetSpace.ts'

/** A hash function, SHA-256 where digests are kept; passed in, as core has none. */
export type HashText = (text: string) => string

/**
 * A digest of what a diagram means, the same on every host and in every analysis: hashed from the terminals up, interface names by their text.
 * Diagrams with deterministic unknown matches name them. O(edges).
 */
export function digestOf(space: PacketSpace, diagram: Diagram, hash: HashText): string {
  const done = new Map<Diagram, string>()
  const walk = (node: Diagram): string => {
    if (node < TERMINALS) return `=${node}`
    const known = done.get(node)
    if (known !== undefined) return known
    const digest = hash(describeNode(space, node, walk))
    done.set(node, digest)
    return digest
  }
  return hash(`portcullis packet space 1\n${walk(diagram)}`)
}

function describeNode(space: PacketSpace, node: Diagram, walk: (child: Diagram) => string): string {
  const { arena } = space
  const level = arena.levelOf(node)
  const field = space.levels.fields.find((each) => {
    const { firstLevel, count } = space.chunks(each)
    return firstLevel <= level && level < firstLevel + count
  })
  if (!field) throw new RangeError(`no field at level ${level}`)
  const chunk = level - space.chunks(field).firstLevel
  const label = field === 'boolean' ? `unknown ${space.booleans[chunk] ?? ''}` : `${field} ${chunk}`
  if (field === 'iif' || field === 'oif') return `${label}\n${describeNames(space, node, walk)}`
  const lines: string[] = []
  for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) lines.push(`${arena.lastOf(edge)} ${walk(arena.childOf(edge))}`)
  return `${label}\n${lines.join('\n')}`
}

/** Only names that differ from the shorter prefix around them: a name that another ruleset of the analysis mentions must not show. */
function describeNames(space: PacketSpace, node: Diagram, walk: (child: Diagram) => string): string {
  const { arena, names } = space
  const childOf = (index: number): Diagram => arena.childAt(node, index)
  const lines = names.flatMap((each, index) => {
    if (each.kind === 'none') return [`none ${walk(childOf(index))}`]
    if (each.kind === 'prefix' && each.prefix === '') return [`other ${walk(childOf(index))}`]
    const text = each.kind === 'name' ? each.name : each.prefix
    const around = enclosing(space, text, each.kind === 'name')
    return childOf(around) === childOf(index) ? [] : [`${each.kind} ${each.kind === 'name' ? exampleOf(each, names) : text} ${walk(childOf(index))}`]
  })
  return lines.toSorted().join('\n')
}

/** The class that a name or prefix would fall into without its own. */
function enclosing(space: PacketSpace, text: string, mayEqual: boolean): number {
  let best = space.names.length - 1
  let length = 0
  for (const [index, each] of space.names.entries()) {
    if (each.kind !== 'prefix' || !text.startsWith(each.prefix) || (each.prefix === text && !mayEqual)) continue
    if (each.prefix.length > length) [best, length] = [index, each.prefix.length]
  }
  return best
}
