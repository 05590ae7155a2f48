import type { Place } from '@portcullis/core/fault/fault.ts'

/** A YAML value that remembers where it was written. Offsets count UTF-16 units from the start of the text. */
export type LocatedNode = LocatedScalar | LocatedList | LocatedMap

export interface LocatedScalar {
  readonly kind: 'scalar'
  readonly value: string | number | boolean | null
  readonly at: number
}

export interface LocatedList {
  readonly kind: 'list'
  readonly items: readonly LocatedNode[]
  readonly at: number
}

export interface LocatedMap {
  readonly kind: 'map'
  readonly entries: ReadonlyMap<string, LocatedEntry>
  readonly at: number
}

export interface LocatedEntry {
  readonly keyAt: number
  readonly value: LocatedNode
}

export type Path = readonly (string | number)[]

/**
 * Plain scalars as YAML 1.2 has them, less its surprises: a number is one only if it reads back as it was written, so that a
 * label `1.10` or `007` stays what it is; `yes` and `on` are words.
 */
export function resolvePlain(source: string): LocatedScalar['value'] {
  if (source === '' || source === '~' || source === 'null') return null
  if (source === 'true') return true
  if (source === 'false') return false
  return /^(?:0|-?[1-9][0-9]{0,14})$/.test(source) ? Number(source) : source
}

/** The bare value. Maps are objects without a prototype. */
export function valueOf(node: LocatedNode): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(valueOf)
  const value = Object.create(null) as Record<string, unknown>
  for (const [key, entry] of node.entries) value[key] = valueOf(entry.value)
  return value
}

/** Offset of what stands at the path, or of the nearest thing around it that exists. `key` means the key, not its value. */
export function offsetOf(root: LocatedNode, path: Path, what: 'key' | 'value' = 'value'): number {
  let node = root
  let at = root.at
  for (const step of path) {
    const entry = node.kind === 'map' ? node.entries.get(String(step)) : undefined
    const next = node.kind === 'list' && typeof step === 'number' ? node.items[step] : entry?.value
    if (!next) return at
    at = entry && (what === 'key' || isEmpty(next)) ? entry.keyAt : next.at
    node = next
  }
  return at
}

const isEmpty = (node: LocatedNode): boolean => node.kind === 'scalar' && node.value === null

/** Turns offsets into lines and columns; built once a text. */
export function placesIn(text: string, file: string): (offset: number) => Place {
  let starts: number[] | undefined
  return (offset) => {
    starts ??= lineStarts(text)
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { file, line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
