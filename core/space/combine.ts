import { TERMINALS, type Arena, type Diagram } from './arena.ts'
import { hashOf, PairMemory } from './pairMemory.ts'

/** A binary operation on terminals, lifted to diagrams point by point. */
export interface Operation {
  /** Unique among the operations used on one arena: it keys the cache. 1 to 255. */
  readonly code: number
  /** The result where it is plain without going deeper, else −1. Must decide every pair of terminals. */
  readonly shortcut: (a: Diagram, b: Diagram) => Diagram
  readonly isCommutative: boolean
}

/** Another terminal in the place of each, remembered as operations are. */
export interface TerminalChange {
  /** Unique among these and operations. */
  readonly code: number
  readonly to: (terminal: number) => number
}

const CACHE_SLOTS_MIN = 1 << 12
/** 4 MB: with sixteen times as many 4 % fewer merges are done again, but each look takes longer. */
const CACHE_SLOTS_MAX = 1 << 18
/** A tenth of the time in which they are made is what it takes to let go of them. */
const LEFTOVERS_MAX = 1 << 20

/** Combines diagrams of one arena, remembering results; the memory is lossy (one slot a key) and grows with the arena. */
export class Combiner {
  readonly arena: Arena
  /** Four numbers a slot: operation, a, b, result. */
  #cache = new Int32Array(CACHE_SLOTS_MIN * 4)
  #slotMask = CACHE_SLOTS_MIN - 1
  /** Of lists, where nothing is lost. */
  readonly #pairs = new PairMemory()
  readonly #leftoversMax: number

  /** `leftoversMax`: nodes and edges that a long list may leave behind before they are let go. */
  constructor(arena: Arena, leftoversMax = LEFTOVERS_MAX) {
    this.arena = arena
    this.#leftoversMax = leftoversMax
  }

  combine(operation: Operation, a: Diagram, b: Diagram): Diagram {
    const plain = operation.shortcut(a, b)
    if (plain >= 0) return plain
    return operation.isCommutative && a > b ? this.#cached(operation, b, a) : this.#cached(operation, a, b)
  }

  /** Like `mapTerminals`, which does not remember: for changes that are made again and again. */
  change(change: TerminalChange, diagram: Diagram): Diagram {
    if (isTerminal(diagram)) return change.to(diagram)
    const hash = hashOf(change.code, diagram, 0)
    const slot = (hash & this.#slotMask) * 4
    const cache = this.#cache
    if (cache[slot + 1] === diagram && cache[slot] === change.code) return cache[slot + 3] ?? 0
    const { arena } = this
    const mark = arena.open()
    const end = arena.endOf(diagram)
    for (let edge = arena.startOf(diagram); edge < end; edge += 1) arena.emit(mark, arena.lastOf(edge), this.change(change, arena.childOf(edge)))
    const result = arena.close(mark, arena.levelOf(diagram))
    this.#remember(hash, change.code, diagram, 0, result)
    return result
  }

  /**
   * Combines a list in a tree, which for an associative operation gives what left to right would at 4 to 25 times less cost: small diagrams
   * meet small ones. The tree's shape follows from the diagrams themselves, and what was made of two of them is remembered: a list that differs
   * in one place from an earlier one costs O(log n) merges. What is made on the way and needed no more is let go from time to time.
   */
  combineAll(operation: Operation, diagrams: readonly Diagram[], ifEmpty: Diagram): Diagram {
    if (diagrams.length <= 2) return this.#group(operation, diagrams, 0, diagrams.length, ifEmpty)
    const { arena } = this
    const since = arena.top
    let limit = since + this.#leftoversMax
    const ranks: Diagram[][] = [[]]
    for (const diagram of diagrams) {
      ranks[0]?.push(diagram)
      const rank = rankOf(diagram)
      for (let below = 0; below < rank; below += 1) this.#raise(operation, ranks, below)
      if (arena.top > limit) limit = this.#letGo(since, ranks)
    }
    for (let below = 0; below < ranks.length - 1; below += 1) this.#raise(operation, ranks, below)
    const rest = ranks.at(-1) ?? []
    return this.#group(operation, rest, 0, rest.length, ifEmpty)
  }

  /** What has gathered at a rank becomes one diagram of the next. */
  #raise(operation: Operation, ranks: Diagram[][], below: number): void {
    const group = ranks[below] ?? []
    if (group.length === 0) return
    const above = (ranks[below + 1] ??= [])
    above.push(this.#group(operation, group, 0, group.length, 0))
    group.length = 0
  }

  #group(operation: Operation, diagrams: readonly Diagram[], from: number, to: number, ifEmpty: Diagram): Diagram {
    if (to - from <= 1) return diagrams[from] ?? ifEmpty
    const middle = (from + to) >> 1
    return this.#pair(operation, this.#group(operation, diagrams, from, middle, 0), this.#group(operation, diagrams, middle, to, 0))
  }

  #pair(operation: Operation, a: Diagram, b: Diagram): Diagram {
    const plain = operation.shortcut(a, b)
    if (plain >= 0) return plain
    const known = this.#pairs.get(operation.code, a, b)
    if (known !== undefined) return known
    const result = this.combine(operation, a, b)
    this.#pairs.set(operation.code, a, b, result)
    return result
  }

  /** Lets go of all diagrams. */
  clear(): void {
    this.arena.clear()
    this.#forget()
  }

  #forget(): void {
    this.#cache.fill(0)
    this.#pairs.clear()
  }

  /** Gives the top at which it is due again: when as much has been made as was kept, and not too soon. */
  #letGo(since: number, ranks: readonly Diagram[][]): number {
    const kept = ranks.flat()
    this.arena.keepOnly(since, kept)
    let at = 0
    for (const rank of ranks) for (let index = 0; index < rank.length; index += 1) rank[index] = kept[at++] ?? 0
    this.#forget()
    const { top } = this.arena
    return top + Math.max(top - since, this.#leftoversMax)
  }

  #cached(operation: Operation, a: Diagram, b: Diagram): Diagram {
    const hash = hashOf(operation.code, a, b)
    const cache = this.#cache
    const slot = (hash & this.#slotMask) * 4
    if (cache[slot + 1] === a && cache[slot + 2] === b && cache[slot] === operation.code) return cache[slot + 3] ?? 0
    const result = this.#merge(operation, a, b)
    this.#remember(hash, operation.code, a, b, result)
    return result
  }

  #remember(hash: number, code: number, a: Diagram, b: Diagram, result: Diagram): void {
    if (this.arena.nodeCount > this.#slotMask && this.#slotMask + 1 < CACHE_SLOTS_MAX) {
      this.#slotMask = this.#slotMask * 4 + 3
      this.#cache = new Int32Array((this.#slotMask + 1) * 4)
    }
    const slot = (hash & this.#slotMask) * 4
    this.#cache[slot] = code
    this.#cache[slot + 1] = a
    this.#cache[slot + 2] = b
    this.#cache[slot + 3] = result
  }

  #merge(operation: Operation, a: Diagram, b: Diagram): Diagram {
    const levelA = this.arena.levelOf(a)
    const levelB = this.arena.levelOf(b)
    if (levelA === levelB) return this.#mergeSameLevel(operation, a, b, levelA)
    return levelA < levelB ? this.#mergeLeft(operation, a, b, levelA) : this.#mergeRight(operation, a, b, levelB)
  }

  #mergeSameLevel(operation: Operation, a: Diagram, b: Diagram, level: number): Diagram {
    const { arena } = this
    const mark = arena.open()
    let edgeA = arena.startOf(a)
    let edgeB = arena.startOf(b)
    const endA = arena.endOf(a)
    while (edgeA < endA) {
      const lastA = arena.lastOf(edgeA)
      const lastB = arena.lastOf(edgeB)
      const child = this.combine(operation, arena.childOf(edgeA), arena.childOf(edgeB))
      arena.emit(mark, lastA < lastB ? lastA : lastB, child)
      if (lastA <= lastB) edgeA += 1
      if (lastB <= lastA) edgeB += 1
    }
    return arena.close(mark, level)
  }

  #mergeLeft(operation: Operation, a: Diagram, b: Diagram, level: number): Diagram {
    const { arena } = this
    const mark = arena.open()
    const end = arena.endOf(a)
    for (let edge = arena.startOf(a); edge < end; edge += 1) {
      arena.emit(mark, arena.lastOf(edge), this.combine(operation, arena.childOf(edge), b))
    }
    return arena.close(mark, level)
  }

  #mergeRight(operation: Operation, a: Diagram, b: Diagram, level: number): Diagram {
    const { arena } = this
    const mark = arena.open()
    const end = arena.endOf(b)
    for (let edge = arena.startOf(b); edge < end; edge += 1) {
      arena.emit(mark, arena.lastOf(edge), this.combine(operation, a, arena.childOf(edge)))
    }
    return arena.close(mark, level)
  }
}

export const isTerminal = (diagram: Diagram): boolean => diagram < TERMINALS

/** Where an operation's two sides both are terminals, `decide`; else go deeper, unless `early` knows. */
export const operation = (
  code: number,
  isCommutative: boolean,
  decide: (a: Diagram, b: Diagram) => Diagram,
  early: (a: Diagram, b: Diagram) => Diagram = () => -1,
): Operation => ({
  code,
  isCommutative,
  shortcut: (a, b) => (a < TERMINALS && b < TERMINALS ? decide(a, b) : early(a, b)),
})


/** Of 64 diagrams one is of a higher rank, of 64 of those again. The same diagram always has the same. With fewer the groups of the upper ranks are more uneven, which costs edges. */
function rankOf(diagram: Diagram): number {
  const mixed = Math.imul(diagram ^ (diagram >>> 15), 0x9e37_79b1)
  const bits = mixed ^ (mixed >>> 16)
  return bits === 0 ? 0 : Math.floor((31 - Math.clz32(bits & -bits)) / RANK_BITS)
}
const RANK_BITS = 6
