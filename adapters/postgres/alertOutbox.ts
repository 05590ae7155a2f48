import type { Text } from '@portcullis/core/fault/fault.ts'
import type { Alert } from '@portcullis/engine/gates.ts'
import { sql, type Kysely } from 'kysely'
import { PAUSE_MS_MAX, type AlertOutbox, type ClaimedAlert, type WaitingAlert } from '../alert/outbox.ts'
import { asStoreFault } from './storeFault.ts'
import { SCHEMA, type Tables } from './tables.ts'

/** The outbox in the store, which several controllers may share. Throws a FaultError STORE_*. */
export class PostgresAlertOutbox implements AlertOutbox {
  readonly #database: Kysely<Tables>
  readonly #server: string

  constructor(database: Kysely<Tables>, server: string) {
    this.#database = database.withSchema(SCHEMA)
    this.#server = server
  }

  add(alert: Alert, receivers: readonly string[]): Promise<void> {
    return this.#ask(async (database) => {
      if (receivers.length === 0) return
      const rows = receivers.map((receiver) => ({ alert: alert.id, receiver, at: alert.at, body: JSON.stringify(alert), attempts: 0, not_before: 0 }))
      await database.insertInto('alert_outbox').values(rows).onConflict((conflict) => conflict.columns(['alert', 'receiver']).doNothing()).execute()
    })
  }

  /** What is put off for longer than anything is was put off before the clock was set back. */
  claim({ holder, now, forMs, limit, receivers }: Parameters<AlertOutbox['claim']>[0]): Promise<readonly ClaimedAlert[]> {
    return this.#ask(async (database) => {
      const { rows } = await sql<{ sequence: number; receiver: string; body: string; attempts: number }>`
        update ${sql.table(`${SCHEMA}.alert_outbox`)} set holder = ${holder}, attempts = attempts + 1, not_before = ${now + forMs}
        where sequence in (select sequence from ${sql.table(`${SCHEMA}.alert_outbox`)}
          where delivered_at is null and (not_before <= ${now} or not_before > ${now + PAUSE_MS_MAX}) and receiver = any(${receivers}::text[]) order by sequence limit ${limit} for update skip locked)
        returning sequence, receiver, body, attempts`.execute(database)
      return rows
        .map(({ sequence, receiver, body, attempts }) => ({ sequence, receiver, alert: JSON.parse(body) as Alert, attempt: attempts, holder }))
        .toSorted((a, b) => a.sequence - b.sequence)
    })
  }

  /** Whoever had it last: a claim that ran out while it was being told was told all the same. */
  delivered({ sequence }: ClaimedAlert, at: number): Promise<void> {
    return this.#ask(async (database) => {
      await database.updateTable('alert_outbox').set({ delivered_at: at, because: null }).where('sequence', '=', sequence).where('delivered_at', 'is', null).execute()
    })
  }

  failed({ sequence, holder, attempt }: ClaimedAlert, notBefore: number, because: Text): Promise<void> {
    return this.#ask(async (database) => {
      const query = database.updateTable('alert_outbox').set({ not_before: notBefore, because: JSON.stringify(because) })
      await query.where('sequence', '=', sequence).where('holder', '=', holder).where('attempts', '=', attempt).where('delivered_at', 'is', null).execute()
    })
  }

  waiting(limit: number): Promise<readonly WaitingAlert[]> {
    return this.#ask(async (database) => {
      const rows = await database.selectFrom('alert_outbox').selectAll().where('delivered_at', 'is', null).orderBy('sequence').limit(limit).execute()
      return rows.map((row) => ({ receiver: row.receiver, alert: JSON.parse(row.body) as Alert, attempts: row.attempts, notBefore: row.not_before, ...(row.because === null ? {} : { because: JSON.parse(row.because) as Text }) }))
    })
  }

  async #ask<T>(question: (database: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await question(this.#database)
    } catch (error) {
      throw asStoreFault(this.#server, error)
    }
  }
}
