import { bitsOf, type Address, type Family } from '../net/address.ts'
import { comparePrefixes, lastOf, samePrefix, type Prefix } from '../net/prefix.ts'

/** A named set of source addresses; a policy's Zone has this shape. */
export interface SourceZone {
  readonly name: string
  readonly prefixes: readonly Prefix[]
}

/** Every source that no zone holds. */
export const ELSEWHERE = 'elsewhere'
/** The host speaking to itself: the only source that reaches a loopback endpoint. */
export const ITSELF = 'itself'

/** All addresses of both families cut into pieces with one owner each, so that no source is counted twice. */
export interface ZoneMap {
  /** Sorted by name, `elsewhere` last. */
  readonly names: readonly string[]
  readonly pieces: Readonly<Record<Family, readonly Piece[]>>
}

/** Addresses `first` to `last`, both included. */
interface Piece {
  readonly first: bigint
  readonly last: bigint
  readonly zone: string
}

export type Coverage = 'all' | 'part' | 'none'

/** Where zones overlap, the longest prefix owns an address; of equal prefixes, the zone that sorts first. */
export function mapZones(zones: readonly SourceZone[]): ZoneMap {
  const names = [...new Set(zones.map((zone) => zone.name))].toSorted()
  return {
    names: [...names.filter((name) => name !== ELSEWHERE), ELSEWHERE],
    pieces: { 4: cut(4, zones), 6: cut(6, zones) },
  }
}

/** O(log pieces). */
export function zoneOf(map: ZoneMap, address: Address): string {
  const pieces = map.pieces[address.family]
  let low = 0
  let high = pieces.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((pieces[middle]?.last ?? 0n) < address.value) low = middle + 1
    else high = middle
  }
  return pieces[low]?.zone ?? ELSEWHERE
}

/** How much of each zone's own addresses of one family the prefixes hold. Zones without such addresses are absent. */
export function coverZones(map: ZoneMap, family: Family, prefixes: readonly Prefix[]): Map<string, Coverage> {
  const ranges = prefixes.filter((prefix) => prefix.family === family)
  const covered = new Map<string, Coverage>()
  for (const piece of map.pieces[family]) {
    const next = coverPiece(piece, ranges)
    const before = covered.get(piece.zone)
    covered.set(piece.zone, before === undefined || before === next ? next : 'part')
  }
  return covered
}

function coverPiece(piece: Piece, prefixes: readonly Prefix[]): Coverage {
  let rest = piece.last - piece.first + 1n
  const size = rest
  for (const prefix of prefixes) {
    const first = prefix.value > piece.first ? prefix.value : piece.first
    const last = lastOf(prefix) < piece.last ? lastOf(prefix) : piece.last
    if (first <= last) rest -= last - first + 1n
  }
  return rest === size ? 'none' : rest <= 0n ? 'all' : 'part'
}

// Prefixes nest or lie apart, so a stack of the open ones tells the owner at every point.
function cut(family: Family, zones: readonly SourceZone[]): Piece[] {
  const pieces: Piece[] = []
  const open = [{ prefix: { family, value: 0n, length: 0 } satisfies Prefix as Prefix, zone: ELSEWHERE }]
  let at = 0n
  const emitUntil = (last: bigint): void => {
    const zone = open.at(-1)?.zone ?? ELSEWHERE
    if (at <= last) append(pieces, { first: at, last, zone })
    at = at <= last ? last + 1n : at
  }
  for (const owned of ownedPrefixes(family, zones)) {
    for (let top = open.at(-1); top && lastOf(top.prefix) < owned.prefix.value; top = open.at(-1)) {
      emitUntil(lastOf(top.prefix))
      open.pop()
    }
    emitUntil(owned.prefix.value - 1n)
    const top = open.at(-1)
    if (open.length === 1 || (top && !samePrefix(top.prefix, owned.prefix))) open.push(owned)
  }
  for (let top = open.at(-1); top; top = open.at(-1)) {
    emitUntil(lastOf(top.prefix))
    open.pop()
  }
  return pieces
}

function append(pieces: Piece[], piece: Piece): void {
  const before = pieces.at(-1)
  if (before?.zone === piece.zone) pieces[pieces.length - 1] = { ...before, last: piece.last }
  else pieces.push(piece)
}

function ownedPrefixes(family: Family, zones: readonly SourceZone[]): { prefix: Prefix; zone: string }[] {
  return zones
    .flatMap((zone) => zone.prefixes.map((prefix) => ({ prefix, zone: zone.name })))
    .filter(({ prefix }) => prefix.family === family && prefix.length <= bitsOf(family))
    .toSorted((a, b) => comparePrefixes(a.prefix, b.prefix) || (a.zone < b.zone ? -1 : a.zone > b.zone ? 1 : 0))
}
