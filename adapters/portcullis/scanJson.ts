import type { Place } from '@portcullis/core/fault/fault.ts'
import type { Instant, ScanObservation } from '@portcullis/core/inventory/observation.ts'
import { addressField, BadRecord, nameOf, portField, portRangesField, protocolField, readInstant, type Fields } from '../import/fieldReader.ts'
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
    // Lists beside those of ports: addresses that could not be reached, and notes, which are faults.
    if (fields.port === undefined && fields.ports === undefined && (fields.fault !== undefined || fields.what !== undefined)) return
    if (this.#at === undefined) throw new BadRecord(undated(this.#settings.file))
    const { claims } = this.#settings
    // A link-local address means something on the scanner's own interface only (RFC 4007): no policy names it.
    if (typeof fields.address === 'string' && fields.address.includes('%')) return claims.skip('not of the fleet', place)
    const state = stateOf(fields, place)
    const [address, protocol] = [addressField(fields, 'address', place), protocolField(fields, 'protocol', place)]
    // Of what was not listed one by one.
    const ports = fields.port === undefined && fields.ports !== undefined ? portRangesField(fields, 'ports', place) : undefined
    if (protocol === undefined) return claims.skip('protocol without ports', place)
    if (state === undefined) return claims.skip('state undecided', place)
    const claim = { address, at: this.#at, protocol, state }
    if (ports) return claims.scanRest({ ...claim, ports }, place)
    const service = nameOf(fields.service)
    claims.scan({ ...claim, port: portField(fields, 'port', place), ...(service === undefined ? {} : { service }) }, place)
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
