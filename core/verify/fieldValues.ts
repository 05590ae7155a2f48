import { CT_STATES, isInterfaceName, type Field, type Interval, type Value } from '../ruleset/ruleset.ts'
import { mergeRanges, type Range } from '../space/ranges.ts'
import type { LevelField } from './levels.ts'
import { classMatches } from './names.ts'
import type { PacketSpace } from './packetSpace.ts'

export const one = (value: bigint): Range[] => [{ first: value, last: value }]
export const IPV4: readonly [LevelField, readonly Range[]] = ['family', one(0n)]
export const IPV6: readonly [LevelField, readonly Range[]] = ['family', one(1n)]

/** Indexes of CT_STATES in their order: invalid, established, related, new, untracked. */
export const CT_CLASSES: readonly number[] = Object.values(CT_STATES)
export const CT_NEW = CT_CLASSES.indexOf(CT_STATES.new)
export const CT_ESTABLISHED = CT_CLASSES.indexOf(CT_STATES.established)

/** The level's values whose masked form is among the given ones; undefined where a mask and ranges do not go together. */
export function levelRanges(space: PacketSpace, level: LevelField, field: Field, values: readonly Value[]): readonly Range[] | undefined {
  if (level === 'iif' || level === 'oif') return nameRanges(space, values)
  const intervals = intervalsOf(values)
  if (level === 'family') return pick(2, (index) => holds(intervals, index === 0 ? 4n : 6n, field.mask))
  if (level === 'ctState') return pick(CT_CLASSES.length, (index) => holds(intervals, BigInt(CT_CLASSES[index] ?? 0), field.mask))
  const max = space.maxOf(level)
  const [only] = intervals
  if (intervals.length === 1 && field.mask === undefined && only && only.last <= max) return intervals
  if (field.mask === undefined || (field.mask & max) === max) return mergeRanges(clip(intervals, max))
  if (max <= 0xffffn) return pick(Number(max) + 1, (value) => holds(intervals, BigInt(value), field.mask))
  return prefixMaskRanges(intervals, field.mask, max)
}

const clip = (ranges: readonly Range[], max: bigint): Range[] =>
  ranges.filter((range) => range.first <= max).map((range) => ({ first: range.first, last: range.last < max ? range.last : max }))

export const holds = (ranges: readonly Range[], value: bigint, mask: bigint | undefined): boolean => {
  const masked = mask === undefined ? value : value & mask
  return ranges.some((range) => range.first <= masked && masked <= range.last)
}

export function pick(size: number, isIn: (value: number) => boolean): Range[] {
  const ranges: { first: bigint; last: bigint }[] = []
  for (let value = 0; value < size; value += 1) {
    if (!isIn(value)) continue
    const open = ranges.at(-1)
    if (open && open.last === BigInt(value) - 1n) open.last += 1n
    else ranges.push({ first: BigInt(value), last: BigInt(value) })
  }
  return ranges
}

const nameRanges = (space: PacketSpace, values: readonly Value[]): Range[] =>
  pick(space.names.length, (index) => {
    const nameClass = space.names[index]
    return values.some((value) => nameClass !== undefined && isInterfaceName(value) && classMatches(nameClass, value))
  })

/** A mask of leading ones keeps order, so that ranges stay ranges. */
function prefixMaskRanges(ranges: readonly Range[], mask: bigint, max: bigint): Range[] | undefined {
  const host = max & ~mask
  if ((host & (host + 1n)) !== 0n) return undefined
  return mergeRanges(
    clip(ranges, max).flatMap(({ first, last }) => {
      // Past the largest value where no masked value is as large as the first.
      const from = (first + host) & ~host
      const to = last & ~host
      return from > to ? [] : [{ first: from, last: to | host }]
    }),
  )
}

export const intervalsOf = (values: readonly Value[]): Range[] => values.filter((value) => isInterval(value))

const isInterval = (value: Value): value is Interval => !isInterfaceName(value)

/** A question that the model cannot answer, in one canonical line. */
export function questionOf(field: Field, values: readonly Value[]): string {
  const ranges = intervalsOf(values).map(({ first, last }) => `${first}-${last}`)
  return `${field.mask === undefined ? '' : `& ${field.mask} `}in ${ranges.join(',')}`
}
