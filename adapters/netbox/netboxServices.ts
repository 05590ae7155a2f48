import type { Place } from '@portcullis/core/fault/fault.ts'
import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { mergePortRanges, parsePortRange, type PortRange } from '@portcullis/core/net/port.ts'
import { BadRecord, isFields, nameOf, protocolField, type Fields } from '../import/fieldReader.ts'
import type { ImportFormat, ImportReader, ReaderSettings } from '../import/format.ts'
import { badField } from '../import/importFault.ts'
import { readJsonItems } from '../import/jsonItems.ts'
import { readCsv } from './csvRecords.ts'

/** Services as NetBox exports them (CSV of IPAM → Services) or answers them (`GET /api/ipam/services/`). */
export const NETBOX: ImportFormat = {
  name: 'netbox',
  isHead: (head) => isCsvHead(head) || (/^\s*[[{]/.test(head) && head.includes('"ports"') && head.includes('"protocol"') && /"(?:ipaddresses|virtual_machine|parent)"/.test(head)),
  open: openServices,
}

const isCsvHead = (head: string): boolean => {
  const columns = (head.split(/\r?\n/, 1)[0] ?? '').toLowerCase().replaceAll('"', '').split(',')
  return columns.includes('ports') && columns.includes('protocol') && columns.includes('name')
}

/** The first character tells which it is. */
function openServices(settings: ReaderSettings): ImportReader {
  const hosts = new Set<string>()
  const take = (fields: Fields, place: Place): void => readService(settings, hosts, fields, place)
  let reader: ImportReader | undefined
  return {
    write: (chunk) => {
      reader ??= /^\s*[[{]/.test(chunk) ? readJsonItems(settings.file, settings.claims, take) : readCsv(settings.file, settings.claims, take)
      reader.write(chunk)
    },
    end: () => {
      reader?.end()
      for (const host of hosts) settings.claims.documentedWhole(host, settings.now)
    },
  }
}

function readService({ claims, now }: ReaderSettings, hosts: Set<string>, fields: Fields, place: Place): void {
  const name = nameOf(fields.name)
  if (name === undefined) throw new BadRecord(badField(place, 'name', fields.name, 'name', '名称'))
  const protocol = protocolField({ protocol: valueOf(fields.protocol) }, 'protocol', place)
  if (protocol === undefined) return claims.skip('protocol without ports', place)
  const ports = portsOf(fields.ports, place)
  const addresses = addressesOf(fields.ipaddresses ?? fields.ip_addresses ?? fields['ip addresses'], place)
  const owner = ownerOf(fields)
  const host = (owner === undefined ? undefined : claims.fleet.ofName(owner)) ?? addresses.map((address) => claims.fleet.ofAddress(address)).find((each) => each !== undefined)
  if (host === undefined) return claims.skip('not of the fleet', place, owner === undefined ? {} : { example: owner })
  hosts.add(host)
  for (const range of ports) {
    if (addresses.length === 0) claims.document({ host, protocol, ports: range, name, at: now })
    for (const address of addresses) claims.document({ host, protocol, ports: range, name, at: now, address })
  }
}

/** A choice comes as its value, as `{value, label}`, or in CSV as its label. */
const valueOf = (value: unknown): unknown => (isFields(value) ? value.value : value)

function ownerOf(fields: Fields): string | undefined {
  for (const key of ['device', 'virtual_machine', 'virtual machine', 'parent']) {
    const value = fields[key]
    const name = nameOf(isFields(value) ? (value.name ?? value.display) : value)
    if (name !== undefined) return name
  }
  return undefined
}

/** `[80, 443]`, or in CSV `80,443` and `8000-8010`. */
function portsOf(value: unknown, place: Place): PortRange[] {
  const words = Array.isArray(value) ? value.map(String) : typeof value === 'string' || typeof value === 'number' ? String(value).split(/[,;\s]+/) : []
  const ranges = words.filter((word) => word !== '').map((word) => {
    const read = parsePortRange(word)
    if (!read.ok) throw new BadRecord(badField(place, 'ports', word, 'port', '端口'))
    return read.value
  })
  if (ranges.length === 0) throw new BadRecord(badField(place, 'ports', value, 'list of ports', '端口列表'))
  return mergePortRanges(ranges)
}

/** With or without the length of their prefix. */
function addressesOf(value: unknown, place: Place): Address[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[,;\s]+/) : []
  return list
    .map((each) => (isFields(each) ? each.address : each))
    .filter((each) => each !== '' && each !== undefined)
    .map((each) => {
      const read = parseAddress(String(each).split('/')[0] ?? '')
      if (!read.ok) throw new BadRecord(badField(place, 'ipaddresses', each, 'address', '地址'))
      return read.value
    })
}
