import type { Generated } from 'kysely'

/** The tables of the schema `portcullis` as the newest migration leaves them. Times are milliseconds since 1970. */
export interface Tables {
  readonly observation: {
    readonly sequence: Generated<number>
    readonly host: string
    readonly kind: string
    readonly sensor: string
    readonly at: number
    readonly body: string
  }
  readonly facts: {
    readonly sequence: Generated<number>
    readonly host: string
    readonly at: number
    readonly duration_ms: number
    /** UTF-8, Zstandard. */
    readonly text: Uint8Array
  }
  readonly policy: { readonly digest: string; readonly file: string; readonly text: string; readonly seen_at: number }
  readonly plan: { readonly sequence: Generated<number>; readonly id: string; readonly created: number; readonly body: string }
  readonly generation: {
    readonly host: string
    readonly generation: number
    readonly ruleset_digest: string
    readonly plan: string
    readonly intent: string
    readonly confirmed_at: number
  }
  readonly journal: {
    readonly sequence: Generated<number>
    readonly run: string
    readonly at: number
    readonly kind: string
    readonly name: string
    readonly host: string | null
    readonly plan: string | null
    readonly generation: number | null
    readonly detail: string | null
    readonly fault: string | null
  }
  readonly alert_outbox: {
    readonly sequence: Generated<number>
    readonly alert: string
    readonly receiver: string
    readonly at: number
    readonly body: string
    readonly attempts: number
    /** Not tried before; while it is being tried, the end of the claim. */
    readonly not_before: number
    readonly holder: string | null
    readonly delivered_at: number | null
    readonly because: string | null
  }
}

export const SCHEMA = 'portcullis'
