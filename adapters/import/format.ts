import type { FlowObservation } from '@portcullis/core/inventory/observation.ts'
import type { ImportClaims } from './importClaims.ts'

/** Takes a file's text as it comes. What cannot be read is refused through the claims. */
export interface ImportReader {
  write(chunk: string): void
  end(): void
}

export interface ReaderSettings {
  readonly file: string
  readonly claims: ImportClaims
  /** What became of packets that a log does not tell it of. */
  readonly verdict?: FlowObservation['verdict']
  /** Names of the columns, of a log without a header line. */
  readonly columns?: readonly string[]
  /** For formats that date nothing. */
  readonly now: number
}

/** One format that can be imported, one folder of `adapters/`. */
export interface ImportFormat {
  readonly name: string
  /** Whether the first characters of a file are surely of this format. */
  readonly isHead: (head: string) => boolean
  /** Its flows may not say which side is the server's. */
  readonly isDirectionOpen?: true
  readonly open: (settings: ReaderSettings) => ImportReader
}
