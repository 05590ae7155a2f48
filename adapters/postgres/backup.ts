import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createZstdCompress, createZstdDecompress } from 'node:zlib'
import { fail, FaultError, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { sql, type Kysely, type Transaction } from 'kysely'
import { doneMigrations, migrate, rebuild } from './migration.ts'
import { backupDamaged, backupNewer, backupUnreadable, rolloutCarriedOn, storeNotEmpty } from './backupFault.ts'
import { SCHEMA, type Tables } from './tables.ts'

/**
 * A backup is the rows of every table as JSON, one a line, compressed with Zstandard: it reads back into any PostgreSQL that
 * is supported, whatever version it came from. First line: `H` and what it is; then `T` and a table's name, `R` and a row; last line: `E`,
 * rows by table and the SHA-256 of all lines before, so that a file that was cut short is known from one that is whole.
 */
const FORMAT = 'portcullis-store'
const FORMAT_VERSION = 1
const ROWS_AT_ONCE = 2_000
/** Of one row; a host's facts are at most 64 MiB before they are compressed and written in hexadecimal. */
const LINE_CHARS_MAX = 256 * 1024 * 1024

interface Header {
  readonly format: typeof FORMAT
  readonly version: number
  readonly created: number
  readonly migrations: readonly string[]
}

export interface Archived {
  readonly file: string
  /** Milliseconds since 1970. */
  readonly created: number
  readonly rows: Readonly<Record<string, number>>
  readonly isDry: boolean
}

export interface ArchiveOptions {
  readonly isDry: boolean
  readonly now: number
  readonly signal: AbortSignal
  /** After each step through a table: rows so far. */
  readonly report: (table: string, rows: number) => void
}

/** Writes all that the store holds at one moment to a file, under another name until it is whole and on the disk. Nobody else has to wait meanwhile. */
export async function backUp(database: Kysely<Tables>, file: string, options: ArchiveOptions): Promise<Result<Archived>> {
  const unfinished = `${file}.${process.pid}.part`
  const rows: Record<string, number> = {}
  const lines = database.transaction().setIsolationLevel('repeatable read')
  try {
    await lines.execute(async (transaction) => {
      const text = Readable.from(backupText(transaction, rows, options))
      if (options.isDry) for await (const _ of text) options.signal.throwIfAborted()
      else await pipeline(text, createZstdCompress(), createWriteStream(unfinished, { mode: 0o600, flags: 'wx' }), { signal: options.signal })
    })
    if (!options.isDry) await settle(unfinished, file)
    return succeed({ file, created: options.now, rows, isDry: options.isDry })
  } catch (error) {
    await rm(unfinished, { force: true })
    if (isFileError(error)) return fail(backupUnreadable(file, error))
    throw error
  }
}

async function* backupText(database: Transaction<Tables>, rows: Record<string, number>, { now, signal, report }: ArchiveOptions): AsyncGenerator<string> {
  const digest = createHash('sha256')
  const told = (text: string): string => {
    digest.update(text)
    return text
  }
  const header: Header = { format: FORMAT, version: FORMAT_VERSION, created: now, migrations: await doneMigrations(database) }
  yield told(`H${JSON.stringify(header)}\n`)
  for (const table of await tablesOf(database)) {
    yield told(`T${table}\n`)
    rows[table] = 0
    for await (const page of pagesOf(database, table)) {
      signal.throwIfAborted()
      rows[table] += page.length
      yield told(page.map((row) => `R${row}\n`).join(''))
      report(table, rows[table])
    }
  }
  yield `E${JSON.stringify({ rows, sha256: digest.digest('hex') })}\n`
}

/** As text, which is never parsed here: numbers of 64 bits and JSON stay what they are. */
async function* pagesOf(database: Transaction<Tables>, table: string): AsyncGenerator<string[]> {
  await sql`declare backup no scroll cursor for select row_to_json(one)::text as row from ${named(table)} as one`.execute(database)
  for (;;) {
    const { rows } = await sql<{ row: string }>`fetch ${sql.raw(String(ROWS_AT_ONCE))} from backup`.execute(database)
    if (rows.length === 0) break
    yield rows.map(({ row }) => row.replaceAll('\n', ' '))
  }
  await sql`close backup`.execute(database)
}

const named = (table: string): ReturnType<typeof sql.table> => sql.table(`${SCHEMA}.${table}`)

/** All but those that say which version it is. */
async function tablesOf(database: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select tablename::text as name from pg_tables where schemaname = ${SCHEMA} and tablename not like 'kysely%' order by tablename`.execute(database)
  return rows.map(({ name }) => name)
}

async function settle(unfinished: string, file: string): Promise<void> {
  const written = await open(unfinished, 'r+')
  try {
    await written.sync()
  } finally {
    await written.close()
  }
  await rename(unfinished, file)
  const folder = await open(dirname(file) === '' ? '.' : dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * Puts a backup in the place of what the store holds, in one transaction: killed at any moment, the store is the one it was.
 * The file is read to its end before anything is touched. Leases of rollouts are not taken over, and no controller that holds one
 * of before can go on with it. Faults: BACKUP_*, STORE_NOT_EMPTY, STORE_ROLLOUT_RUNNING.
 */
export async function restore(database: Kysely<Tables>, file: string, options: ArchiveOptions & { readonly isReplacing: boolean }): Promise<Result<Archived>> {
  const checked = await check(file, options.signal)
  if (!checked.ok) return checked
  const { header, rows } = checked.value
  const faults = await obstacles(database, options.isReplacing)
  if (!faults.ok) return faults
  const archived: Archived = { file, created: header.created, rows, isDry: options.isDry }
  if (options.isDry) return succeed(archived)
  await database.transaction().execute(async (transaction) => {
    for (const table of await tablesOf(transaction)) await sql`drop table ${named(table)} cascade`.execute(transaction)
    await rebuild(transaction, header.migrations)
    await fill(transaction, file, options)
    for (const table of await tablesOf(transaction)) await advanceSequence(transaction, table)
    if (rows.rollout !== undefined) await sql`update ${named('rollout')} set holder = null, held_until = null, epoch = epoch + ${EPOCHS_SKIPPED}`.execute(transaction)
    options.signal.throwIfAborted()
  })
  const migrated = await migrate(database)
  return migrated.ok ? succeed(archived) : migrated
}

/** More than any rollout has seen. */
const EPOCHS_SKIPPED = 1_000_000

async function obstacles(database: Kysely<Tables>, isReplacing: boolean): Promise<Result<void>> {
  const { rows } = await sql<{ id: string; holder: string }>`select id, holder from ${named('rollout')} where not is_over and held_until > now()`.execute(database)
  if (rows[0]) return fail(rolloutCarriedOn(rows[0].id, rows[0].holder))
  if (isReplacing) return succeed(undefined)
  for (const table of await tablesOf(database)) {
    const { rows: any } = await sql<{ any: boolean }>`select exists (select from ${named(table)}) as any`.execute(database)
    if (any[0]?.any) return fail(storeNotEmpty(table))
  }
  return succeed(undefined)
}

async function fill(database: Transaction<Tables>, file: string, { signal, report }: ArchiveOptions): Promise<void> {
  let [table, count, batch]: [string, number, string[]] = ['', 0, []]
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return
    signal.throwIfAborted()
    await sql`insert into ${named(table)} select * from json_populate_recordset(null::${named(table)}, ${`[${batch.join(',')}]`}::json)`.execute(database)
    count += batch.length
    batch = []
    report(table, count)
  }
  for await (const line of linesOf(file)) {
    if (line.startsWith('R')) batch.push(line.slice(1))
    if (batch.length >= ROWS_AT_ONCE || !line.startsWith('R')) await flush()
    if (line.startsWith('T')) [table, count] = [line.slice(1), 0]
  }
}

async function advanceSequence(database: Transaction<Tables>, table: string): Promise<void> {
  const { rows } = await sql<{ name: string | null }>`select pg_get_serial_sequence(${`${SCHEMA}.${table}`}, column_name) as name from information_schema.columns where table_schema = ${SCHEMA} and table_name = ${table} and column_name = 'sequence'`.execute(database)
  const name = rows[0]?.name
  if (name) await sql`select setval(${name}::regclass, coalesce((select max(sequence) from ${named(table)}), 0) + 1, false)`.execute(database)
}

interface Checked {
  readonly header: Header
  readonly rows: Readonly<Record<string, number>>
}

/** Reads a backup to its end and compares it with what it says of itself. */
async function check(file: string, signal: AbortSignal): Promise<Result<Checked>> {
  const digest = createHash('sha256')
  const rows: Record<string, number> = {}
  let [header, table, end]: [Header | undefined, string, string | undefined] = [undefined, '', undefined]
  try {
    for await (const line of linesOf(file)) {
      signal.throwIfAborted()
      if (end !== undefined) return fail(backupDamaged(file, { en: 'something follows its end', zh: '结尾之后仍有内容' }))
      if (header === undefined) {
        header = readHeader(line)
        if (!header) return fail(backupDamaged(file, { en: 'it is no backup of Portcullis', zh: '不是 Portcullis 的备份' }))
      }
      if (line.startsWith('E')) end = line.slice(1)
      else digest.update(`${line}\n`)
      if (line.startsWith('T')) rows[(table = line.slice(1))] = 0
      if (line.startsWith('R')) rows[table] = (rows[table] ?? 0) + 1
    }
  } catch (error) {
    if (signal.aborted) throw error
    return fail(isFileError(error) ? backupUnreadable(file, error) : backupDamaged(file, { en: `it ends early or is damaged (${messageOf(error)})`, zh: `内容不完整或已损坏（${messageOf(error)}）` }))
  }
  if (header === undefined || end === undefined) return fail(backupDamaged(file, { en: 'it ends early', zh: '内容不完整' }))
  if (end !== JSON.stringify({ rows, sha256: digest.digest('hex') })) return fail(backupDamaged(file, { en: 'it is not what was written', zh: '内容与写入时不一致' }))
  const unknown = header.version > FORMAT_VERSION ? `format ${header.version}` : header.migrations.find((name) => !rebuild.knows(name))
  return unknown === undefined ? succeed({ header, rows }) : fail(backupNewer(file, unknown))
}

function readHeader(line: string): Header | undefined {
  try {
    const read = JSON.parse(line.slice(1)) as Partial<Header>
    const isWhole = line.startsWith('H') && read.format === FORMAT && Number.isInteger(read.version) && Number.isInteger(read.created) && Array.isArray(read.migrations)
    return isWhole ? (read as Header) : undefined
  } catch {
    return undefined
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const text = new PassThrough()
  const done = pipeline(createReadStream(file), createZstdDecompress(), text)
  done.catch((error: unknown) => text.destroy(error as Error))
  for await (const line of createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.length > LINE_CHARS_MAX) throw new FaultError(backupDamaged(file, { en: 'a row is too long', zh: '某行过长' }))
    yield line
  }
  await done
}

const isFileError = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && 'syscall' in error && 'path' in error
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 200)
