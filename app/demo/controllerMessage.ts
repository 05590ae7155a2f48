import type { ScanObservation } from '@portcullis/core/inventory/observation.ts'

/** What the demo asks of the controller, one JSON object a line. */
export type ControllerRequest =
  | { readonly id: number; readonly kind: 'command'; readonly argv: readonly string[] }
  | { readonly id: number; readonly kind: 'scans'; readonly scans: readonly ScanWord[] }

/** A scan's observation with its address as text. */
export type ScanWord = Omit<ScanObservation, 'address' | 'kind'> & { readonly address: string }

export interface ControllerReply {
  readonly id: number
  readonly exitCode: number
  /** What the command printed on standard output. */
  readonly out: string
}
