import type { Observation } from '@portcullis/core/inventory/observation.ts'
import type { CountedUse, RecordedUsage, UsageSpan } from '@portcullis/core/inventory/usageDays.ts'
import { isContinuation, NOTHING_KNOWN, recordUsage, type KnownUsage, type UsageChanges, type WatchSpan } from '@portcullis/core/inventory/usageRecord.ts'
import { formatAddress, parseAddress, type Address } from '@portcullis/core/net/address.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import { FaultError } from '@portcullis/core/fault/fault.ts'
import { sql, type Kysely, type RawBuilder } from 'kysely'
import { readObservation, writeObservation, type ObservationRow } from './observationRow.ts'
import { storeCorrupt } from './storeFault.ts'
import { SCHEMA, type Tables } from './tables.ts'

/** First number of our advisory locks on what was recorded of a host, chosen once like those of the store. */
const USAGE_LOCK = 727_410_003

/**
 * Where a transaction puts what it records. One that takes long keeps it beside until its end, for otherwise everyone who observes
 * would wait for it, or it for them.
 */
interface Target {
  readonly claims: RawBuilder<unknown>
  readonly days: RawBuilder<unknown>
  readonly isBeside: boolean
}

const table = (name: string): RawBuilder<unknown> => sql.table(`${SCHEMA}.${name}`)
const DIRECT: Target = { claims: table('usage_claim'), days: table('usage_day'), isBeside: false }
const BESIDE: Target = { claims: sql.table('pg_temp.usage_claim_beside'), days: sql.table('pg_temp.usage_day_beside'), isBeside: true }

/** Tables of what was recorded of use, and all that the observations before them tell. */
export async function createUsage(database: Kysely<Tables>): Promise<void> {
  await sql`create table ${table('usage_claim')} (host text collate "C" not null, key text collate "C" not null, kind text not null, sensor text not null, at bigint not null, body json not null, primary key (host, key))`.execute(database)
  await sql`create table ${table('usage_counter')} (host text collate "C" not null, key text collate "C" not null, connections bigint not null, primary key (host, key))`.execute(database)
  await sql`create table ${table('usage_watch')} (host text collate "C" not null, sensor text collate "C" not null, first bigint not null, last bigint not null, primary key (host, sensor, first))`.execute(database)
  await sql`create table ${table('usage_day')} (host text collate "C" not null, protocol text collate "C" not null, port integer not null, source inet not null, day integer not null, uses bigint not null, first bigint not null, last bigint not null, is_answered boolean not null, primary key (host, protocol, port, source, day))`.execute(database)
  const { rows } = await sql<{ host: string }>`select distinct host from ${table('observation')}`.execute(database)
  for (const { host } of rows) for await (const page of observationsOf(database, host)) await recordBatch(database, page, DIRECT)
}

const PAGE_ROWS = 50_000

/** All of a host, oldest first; what was claimed at one time stands in one page. */
async function* observationsOf(database: Kysely<Tables>, host: string): AsyncGenerator<Observation[]> {
  for (let after = -1; ; ) {
    const { rows: page } = await sql<{ last: number | null }>`select max(at) as last from (select at from ${table('observation')} where host = ${host} and at > ${after} order by at limit ${PAGE_ROWS}) as page`.execute(database)
    const last = page[0]?.last ?? undefined
    if (last === undefined) return
    const { rows } = await sql<ObservationRow>`select host, kind, sensor, at, body from ${table('observation')} where host = ${host} and at > ${after} and at <= ${last} order by at, sequence`.execute(database)
    yield rows.map(readObservation)
    after = last
  }
}

/** Records what is added in one transaction, batch by batch. */
export class UsageIntake {
  readonly #database: Kysely<Tables>
  readonly #target: Target

  private constructor(database: Kysely<Tables>, target: Target) {
    this.#database = database
    this.#target = target
  }

  /** `isLong`: the transaction may wait for its own data for any time. */
  static async open(transaction: Kysely<Tables>, isLong: boolean): Promise<UsageIntake> {
    if (isLong) {
      await sql`create temporary table usage_claim_beside on commit drop as select * from ${table('usage_claim')} with no data`.execute(transaction)
      await sql`create temporary table usage_day_beside on commit drop as select * from ${table('usage_day')} with no data`.execute(transaction)
    }
    return new UsageIntake(transaction, isLong ? BESIDE : DIRECT)
  }

  add(batch: readonly Observation[]): Promise<void> {
    return recordBatch(this.#database, batch, this.#target)
  }

  /** Brings over what was kept beside; rows in the order of their keys, so that two who do it never wait for each other. */
  async end(): Promise<void> {
    if (!this.#target.isBeside) return
    await sql`insert into ${DIRECT.claims} as kept select distinct on (host, key) * from ${BESIDE.claims} order by host, key, at desc ${NEWER_CLAIM}`.execute(this.#database)
    await sql`insert into ${DIRECT.days} as kept select host, protocol, port, source, day, sum(uses), min(first), max(last), bool_or(is_answered) from ${BESIDE.days} group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5 ${MORE_USE}`.execute(this.#database)
  }
}

const NEWER_CLAIM = sql`on conflict (host, key) do update set kind = excluded.kind, sensor = excluded.sensor, at = excluded.at, body = excluded.body where excluded.at >= kept.at`
const MORE_USE = sql`on conflict (host, protocol, port, source, day) do update set uses = kept.uses + excluded.uses, first = least(kept.first, excluded.first), last = greatest(kept.last, excluded.last), is_answered = kept.is_answered or excluded.is_answered`

/** `batch`: the claims of one reading of a host stand in one. */
async function recordBatch(database: Kysely<Tables>, batch: readonly Observation[], target: Target): Promise<void> {
  const byHost = [...Map.groupBy(batch, ({ host }) => host)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const continued = byHost.filter(([, observations]) => observations.some(isContinuation)).map(([host]) => host)
  const known = continued.length === 0 ? new Map<string, KnownUsage>() : await readKnown(database, continued)
  const changes = byHost.map(([host, observations]) => [host, recordUsage(observations.toSorted((a, b) => a.at - b.at), known.get(host) ?? NOTHING_KNOWN)] as const)
  await writeClaims(database, changes, target)
  await writeCounters(database, changes)
  await writeWatches(database, changes)
  await writeDays(database, changes, target)
}

type HostChanges = readonly (readonly [host: string, changes: UsageChanges])[]

/** Two who read the same host take their turn, so that the second compares with what the first wrote. */
async function readKnown(database: Kysely<Tables>, hosts: readonly string[]): Promise<Map<string, KnownUsage>> {
  await sql`select pg_advisory_xact_lock(${USAGE_LOCK}::int, hash) from (select distinct hashtext(host) as hash from unnest(${hosts}::text[]) as given(host) order by 1) as ordered`.execute(database)
  const known = new Map(hosts.map((host) => [host, { counters: new Map<string, number>(), watches: new Map<string, WatchSpan>() }]))
  const counters = await sql<{ host: string; key: string; connections: number }>`select host, key, connections from ${table('usage_counter')} where host = any(${hosts}::text[])`.execute(database)
  for (const { host, key, connections } of counters.rows) known.get(host)?.counters.set(key, connections)
  const watches = await sql<{ host: string } & WatchSpan>`select distinct on (host, sensor) host, sensor, first, last from ${table('usage_watch')} where host = any(${hosts}::text[]) order by host, sensor, first desc`.execute(database)
  for (const { host, sensor, first, last } of watches.rows) known.get(host)?.watches.set(sensor, { sensor, first, last })
  return known
}

async function writeClaims(database: Kysely<Tables>, changes: HostChanges, { claims, isBeside }: Target): Promise<void> {
  const rows = changes.flatMap(([, { claims: kept }]) => kept.map(({ key, claim }) => ({ key, ...writeObservation(claim) })))
  if (rows.length === 0) return
  const column = <K extends keyof (typeof rows)[number]>(key: K): (typeof rows)[number][K][] => rows.map((row) => row[key])
  await sql`insert into ${claims} as kept (host, key, kind, sensor, at, body)
    select * from unnest(${column('host')}::text[], ${column('key')}::text[], ${column('kind')}::text[], ${column('sensor')}::text[], ${column('at')}::bigint[], ${column('body')}::json[]) as given(host, key, kind, sensor, at, body)
    ${isBeside ? sql`` : sql`order by host, key ${NEWER_CLAIM}`}`.execute(database)
}

async function writeCounters(database: Kysely<Tables>, changes: HostChanges): Promise<void> {
  const rows = changes.flatMap(([host, { counters }]) => counters.map((counter) => ({ host, ...counter })))
  if (rows.length === 0) return
  await sql`insert into ${table('usage_counter')} (host, key, connections)
    select * from unnest(${rows.map(({ host }) => host)}::text[], ${rows.map(({ key }) => key)}::text[], ${rows.map(({ connections }) => connections)}::bigint[]) as given(host, key, connections) order by host, key
    on conflict (host, key) do update set connections = excluded.connections`.execute(database)
}

async function writeWatches(database: Kysely<Tables>, changes: HostChanges): Promise<void> {
  const rows = changes.flatMap(([host, { watches }]) => watches.map((span) => ({ host, ...span })))
  if (rows.length === 0) return
  await sql`insert into ${table('usage_watch')} (host, sensor, first, last)
    select * from unnest(${rows.map(({ host }) => host)}::text[], ${rows.map(({ sensor }) => sensor)}::text[], ${rows.map(({ first }) => first)}::bigint[], ${rows.map(({ last }) => last)}::bigint[]) as given(host, sensor, first, last) order by host, sensor, first
    on conflict (host, sensor, first) do update set last = excluded.last`.execute(database)
}

async function writeDays(database: Kysely<Tables>, changes: HostChanges, { days, isBeside }: Target): Promise<void> {
  const rows = changes.flatMap(([host, { uses }]) => uses.flatMap(({ days: on, source, ...use }) => on.map((day) => ({ host, ...use, source: formatAddress(source), ...day }))))
  if (rows.length === 0) return
  const column = <K extends keyof (typeof rows)[number]>(key: K): (typeof rows)[number][K][] => rows.map((row) => row[key])
  await sql`insert into ${days} as kept (host, protocol, port, source, day, uses, first, last, is_answered)
    select * from unnest(${column('host')}::text[], ${column('protocol')}::text[], ${column('port')}::integer[], ${column('source')}::inet[], ${column('day')}::integer[], ${column('connections')}::bigint[], ${column('first')}::bigint[], ${column('last')}::bigint[], ${column('isAnswered')}::boolean[]) as given(host, protocol, port, source, day, uses, first, last, is_answered)
    ${isBeside ? sql`` : sql`order by host, protocol, port, source, day ${MORE_USE}`}`.execute(database)
}

/** Enough for a question to be worth its way, and few enough to hold. */
const HOSTS_AT_ONCE = 200

/** Host after host; while some are judged, the next are read. */
export async function* readUsage(database: Kysely<Tables>, hosts: readonly string[], span: UsageSpan): AsyncGenerator<RecordedUsage> {
  const chunks = Array.from({ length: Math.ceil(hosts.length / HOSTS_AT_ONCE) }, (_, index) => hosts.slice(index * HOSTS_AT_ONCE, (index + 1) * HOSTS_AT_ONCE))
  let next = readChunk(database, chunks[0] ?? [], span)
  for (const [index, chunk] of chunks.entries()) {
    const known = await next
    next = readChunk(database, chunks[index + 1] ?? [], span)
    // Whoever stops reading does not wait for it.
    next.catch(() => undefined)
    for (const host of chunk) yield known.get(host) ?? { host, claims: [], watches: [], uses: [] }
  }
}

interface HostRecord {
  readonly host: string
  readonly claims: Observation[]
  readonly watches: WatchSpan[]
  readonly uses: CountedUse[]
}

async function readChunk(database: Kysely<Tables>, hosts: readonly string[], { since, utcOffsetMinutes }: UsageSpan): Promise<Map<string, HostRecord>> {
  const records = new Map(hosts.map((host): [string, HostRecord] => [host, { host, claims: [], watches: [], uses: [] }]))
  if (hosts.length === 0) return records
  const from = Number.isFinite(since) ? since : 0
  const [claims, watches, uses] = await Promise.all([
    sql<ObservationRow>`select host, kind, sensor, at, body from ${table('usage_claim')} where host = any(${hosts}::text[]) and at >= ${from}`.execute(database),
    sql<{ host: string } & WatchSpan>`select host, sensor, greatest(first, ${from}::bigint) as first, last from ${table('usage_watch')} where host = any(${hosts}::text[]) and last >= ${from} order by host, sensor, first`.execute(database),
    readDays(database, hosts, from, utcOffsetMinutes * 60_000),
  ])
  for (const row of claims.rows) records.get(row.host)?.claims.push(readObservation(row))
  for (const { host, ...span } of watches.rows) records.get(host)?.watches.push(span)
  const addresses = new Map<string, Address>()
  for (const { host, ...row } of uses) records.get(host)?.uses.push(countedUse(row, host, addresses))
  return records
}

interface UseRow {
  readonly protocol: string
  readonly port: number
  readonly source: string
  readonly uses: number
  readonly is_answered: boolean
  /** Days of the business, by the first use of each day of UTC, then by the last where that is another. As arrays are written. */
  readonly firsts: string
  readonly lasts: string | null
}

/** In the order in which the sources came. Host after host along the key, for of a large table all hosts at once are gathered and sorted on the disk. */
async function readDays(database: Kysely<Tables>, hosts: readonly string[], since: number, offsetMs: number): Promise<readonly (UseRow & { readonly host: string })[]> {
  const dayOf = (column: 'first' | 'last'): RawBuilder<unknown> => sql`((${sql.ref(column)} + ${offsetMs}::bigint) / 86400000)::integer`
  const { rows } = await sql<UseRow & { host: string }>`
    select wanted.host, used.* from unnest(${hosts}::text[]) as wanted(host) cross join lateral (
      select protocol, port, host(source) as source, sum(uses)::bigint as uses, bool_or(is_answered) as is_answered,
        array_agg(${dayOf('first')})::text as firsts, (array_agg(${dayOf('last')}) filter (where ${dayOf('last')} <> ${dayOf('first')}))::text as lasts
      from ${table('usage_day')} as recorded where host = wanted.host and day >= ${Math.floor(since / 86_400_000)} and last >= ${since}
      group by protocol, port, recorded.source order by protocol, port, min(first), recorded.source) as used`.execute(database)
  return rows
}

function countedUse({ protocol, port, source, uses, is_answered, firsts, lasts }: UseRow, host: string, addresses: Map<string, Address>): CountedUse {
  let address = addresses.get(source)
  if (!address) {
    const parsed = parseAddress(source)
    if (!parsed.ok) throw new FaultError(storeCorrupt(`a source of use of ${host}`))
    addresses.set(source, (address = parsed.value))
  }
  const days = lasts === null ? readDayArray(firsts) : [...readDayArray(firsts), ...readDayArray(lasts)]
  return { protocol: protocol as TransportProtocol, port, source: address, isAnswered: is_answered, connections: uses, days }
}

/** `{20700,20701}`. */
const readDayArray = (text: string): number[] => text.slice(1, -1).split(',').map(Number)
