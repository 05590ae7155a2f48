import type { Place } from '@portcullis/core/fault/fault.ts'
import { addressField, nameOf, portField, protocolField, readInstant } from '../import/fieldReader.ts'
import type { ImportFormat, ReaderSettings } from '../import/format.ts'
import { readXml, type XmlListener } from '../import/xmlDocument.ts'
import type { Attributes } from '../import/xmlTokens.ts'

/** The XML report of OpenVAS and Greenbone (report format "XML"). */
export const OPENVAS: ImportFormat = {
  name: 'openvas',
  isHead: (head) => /<report[\s>]/.test(head) && /(?:<report_format|<gmp>|<omp>|extension="xml"|content_type="text\/xml")/.test(head),
  open: (settings) => readXml(settings.file, settings.claims, 'report', TEXT, new OpenvasListener(settings)),
}

const TEXT: ReadonlySet<string> = new Set(['host', 'port', 'creation_time', 'scan_end', 'scan_start', 'description'])
/** The test "Services" names what it has recognised by speaking with it. */
const SERVICES_OID = '1.3.6.1.4.1.25623.1.0.10330'

class OpenvasListener implements XmlListener {
  readonly #settings: ReaderSettings
  #path: string[] = []
  #at: number
  #result: { host?: string; port?: string; time?: string; oid?: string; description?: string } = {}
  /** A `host` and its `asset` share the text, which stands before the first child. */
  #seen = new Set<string>()

  constructor(settings: ReaderSettings) {
    this.#settings = settings
    this.#at = settings.now
  }

  open(name: string, attributes: Attributes): void {
    this.#path.push(name)
    if (name === 'result') this.#result = {}
    if (name === 'nvt' && this.#path.at(-2) === 'result' && attributes.oid !== undefined) this.#result.oid = attributes.oid
  }

  close(name: string, text: string, place: () => Place): void {
    this.#path.pop()
    const parent = this.#path.at(-1)
    if (name === 'result') return this.#ends(place())
    if (parent === 'result') this.#tells(name, text)
    else if (parent === 'report' && name === 'scan_start') this.#at = readInstant(text) ?? this.#at
  }

  #tells(name: string, text: string): void {
    if (name === 'host') this.#result.host = text
    else if (name === 'port') this.#result.port = text
    else if (name === 'creation_time') this.#result.time = text
    else if (name === 'description') this.#result.description = text
  }

  #ends(place: Place): void {
    const { claims } = this.#settings
    const { host, port = '', time, oid, description } = this.#result
    claims.record()
    const [number = '', name = ''] = port.split('/')
    if (number === 'general' || port === '') return claims.skip('not about ports', place)
    const protocol = protocolField({ protocol: name }, 'protocol', place)
    if (protocol === undefined) return claims.skip('protocol without ports', place)
    const address = addressField({ host }, 'host', place)
    const at = readInstant(time) ?? this.#at
    const key = `${host} ${port}`
    const service = oid === SERVICES_OID ? nameOf(description) : undefined
    if (this.#seen.has(key) && service === undefined) return
    if (this.#seen.size < SEEN_MAX) this.#seen.add(key)
    claims.scan({ address, protocol, port: portField({ port: number }, 'port', place), state: 'open', at, ...(service === undefined ? {} : { service }) }, place)
  }
}

/** Findings of one port are many; beyond this many ports each is taken again, which changes nothing but the count. */
const SEEN_MAX = 200_000
