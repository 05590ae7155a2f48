import { TERMINALS, type Arena, type Diagram } from './arena.ts'
import type { Combiner } from './combine.ts'
import { MASK, PLAIN_OUTCOMES } from './outcome.ts'
import { cofactor, rewriteLevel } from './transform.ts'

/**
 * The diagram of outcomes as it is when `level` reads `values[v]`, v being what the packet has at the level `from` (the same one, or another of the same size).
 * O(nodes × values that the level tells apart).
 */
export function readFrom(combiner: Combiner, diagram: Diagram, level: number, from: number, values: ArrayLike<number>): Diagram {
  const { arena } = combiner
  if (level === from) return rewriteLevel(arena, diagram, level, values)
  const lasts = lastsOf(arena, diagram, level)
  if (lasts.length === 0) return diagram
  const children = lasts.map((last) => cofactor(arena, diagram, level, last))
  const childOf = (value: number): number => lasts.findIndex((last) => (values[value] ?? 0) <= last)
  const wanted = Array.from({ length: values.length }, (_, value) => childOf(value))
  const parts = children.map((child, index) => combiner.combine(MASK, valuesNode(arena, from, wanted, index), child))
  return combiner.combineAll(PLAIN_OUTCOMES.union, parts, 0)
}

/** 1 for the values that lead to one child. */
function valuesNode(arena: Arena, level: number, wanted: readonly number[], index: number): Diagram {
  const mark = arena.open()
  for (const [value, child] of wanted.entries()) arena.emit(mark, value, child === index ? 1 : 0)
  return arena.close(mark, level)
}

/** The last values of all intervals of a level, sorted: between them it tells nothing apart. */
function lastsOf(arena: Arena, diagram: Diagram, level: number): number[] {
  const lasts = new Set<number>()
  const seen = new Set<Diagram>()
  const walk = (node: Diagram): void => {
    if (node < TERMINALS || arena.levelOf(node) > level || seen.has(node)) return
    seen.add(node)
    for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) {
      if (arena.levelOf(node) === level) lasts.add(arena.lastOf(edge))
      else walk(arena.childOf(edge))
    }
  }
  walk(diagram)
  return [...lasts].toSorted((a, b) => a - b)
}
