import { fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { sql, type Kysely } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import { storeNewer } from './storeFault.ts'
import { SCHEMA, type Tables } from './tables.ts'
import { createUsage } from './usageTables.ts'

/** Forward only: a step that was released is never changed, the next one corrects it. Named in order. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-first-tables': { up: createFirstTables },
  '0002-alert-outbox': { up: createAlertOutbox },
  '0003-rollouts': { up: createRollouts },
  '0004-plan-approvals': { up: createPlanApprovals },
  '0005-usage': { up: createUsage },
}

/** Brings the store to this version, or to the one that is named. Two processes may do it at the same time. Faults: STORE_NEWER; throws what the database throws. */
export async function migrate(database: Kysely<Tables>, version?: string): Promise<Result<void>> {
  const done = await doneMigrations(database)
  const unknown = done.find((name) => !Object.hasOwn(MIGRATIONS, name))
  if (unknown !== undefined) return fail(storeNewer(unknown))
  if (version === undefined && done.length === Object.keys(MIGRATIONS).length) return succeed(undefined)
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => MIGRATIONS }, migrationTableSchema: SCHEMA })
  const { error } = await (version === undefined ? migrator.migrateToLatest() : migrator.migrateTo(version))
  if (error !== undefined) throw error instanceof Error ? error : new Error('a migration failed', { cause: error })
  return succeed(undefined)
}

/** Makes empty tables as the named steps leave them; the caller has dropped those there were, in the same transaction. */
export async function rebuild(database: Kysely<Tables>, steps: readonly string[]): Promise<void> {
  await sql`delete from ${sql.table(`${SCHEMA}.kysely_migration`)}`.execute(database)
  for (const name of steps) {
    await MIGRATIONS[name]?.up(database)
    await sql`insert into ${sql.table(`${SCHEMA}.kysely_migration`)} (name, timestamp) values (${name}, now()::text)`.execute(database)
  }
}

rebuild.knows = (name: string): boolean => Object.hasOwn(MIGRATIONS, name)

export async function doneMigrations(database: Kysely<Tables>): Promise<string[]> {
  const table = `${SCHEMA}.kysely_migration`
  const { rows } = await sql<{ name: string | null }>`select to_regclass(${table})::text as name`.execute(database)
  if (rows[0]?.name === null) return []
  const done = await sql<{ name: string }>`select name from ${sql.table(table)} order by name`.execute(database)
  return done.rows.map((row) => row.name)
}

/** Names and bodies are as hosts and people wrote them, so nothing is shorter than it may be; bodies are `json`, which keeps the text. */
async function createFirstTables(database: Kysely<unknown>): Promise<void> {
  const statements = `
    create table observation (sequence bigserial primary key, host text not null, kind text not null, sensor text not null, at bigint not null, body json not null);
    create index observation_host_at on observation (host, at);
    create index observation_at on observation (at);
    create table facts (sequence bigserial primary key, host text not null, at bigint not null, duration_ms double precision not null, text bytea not null);
    create index facts_host_at on facts (host, at desc, sequence desc);
    create table policy (digest text primary key, file text not null, text text not null, seen_at bigint not null);
    create table plan (sequence bigserial primary key, id text not null unique, created bigint not null, body json not null);
    create index plan_created on plan (created desc, sequence desc);
    create table generation (host text not null, generation bigint not null, ruleset_digest text not null, plan text not null, intent json not null, confirmed_at bigint not null, primary key (host, generation));
    create table journal (sequence bigserial primary key, run text not null, at bigint not null, kind text not null, name text not null, host text, plan text, generation bigint, detail json, fault json);
    create index journal_run on journal (run, sequence);
    create index journal_plan on journal (plan, sequence);
    create index journal_host on journal (host, sequence);
  `
  for (const statement of statements.split(';').map((text) => text.trim()).filter((text) => text !== '')) {
    await sql.raw(statement.replace(/^(create (?:table|index \S+ on)) (\S+)/, `$1 ${SCHEMA}.$2`)).execute(database)
  }
}

/** What was told stays, so that the same id raised again is not told again. */
async function createAlertOutbox(database: Kysely<unknown>): Promise<void> {
  const table = sql.table(`${SCHEMA}.alert_outbox`)
  await sql`create table ${table} (sequence bigserial primary key, alert text not null, receiver text not null, at bigint not null, body json not null, attempts integer not null, not_before bigint not null, holder text, delivered_at bigint, because json, unique (alert, receiver))`.execute(database)
  await sql`create index alert_outbox_due on ${table} (not_before) where delivered_at is null`.execute(database)
}

/** One rollout at a time is going on. Its state is a snapshot; its events are what happened. */
async function createRollouts(database: Kysely<unknown>): Promise<void> {
  const table = (name: string) => sql.table(`${SCHEMA}.${name}`)
  await sql`create table ${table('rollout')} (sequence bigserial primary key, id text not null unique, created bigint not null, made_by text not null, plan text not null, way_back json not null, state json not null, state_sequence bigint not null, head bigint not null, is_over boolean not null, epoch bigint not null, holder text, held_until timestamptz, taken_up_to bigint not null)`.execute(database)
  await sql`create unique index rollout_active on ${table('rollout')} ((true)) where not is_over`.execute(database)
  await sql`create table ${table('rollout_event')} (rollout text not null, sequence bigint not null, body json not null, primary key (rollout, sequence))`.execute(database)
  await sql`create table ${table('rollout_asked')} (sequence bigserial primary key, rollout text not null, command text not null, asked_by text not null, at bigint not null)`.execute(database)
  await sql`create table ${table('rollout_sample')} (sequence bigserial primary key, rollout text not null, gate text not null, at bigint not null, body json not null)`.execute(database)
  await sql`create index rollout_sample_gate on ${table('rollout_sample')} (rollout, gate, sequence)`.execute(database)
}

async function createPlanApprovals(database: Kysely<unknown>): Promise<void> {
  const table = sql.table(`${SCHEMA}.plan_approval`)
  await sql`create table ${table} (sequence bigserial primary key, plan text not null, approved_by text not null, at bigint not null)`.execute(database)
  await sql`create index plan_approval_plan on ${table} (plan, sequence)`.execute(database)
}
