import type { Place } from '@portcullis/core/fault/fault.ts'
import { addressField, BadRecord, instantField, isFields, nameOf, portField, protocolField, type Fields } from '../import/fieldReader.ts'
import type { ImportFormat, ReaderSettings } from '../import/format.ts'
import type { ScanClaim } from '../import/importClaims.ts'
import { badField } from '../import/importFault.ts'
import { readJsonItems } from '../import/jsonItems.ts'

/** What `masscan -oJ` writes. */
export const MASSCAN: ImportFormat = {
  name: 'masscan',
  isHead: (head) => /^\s*\[[\s,]*\{\s*"ip"\s*:/.test(head),
  open: (settings) => readJsonItems(settings.file, settings.claims, (fields, place) => readHost(settings, fields, place)),
}

function readHost({ claims }: ReaderSettings, fields: Fields, place: Place): void {
  const address = addressField(fields, 'ip', place)
  const at = instantField(fields, 'timestamp', place)
  if (!Array.isArray(fields.ports)) throw new BadRecord(badField(place, 'ports', fields.ports, 'list', '列表'))
  for (const port of fields.ports as readonly unknown[]) {
    if (!isFields(port)) throw new BadRecord(badField(place, 'ports', port, 'list of objects', '对象列表'))
    const protocol = protocolField(port, 'proto', place)
    if (protocol === undefined) claims.skip('protocol without ports', place)
    else claimPort(claims, { address, at, protocol, port: portField(port, 'port', place) }, port, place)
  }
}

/** A banner comes as an object of its own, without a state: whatever gives one is open. */
function claimPort(claims: ReaderSettings['claims'], claim: Pick<ScanClaim, 'address' | 'at' | 'protocol' | 'port'>, port: Fields, place: Place): void {
  const banner = isFields(port.service) ? nameOf(port.service.name) : undefined
  const state = port.status ?? (port.service === undefined ? undefined : 'open')
  if (state !== 'open' && state !== 'closed') return claims.skip('state undecided', place)
  claims.scan({ ...claim, state, ...(banner === undefined || UNSPOKEN.has(banner) ? {} : { service: banner }) }, place)
}

/** Names that masscan gives to what it did not recognise. */
const UNSPOKEN: ReadonlySet<string> = new Set(['unknown', 'title', 'X509'])
