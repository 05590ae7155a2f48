import { sql, type Kysely } from 'kysely'
import { SCHEMA, type Tables } from './tables.ts'

/** Rows that are, or would be, taken away. */
export interface Retired {
  readonly before: number
  readonly rows: { readonly observation: number; readonly facts: number; readonly rollout_sample: number }
  readonly isDry: boolean
}

export interface RetentionOptions {
  /** What is older goes. Milliseconds since 1970. */
  readonly before: number
  readonly isDry: boolean
  readonly signal: AbortSignal
  readonly report: (table: string, rows: number) => void
}

const ROWS_AT_ONCE = 20_000

/**
 * Takes away observations, facts but for each host's newest, and samples of rollouts that are over, where they are older. Plans,
 * generations, approvals, the journal, rollouts and what they heard, alerts, and the use of each day are history and stay. Each
 * batch is a transaction of its own: stopped at any moment, what is gone is gone, and what is left is whole.
 */
export async function retire(database: Kysely<Tables>, options: RetentionOptions): Promise<Retired> {
  const old = sql`at < ${options.before}`
  const rows = {
    observation: await retireFrom(database, 'observation', old, options),
    facts: await retireFrom(database, 'facts', sql`${old} and exists (select from ${table('facts')} as newer where newer.host = one.host and (newer.at, newer.sequence) > (one.at, one.sequence))`, options),
    rollout_sample: await retireFrom(database, 'rollout_sample', sql`${old} and exists (select from ${table('rollout')} as over where over.id = one.rollout and over.is_over)`, options),
  }
  if (!options.isDry) for (const name of Object.keys(rows)) await sql`vacuum (analyze) ${table(name)}`.execute(database)
  return { before: options.before, rows, isDry: options.isDry }
}

const table = (name: string): ReturnType<typeof sql.table> => sql.table(`${SCHEMA}.${name}`)

async function retireFrom(database: Kysely<Tables>, name: string, isOld: ReturnType<typeof sql>, { isDry, signal, report }: RetentionOptions): Promise<number> {
  if (isDry) {
    const { rows } = await sql<{ count: string | number }>`select count(*) as count from ${table(name)} as one where ${isOld}`.execute(database)
    return Number(rows[0]?.count ?? 0)
  }
  for (let total = 0; ; ) {
    signal.throwIfAborted()
    const { numAffectedRows = 0n } = await sql`delete from ${table(name)} where sequence = any (array(select sequence from ${table(name)} as one where ${isOld} order by sequence limit ${sql.raw(String(ROWS_AT_ONCE))}))`.execute(database)
    if (numAffectedRows === 0n) return total
    total += Number(numAffectedRows)
    report(name, total)
  }
}
