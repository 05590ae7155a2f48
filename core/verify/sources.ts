import type { Family } from '../net/address.ts'
import { prefixesOfRange, type Prefix } from '../net/prefix.ts'
import { TERMINALS, type Diagram } from '../space/arena.ts'
import type { Range } from '../space/ranges.ts'
import { branchesAt } from './project.ts'
import { eachRange } from './valueRanges.ts'
import type { PacketSpace } from './packetSpace.ts'

/** Source addresses: everything, or prefixes; a long list is cut and says how many were left out. */
export type Sources =
  | { readonly kind: 'any' }
  | { readonly kind: 'family'; readonly family: Family }
  | {
      readonly kind: 'prefixes'
      readonly prefixes: readonly Prefix[]
      readonly more: number
      /** The same said shorter: all addresses but these; of the one family, where there are none of the other. */
      readonly except?: readonly Prefix[]
      readonly family?: Family
    }

const PREFIXES_MAX = 64

/** Sources by what a diagram over family and source addresses says of them: one entry a terminal other than 0. */
export const sourcesOf = (space: PacketSpace, diagram: Diagram): Map<number, Sources> => addressesOf(space, diagram, 's', [4, 6])

/** The same of destination addresses, of some families. */
export function destinationsOf(space: PacketSpace, diagram: Diagram, families: readonly Family[] = [4, 6]): Sources {
  const found = addressesOf(space, diagram, 'd', families).get(1) ?? NOBODY
  return found.kind === 'family' && families.length === 1 ? { kind: 'any' } : found
}

export const NOBODY: Sources = { kind: 'prefixes', prefixes: [], more: 0 }

/** How many things must be listed to say it; 0: any. `ofFamily` more where a family is named beside exceptions. */
export function wordsOf(sources: Sources, ofFamily = 0): number {
  if (sources.kind !== 'prefixes') return sources.kind === 'any' ? 0 : 0.5
  return sources.except ? sources.except.length + (sources.family ? ofFamily : 0) : sources.prefixes.length + sources.more
}

function addressesOf(space: PacketSpace, diagram: Diagram, side: 's' | 'd', families: readonly Family[]): Map<number, Sources> {
  if (diagram < TERMINALS) return new Map(diagram === 0 ? [] : [[diagram, { kind: 'any' }]])
  const ranges = new Map<number, Record<Family, Range[]>>()
  for (const branch of branchesAt(space, diagram, space.chunks('family').firstLevel)) {
    for (const { first, last } of branch.ranges) {
      for (const family of families) if (first <= INDEXES[family] && INDEXES[family] <= last) eachRange(space, `${side}addr${family}`, branch.child, (terminal, range) => add(ranges, terminal, family, range))
    }
  }
  return new Map([...ranges].map(([terminal, byFamily]) => [terminal, describe(byFamily)]))
}

/** Values of the level `family`. */
const INDEXES: Readonly<Record<Family, number>> = { 4: 0, 6: 1 }

function add(into: Map<number, Record<Family, Range[]>>, terminal: number, family: Family, range: Range): void {
  const byFamily = into.get(terminal) ?? { 4: [], 6: [] }
  into.set(terminal, byFamily)
  const open = byFamily[family].at(-1)
  if (open && open.last + 1n === range.first) byFamily[family][byFamily[family].length - 1] = { first: open.first, last: range.last }
  else byFamily[family].push(range)
}

function describe(byFamily: Record<Family, readonly Range[]>): Sources {
  const isWhole = (family: Family): boolean => {
    const [only] = byFamily[family]
    return byFamily[family].length === 1 && only?.first === 0n && only.last === (1n << (family === 4 ? 32n : 128n)) - 1n
  }
  if (isWhole(4) && isWhole(6)) return { kind: 'any' }
  for (const [family, other] of [[4, 6], [6, 4]] as const) if (isWhole(family) && byFamily[other].length === 0) return { kind: 'family', family }
  const prefixes = ([4, 6] as const).flatMap((family) => byFamily[family].flatMap((range) => prefixesOfRange(family, range.first, range.last)))
  return { kind: 'prefixes', prefixes: prefixes.slice(0, PREFIXES_MAX), more: Math.max(0, prefixes.length - PREFIXES_MAX), ...saidShorter(byFamily, prefixes.length) }
}

function saidShorter(byFamily: Record<Family, readonly Range[]>, count: number): { readonly except?: readonly Prefix[]; readonly family?: Family } {
  const families = ([4, 6] as const).filter((family) => byFamily[family].length > 0)
  const except = families.flatMap((family) => gaps(byFamily[family], family))
  if (except.length > PREFIXES_MAX || except.length * 2 >= count) return {}
  const [only, other] = families
  return only && !other ? { except, family: only } : { except }
}

/** What lies between sorted ranges. */
function gaps(ranges: readonly Range[], family: Family): Prefix[] {
  let next = 0n
  const found: Prefix[] = []
  for (const { first, last } of [...ranges, { first: 1n << (family === 4 ? 32n : 128n), last: 0n }]) {
    if (first > next) found.push(...prefixesOfRange(family, next, first - 1n))
    next = last + 1n
  }
  return found
}
