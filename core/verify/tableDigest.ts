import type { Ruleset, Table } from '../ruleset/ruleset.ts'
import type { HashText } from './digest.ts'

/** By name, as a person writes it (`ip filter`, `legacy ip nat`): a digest of what the table's rules and sets say. */
export type TableDigests = Readonly<Record<string, string>>

/** Short enough for a journal, long enough that two different tables never meet. */
const DIGEST_CHARACTERS = 32

/**
 * Digests that stay the same while nobody changes a table: counters, handles, comments and places are left out, and so is what comes and goes by
 * itself, the elements of sets that rules fill and those that end. The order in which the kernel lists a set's elements makes no difference.
 */
export const tableDigests = (ruleset: Ruleset, hash: HashText): TableDigests =>
  Object.fromEntries(ruleset.tables.map((table) => [tableName(table), hash(JSON.stringify(contentOf(table), plain)).slice(0, DIGEST_CHARACTERS)]))

export const tableName = ({ backend, family, name }: Table): string => `${backend === 'legacy' ? 'legacy ' : ''}${family} ${name}`

export interface TableChange {
  readonly table: string
  readonly change: 'added' | 'changed' | 'removed'
}

/** What became of tables between two moments, by name. */
export function changedTables(before: TableDigests, after: TableDigests): TableChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()
  return names.flatMap((table): TableChange[] => {
    if (before[table] === after[table]) return []
    return [{ table, change: before[table] === undefined ? 'added' : after[table] === undefined ? 'removed' : 'changed' }]
  })
}

const contentOf = (table: Table): unknown => ({
  isDormant: table.isDormant,
  chains: table.chains.map(({ name, base, rules }) => ({ name, base, rules: rules.map(({ steps }) => steps.filter((step) => step.kind !== 'note' || step.isUnmodelled)) })),
  sets: table.sets.map(({ name, isDynamic, elements }) => ({ name, isDynamic, elements: isDynamic ? [] : elements.filter((element) => element.expiresSeconds === undefined) })),
})

/** Numbers beyond JSON as text; elements in an order of their own. */
function plain(key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (key !== 'elements' || !Array.isArray(value)) return value
  return value.map((element) => JSON.stringify(element, plain)).toSorted()
}
