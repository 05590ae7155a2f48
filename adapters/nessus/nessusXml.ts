import type { Place } from '@portcullis/core/fault/fault.ts'
import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import { BadRecord, nameOf, portField, protocolField } from '../import/fieldReader.ts'
import type { ImportFormat, ReaderSettings } from '../import/format.ts'
import { badField } from '../import/importFault.ts'
import { readXml, type XmlListener } from '../import/xmlDocument.ts'
import type { Attributes } from '../import/xmlTokens.ts'

/** The .nessus file, version 2 (NessusClientData_v2). */
export const NESSUS: ImportFormat = {
  name: 'nessus',
  isHead: (head) => /<NessusClientData_v2[\s>]/.test(head),
  open: (settings) => readXml(settings.file, settings.claims, 'NessusClientData_v2', TEXT, new NessusListener(settings)),
}

const TEXT: ReadonlySet<string> = new Set(['tag'])

/** Port scanners that log in and ask the host itself: netstat over SSH and WMI, SNMP. They say nothing of what can be reached. */
const LOCAL_PLUGINS: ReadonlySet<string> = new Set(['14272', '34220', '14274'])
/** Plugins of this family have spoken with the service; `svc_name` of others is a guess by the port. */
const IDENTIFIES = 'Service detection'

interface Item {
  readonly protocol: TransportProtocol
  readonly port: number
  readonly place: Place
  service?: string
}

class NessusListener implements XmlListener {
  readonly #settings: ReaderSettings
  #name: string | undefined
  #address: Address | undefined
  #at: number
  #tag: string | undefined
  /** Many findings speak of one port. */
  #items = new Map<string, Item>()

  constructor(settings: ReaderSettings) {
    this.#settings = settings
    this.#at = settings.now
  }

  open(name: string, attributes: Attributes, place: () => Place): void {
    if (name === 'ReportHost') this.#host(attributes)
    else if (name === 'tag') this.#tag = attributes.name
    else if (name === 'ReportItem') this.#item(attributes, place())
  }

  close(name: string, text: string, place: () => Place): void {
    if (name === 'tag') this.#tells(this.#tag, text)
    else if (name === 'ReportHost') this.#closesHost(place())
  }

  #host(attributes: Attributes): void {
    this.#name = attributes.name
    this.#address = addressOf(attributes.name)
    this.#at = this.#settings.now
    this.#items = new Map()
  }

  /** Times come as `HOST_END_TIMESTAMP`, seconds, or as C's asctime in the scanner's own zone, taken as UTC. */
  #tells(tag: string | undefined, text: string): void {
    if (tag === 'host-ip') this.#address = addressOf(text) ?? this.#address
    else if (tag === 'HOST_END_TIMESTAMP' && /^[0-9]{9,10}$/.test(text)) this.#at = Number(text) * 1000
    else if (tag === 'HOST_END' && this.#at === this.#settings.now) {
      const at = Date.parse(`${text} UTC`)
      if (!Number.isNaN(at)) this.#at = at
    }
  }

  #item(attributes: Attributes, place: Place): void {
    const { claims } = this.#settings
    claims.record()
    const port = portField(attributes, 'port', place)
    if (port === 0) return claims.skip('not about ports', place)
    const protocol = protocolField(attributes, 'protocol', place)
    if (protocol === undefined) return claims.skip('protocol without ports', place)
    if (LOCAL_PLUGINS.has(attributes.pluginID ?? '')) return claims.skip('told by the host itself', place)
    const key = `${protocol} ${port}`
    const item = this.#items.get(key) ?? { protocol, port, place }
    this.#items.set(key, item)
    const service = nameOf(attributes.svc_name)
    if (attributes.pluginFamily === IDENTIFIES && service !== undefined && !service.endsWith('?')) item.service = service
  }

  #closesHost(place: Place): void {
    const { claims } = this.#settings
    const address = this.#address
    if (address === undefined) throw new BadRecord(badField(place, 'host-ip', this.#name, 'address', '地址'))
    for (const { place: at, ...item } of this.#items.values()) claims.scan({ address, ...item, state: 'open', at: this.#at }, at)
  }
}

function addressOf(text: string | undefined): Address | undefined {
  const read = parseAddress(text ?? '')
  return read.ok ? read.value : undefined
}
