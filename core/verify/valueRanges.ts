import { TERMINALS, type Diagram } from '../space/arena.ts'
import { mergeRanges, type Range } from '../space/ranges.ts'
import type { LevelField } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'

/** A closed interval of a field's values. */
export type NumberRange = Range

/** The values of one field for which a diagram that tests nothing else is not 0, merged. */
export function rangesOf(space: PacketSpace, field: LevelField, diagram: Diagram): NumberRange[] {
  const { arena } = space
  const { firstLevel, count, bits } = space.chunks(field)
  const ranges: Range[] = []
  const walk = (node: Diagram, chunk: number, prefix: bigint): void => {
    if (node === 0) return
    if (node < TERMINALS) {
      const shift = BigInt((count - chunk) * bits)
      ranges.push({ first: prefix << shift, last: ((prefix + 1n) << shift) - 1n })
      return
    }
    const skipped = BigInt((arena.levelOf(node) - firstLevel - chunk) * bits)
    for (let high = 0n; high < 1n << skipped; high += 1n) {
      let first = 0
      for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) {
        const last = arena.lastOf(edge)
        const child = arena.childOf(edge)
        const base = (prefix << skipped) | high
        if (child > 0 && child < TERMINALS) ranges.push(block(base, first, last, count - (arena.levelOf(node) - firstLevel) - 1, bits))
        else if (child !== 0) for (let digit = first; digit <= last; digit += 1) walk(child, arena.levelOf(node) - firstLevel + 1, (base << BigInt(bits)) | BigInt(digit))
        first = last + 1
      }
    }
  }
  walk(diagram, 0, 0n)
  const max = space.maxOf(field)
  return mergeRanges(ranges).map(({ first, last }) => ({ first, last: last > max ? max : last }))
}

/** All values whose digits so far are `base`, the next between `first` and `last`, and `left` more of any value. */
function block(base: bigint, first: number, last: number, left: number, bits: number): Range {
  const shift = BigInt(left * bits)
  const at = (digit: number): bigint => ((base << BigInt(bits)) | BigInt(digit)) << shift
  return { first: at(first), last: at(last) + (1n << shift) - 1n }
}
