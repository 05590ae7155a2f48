import { TERMINALS, type Diagram } from '../space/arena.ts'
import { MASK, PLAIN_OUTCOMES } from '../space/outcome.ts'
import { mapTerminals } from '../space/transform.ts'
import type { LevelField } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'

/** Diagrams whose terminals are 0 and 1: sets of packets. */
export type PacketSet = Diagram

/** Fields that a row of a table shows together. Those that two share, as both kinds of addresses do their family, belong to the later one where they are told apart. */
export interface Dimension {
  readonly fields: readonly LevelField[]
  /** How many things must be listed to say a set of its values; 0: any. */
  readonly words: (values: PacketSet) => number
  /** Of all values that may be said, those that belong together with what must be said. */
  readonly near?: (values: PacketSet, needed: PacketSet) => PacketSet
}

/** One row: for each dimension the set of its values. All combinations of them belong to it. */
export type Row = readonly PacketSet[]

export interface Cover {
  readonly rows: readonly Row[]
  /** What no row holds, since there would be too many; 0: nothing. */
  readonly left: PacketSet
}

/**
 * Few rows that hold all of `wanted` and nothing outside `allowed`. Each is as wide as it can be, then says no more than it must: of what other rows
 * hold already it says what is shorter to say. Dimensions are widened in their order. The last one, of services, is widened only where that is
 * shorter to say: rows list services under all that is true of them. Every field that the sets test belongs to a dimension. O(rows × dimensions) merges.
 */
export function cover(space: PacketSpace, dimensions: readonly Dimension[], wanted: PacketSet, allowed: PacketSet, rowsMax: number): Cover {
  return new Covering(space, dimensions, allowed).of(wanted, rowsMax)
}

/** Before rows of the same circumstances are joined. */
const SEEDS_PER_ROW = 4

class Covering {
  readonly #space: PacketSpace
  readonly #dimensions: readonly Dimension[]
  readonly #levels: readonly ReadonlySet<number>[]
  readonly #others: readonly (readonly LevelField[])[]
  readonly #outside: PacketSet

  constructor(space: PacketSpace, dimensions: readonly Dimension[], allowed: PacketSet) {
    this.#space = space
    this.#dimensions = dimensions
    this.#levels = dimensions.map(({ fields }) => new Set(fields.flatMap((field) => levelsOf(space, field))))
    this.#others = dimensions.map(({ fields }) => space.levels.fields.filter((field) => !fields.includes(field)))
    this.#outside = without(space, 1, allowed)
  }

  of(wanted: PacketSet, rowsMax: number): Cover {
    const joined = new Map<string, Row>()
    let left = wanted
    for (let seeds = 0; left !== 0 && joined.size < rowsMax && seeds < rowsMax * SEEDS_PER_ROW; seeds += 1) {
      const row = this.#widened(this.#seed(left))
      this.#join(joined, row)
      left = without(this.#space, left, this.#whole(row))
    }
    const rows = [...joined.values()].map((row) => ({ row, size: this.#size(row) })).toSorted((a, b) => b.size - a.size).map(({ row }) => row)
    return { rows: this.#shortened(rows, without(this.#space, wanted, left)), left }
  }

  #join(rows: Map<string, Row>, row: Row): void {
    const last = row.length - 1
    const key = row.slice(0, last).join()
    const known = rows.get(key)
    rows.set(key, known ? known.with(last, either(this.#space, known[last] ?? 0, row[last] ?? 0)) : row)
  }

  /** One path of the set, split by dimensions. */
  #seed(set: PacketSet): Row {
    const { arena } = this.#space
    const tests = this.#dimensions.map((): PacketSet[] => [])
    for (let at = set; at >= TERMINALS; ) {
      const level = arena.levelOf(at)
      const edge = edgeInto(this.#space, at)
      const first = edge === arena.startOf(at) ? 0 : arena.lastOf(edge - 1) + 1
      const index = this.#levels.findLastIndex((levels) => levels.has(level))
      tests[index]?.push(between(this.#space, level, first, arena.lastOf(edge)))
      at = arena.childOf(edge)
    }
    return tests.map((each) => each.reduce((all, test) => both(this.#space, all, test), 1))
  }

  /** All values with which the rest of the row stays inside what is allowed, one dimension after the other. */
  #widened(row: Row): Row {
    return this.#dimensions.reduce<Row>((wide, { words }, index) => {
      const strays = this.#valuesOf(both(this.#space, this.#whole(wide, index), this.#outside), index)
      const values = without(this.#space, 1, strays)
      const isKept = index === row.length - 1 && words(values) > words(wide[index] ?? 1)
      return isKept ? wide : wide.with(index, values)
    }, row)
  }

  /** First each row beside those before it, then beside all others: a row may be needed for nothing any more. */
  #shortened(rows: readonly Row[], wanted: PacketSet): Row[] {
    let left = wanted
    const once = rows.flatMap((row) => {
      const short = this.#shorter(row, left)
      left = without(this.#space, left, this.#whole(row))
      return short ? [short] : []
    })
    const behind: PacketSet[] = [0]
    for (const row of once.toReversed()) behind.unshift(either(this.#space, this.#whole(row), behind[0] ?? 0))
    let before: PacketSet = 0
    return once.flatMap((row, index) => {
      const short = this.#shorter(row, without(this.#space, wanted, either(this.#space, before, behind[index + 1] ?? 0)))
      if (short) before = either(this.#space, before, this.#whole(short))
      return short ? [short] : []
    })
  }

  /** Undefined: the row is needed for nothing that is left. The last dimension is the first to be cut: it was the last to be widened. */
  #shorter(row: Row, left: PacketSet): Row | undefined {
    if (both(this.#space, this.#whole(row), left) === 0) return undefined
    return this.#dimensions.reduceRight<Row>((short, { words, near }, index) => {
      const wide = short[index] ?? 1
      const needed = this.#valuesOf(both(this.#space, this.#whole(short), left), index)
      const choices = [needed, ...(near ? [near(wide, needed)] : []), wide]
      return short.with(index, choices.reduce((best, each) => (words(each) < words(best) ? each : best)))
    }, row)
  }

  #whole(row: Row, except = -1): PacketSet {
    return row.reduceRight<PacketSet>((all, values, index) => (index === except ? all : both(this.#space, values, all)), 1)
  }

  #valuesOf(set: PacketSet, index: number): PacketSet {
    return this.#space.forget(this.#others[index] ?? [], set)
  }

  /** Logarithm of how many packets it holds. */
  #size(row: Row): number {
    return row.reduce((sum, values) => sum + Math.log2(shareOf(this.#space, values)), 0)
  }
}

const levelsOf = (space: PacketSpace, field: LevelField): number[] => {
  const { firstLevel, count } = space.chunks(field)
  return Array.from({ length: count }, (_, chunk) => firstLevel + chunk)
}

/** The widest interval that leads on: what it stands for is the plainest. */
function edgeInto({ arena }: PacketSpace, node: Diagram): number {
  let widest = -1
  let width = 0
  let first = 0
  for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) {
    const own = arena.lastOf(edge) - first + 1
    if (arena.childOf(edge) !== 0 && own > width) [widest, width] = [edge, own]
    first = arena.lastOf(edge) + 1
  }
  return widest
}

function between({ arena }: PacketSpace, level: number, first: number, last: number): PacketSet {
  const max = (arena.levelSizes[level] ?? 1) - 1
  const mark = arena.open()
  if (first > 0) arena.emit(mark, first - 1, 0)
  arena.emit(mark, last, 1)
  if (last < max) arena.emit(mark, max, 0)
  return arena.close(mark, level)
}

/** The share of all packets that is in a set. */
function shareOf({ arena }: PacketSpace, set: PacketSet): number {
  const known = new Map<Diagram, number>()
  const share = (node: Diagram): number => {
    if (node < TERMINALS) return node
    const found = known.get(node)
    if (found !== undefined) return found
    const size = arena.levelSizes[arena.levelOf(node)] ?? 1
    let sum = 0
    let first = 0
    for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) {
      sum += ((arena.lastOf(edge) - first + 1) / size) * share(arena.childOf(edge))
      first = arena.lastOf(edge) + 1
    }
    known.set(node, sum)
    return sum
  }
  return share(set)
}

export const both = (space: PacketSpace, a: PacketSet, b: PacketSet): PacketSet => space.combiner.combine(MASK, a, b)
export const either = (space: PacketSpace, a: PacketSet, b: PacketSet): PacketSet => space.combiner.combine(PLAIN_OUTCOMES.union, a, b)
export const without = (space: PacketSpace, a: PacketSet, b: PacketSet): PacketSet => both(space, mapTerminals(space.arena, b, (terminal) => 1 - terminal), a)
