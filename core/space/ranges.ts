import type { Arena, Diagram } from './arena.ts'

/** A closed interval of a field's values. */
export interface Range {
  readonly first: bigint
  readonly last: bigint
}

/**
 * Consecutive levels that hold a field's value, the most significant chunk first, each of the same number of bits
 * (4, 8 or 16 where the field has more than 32).
 */
export interface Chunks {
  readonly firstLevel: number
  readonly count: number
  readonly bits: number
}

/** Sorted, without overlaps, neighbours joined. O(n log n), O(n) when sorted already. */
export function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: { first: bigint; last: bigint }[] = []
  for (const range of isSorted(ranges) ? ranges : ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const open = merged.at(-1)
    if (!open || range.first > open.last + 1n) merged.push({ first: range.first, last: range.last })
    else if (range.last > open.last) open.last = range.last
  }
  return merged
}

const isSorted = (ranges: readonly Range[]): boolean =>
  ranges.every((range, index) => index === 0 || (ranges[index - 1] ?? range).first <= range.first)

/** All values up to `max` that are in none of the merged ranges. */
export function complementRanges(merged: readonly Range[], max: bigint): Range[] {
  const gaps: Range[] = []
  let from = 0n
  for (const range of merged) {
    if (range.first > from) gaps.push({ first: from, last: range.first - 1n })
    from = range.last + 1n
  }
  if (from <= max) gaps.push({ first: from, last: max })
  return gaps
}

/** Of two merged lists, what both hold. */
export function intersectRanges(a: readonly Range[], b: readonly Range[]): Range[] {
  const common: Range[] = []
  for (let i = 0, j = 0; ; ) {
    const left = a[i]
    const right = b[j]
    if (!left || !right) return common
    const first = left.first > right.first ? left.first : right.first
    const last = left.last < right.last ? left.last : right.last
    if (first <= last) common.push({ first, last })
    if (left.last <= right.last) i += 1
    if (right.last <= left.last) j += 1
  }
}

/** The diagram that is `yes` for values in the ranges and `no` elsewhere. `merged` as {@link mergeRanges} gives it. O(ranges × chunks). */
export function rangesDiagram(arena: Arena, chunks: Chunks, merged: readonly Range[], yes: Diagram, no: Diagram): Diagram {
  const [only] = merged
  if (!only || yes === no) return no
  if (merged.length === 1) return rangeDiagram(arena, chunks, only, yes, no)
  return new RangesBuilder(arena, chunks, merged, () => yes, no).build()
}

/** As {@link rangesDiagram}, with a diagram for each range. `ranges` are sorted and do not overlap; they may touch. */
export function branchDiagram(
  arena: Arena,
  chunks: Chunks,
  ranges: readonly Range[],
  child: (index: number) => Diagram,
  no: Diagram,
): Diagram {
  return ranges.length === 0 ? no : new RangesBuilder(arena, chunks, ranges, child, no).build()
}

/** One range, as nearly all tests of rules are, from the least significant chunk up. */
function rangeDiagram(arena: Arena, { firstLevel, count, bits }: Chunks, range: Range, yes: Diagram, no: Diagram): Diagram {
  const firsts = digitsOf(range.first, count, bits)
  const lasts = digitsOf(range.last, count, bits)
  let parting = 0
  while (parting < count && firsts[parting] === lasts[parting]) parting += 1
  let low = yes
  let high = yes
  for (let chunk = count - 1; chunk > parting; chunk -= 1) {
    const level = firstLevel + chunk
    const end = (arena.levelSizes[level] ?? 0) - 1
    const [first = 0, last = 0] = [firsts[chunk], lasts[chunk]]
    low = rangeNode(arena, level, { first, last: end }, { low, between: yes, high: yes, no })
    high = rangeNode(arena, level, { first: 0, last }, { low: last > 0 ? yes : high, between: yes, high, no })
  }
  for (let chunk = Math.min(parting, count - 1); chunk >= 0; chunk -= 1) {
    low = rangeNode(arena, firstLevel + chunk, { first: firsts[chunk] ?? 0, last: lasts[chunk] ?? 0 }, { low, between: yes, high, no })
  }
  return low
}

interface RangeChildren {
  /** Of the first digit, and of the only one. */
  readonly low: Diagram
  readonly between: Diagram
  readonly high: Diagram
  /** Of digits outside. */
  readonly no: Diagram
}

function rangeNode(arena: Arena, level: number, { first, last }: { readonly first: number; readonly last: number }, { low, between, high, no }: RangeChildren): Diagram {
  const end = (arena.levelSizes[level] ?? 0) - 1
  const mark = arena.open()
  if (first > 0) arena.emit(mark, first - 1, no)
  arena.emit(mark, first, low)
  if (last > first + 1) arena.emit(mark, last - 1, between)
  if (last > first) arena.emit(mark, last, high)
  if (last < end) arena.emit(mark, end, no)
  return arena.close(mark, level)
}

/** Works on values split into digits, so that 32 and 128 bits are the same code. */
class RangesBuilder {
  readonly #arena: Arena
  readonly #chunks: Chunks
  readonly #firsts: Uint16Array
  readonly #lasts: Uint16Array
  readonly #count: number
  readonly #yes: (range: number) => Diagram
  readonly #no: Diagram

  constructor(arena: Arena, chunks: Chunks, merged: readonly Range[], yes: (range: number) => Diagram, no: Diagram) {
    this.#arena = arena
    this.#chunks = chunks
    this.#count = merged.length
    this.#firsts = endsOf(merged, chunks, (range) => range.first)
    this.#lasts = endsOf(merged, chunks, (range) => range.last)
    this.#yes = yes
    this.#no = no
  }

  build(): Diagram {
    return this.#block(0, 0, this.#count - 1, false, false)
  }

  /**
   * The ranges `from` to `to` within the block of values that share the digits above `chunk`; all of them touch the block.
   * `isOpenLeft`: the first range starts before the block; `isOpenRight`: the last one ends after it.
   */
  #block(chunk: number, from: number, to: number, isOpenLeft: boolean, isOpenRight: boolean): Diagram {
    if (chunk === this.#chunks.count || (from === to && isOpenLeft && isOpenRight)) return this.#yes(from)
    const arena = this.#arena
    const max = (arena.levelSizes[this.#chunks.firstLevel + chunk] ?? 0) - 1
    const mark = arena.open()
    let next = 0
    let at = from
    let isOpen = isOpenLeft
    while (at <= to) {
      const start = isOpen ? next : this.#digit(this.#firsts, at, chunk)
      if (start > next) arena.emit(mark, start - 1, this.#no)
      const isLastOpen = at === to && isOpenRight
      const end = isLastOpen ? max + 1 : this.#digit(this.#lasts, at, chunk)
      if ((isOpen || this.#startsBlock(at, chunk + 1)) && end > start) {
        arena.emit(mark, end - 1, this.#yes(at))
        next = end
        isOpen = true
        if (isLastOpen) at += 1
        continue
      }
      const last = this.#lastStartingIn(start, at, to, chunk)
      const lastEnd = last === to && isOpenRight ? max + 1 : this.#digit(this.#lasts, last, chunk)
      arena.emit(mark, start, this.#block(chunk + 1, at, last, isOpen, lastEnd > start))
      next = start + 1
      isOpen = lastEnd > start
      at = isOpen && next <= max ? last : last + 1
    }
    if (next <= max) arena.emit(mark, max, this.#no)
    return arena.close(mark, this.#chunks.firstLevel + chunk)
  }

  #lastStartingIn(digit: number, at: number, to: number, chunk: number): number {
    let last = at
    while (last < to && this.#digit(this.#firsts, last + 1, chunk) === digit) last += 1
    return last
  }

  #startsBlock(range: number, chunk: number): boolean {
    for (let at = chunk; at < this.#chunks.count; at += 1) if (this.#digit(this.#firsts, range, at) !== 0) return false
    return true
  }

  #digit(digits: Uint16Array, range: number, chunk: number): number {
    return digits[range * this.#chunks.count + chunk] ?? 0
  }
}

function endsOf(ranges: readonly Range[], { count, bits }: Chunks, end: (range: Range) => bigint): Uint16Array {
  const digits = new Uint16Array(ranges.length * count)
  for (const [index, range] of ranges.entries()) putDigits(end(range), digits, index * count, count, bits)
  return digits
}

function digitsOf(value: bigint, count: number, bits: number): number[] {
  const digits = Array<number>(count)
  putDigits(value, digits, 0, count, bits)
  return digits
}

const WORD_BITS = 32

/** A word at a time: a shift of a bigint costs as much as all the digits of a word. */
function putDigits(value: bigint, digits: { [index: number]: number }, at: number, count: number, bits: number): void {
  const perWord = Math.floor(WORD_BITS / bits)
  let rest = value
  for (let end = count; end > 0; end -= perWord) {
    let word = Number(end > perWord ? rest & 0xffff_ffffn : rest)
    for (let chunk = end - 1; chunk >= Math.max(0, end - perWord); chunk -= 1) {
      digits[at + chunk] = word & ((1 << bits) - 1)
      word >>>= bits
    }
    if (end > perWord) rest >>= 32n
  }
}
