import type { Arena, Diagram } from './arena.ts'
import type { Combiner, Operation } from './combine.ts'
import { branchDiagram, mergeRanges, rangesDiagram, type Chunks, type Range } from './ranges.ts'

/** One field's values are in the ranges (merged). */
export interface Constraint {
  readonly chunks: Chunks
  readonly ranges: readonly Range[]
}

/** All constraints at once; one a field at most, sorted by first level. */
export type Box = readonly Constraint[]

/** O(ranges × chunks), without a merge. */
export function boxDiagram(arena: Arena, box: Box, yes: Diagram, no: Diagram): Diagram {
  let inner = yes
  for (let at = box.length - 1; at >= 0; at -= 1) {
    const { chunks, ranges } = box[at] ?? { chunks: { firstLevel: 0, count: 0, bits: 0 }, ranges: [] }
    inner = rangesDiagram(arena, chunks, ranges, inner, no)
  }
  return inner
}

/**
 * `yes` inside any of the boxes, `no` elsewhere. Boxes that are told apart by one field's values at a time (set elements, blocklists, rules of one
 * verdict) are built directly, in n log n; overlapping ones are merged in a balanced tree by `or`, of which `yes` wins over `no`.
 */
export function boxesDiagram(combiner: Combiner, boxes: readonly Box[], yes: Diagram, no: Diagram, or: Operation): Diagram {
  const union = new BoxUnion(combiner, yes, no, or)
  return union.of(boxes, 0)
}

/** Each box may stand in so many branches on average before merging is cheaper. */
const SPREAD_MAX = 4

/** So many small diagrams are merged sooner than their values are sorted. */
const FEW = 3

class BoxUnion {
  readonly #combiner: Combiner
  readonly #yes: Diagram
  readonly #no: Diagram
  readonly #or: Operation

  constructor(combiner: Combiner, yes: Diagram, no: Diagram, or: Operation) {
    this.#combiner = combiner
    this.#yes = yes
    this.#no = no
    this.#or = or
  }

  /** The union of the boxes, their first `depth` constraints taken as met. */
  of(boxes: readonly Box[], depth: number): Diagram {
    const [only] = boxes
    if (!only) return this.#no
    if (boxes.length === 1) return boxDiagram(this.#combiner.arena, only.slice(depth), this.#yes, this.#no)
    if (boxes.some((box) => box.length === depth)) return this.#yes
    if (boxes.length <= FEW) return this.#merged(boxes, depth)
    const groups = [...groupByField(boxes, depth)].toSorted(([a], [b]) => a - b)
    const parts = groups.map(([, group]) => this.#sameField(group, depth))
    return this.#combiner.combineAll(this.#or, parts, this.#no)
  }

  #sameField(boxes: readonly Box[], depth: number): Diagram {
    const chunks = boxes[0]?.[depth]?.chunks
    if (!chunks) return this.#no
    if (boxes.every((box) => box.length === depth + 1)) {
      const ranges = mergeRanges(boxes.flatMap((box) => box[depth]?.ranges ?? []))
      return rangesDiagram(this.#combiner.arena, chunks, ranges, this.#yes, this.#no)
    }
    const branches = splitApart(boxes, depth) ?? splitByValue(boxes, depth)
    if (!branches) return this.#merged(boxes, depth)
    const inner = branches.map((branch) => this.of(branch.boxes, depth + 1))
    return branchDiagram(this.#combiner.arena, chunks, branches, (index) => inner[index] ?? this.#no, this.#no)
  }

  #merged(boxes: readonly Box[], depth: number): Diagram {
    const { arena } = this.#combiner
    const sorted = boxes.toSorted((a, b) => compareBoxes(a, b, depth))
    const diagrams = sorted.map((box) => boxDiagram(arena, box.slice(depth), this.#yes, this.#no))
    return this.#combiner.combineAll(this.#or, diagrams, this.#no)
  }
}

function groupByField(boxes: readonly Box[], depth: number): Map<number, Box[]> {
  const groups = new Map<number, Box[]>()
  for (const box of boxes) {
    const level = box[depth]?.chunks.firstLevel ?? 0
    const group = groups.get(level)
    if (group) group.push(box)
    else groups.set(level, [box])
  }
  return groups
}

interface Branch extends Range {
  readonly boxes: readonly Box[]
}

/** Where every box has one range and any two of these are the same or apart, as the elements of sets are. */
function splitApart(boxes: readonly Box[], depth: number): Branch[] | undefined {
  const branches = new Map<bigint, { readonly first: bigint; readonly last: bigint; readonly boxes: Box[] }>()
  for (const box of boxes) {
    const ranges = box[depth]?.ranges
    const range = ranges?.[0]
    if (!range || ranges.length > 1) return undefined
    const known = branches.get(range.first)
    if (!known) branches.set(range.first, { first: range.first, last: range.last, boxes: [box] })
    else if (known.last === range.last) known.boxes.push(box)
    else return undefined
  }
  const sorted = [...branches.values()].sort((a, b) => (a.first < b.first ? -1 : 1))
  return sorted.every((branch, index) => index === 0 || (sorted[index - 1]?.last ?? 0n) < branch.first) ? sorted : undefined
}

/** The values of one field, cut where the set of boxes changes. Undefined: too many boxes overlap. */
function splitByValue(boxes: readonly Box[], depth: number): Branch[] | undefined {
  const edges = edgesOf(boxes, depth)
  const limit = boxes.length * SPREAD_MAX + 64
  const open = new Map<Box, number>()
  const branches: Branch[] = []
  let spread = 0
  for (let at = 0; at < edges.length; ) {
    const value = edges[at]?.value ?? 0n
    for (; edges[at]?.value === value; at += 1) toggle(open, edges[at])
    const next = edges[at]
    if (!next || open.size === 0) continue
    spread += open.size
    if (spread > limit) return undefined
    branches.push({ first: value, last: next.value - 1n, boxes: [...open.keys()] })
  }
  return branches
}

interface BoxEdge {
  readonly value: bigint
  readonly box: Box
  readonly isStart: boolean
}

function edgesOf(boxes: readonly Box[], depth: number): BoxEdge[] {
  const edges: BoxEdge[] = []
  for (const box of boxes) {
    for (const { first, last } of box[depth]?.ranges ?? []) {
      edges.push({ value: first, box, isStart: true }, { value: last + 1n, box, isStart: false })
    }
  }
  return edges.sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0))
}

function toggle(open: Map<Box, number>, edge: BoxEdge | undefined): void {
  if (!edge) return
  const count = (open.get(edge.box) ?? 0) + (edge.isStart ? 1 : -1)
  if (count === 0) open.delete(edge.box)
  else open.set(edge.box, count)
}

/** Neighbours in this order share most of their diagram, so that merging them is cheap. */
export function compareBoxes(a: Box, b: Box, depth = 0): number {
  for (let at = depth; at < a.length && at < b.length; at += 1) {
    const left = a[at]
    const right = b[at]
    if (!left || !right) break
    if (left.chunks.firstLevel !== right.chunks.firstLevel) return left.chunks.firstLevel - right.chunks.firstLevel
    const first = left.ranges[0]?.first ?? 0n
    const other = right.ranges[0]?.first ?? 0n
    if (first !== other) return first < other ? -1 : 1
  }
  return a.length - b.length
}
