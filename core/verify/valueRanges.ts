import { TERMINALS, type Diagram } from '../space/arena.ts'
import { mergeRanges, type Range } from '../space/ranges.ts'
import type { LevelField } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'

/** A closed interval of a field's values. */
export type NumberRange = Range

/** The values of one field for which a diagram that tests nothing else is not 0, merged. */
export function rangesOf(space: PacketSpace, field: LevelField, diagram: Diagram): NumberRange[] {
  const ranges: Range[] = []
  eachRange(space, field, diagram, (_, range) => ranges.push(range))
  const max = space.maxOf(field)
  return mergeRanges(ranges).map(({ first, last }) => ({ first, last: last > max ? max : last }))
}

/** Ascending, what a diagram that tests one field says of its values: each terminal other than 0 with a range, which may touch the one before. */
export function eachRange(space: PacketSpace, field: LevelField, diagram: Diagram, take: (terminal: number, range: Range) => void): void {
  const { arena } = space
  const { firstLevel, count, bits } = space.chunks(field)
  const walk = (node: Diagram, chunk: number, prefix: bigint): void => {
    if (node === 0) return
    if (node < TERMINALS) {
      const shift = BigInt((count - chunk) * bits)
      return take(node, { first: prefix << shift, last: ((prefix + 1n) << shift) - 1n })
    }
    const level = arena.levelOf(node) - firstLevel
    const skipped = BigInt((level - chunk) * bits)
    // A chunk that is not tested means: each of its values. Between tested ones that is rare; take them one by one.
    for (let high = 0n; high < 1n << skipped; high += 1n) {
      const base = (prefix << skipped) | high
      let first = 0
      for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) {
        const last = arena.lastOf(edge)
        const child = arena.childOf(edge)
        if (child > 0 && child < TERMINALS) take(child, block(base, first, last, count - level - 1, bits))
        else if (child !== 0) for (let digit = first; digit <= last; digit += 1) walk(child, level + 1, (base << BigInt(bits)) | BigInt(digit))
        first = last + 1
      }
    }
  }
  walk(diagram, 0, 0n)
}

/** All values whose digits so far are `base`, the next between `first` and `last`, and `left` more of any value. */
function block(base: bigint, first: number, last: number, left: number, bits: number): Range {
  const shift = BigInt(left * bits)
  const at = (digit: number): bigint => ((base << BigInt(bits)) | BigInt(digit)) << shift
  return { first: at(first), last: at(last) + (1n << shift) - 1n }
}
