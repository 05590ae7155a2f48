import type { PortRange } from '../net/port.ts'
import { containsPrefix } from '../net/prefix.ts'
import type { CtState } from '../ruleset/ruleset.ts'
import type { AcceptedRow } from './accepts.ts'
import type { Sources } from './sources.ts'

/** All values of the two dimensions that are lists of names. */
export interface Dimensions {
  readonly states: readonly CtState[]
  readonly interfaces: readonly string[]
}

/**
 * The same accepted space in fewer and plainer rows. Rows that differ in one list are joined; a row is said of every interface or state where
 * other rows accept all that it says there (so rows may overlap, as rules do); rows that another one covers go. Lists in and out hold names;
 * in the result an empty one means: any. O(rows²).
 */
export function condense(rows: readonly AcceptedRow[], all: Dimensions): AcceptedRow[] {
  const joined = joinBy(joinBy(rows, 'interfaces'), 'states')
  const widened = joined.map((row) => DIMENSIONS.reduce((wide, dimension) => widen(wide, dimension, joined, all), row))
  const kept = widened.filter((row, index) => !widened.some((other, at) => isRedundant(row, index, other, at)))
  return joinBy(joinBy(kept, 'interfaces'), 'states').map((row) => ({
    ...row,
    states: row.states.length === all.states.length ? [] : row.states,
    interfaces: row.interfaces.length === all.interfaces.length ? [] : row.interfaces,
  }))
}

const DIMENSIONS = ['interfaces', 'states'] as const
type Dimension = (typeof DIMENSIONS)[number]

function joinBy(rows: readonly AcceptedRow[], dimension: Dimension): AcceptedRow[] {
  const joined = new Map<string, AcceptedRow>()
  for (const row of rows) {
    const key = JSON.stringify({ ...row, [dimension]: [] }, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
    const same = joined.get(key)
    joined.set(key, same ? { ...same, [dimension]: [...new Set<string>([...same[dimension], ...row[dimension]])] } : row)
  }
  return [...joined.values()]
}

function widen(row: AcceptedRow, dimension: Dimension, rows: readonly AcceptedRow[], all: Dimensions): AcceptedRow {
  if (row.verdict !== 'accepted') return row
  const missing = (all[dimension] as readonly string[]).filter((name) => !(row[dimension] as readonly string[]).includes(name))
  const isAccepted = missing.every((name) => rows.some((other) => covers(other, { ...row, [dimension]: [name] })))
  return isAccepted ? { ...row, [dimension]: all[dimension] } : row
}

/** Of two rows that cover one another the first stays. */
const isRedundant = (row: AcceptedRow, index: number, other: AcceptedRow, at: number): boolean =>
  index !== at && covers(other, row) && (!covers(row, other) || at < index)

/** Whether everything that a row says is accepted by another. */
function covers(wide: AcceptedRow, row: AcceptedRow): boolean {
  return (
    wide.verdict === 'accepted' &&
    row.states.every((state) => wide.states.includes(state)) &&
    row.interfaces.every((name) => wide.interfaces.includes(name)) &&
    coversRanges(wide.protocols, row.protocols) &&
    coversRanges(wide.ports, row.ports) &&
    coversRanges(wide.icmpTypes, row.icmpTypes) &&
    coversSources(wide.sources, row.sources)
  )
}

/** No ranges: any. */
const coversRanges = (wide: readonly PortRange[], ranges: readonly PortRange[]): boolean =>
  wide.length === 0 || (ranges.length > 0 && ranges.every((range) => wide.some((each) => each.first <= range.first && range.last <= each.last)))

function coversSources(wide: Sources, sources: Sources): boolean {
  if (wide.kind === 'any') return true
  if (sources.kind === 'any') return false
  const prefixes = sources.kind === 'family' ? [{ family: sources.family, value: 0n, length: 0 }] : sources.prefixes
  if (wide.kind === 'family') return prefixes.every((prefix) => prefix.family === wide.family)
  if (sources.kind === 'prefixes' && sources.more > 0) return false
  return prefixes.every((prefix) => wide.prefixes.some((each) => containsPrefix(each, prefix)))
}
