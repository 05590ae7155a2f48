import type { ScanObservation } from '@portcullis/core/inventory/observation.ts'

/** What the demo asks of the controller, one JSON object a line. */
export type ControllerRequest =
  /** `isBeside`: as from a second terminal, while others go on; else after those that were asked before. `isFollowed`: with what it tells meanwhile. */
  | { readonly id: number; readonly kind: 'command'; readonly argv: readonly string[]; readonly isBeside?: boolean; readonly isFollowed?: boolean }
  | { readonly id: number; readonly kind: 'scans'; readonly scans: readonly ScanWord[] }

/** A scan's observation with its address as text. */
export type ScanWord = Omit<ScanObservation, 'address' | 'kind'> & { readonly address: string }

/** A line that the command wrote on standard error, before its reply. */
export interface ControllerNote {
  readonly id: number
  readonly note: string
}

export interface ControllerReply {
  readonly id: number
  readonly exitCode: number
  /** What the command printed on standard output. */
  readonly out: string
}
