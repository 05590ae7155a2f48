/**
 * All diagrams of one analysis: nodes that are stored once, so that two diagrams of the same meaning have the same number.
 *
 * A diagram is a number: below {@link TERMINALS} a terminal of that value, else a node. A node tests one level (a chunk of a packet field)
 * and has, for sorted intervals of that level's values, an edge each to a node of a deeper level or a terminal. It is a firewall decision
 * diagram (Gouda and Liu, "Structured firewall design", 2007) whose wide fields are split into chunks so that equal prefixes are shared.
 */
export type Diagram = number

/** Terminals are numbers from 0 up to here; what they mean is the caller's. */
export const TERMINALS = 1 << 20

/** Deeper than every level. */
export const TERMINAL_LEVEL = 255

export interface Budget {
  /** Stored edges; one takes about 8 bytes, its share of a node included. */
  readonly edgesMax: number
}

export const DEFAULT_BUDGET: Budget = { edgesMax: 48_000_000 }

/** The analysis grew past its budget: nothing is decided. Unwinds to the one who set the budget. */
export class BudgetError extends Error {
  readonly edgesMax: number

  constructor(edgesMax: number) {
    super(`the analysis needs more than ${edgesMax} edges`)
    this.name = 'BudgetError'
    this.edgesMax = edgesMax
  }
}

export class Arena {
  /** Values of each level: 0 to size − 1; at most 65,536. */
  readonly levelSizes: readonly number[]
  readonly #edgesMax: number
  #nodes = 0
  #edges = 0
  #level = new Uint8Array(1024)
  #hashes = new Uint32Array(1024)
  /** Where the edges of a node start; those of the next node start where they end. */
  #start = new Uint32Array(1025)
  #last: Uint16Array
  #child: Int32Array
  #table = new Int32Array(2048).fill(-1)
  /** Edges under construction; nested constructions stand above one another. */
  #pendingLast = new Uint16Array(4096)
  #pendingChild = new Int32Array(4096)
  #pending = 0

  /** `edgesExpected` saves copying while the arena grows; being wrong costs nothing else. */
  constructor(levelSizes: readonly number[], budget: Budget = DEFAULT_BUDGET, edgesExpected = 4096) {
    this.levelSizes = levelSizes
    this.#edgesMax = budget.edgesMax
    this.#last = new Uint16Array(edgesExpected)
    this.#child = new Int32Array(edgesExpected)
  }

  get nodeCount(): number {
    return this.#nodes
  }

  get edgeCount(): number {
    return this.#edges
  }

  levelOf(diagram: Diagram): number {
    return diagram < TERMINALS ? TERMINAL_LEVEL : (this.#level[diagram - TERMINALS] ?? TERMINAL_LEVEL)
  }

  /** First edge of a node; its edges end before {@link endOf}. */
  startOf(diagram: Diagram): number {
    return this.#start[diagram - TERMINALS] ?? 0
  }

  endOf(diagram: Diagram): number {
    return this.#start[diagram - TERMINALS + 1] ?? 0
  }

  /** The last value of an edge's interval; the first is one more than the last of the edge before. */
  lastOf(edge: number): number {
    return this.#last[edge] ?? 0
  }

  childOf(edge: number): Diagram {
    return this.#child[edge] ?? 0
  }

  /** Where a diagram leads for one value of its own level. O(log edges). */
  childAt(diagram: Diagram, value: number): Diagram {
    let low = this.startOf(diagram)
    let high = this.endOf(diagram) - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.lastOf(middle) < value) low = middle + 1
      else high = middle
    }
    return this.childOf(low)
  }

  /** Starts a node's edges: give the mark to {@link close}. */
  open(): number {
    return this.#pending
  }

  /** Adds the interval from after the last one up to `last`. Equal neighbours become one. */
  emit(mark: number, last: number, child: Diagram): void {
    const at = this.#pending
    if (at > mark && this.#pendingChild[at - 1] === child) {
      this.#pendingLast[at - 1] = last
      return
    }
    if (at === this.#pendingChild.length) this.#growPending()
    this.#pendingLast[at] = last
    this.#pendingChild[at] = child
    this.#pending = at + 1
  }

  /** The node of the edges since `mark`: the stored one where it exists, the only child where the level does not matter. */
  close(mark: number, level: number): Diagram {
    const count = this.#pending - mark
    this.#pending = mark
    if (count === 1) return this.#pendingChild[mark] ?? 0
    const hash = this.#hash(mark, count, level)
    let slot = hash & (this.#table.length - 1)
    for (;;) {
      const found = this.#table[slot] ?? -1
      if (found < 0) return this.#store(mark, count, level, hash, slot)
      if (this.#hashes[found] === hash && this.#level[found] === level && this.#sameEdges(found, mark, count)) return found + TERMINALS
      slot = (slot + 1) & (this.#table.length - 1)
    }
  }

  /** Forgets edges under construction after a {@link BudgetError}. */
  reset(): void {
    this.#pending = 0
  }

  #hash(mark: number, count: number, level: number): number {
    const lasts = this.#pendingLast
    const children = this.#pendingChild
    let hash = Math.imul(level + 1, 0x9e37_79b1)
    for (let at = mark; at < mark + count; at += 1) {
      hash = Math.imul(hash ^ (lasts[at] ?? 0), 0x85eb_ca6b)
      hash = Math.imul((hash >>> 15) ^ hash ^ (children[at] ?? 0), 0xc2b2_ae35)
    }
    return (hash ^ (hash >>> 13)) >>> 0
  }

  #sameEdges(node: number, mark: number, count: number): boolean {
    const start = this.#start[node] ?? 0
    if ((this.#start[node + 1] ?? 0) - start !== count) return false
    for (let offset = 0; offset < count; offset += 1) {
      if (this.#last[start + offset] !== this.#pendingLast[mark + offset]) return false
      if (this.#child[start + offset] !== this.#pendingChild[mark + offset]) return false
    }
    return true
  }

  #store(mark: number, count: number, level: number, hash: number, slot: number): Diagram {
    const node = this.#nodes
    const start = this.#edges
    if (start + count > this.#edgesMax) throw new BudgetError(this.#edgesMax)
    if (start + count > this.#child.length) this.#growEdges(start + count)
    if (node + 2 > this.#level.length) this.#growNodes()
    const lasts = this.#pendingLast
    const children = this.#pendingChild
    for (let offset = 0; offset < count; offset += 1) {
      this.#last[start + offset] = lasts[mark + offset] ?? 0
      this.#child[start + offset] = children[mark + offset] ?? 0
    }
    this.#level[node] = level
    this.#hashes[node] = hash
    this.#start[node] = start
    this.#start[node + 1] = start + count
    this.#table[slot] = node
    this.#nodes = node + 1
    this.#edges = start + count
    if (this.#nodes * 2 > this.#table.length) this.#rehash()
    return node + TERMINALS
  }

  #rehash(): void {
    this.#table = new Int32Array(this.#table.length * 4).fill(-1)
    const mask = this.#table.length - 1
    for (let node = 0; node < this.#nodes; node += 1) {
      let slot = (this.#hashes[node] ?? 0) & mask
      while ((this.#table[slot] ?? -1) >= 0) slot = (slot + 1) & mask
      this.#table[slot] = node
    }
  }

  #growPending(): void {
    const lasts = new Uint16Array(this.#pendingLast.length * 2)
    lasts.set(this.#pendingLast)
    this.#pendingLast = lasts
    const children = new Int32Array(lasts.length)
    children.set(this.#pendingChild)
    this.#pendingChild = children
  }

  #growEdges(least: number): void {
    const capacity = Math.max(least, this.#child.length * 2)
    const lasts = new Uint16Array(capacity)
    lasts.set(this.#last)
    this.#last = lasts
    const children = new Int32Array(capacity)
    children.set(this.#child)
    this.#child = children
  }

  #growNodes(): void {
    const levels = new Uint8Array(this.#level.length * 2)
    levels.set(this.#level)
    this.#level = levels
    const hashes = new Uint32Array(levels.length)
    hashes.set(this.#hashes)
    this.#hashes = hashes
    const starts = new Uint32Array(levels.length + 1)
    starts.set(this.#start)
    this.#start = starts
  }
}
