import type { Place } from '@portcullis/core/fault/fault.ts'
import type { Instant, ScanObservation } from '@portcullis/core/inventory/observation.ts'
import { addressField, BadRecord, nameOf, portField, protocolField, readInstant, type Fields } from '../import/fieldReader.ts'
import type { ImportFormat, ImportReader, ReaderSettings } from '../import/format.ts'
import { badField, malformed } from '../import/importFault.ts'
import { readJsonItems } from '../import/jsonItems.ts'

/** What `portcullis scan --json` prints: schemas/scan.schema.json. */
export const PORTCULLIS: ImportFormat = {
  name: 'portcullis',
  isHead: (head) => /^\s*\{\s*"format"\s*:\s*"portcullis-scan"/.test(head),
  open: (settings) => new ScanReader(settings),
}

/** The time stands before the list of endpoints, in the first few words. */
const HEAD_CHARACTERS_MAX = 4096

class ScanReader implements ImportReader {
  readonly #settings: ReaderSettings
  readonly #items: ImportReader
  #head = ''
  #at: Instant | undefined

  constructor(settings: ReaderSettings) {
    this.#settings = settings
    this.#items = readJsonItems(settings.file, settings.claims, (fields, place) => this.#take(fields, place))
  }

  write(chunk: string): void {
    if (this.#head.length < HEAD_CHARACTERS_MAX && this.#at === undefined) {
      this.#head = (this.#head + chunk).slice(0, HEAD_CHARACTERS_MAX)
      this.#at = readInstant(/^[^[]*?"at"\s*:\s*"([^"]{1,40})"/.exec(this.#head)?.[1])
    }
    this.#items.write(chunk)
  }

  end(): void {
    this.#items.end()
    if (this.#at === undefined) this.#settings.claims.refuse(undated(this.#settings.file))
  }

  #take(fields: Fields, place: Place): void {
    // Lists beside that of endpoints: addresses that could not be reached, and notes.
    if (fields.port === undefined && (fields.fault !== undefined || fields.en !== undefined)) return
    if (this.#at === undefined) throw new BadRecord(undated(this.#settings.file))
    const { claims } = this.#settings
    const state = stateOf(fields, place)
    const [address, protocol, port] = [addressField(fields, 'address', place), protocolField(fields, 'protocol', place), portField(fields, 'port', place)]
    if (protocol === undefined) return claims.skip('protocol without ports', place)
    if (state === undefined) return claims.skip('state undecided', place)
    const service = nameOf(fields.service)
    claims.scan({ address, at: this.#at, protocol, port, state, ...(service === undefined ? {} : { service }) }, place)
  }
}

const STATES: ReadonlySet<unknown> = new Set(['open', 'closed', 'filtered', 'open|filtered'])

/** Undefined where the scan itself does not know. */
function stateOf({ state }: Fields, place: Place): ScanObservation['state'] | undefined {
  if (STATES.has(state)) return state as ScanObservation['state']
  if (state === 'unknown') return undefined
  throw new BadRecord(badField(place, 'state', state, 'state of a port', '端口状态'))
}

const undated = (file: string) => malformed({ file, line: 1, column: 1 }, 'it does not say when it was made', '其中没有扫描时间')
