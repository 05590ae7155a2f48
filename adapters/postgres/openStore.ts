import { fail, FaultError, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { Kysely, PostgresDialect, sql, type PostgresPool } from 'kysely'
import pg from 'pg'
import { migrate } from './migration.ts'
import { PostgresStore } from './postgresStore.ts'
import { joinServer, type EmbeddedServer } from './server.ts'
import { PORT } from './postmaster.ts'
import { asStoreFault, storeOldServer } from './storeFault.ts'
import { SCHEMA, type Tables } from './tables.ts'

/**
 * `folder`: a PostgreSQL of our own that lives there while a process of ours has the store open. `server`: one that runs
 * already, by its connection string, which several controllers may share.
 */
export type StorePlace =
  | { readonly kind: 'folder'; readonly folder: string; readonly waitMs?: number }
  | { readonly kind: 'server'; readonly url: string }

/** Long enough for one that is just making a new store, or recovers one, on a slow machine. */
const WAIT_MS = 60_000
/** Of a server elsewhere, for a network that is slow … */
const CONNECT_MS_MAX = 10_000
/** … and of our own for one of the few connections, on a machine that has much else to do: it ends with a refusal if the server does. */
const EMBEDDED_MS_MAX = 120_000

/**
 * Opens the store and brings it to this version. Faults: STORE_IN_USE, STORE_FOLDER, STORE_PLATFORM, STORE_SERVER,
 * STORE_UNREACHABLE, STORE_OLD_SERVER, STORE_NEWER, STORE_REFUSED.
 */
export async function openStore(place: StorePlace): Promise<Result<PostgresStore>> {
  if (place.kind === 'server') return connect({ connectionString: place.url }, describeUrl(place.url))
  const server = await joinServer({ folder: place.folder, waitMs: place.waitMs ?? WAIT_MS })
  if (!server.ok) return server
  const options = { host: server.value.socketFolder, port: PORT, user: 'portcullis', database: 'postgres' }
  return connect(options, place.folder, server.value)
}

async function connect(options: pg.PoolConfig, name: string, embedded?: EmbeddedServer): Promise<Result<PostgresStore>> {
  const pool = new pg.Pool({ ...options, max: 4, connectionTimeoutMillis: embedded ? EMBEDDED_MS_MAX : CONNECT_MS_MAX, application_name: 'portcullis', types: TYPES })
  // A connection that breaks while nobody uses it: the next question finds out.
  pool.on('error', () => undefined)
  // Of a connection that is lent out the pool does not hear; whoever asks on it gets the refusal, and nobody here would.
  pool.on('connect', (client) => client.on('error', () => undefined))
  const database = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: embedded ? revivedPool(pool, embedded) : pool }) })
  const close = async (): Promise<void> => {
    await database.destroy()
    await embedded?.leave()
  }
  const opened = await prepare(database, name, embedded?.isFirst === true)
  if (!opened.ok) {
    await close()
    return opened
  }
  embedded?.opened()
  return succeed(new PostgresStore(database.withSchema(SCHEMA), name, close))
}

/**
 * The pool of a server of our own: where it takes no connection it has died, and nobody else would start it again. What was
 * asked of it when it died has failed, and whoever asked knows.
 */
function revivedPool(pool: pg.Pool, server: EmbeddedServer): PostgresPool {
  const connect = async (): Promise<pg.PoolClient> => {
    try {
      return await pool.connect()
    } catch {
      const revived = await server.revive()
      if (!revived.ok) throw new FaultError(revived.faults[0] as Fault)
      return pool.connect()
    }
  }
  return { connect, end: () => pool.end(), options: pool.options }
}

async function prepare(database: Kysely<Tables>, server: string, isAlone: boolean): Promise<Result<void>> {
  try {
    const { rows } = await sql<{ number: string; version: string }>`select current_setting('server_version_num') as number, current_setting('server_version') as version`.execute(database)
    if (Number(rows[0]?.number) < OLDEST_SERVER) return fail(storeOldServer(rows[0]?.version ?? '?'))
    const migrated = await migrate(database)
    // Whoever held a rollout is dead: nobody has to wait for its lease to run out.
    if (migrated.ok && isAlone) await database.withSchema(SCHEMA).updateTable('rollout').set({ held_until: null }).where('held_until', 'is not', null).execute()
    return migrated
  } catch (error) {
    return fail((error instanceof FaultError ? error : asStoreFault(server, error)).fault)
  }
}

const OLDEST_SERVER = 150_000

/** Without the password, which may also stand among the parameters. */
function describeUrl(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url)
    return `${hostname}${port === '' ? '' : `:${port}`}${pathname}`
  } catch {
    return 'the given address'
  }
}

const INT8 = 20
const JSON_TYPE = 114

/** Numbers of 64 bits as numbers, as long as they are exact; JSON as its text, which its reader parses. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === INT8) return exactNumber
    if (oid === JSON_TYPE) return (text: string) => text
    return pg.types.getTypeParser(oid, format)
  }) as pg.CustomTypesConfig['getTypeParser'],
}

function exactNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is not an exact number`)
  return value
}
