import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import type { Fault } from '@portcullis/core/fault/fault.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import type { RecordedUsage, UsageSpan } from '@portcullis/core/inventory/usageDays.ts'
import type { IntentText } from '@portcullis/core/plan/intentText.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { ConfirmedGeneration, FactsSnapshot, JournalEntry, JournalFilter, NewJournalEntry, ObservationFilter, SeenPolicy, Store } from '@portcullis/engine/store.ts'
import { sql, type Kysely, type Selectable } from 'kysely'
import type { AlertOutbox } from '../alert/outbox.ts'
import { PostgresAlertOutbox } from './alertOutbox.ts'
import { GroupCommit } from './groupCommit.ts'
import { PostgresRolloutStore } from './rolloutStore.ts'
import type { RolloutStore } from '@portcullis/engine/rolloutStore.ts'
import { readObservation, writeObservation } from './observationRow.ts'
import { asStoreFault, isRefusal } from './storeFault.ts'
import type { Tables } from './tables.ts'
import { readUsage, UsageIntake } from './usageTables.ts'

/** The Store port on a database that `migrate` has brought to this version. `server` names it in faults. */
export class PostgresStore implements Store {
  readonly outbox: AlertOutbox
  readonly rollouts: RolloutStore
  readonly #database: Kysely<Tables>
  readonly #server: string
  readonly #close: () => Promise<void>
  readonly #journal = new GroupCommit<NewJournalEntry, JournalEntry>((entries) => this.#appendJournal(entries), isRefusal)

  constructor(database: Kysely<Tables>, server: string, close: () => Promise<void>) {
    this.#database = database
    this.outbox = new PostgresAlertOutbox(database, server)
    this.rollouts = new PostgresRolloutStore(database, server)
    this.#server = server
    this.#close = close
  }

  /** Of the whole database, for what concerns all of its tables at once. */
  get database(): Kysely<Tables> {
    return this.#database
  }

  addObservations(observations: readonly Observation[] | AsyncIterable<readonly Observation[]>): Promise<void> {
    return this.#ask((database) =>
      database.transaction().execute(async (transaction) => {
        const isLong = Symbol.asyncIterator in observations
        const intake = await UsageIntake.open(transaction, isLong)
        for await (const batch of isLong ? observations : [observations]) {
          for (let at = 0; at < batch.length; at += BATCH_ROWS) await insertObservations(transaction, batch.slice(at, at + BATCH_ROWS))
          await intake.add(batch)
        }
        await intake.end()
      }),
    )
  }

  observations(filter: ObservationFilter): Promise<readonly Observation[]> {
    return this.#ask(async (database) => {
      let query = database.selectFrom('observation').select(['host', 'kind', 'sensor', 'at', 'body'])
      if (filter.host !== undefined) query = query.where('host', '=', filter.host)
      if (filter.kinds !== undefined) query = query.where('kind', '=', sql<string>`any(${filter.kinds}::text[])`)
      if (filter.sensors !== undefined) query = query.where('sensor', '=', sql<string>`any(${filter.sensors}::text[])`)
      if (filter.since !== undefined) query = query.where('at', '>=', filter.since)
      return (await query.orderBy('at').orderBy('sequence').execute()).map(readObservation)
    })
  }

  async *usage(hosts: readonly string[], span: UsageSpan): AsyncGenerator<RecordedUsage> {
    try {
      yield* readUsage(this.#database, hosts, span)
    } catch (error) {
      throw asStoreFault(this.#server, error)
    }
  }

  saveFacts(snapshot: FactsSnapshot): Promise<void> {
    return this.#ask(async (database) => {
      const { host, at, durationMs, text } = snapshot
      await database.insertInto('facts').values({ host, at, duration_ms: durationMs, text: await compress(Buffer.from(text, 'utf8')) }).execute()
    })
  }

  latestFacts(host: string): Promise<FactsSnapshot | undefined> {
    return this.#ask(async (database) => {
      const query = database.selectFrom('facts').selectAll().where('host', '=', host)
      const row = await query.orderBy('at', 'desc').orderBy('sequence', 'desc').limit(1).executeTakeFirst()
      return row && { host, at: row.at, durationMs: row.duration_ms, text: (await decompress(row.text)).toString('utf8') }
    })
  }

  savePolicy(policy: SeenPolicy): Promise<void> {
    return this.#ask(async (database) => {
      const { digest, file, text, seenAt } = policy
      await database.insertInto('policy').values({ digest, file, text, seen_at: seenAt }).onConflict((conflict) => conflict.doNothing()).execute()
    })
  }

  policy(digest: string): Promise<SeenPolicy | undefined> {
    return this.#ask(async (database) => {
      const row = await database.selectFrom('policy').selectAll().where('digest', '=', digest).executeTakeFirst()
      return row && { digest, file: row.file, text: row.text, seenAt: row.seen_at }
    })
  }

  savePlan(plan: ChangePlan): Promise<void> {
    return this.#ask(async (database) => {
      const row = { id: plan.id, created: plan.created, body: JSON.stringify(plan) }
      await database.insertInto('plan').values(row).onConflict((conflict) => conflict.doNothing()).execute()
    })
  }

  plan(id: string): Promise<ChangePlan | undefined> {
    return this.#ask(async (database) => {
      if (id.length < PLAN_ID_START_MIN) return undefined
      const rows = await database.selectFrom('plan').select('body').where(sql<boolean>`starts_with(id, ${id})`).limit(2).execute()
      return rows.length === 1 && rows[0] ? (JSON.parse(rows[0].body) as ChangePlan) : undefined
    })
  }

  plans(limit: number): Promise<readonly ChangePlan[]> {
    return this.#ask(async (database) => {
      const rows = await database.selectFrom('plan').select('body').orderBy('created', 'desc').orderBy('sequence', 'desc').limit(limit).execute()
      return rows.map((row) => JSON.parse(row.body) as ChangePlan)
    })
  }

  addGeneration(added: ConfirmedGeneration): Promise<boolean> {
    const { host, generation } = added
    return this.#ask((database) =>
      database.transaction().execute(async (transaction) => {
        // Two controllers that confirm at once take their turn, so that the second sees what the first wrote.
        await sql`select pg_advisory_xact_lock(${GENERATION_LOCK}::int, hashtext(${host}))`.execute(transaction)
        const later = transaction.selectFrom('generation').select('generation').where('host', '=', host).where('generation', '>=', generation)
        if (await later.limit(1).executeTakeFirst()) return false
        await transaction.insertInto('generation').values(writeGeneration(added)).execute()
        return true
      }),
    )
  }

  generations(host: string, limit: number): Promise<readonly ConfirmedGeneration[]> {
    return this.#ask(async (database) => {
      const query = database.selectFrom('generation').selectAll().where('host', '=', host)
      return (await query.orderBy('generation', 'desc').limit(limit).execute()).map(readGeneration)
    })
  }

  latestGenerations(): Promise<readonly ConfirmedGeneration[]> {
    return this.#ask(async (database) => {
      const query = database.selectFrom('generation').distinctOn('host').selectAll()
      const rows = await query.orderBy('host').orderBy('generation', 'desc').execute()
      // The database's own order of names depends on its locale.
      return rows.map(readGeneration).toSorted((a, b) => (a.host < b.host ? -1 : 1))
    })
  }

  appendJournal(entry: NewJournalEntry): Promise<JournalEntry> {
    return this.#journal.add(entry)
  }

  #appendJournal(entries: readonly NewJournalEntry[]): Promise<readonly JournalEntry[]> {
    return this.#ask((database) =>
      database.transaction().execute(async (transaction) => {
        // Numbers are given one commit after the other: a number that was returned has no smaller one to come.
        await sql`select pg_advisory_xact_lock(${JOURNAL_LOCK}::int, 0)`.execute(transaction)
        const rows = await transaction.insertInto('journal').values(entries.map(writeJournalEntry)).returning('sequence').execute()
        // Rows of VALUES are numbered and returned in their order.
        return entries.map((entry, index) => ({ ...entry, sequence: rows[index]?.sequence ?? Number.NaN }))
      }),
    )
  }

  journal(filter: JournalFilter): Promise<readonly JournalEntry[]> {
    return this.#ask(async (database) => {
      let query = database.selectFrom('journal').selectAll()
      if (filter.run !== undefined) query = query.where('run', '=', filter.run)
      if (filter.plan !== undefined) query = query.where('plan', '=', filter.plan)
      if (filter.host !== undefined) query = query.where('host', '=', filter.host)
      if (filter.limit !== undefined) query = query.limit(filter.limit)
      return (await query.orderBy('sequence', 'desc').execute()).map(readJournalEntry).toReversed()
    })
  }

  close(): Promise<void> {
    return this.#close()
  }

  async #ask<T>(query: (database: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await query(this.#database)
    } catch (error) {
      throw asStoreFault(this.#server, error)
    }
  }
}

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

const BATCH_ROWS = 10_000
const PLAN_ID_START_MIN = 6

/** First numbers of our advisory locks, chosen once: other programs may lock in the same database. */
const GENERATION_LOCK = 727_410_001
const JOURNAL_LOCK = 727_410_002

/** Columns as arrays: one statement and one plan whatever the number of rows. */
async function insertObservations(database: Kysely<Tables>, observations: readonly Observation[]): Promise<void> {
  const rows = observations.map(writeObservation)
  const column = <K extends keyof (typeof rows)[number]>(key: K): (typeof rows)[number][K][] => rows.map((row) => row[key])
  await sql`insert into portcullis.observation (host, kind, sensor, at, body)
    select * from unnest(${column('host')}::text[], ${column('kind')}::text[], ${column('sensor')}::text[], ${column('at')}::bigint[], ${column('body')}::json[])`.execute(
    database,
  )
}

const writeGeneration = (added: ConfirmedGeneration): Tables['generation'] => ({
  host: added.host,
  generation: added.generation,
  ruleset_digest: added.rulesetDigest,
  plan: added.plan,
  intent: JSON.stringify(added.intent),
  confirmed_at: added.confirmedAt,
})

const readGeneration = (row: Selectable<Tables['generation']>): ConfirmedGeneration => ({
  host: row.host,
  generation: row.generation,
  rulesetDigest: row.ruleset_digest,
  plan: row.plan,
  intent: JSON.parse(row.intent) as IntentText,
  confirmedAt: row.confirmed_at,
})

const writeJournalEntry = (entry: NewJournalEntry): Omit<Tables['journal'], 'sequence'> => ({
  run: entry.run,
  at: entry.at,
  kind: entry.kind,
  name: entry.name,
  host: entry.host ?? null,
  plan: entry.plan ?? null,
  generation: entry.generation ?? null,
  detail: entry.detail === undefined ? null : JSON.stringify(entry.detail),
  fault: entry.fault === undefined ? null : JSON.stringify(entry.fault),
})

const readJournalEntry = (row: Selectable<Tables['journal']>): JournalEntry => ({
  sequence: row.sequence,
  run: row.run,
  at: row.at,
  kind: row.kind as JournalEntry['kind'],
  name: row.name,
  ...(row.host === null ? {} : { host: row.host }),
  ...(row.plan === null ? {} : { plan: row.plan }),
  ...(row.generation === null ? {} : { generation: row.generation }),
  ...(row.detail === null ? {} : { detail: JSON.parse(row.detail) as NonNullable<JournalEntry['detail']> }),
  ...(row.fault === null ? {} : { fault: JSON.parse(row.fault) as Fault }),
})
