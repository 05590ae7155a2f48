import type { Place } from '@portcullis/core/fault/fault.ts'
import type { ScanObservation } from '@portcullis/core/inventory/observation.ts'
import type { Address } from '@portcullis/core/net/address.ts'
import { countPorts } from '@portcullis/core/net/port.ts'
import { addressField, BadRecord, countField, instantField, nameOf, portField, portRangesField, protocolField } from '../import/fieldReader.ts'
import type { ImportFormat, ReaderSettings } from '../import/format.ts'
import { malformed } from '../import/importFault.ts'
import type { ScanClaim, ScanRestClaim } from '../import/importClaims.ts'
import { readXml, type XmlListener } from '../import/xmlDocument.ts'
import type { Attributes } from '../import/xmlTokens.ts'

/** The XML that `nmap -oX` writes: xmloutputversion 1.04 and 1.05. */
export const NMAP: ImportFormat = {
  name: 'nmap',
  isHead: (head) => /<nmaprun[\s>]/.test(head),
  open: (settings) => readXml(settings.file, settings.claims, 'nmaprun', NO_TEXT, new NmapListener(settings)),
}

const NO_TEXT: ReadonlySet<string> = new Set()

const STATES: Readonly<Record<string, ScanObservation['state'] | undefined>> = {
  open: 'open',
  closed: 'closed',
  filtered: 'filtered',
  'open|filtered': 'open|filtered',
}

type Port = Pick<ScanClaim, 'protocol' | 'port'> & { state?: string; service?: string; place: Place }

type Rest = Pick<ScanRestClaim, 'protocol' | 'ports'> & { readonly state: string; readonly place: Place }

/** Nmap knows some thirty reasons for a state, and three protocols. */
const RESTS_MAX = 256

class NmapListener implements XmlListener {
  readonly #settings: ReaderSettings
  #address: Address | undefined
  #at: number
  #port: Port | undefined
  #ports: Port[] = []
  /** State of the ports that are not listed, of the element that is open. */
  #restState = ''
  #rests: Rest[] = []
  /** How many ports are not listed, less those of which it is said which they are. */
  #summarised = 0

  constructor(settings: ReaderSettings) {
    this.#settings = settings
    this.#at = settings.now
  }

  open(name: string, attributes: Attributes, place: () => Place): void {
    switch (name) {
      case 'nmaprun':
        return void (attributes.start === undefined || (this.#at = instantField(attributes, 'start', place())))
      case 'host':
        return this.#host(attributes, place())
      case 'address':
        return void (attributes.addrtype === 'mac' || (this.#address ??= addressField(attributes, 'addr', place())))
      case 'extraports':
        return this.#opensRest(attributes, place())
      case 'extrareasons':
        return this.#restOf(attributes, place())
      case 'port':
        return this.#opensPort(attributes, place())
      case 'state':
        return void (this.#port && (this.#port.state = attributes.state ?? ''))
      case 'service':
        return this.#port && this.#names(this.#port, attributes)
    }
  }

  close(name: string, _text: string, place: () => Place): void {
    if (name === 'port') {
      if (this.#port) this.#ports.push(this.#port)
      this.#port = undefined
    } else if (name === 'host') this.#closesHost(place())
  }

  /** The end of the host's scan, else its start, else the start of the run. */
  #host(attributes: Attributes, place: Place): void {
    this.#address = undefined
    this.#ports = []
    this.#rests = []
    this.#summarised = 0
    const key = ['endtime', 'starttime'].find((each) => attributes[each] !== undefined)
    if (key !== undefined) this.#at = instantField(attributes, key, place)
  }

  #opensRest(attributes: Attributes, place: Place): void {
    this.#restState = attributes.state ?? ''
    this.#summarised += countField(attributes, 'count', place) ?? 0
  }

  /** Which ports they are is said by newer Nmaps only. */
  #restOf(attributes: Attributes, place: Place): void {
    if (attributes.ports === undefined) return
    this.#settings.claims.record()
    const protocol = protocolField(attributes, 'proto', place)
    if (protocol === undefined) return
    const ports = portRangesField(attributes, 'ports', place)
    this.#summarised -= countPorts(ports)
    if (this.#rests.length >= RESTS_MAX) throw new BadRecord(malformed(place, `one host has more than ${RESTS_MAX} extrareasons`, `同一主机的 extrareasons 超过 ${RESTS_MAX} 个`))
    this.#rests.push({ protocol, ports, state: this.#restState, place })
  }

  #opensPort(attributes: Attributes, place: Place): void {
    this.#port = undefined
    this.#settings.claims.record()
    const protocol = protocolField(attributes, 'protocol', place)
    if (protocol === undefined) return this.#settings.claims.skip('protocol without ports', place)
    this.#port = { protocol, port: portField(attributes, 'portid', place), place }
  }

  /** A name out of nmap's table says only what usually has that number; one that was probed says what answered. */
  #names(port: Port, { method, name, product, version }: Attributes): void {
    if (method !== 'probed') return
    const what = product ?? name ?? ''
    const service = nameOf(version === undefined || version === '' ? what : what === '' ? version : `${what} ${version}`)
    if (service !== undefined) port.service = service
  }

  #closesHost(place: Place): void {
    const { claims } = this.#settings
    const address = this.#address
    if (address === undefined) {
      if (this.#ports.length + this.#rests.length > 0) throw new BadRecord({ code: 'IMPORT_MALFORMED', what: { en: 'this host has no address', zh: '该主机没有地址' }, place })
      return claims.skip('host down', place)
    }
    if (this.#summarised > 0) claims.skip('summarised by the scanner', place, { count: this.#summarised })
    for (const { protocol, ports, state, place: where } of this.#rests) {
      const known = STATES[state]
      if (known) claims.scanRest({ address, protocol, ports, state: known, at: this.#at }, where)
      else claims.skip('state undecided', where, { count: countPorts(ports) })
    }
    for (const { protocol, port, state, service, place: where } of this.#ports) {
      const known = STATES[state ?? '']
      if (known) claims.scan({ address, protocol, port, state: known, at: this.#at, ...(service === undefined ? {} : { service }) }, where)
      else claims.skip('state undecided', where)
    }
  }
}
