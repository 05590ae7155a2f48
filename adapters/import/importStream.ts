import { FaultError } from '@portcullis/core/fault/fault.ts'
import type { FlowObservation, Observation } from '@portcullis/core/inventory/observation.ts'
import { createHash } from 'node:crypto'
import { EndOfInput } from './endOfInput.ts'
import type { FleetIndex } from './fleetIndex.ts'
import type { ImportFormat, ImportReader } from './format.ts'
import { formatOf, IMPORT_FORMATS } from './formats.ts'
import { ImportClaims, type ImportReport } from './importClaims.ts'
import { unknownFormat } from './importFault.ts'

export interface ImportSpec {
  /** Its name in messages. */
  readonly file: string
  /** Recognised where it is absent. */
  readonly format?: ImportFormat
  readonly fleet: FleetIndex
  /** What of the fleet is known to serve; asked for only where the format does not tell who the server is. */
  readonly servers?: () => Promise<NonNullable<FleetIndex['isServer']>>
  readonly from?: string
  readonly verdict?: FlowObservation['verdict']
  readonly columns?: readonly string[]
  readonly isLenient: boolean
  readonly now: number
}

export interface ImportResult extends ImportReport {
  readonly format: string
  /** SHA-256 in hex of the text, by which a file is known again. */
  readonly digest: string
}

/** Enough to know a format by: reports begin with what they are. */
const HEAD_CHARACTERS = 16 * 1024

/** One import. `observations` may be read once; `result` is there when they have come to their end. */
export class ImportStream {
  readonly #spec: ImportSpec
  readonly #digest = createHash('sha256')
  #result: ImportResult | undefined

  constructor(spec: ImportSpec) {
    this.#spec = spec
  }

  get result(): ImportResult {
    if (!this.#result) throw new Error('the import has not come to its end')
    return this.#result
  }

  /**
   * In batches, as the text comes; no more of it is held than a record and what was not yet taken. Throws a FaultError
   * IMPORT_* with the place of the first malformed record, or, where the import is lenient, only where no format is known.
   */
  async *observations(chunks: AsyncIterable<string>): AsyncGenerator<Observation[], void, undefined> {
    let head = ''
    let open: { readonly claims: ImportClaims; readonly reader: ImportReader; readonly format: ImportFormat } | undefined
    try {
      for await (const chunk of chunks) {
        this.#digest.update(chunk)
        if (open) open.reader.write(chunk)
        else if ((head += chunk).length >= HEAD_CHARACTERS) (open = await this.#open(head)).reader.write(withoutMark(head))
        const taken = open?.claims.take() ?? []
        if (taken.length > 0) yield taken
      }
      if (!open) (open = await this.#open(head)).reader.write(withoutMark(head))
      open.reader.end()
    } catch (error) {
      if (!open || !(error instanceof EndOfInput)) throw error
    }
    const rest = open.claims.take(true)
    if (rest.length > 0) yield rest
    this.#result = { format: open.format.name, digest: this.#digest.digest('hex'), ...open.claims.report() }
  }

  async #open(head: string): Promise<{ claims: ImportClaims; reader: ImportReader; format: ImportFormat }> {
    const { file, servers, from, isLenient, verdict, columns, now } = this.#spec
    const format = this.#spec.format ?? formatOf(withoutMark(head))
    if (!format) throw new FaultError(unknownFormat(file, head, IMPORT_FORMATS.map(({ name }) => name)))
    const isServer = format.isDirectionOpen ? await servers?.() : undefined
    const fleet = isServer ? { ...this.#spec.fleet, isServer } : this.#spec.fleet
    const claims = new ImportClaims({ sensor: format.name, fleet, isLenient, ...(from === undefined ? {} : { from }) })
    const reader = format.open({ file, claims, now, ...(verdict === undefined ? {} : { verdict }), ...(columns === undefined ? {} : { columns }) })
    return { claims, reader, format }
  }
}

const withoutMark = (text: string): string => (text.startsWith('\uFEFF') ? text.slice(1) : text)
