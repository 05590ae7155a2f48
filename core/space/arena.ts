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
  /** Edges made, those that were let go again included: it bounds time (2 to 5 million a second) and memory (8 bytes each). */
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

const COUNT_BITS = 20
const COUNT_MASK = (1 << COUNT_BITS) - 1
/** In the head of a node that is reached, while the others are let go. */
const REACHED = 1 << 31
const NO_NODE = 0
/** Numbers, 64 MB: while it grows old and new stand side by side, and doubling would ask for twice of what is needed. */
const GROWTH_MAX = 1 << 24

export class Arena {
  /** Values of each level: 0 to size − 1; at most 65,536. */
  readonly levelSizes: readonly number[]
  #edgesMax: number
  #madeBefore = 0
  #nodes = 0
  #made = 0
  /**
   * Pairs of numbers, so that all of a small node lies in one line of the processor's cache. A node is a head (level and count, hash),
   * then a pair for each edge (last value, child). A node's children stand before it. The first pair is no node.
   */
  #pairs: Int32Array
  #top = 1
  /** Heads by hash, open addressing, at most half full. */
  #table = new Int32Array(2048)
  /** Edges under construction; nested constructions stand above one another. */
  #pending = new Int32Array(4096)
  #pendingTop = 0

  /** `edgesExpected` saves copying while the arena grows; being wrong costs nothing else. */
  constructor(levelSizes: readonly number[], budget: Budget = DEFAULT_BUDGET, edgesExpected = 4096) {
    this.levelSizes = levelSizes
    this.#edgesMax = budget.edgesMax
    this.#pairs = new Int32Array(edgesExpected * 2)
  }

  get nodeCount(): number {
    return this.#nodes
  }

  get edgeCount(): number {
    return this.#top - 1 - this.#nodes
  }

  /** Where the next node will stand: nodes from here on are newer than now. Each takes one, and one for each of its edges, of 8 bytes. */
  get top(): number {
    return this.#top
  }

  /** How many nodes and edges there is room for. */
  get room(): number {
    return this.#pairs.length / 2
  }

  levelOf(diagram: Diagram): number {
    return diagram < TERMINALS ? TERMINAL_LEVEL : (this.#pairs[(diagram - TERMINALS) * 2] ?? 0) >> COUNT_BITS
  }

  /** First edge of a node; its edges end before {@link endOf}. */
  startOf(diagram: Diagram): number {
    return diagram - TERMINALS + 1
  }

  endOf(diagram: Diagram): number {
    const head = diagram - TERMINALS
    return head + 1 + ((this.#pairs[head * 2] ?? 0) & COUNT_MASK)
  }

  /** The last value of an edge's interval; the first is one more than the last of the edge before. */
  lastOf(edge: number): number {
    return this.#pairs[edge * 2] ?? 0
  }

  childOf(edge: number): Diagram {
    return this.#pairs[edge * 2 + 1] ?? 0
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
    return this.#pendingTop
  }

  /** Adds the interval from after the last one up to `last`. Equal neighbours become one. */
  emit(mark: number, last: number, child: Diagram): void {
    const at = this.#pendingTop
    const pending = this.#pending
    if (at > mark && pending[at - 1] === child) {
      pending[at - 2] = last
      return
    }
    if (at === pending.length) this.#pending = grown(pending, at * 2)
    this.#pending[at] = last
    this.#pending[at + 1] = child
    this.#pendingTop = at + 2
  }

  /** The node of the edges since `mark`: the stored one where it exists, the only child where the level does not matter. */
  close(mark: number, level: number): Diagram {
    const end = this.#pendingTop
    this.#pendingTop = mark
    if (end - mark === 2) return this.#pending[mark + 1] ?? 0
    const hash = hashOf(this.#pending, mark, end, level)
    const head = (level << COUNT_BITS) | ((end - mark) >> 1)
    const mask = this.#table.length - 1
    let slot = slotOf(hash, mask)
    for (;;) {
      const found = this.#table[slot] ?? NO_NODE
      if (found === NO_NODE) return this.#store(mark, end, head, hash, slot)
      if (this.#isSame(found, head, hash, mark, end)) return found + TERMINALS
      slot = (slot + 1) & mask
    }
  }

  /** Another analysis begins on the same nodes: its budget counts from here. Edges that a {@link BudgetError} left under construction go. */
  begin(budget: Budget = DEFAULT_BUDGET): void {
    this.#pendingTop = 0
    this.#edgesMax = budget.edgesMax
    this.#madeBefore = this.#made
  }

  /** Lets go of every node; what has grown stays as large as it is, so that nothing has to grow again. */
  clear(): void {
    this.#top = 1
    this.#nodes = 0
    this.#table.fill(NO_NODE)
  }

  /**
   * Lets go of every node from `since` on that none of the roots needs; the kept ones move together and get new numbers, which are written to
   * the roots. Only for one who made all nodes since then and holds no other of them. O(nodes).
   */
  keepOnly(since: number, roots: Diagram[]): void {
    for (const root of roots) this.#reach(root, since)
    this.#settle(since)
    this.#redirect(since, roots)
    this.#move(since)
    this.#rehash(this.#table.length)
  }

  #isSame(found: number, head: number, hash: number, mark: number, end: number): boolean {
    const pairs = this.#pairs
    const pending = this.#pending
    const start = found * 2
    if (pairs[start + 1] !== hash || pairs[start] !== head) return false
    const shift = start + 2 - mark
    for (let at = mark; at < end; at += 1) if (pairs[at + shift] !== pending[at]) return false
    return true
  }

  #store(mark: number, end: number, head: number, hash: number, slot: number): Diagram {
    const node = this.#top
    const count = (end - mark) >> 1
    if (this.#made - this.#madeBefore + count > this.#edgesMax) throw new BudgetError(this.#edgesMax)
    const top = node + 1 + count
    if (top * 2 > this.#pairs.length) this.#pairs = grown(this.#pairs, Math.max(top * 2, this.#pairs.length + Math.min(this.#pairs.length, GROWTH_MAX)))
    const pairs = this.#pairs
    const pending = this.#pending
    const start = node * 2
    pairs[start] = head
    pairs[start + 1] = hash
    const shift = start + 2 - mark
    for (let at = mark; at < end; at += 1) pairs[at + shift] = pending[at] ?? 0
    this.#table[slot] = node
    this.#top = top
    this.#made += count
    this.#nodes += 1
    if (this.#nodes * 2 > this.#table.length) this.#rehash(this.#table.length * 4)
    return node + TERMINALS
  }

  #rehash(slots: number): void {
    const table = slots === this.#table.length ? this.#table.fill(NO_NODE) : new Int32Array(slots)
    const pairs = this.#pairs
    const mask = slots - 1
    for (let node = 1; node < this.#top; node += 1 + ((pairs[node * 2] ?? 0) & COUNT_MASK)) {
      let slot = slotOf(pairs[node * 2 + 1] ?? 0, mask)
      while (table[slot] !== NO_NODE) slot = (slot + 1) & mask
      table[slot] = node
    }
    this.#table = table
  }

  #reach(diagram: Diagram, since: number): void {
    const node = diagram - TERMINALS
    if (node < since) return
    const head = this.#pairs[node * 2] ?? 0
    if (head < 0) return
    this.#pairs[node * 2] = head | REACHED
    const end = this.endOf(diagram)
    for (let edge = node + 1; edge < end; edge += 1) this.#reach(this.childOf(edge), since)
  }

  /** Writes to each reached node where it will stand, in the place of its hash. */
  #settle(since: number): void {
    const pairs = this.#pairs
    let to = since
    for (let node = since; node < this.#top; ) {
      const head = pairs[node * 2] ?? 0
      const length = 1 + (head & COUNT_MASK)
      if (head < 0) {
        pairs[node * 2 + 1] = to
        to += length
      } else this.#nodes -= 1
      node += length
    }
  }

  #redirect(since: number, roots: Diagram[]): void {
    const pairs = this.#pairs
    const moved = (diagram: Diagram): Diagram =>
      diagram - TERMINALS < since ? diagram : (pairs[(diagram - TERMINALS) * 2 + 1] ?? 0) + TERMINALS
    for (let node = since; node < this.#top; ) {
      const head = pairs[node * 2] ?? 0
      const end = node + 1 + (head & COUNT_MASK)
      if (head < 0) for (let edge = node + 1; edge < end; edge += 1) pairs[edge * 2 + 1] = moved(pairs[edge * 2 + 1] ?? 0)
      node = end
    }
    for (const [index, root] of roots.entries()) roots[index] = moved(root)
  }

  #move(since: number): void {
    const pairs = this.#pairs
    let to = since
    for (let node = since; node < this.#top; ) {
      const head = pairs[node * 2] ?? 0
      const length = 1 + (head & COUNT_MASK)
      if (head < 0) {
        pairs.copyWithin(to * 2, node * 2, (node + length) * 2)
        pairs[to * 2] = head & ~REACHED
        pairs[to * 2 + 1] = hashOf(pairs, to * 2 + 2, (to + length) * 2, (head & ~REACHED) >> COUNT_BITS)
        to += length
      }
      node += length
    }
    this.#top = to
  }
}

function hashOf(pairs: Int32Array, start: number, end: number, level: number): number {
  let hash = Math.imul(level + 1, 0x9e37_79b1)
  for (let at = start; at < end; at += 2) {
    hash = Math.imul(hash ^ (pairs[at] ?? 0), 0x85eb_ca6b)
    hash = Math.imul((hash >>> 15) ^ hash ^ (pairs[at + 1] ?? 0), 0xc2b2_ae35)
  }
  return hash ^ (hash >>> 13)
}

const slotOf = (hash: number, mask: number): number => (hash ^ (hash >>> 16)) & mask

function grown(numbers: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const more = new Int32Array(length)
  more.set(numbers)
  return more
}
