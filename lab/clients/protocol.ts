import type { Evidence, Use } from './use.ts'
import type { Task, TaskRecord } from './workload.ts'

/** What a lab asks of the agent in a host. */
export type Request =
  | { readonly id: number; readonly kind: 'perform'; readonly use: Use }
  | { readonly id: number; readonly kind: 'startWorkload'; readonly tasks: readonly Task[] }
  | { readonly id: number; readonly kind: 'stopWorkload' }

export type Response =
  | { readonly id: number; readonly kind: 'evidence'; readonly evidence: Evidence }
  | { readonly id: number; readonly kind: 'records'; readonly records: readonly TaskRecord[] }
