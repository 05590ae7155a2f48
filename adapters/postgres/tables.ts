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
  readonly rollout: {
    readonly sequence: Generated<number>
    readonly id: string
    readonly created: number
    readonly made_by: string
    readonly plan: string
    readonly way_back: string
    readonly state: string
    /** The events up to this one are in `state`. */
    readonly state_sequence: number
    /** Sequence of the newest event. */
    readonly head: number
    readonly is_over: boolean
    readonly epoch: number
    readonly holder: string | null
    readonly held_until: string | null
    readonly taken_up_to: number
  }
  readonly plan_approval: { readonly sequence: Generated<number>; readonly plan: string; readonly approved_by: string; readonly at: number }
  readonly rollout_event: { readonly rollout: string; readonly sequence: number; readonly body: string }
  readonly rollout_asked: { readonly sequence: Generated<number>; readonly rollout: string; readonly command: string; readonly asked_by: string; readonly at: number }
  readonly rollout_sample: { readonly sequence: Generated<number>; readonly rollout: string; readonly gate: string; readonly at: number; readonly body: string }
}

export const SCHEMA = 'portcullis'
