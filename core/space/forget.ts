import type { Diagram } from './arena.ts'
import { isTerminal, type Combiner, type Operation } from './combine.ts'

/** What every value of the levels leads to, together: the levels are gone from the diagram. `union` joins two. */
export function forgetLevels(combiner: Combiner, diagram: Diagram, levels: ReadonlySet<number>, union: Operation): Diagram {
  const { arena } = combiner
  const done = new Map<Diagram, Diagram>()
  const walk = (node: Diagram): Diagram => {
    if (isTerminal(node)) return node
    const known = done.get(node)
    if (known !== undefined) return known
    const start = arena.startOf(node)
    const children = Array.from({ length: arena.endOf(node) - start }, (_, index) => walk(arena.childOf(start + index)))
    const result = levels.has(arena.levelOf(node)) ? combiner.combineAll(union, [...new Set(children)], 0) : rebuilt(node, start, children)
    done.set(node, result)
    return result
  }
  const rebuilt = (node: Diagram, start: number, children: readonly Diagram[]): Diagram => {
    const mark = arena.open()
    for (const [index, child] of children.entries()) arena.emit(mark, arena.lastOf(start + index), child)
    return arena.close(mark, arena.levelOf(node))
  }
  return walk(diagram)
}
