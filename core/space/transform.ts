import { TERMINALS, type Arena, type Diagram } from './arena.ts'

/** Replaces every terminal. O(nodes). */
export function mapTerminals(arena: Arena, diagram: Diagram, to: (terminal: number) => Diagram): Diagram {
  return rebuild(arena, diagram, to, () => undefined)
}

/** The diagram where a level has the given value; the level is gone from it. */
export function cofactor(arena: Arena, diagram: Diagram, level: number, value: number): Diagram {
  const same = (terminal: number): number => terminal
  return rebuild(arena, diagram, same, (node, walk) => {
    const at = arena.levelOf(node)
    if (at > level) return node
    return at === level ? walk(arena.childAt(node, value)) : undefined
  })
}

/** The diagram as it is when a level's value is first replaced by `values[value]`. */
export function rewriteLevel(arena: Arena, diagram: Diagram, level: number, values: ArrayLike<number>): Diagram {
  const same = (terminal: number): number => terminal
  return rebuild(arena, diagram, same, (node) => {
    const at = arena.levelOf(node)
    if (at > level) return node
    if (at < level) return undefined
    const mark = arena.open()
    for (let value = 0; value < values.length; value += 1) arena.emit(mark, value, arena.childAt(node, values[value] ?? 0))
    return arena.close(mark, level)
  })
}

/** Puts levels in the place of others: `to[level]` for each level. The order of those that occur must stay the same. */
export function relabel(arena: Arena, diagram: Diagram, to: readonly number[]): Diagram {
  const done = new Map<Diagram, Diagram>()
  const walk = (node: Diagram): Diagram => {
    if (node < TERMINALS) return node
    const known = done.get(node)
    if (known !== undefined) return known
    const result = copyEdges(arena, node, to[arena.levelOf(node)] ?? arena.levelOf(node), walk)
    done.set(node, result)
    return result
  }
  return walk(diagram)
}

/** Rebuilds a diagram from below; `special` may answer for a node itself. */
function rebuild(
  arena: Arena,
  diagram: Diagram,
  terminal: (value: number) => Diagram,
  special: (node: Diagram, walk: (child: Diagram) => Diagram) => Diagram | undefined,
): Diagram {
  const done = new Map<Diagram, Diagram>()
  const walk = (node: Diagram): Diagram => {
    if (node < TERMINALS) return terminal(node)
    const known = done.get(node)
    if (known !== undefined) return known
    const result = special(node, walk) ?? copyEdges(arena, node, arena.levelOf(node), walk)
    done.set(node, result)
    return result
  }
  return walk(diagram)
}

function copyEdges(arena: Arena, node: Diagram, level: number, child: (node: Diagram) => Diagram): Diagram {
  const mark = arena.open()
  const end = arena.endOf(node)
  for (let edge = arena.startOf(node); edge < end; edge += 1) arena.emit(mark, arena.lastOf(edge), child(arena.childOf(edge)))
  return arena.close(mark, level)
}
