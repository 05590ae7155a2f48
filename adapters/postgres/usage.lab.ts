import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DAY_MS } from '@portcullis/core/inventory/businessCalendar.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { recordedUsageOf } from '@portcullis/core/inventory/usageDays.ts'
import { allOf, inOneOrder, watchedHost } from '@portcullis/sim/watchedHost.ts'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { migrate } from './migration.ts'
import { writeObservation } from './observationRow.ts'
import { openStore } from './openStore.ts'
import type { PostgresStore } from './postgresStore.ts'
import { SCHEMA, type Tables } from './tables.ts'

const root = mkdtempSync(join(tmpdir(), 'pe-usage-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const folder = join(root, 'store')
mkdirSync(folder, { mode: 0o700 })
const socket = { host: join(folder, 'data'), user: 'portcullis', database: 'postgres' }

async function open(): Promise<PostgresStore> {
  const store = await openStore({ kind: 'folder', folder })
  if (!store.ok) throw new Error(`${store.faults[0]?.code}: ${store.faults[0]?.what.en}`)
  return store.value
}

const SPAN = { since: 0, utcOffsetMinutes: 60 }

describe('a store of an earlier version comes to this one, and its observations tell their use', () => {
  test.each(['0001-first-tables', '0002-alert-outbox', '0003-rollouts', '0004-plan-approvals'])('%s', async (version) => {
    const before = ['old-1', 'old-2'].flatMap((host, seed) => watchedHost(host, seed))
    const store = await open()
    await goBackTo(version, before)
    const again = await open()
    const hosts = ['old-1', 'old-2']
    const expected = (observations: readonly Observation[]) => inOneOrder(hosts.map((host) => recordedUsageOf(host, observations.filter((each) => each.host === host), SPAN)))
    expect(inOneOrder(await allOf(again.usage(hosts, SPAN)))).toEqual(expected(before))
    // Counters go on from where the old store left them.
    const after = watchedHost('old-1', 0).map((each) => later(each, 50 * DAY_MS))
    for (const reading of Map.groupBy(after, ({ at }) => at).values()) await again.addObservations(reading)
    expect(inOneOrder(await allOf(again.usage(hosts, SPAN)))).toEqual(expected([...before, ...after]))
    await again.close()
    await store.close()
  })

  const later = (each: Observation, ms: number): Observation => ('lastSeen' in each ? { ...each, at: each.at + ms, lastSeen: each.lastSeen + ms } : { ...each, at: each.at + ms })

  /** The schema as that version left it, with these observations in it. */
  async function goBackTo(version: string, observations: readonly Observation[]): Promise<void> {
    const client = new pg.Client(socket)
    await client.connect()
    await client.query(`drop schema ${SCHEMA} cascade`)
    const database = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new pg.Pool(socket) }) })
    expect(await migrate(database, version)).toEqual({ ok: true, value: undefined })
    await database.destroy()
    const rows = observations.map(writeObservation)
    const columns = (['host', 'kind', 'sensor', 'at', 'body'] as const).map((key) => rows.map((row) => row[key]))
    await client.query(`insert into ${SCHEMA}.observation (host, kind, sensor, at, body) select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::json[])`, columns)
    await client.end()
  }
})
