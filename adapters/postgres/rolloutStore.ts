import type { Approval } from '@portcullis/core/plan/approval.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { GateSample } from '@portcullis/core/rollout/gate.ts'
import type { Command, RolloutState } from '@portcullis/core/rollout/rollout.ts'
import type { AskedCommand, Lease, NewRolloutEvent, NewRolloutRecord, RolloutEntry, RolloutEvent, RolloutRecord, RolloutStore, StoredSample } from '@portcullis/engine/rolloutStore.ts'
import { sql, type Kysely, type RawBuilder, type Selectable, type Transaction } from 'kysely'
import { asStoreFault } from './storeFault.ts'
import type { Tables } from './tables.ts'

/** The RolloutStore port on the database of the store. Leases run on the database's clock, which every controller shares. */
export class PostgresRolloutStore implements RolloutStore {
  readonly #database: Kysely<Tables>
  readonly #server: string

  /** `server`: where the database is, for faults. */
  constructor(database: Kysely<Tables>, server: string) {
    this.#database = database
    this.#server = server
  }

  /** The index `rollout_active` lets one be going on. */
  create(made: NewRolloutRecord): Promise<boolean> {
    return this.#ask(async (database) => {
      const { id, created, by, plan } = made
      const row = { id, created, made_by: by, plan, way_back: JSON.stringify(made.wayBack), state: JSON.stringify(made.state), state_sequence: 0, head: 0, is_over: false, epoch: 0, taken_up_to: 0, holder: null, held_until: null }
      const inserted = await database.insertInto('rollout').values(row).onConflict((conflict) => conflict.doNothing()).returning('id').execute()
      return inserted.length === 1
    })
  }

  rollout(id: string): Promise<RolloutRecord | undefined> {
    return this.#ask(async (database) => {
      if (id.length < ID_START_MIN) return undefined
      const rows = await database.selectFrom('rollout').select(RECORD).select(IS_HELD.as('is_held')).where(sql<boolean>`starts_with(id, ${id})`).limit(2).execute()
      return rows.length === 1 && rows[0] ? readRecord(rows[0]) : undefined
    })
  }

  wayBack(id: string): Promise<ChangePlan | undefined> {
    return this.#ask(async (database) => {
      const row = await database.selectFrom('rollout').select('way_back').where('id', '=', id).executeTakeFirst()
      return row && (JSON.parse(row.way_back) as ChangePlan)
    })
  }

  active(): Promise<RolloutRecord | undefined> {
    return this.#ask(async (database) => {
      const row = await database.selectFrom('rollout').select(RECORD).select(IS_HELD.as('is_held')).where('is_over', '=', false).executeTakeFirst()
      return row && readRecord(row)
    })
  }

  rollouts(limit: number): Promise<readonly RolloutRecord[]> {
    return this.#ask(async (database) => {
      const rows = await database.selectFrom('rollout').select(RECORD).select(IS_HELD.as('is_held')).orderBy('sequence', 'desc').limit(limit).execute()
      return rows.map(readRecord)
    })
  }

  events(id: string, since: number): Promise<readonly RolloutEvent[]> {
    return this.#ask(async (database) => {
      const query = database.selectFrom('rollout_event').select(['sequence', 'body']).where('rollout', '=', id).where('sequence', '>', since)
      return (await query.orderBy('sequence').execute()).map(({ sequence, body }) => ({ ...(JSON.parse(body) as NewRolloutEvent), sequence }))
    })
  }

  claim(id: string, holder: string, durationMs: number): Promise<Lease | undefined> {
    return this.#ask(async (database) => {
      const claimed = await database
        .updateTable('rollout')
        .set({ holder, epoch: sql<number>`epoch + 1`, held_until: until(durationMs) })
        .where('id', '=', id)
        .where(sql<boolean>`not (${IS_HELD} and held_until <= ${until(durationMs)})`)
        .returning('epoch')
        .executeTakeFirst()
      return claimed && { rollout: id, holder, epoch: claimed.epoch }
    })
  }

  renew(lease: Lease, durationMs: number): Promise<boolean> {
    return this.#ask(async (database) => {
      const renewed = await database.updateTable('rollout').set({ held_until: until(durationMs) }).where(heldBy(lease)).returning('id').execute()
      return renewed.length === 1
    })
  }

  release(lease: Lease): Promise<void> {
    return this.#ask(async (database) => {
      await database.updateTable('rollout').set({ held_until: null }).where(heldBy(lease)).execute()
    })
  }

  holds(lease: Lease): Promise<boolean> {
    return this.#ask(async (database) => (await database.selectFrom('rollout').select('id').where(heldBy(lease)).execute()).length === 1)
  }

  append(lease: Lease, entry: RolloutEntry): Promise<boolean> {
    return this.#ask((database) => database.transaction().execute((transaction) => appendIn(transaction, lease, entry)))
  }

  ask(id: string, { command, by, at }: Omit<AskedCommand, 'sequence'>): Promise<void> {
    return this.#ask(async (database) => {
      await database.insertInto('rollout_asked').values({ rollout: id, command, asked_by: by, at }).execute()
    })
  }

  asked(id: string): Promise<readonly AskedCommand[]> {
    return this.#ask(async (database) => {
      const taken = database.selectFrom('rollout').select('taken_up_to').where('id', '=', id)
      const rows = await database.selectFrom('rollout_asked').selectAll().where('rollout', '=', id).where('sequence', '>', taken).orderBy('sequence').execute()
      return rows.map(({ sequence, command, asked_by: by, at }) => ({ sequence, command: command as Command, by, at }))
    })
  }

  approve({ plan, by, at }: Approval): Promise<void> {
    return this.#ask(async (database) => {
      await database.insertInto('plan_approval').values({ plan, approved_by: by, at }).execute()
    })
  }

  approvals(plan: string): Promise<readonly Approval[]> {
    return this.#ask(async (database) => {
      const rows = await database.selectFrom('plan_approval').select(['approved_by', 'at']).where('plan', '=', plan).orderBy('sequence').execute()
      return rows.map(({ approved_by: by, at }) => ({ plan, by, at }))
    })
  }

  addSamples(id: string, samples: readonly StoredSample[]): Promise<void> {
    return this.#ask(async (database) => {
      if (samples.length === 0) return
      const column = <T>(of: (sample: StoredSample) => T): T[] => samples.map(of)
      await sql`insert into portcullis.rollout_sample (rollout, gate, at, body)
        select ${id}, * from unnest(${column(({ gate }) => gate)}::text[], ${column(({ at }) => at)}::bigint[], ${column(writeSample)}::json[])`.execute(database)
    })
  }

  samples(id: string, gate: string, limit: number): Promise<readonly GateSample[]> {
    return this.#ask(async (database) => {
      const query = database.selectFrom('rollout_sample').select(['at', 'body']).where('rollout', '=', id).where('gate', '=', gate)
      const rows = await query.orderBy('sequence', 'desc').limit(limit).execute()
      return rows.toReversed().map(({ at, body }) => ({ ...(JSON.parse(body) as Omit<GateSample, 'at'>), at }))
    })
  }

  async #ask<T>(query: (database: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await query(this.#database)
    } catch (error) {
      throw asStoreFault(this.#server, error)
    }
  }
}

const ID_START_MIN = 6

const IS_HELD = sql<boolean>`coalesce(held_until > clock_timestamp(), false)`
const until = (durationMs: number): RawBuilder<string> => sql<string>`clock_timestamp() + ${durationMs} * interval '1 millisecond'`
const heldBy = ({ rollout, epoch }: Lease): RawBuilder<boolean> => sql<boolean>`id = ${rollout} and epoch = ${epoch} and ${IS_HELD}`

/** The row is locked by the update, so that of two writers the second sees what the first has made of `head`. */
async function appendIn(transaction: Transaction<Tables>, lease: Lease, { since, events, snapshot, isOver, takenUpTo }: RolloutEntry): Promise<boolean> {
  const head = since + events.length
  const changes = {
    head,
    is_over: isOver,
    ...(snapshot ? { state: JSON.stringify(snapshot), state_sequence: head } : {}),
    ...(takenUpTo === undefined ? {} : { taken_up_to: takenUpTo }),
  }
  const written = await transaction.updateTable('rollout').set(changes).where(heldBy(lease)).where('head', '=', since).returning('id').execute()
  if (written.length !== 1) return false
  if (events.length > 0) await transaction.insertInto('rollout_event').values(events.map((event, index) => ({ rollout: lease.rollout, sequence: since + index + 1, body: JSON.stringify(event) }))).execute()
  return true
}

const writeSample = ({ host, isGood, value, because }: StoredSample): string => JSON.stringify({ host, isGood, value, because })

const RECORD = ['id', 'created', 'made_by', 'plan', 'state', 'state_sequence', 'is_over', 'holder'] as const

const readRecord = (row: Pick<Selectable<Tables['rollout']>, (typeof RECORD)[number]> & { readonly is_held: boolean }): RolloutRecord => ({
  id: row.id,
  created: row.created,
  by: row.made_by,
  plan: row.plan,
  state: JSON.parse(row.state) as RolloutState,
  sequence: row.state_sequence,
  isOver: row.is_over,
  ...(row.is_held && row.holder !== null ? { holder: row.holder } : {}),
})
