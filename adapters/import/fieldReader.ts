import type { Place } from '@portcullis/core/fault/fault.ts'
import type { Instant } from '@portcullis/core/inventory/observation.ts'
import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { parsePortRanges, PORT_MAX, type PortRange } from '@portcullis/core/net/port.ts'
import { isTransportProtocol, protocolName, type TransportProtocol } from '@portcullis/core/net/protocol.ts'
import { badField } from './importFault.ts'
import type { Fault } from '@portcullis/core/fault/fault.ts'

/** A record of any format: its values by name, as JSON or text gave them. */
export type Fields = Readonly<Record<string, unknown>>

/** What a record lacks or says wrongly; caught where the record is read, and refused or passed over there. */
export class BadRecord extends Error {
  readonly fault: Fault

  constructor(fault: Fault) {
    super(fault.what.en)
    this.fault = fault
  }
}

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

const ADDRESSES_KEPT_MAX = 65_536
const kept = new Map<string, Address>()

/** An address; logs name the same few again and again, so they are kept. */
export function addressField(fields: Fields, key: string, place: Place): Address {
  const value = fields[key]
  const text = typeof value === 'string' ? value : ''
  const known = kept.get(text)
  if (known) return known
  const read = parseAddress(text)
  if (!read.ok) throw new BadRecord(badField(place, key, value, 'address', '地址'))
  if (kept.size >= ADDRESSES_KEPT_MAX) kept.clear()
  kept.set(detached(text), read.value)
  return read.value
}

/** A part of a chunk keeps the whole chunk in memory (V8's sliced strings); a copy does not. */
const detached = (text: string): string => `${text} `.slice(0, -1)

export function portField(fields: Fields, key: string, place: Place): number {
  const port = wholeNumber(fields[key])
  if (port === undefined || port > PORT_MAX) throw new BadRecord(badField(place, key, fields[key], 'port', '端口'))
  return port
}

/** All ports one by one with a comma each: more say the same again. */
const PORTS_CHARACTERS_MAX = 400_000

/** `1-21,23,25-79`, in any order; sorted and joined. Port 0 is nobody's, and left out. */
export function portRangesField(fields: Fields, key: string, place: Place): readonly PortRange[] {
  const value = fields[key]
  const text = typeof value === 'string' && value.length <= PORTS_CHARACTERS_MAX ? withoutPort0(value) : ''
  const ranges = parsePortRanges(text)
  if (!ranges.ok || (ranges.value.length === 0 && value !== '0')) throw new BadRecord(badField(place, key, value, 'list of ports', '端口列表'))
  return ranges.value
}

const withoutPort0 = (list: string): string => list.replaceAll(/(^|,)0(-|(?=,|$))/g, (_, before: string, upTo: string) => before + (upTo === '' ? '' : '1-'))

/** A number of something, 0 or more; undefined where the record has none or says `-`. */
export function countField(fields: Fields, key: string, place: Place): number | undefined {
  const value = fields[key]
  if (value === undefined || value === null || value === '' || value === '-') return undefined
  const count = wholeNumber(value)
  if (count === undefined) throw new BadRecord(badField(place, key, value, 'count', '数量'))
  return count
}

/** The protocol by name or IANA number; undefined for one without ports. */
export function protocolField(fields: Fields, key: string, place: Place): TransportProtocol | undefined {
  const value = fields[key]
  if (typeof value !== 'string' && typeof value !== 'number') throw new BadRecord(badField(place, key, value, 'protocol', '协议'))
  const number = wholeNumber(value)
  const name = number === undefined ? String(value).toLowerCase() : protocolName(number)
  return name !== undefined && isTransportProtocol(name) ? name : undefined
}

/** Seconds since 1970, whole or broken, or ISO 8601; without a zone, UTC. */
export function instantField(fields: Fields, key: string, place: Place): Instant {
  const instant = readInstant(fields[key])
  if (instant === undefined) throw new BadRecord(badField(place, key, fields[key], 'time', '时间'))
  return instant
}

const INSTANT_MIN = Date.UTC(1990, 0, 1)
const INSTANT_MAX = Date.UTC(2200, 0, 1)
const SECONDS = /^[0-9]{1,12}(?:\.[0-9]{1,9})?$/
const ISO = /^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?\s?(Z|[+-][0-9]{2}:?[0-9]{2})?$/

export function readInstant(value: unknown): Instant | undefined {
  const text = typeof value === 'number' ? value.toFixed(6) : typeof value === 'string' ? value.trim() : ''
  const instant = SECONDS.test(text) ? Math.round(Number(text) * 1000) : readIso(text)
  return instant !== undefined && instant >= INSTANT_MIN && instant <= INSTANT_MAX ? instant : undefined
}

function readIso(text: string): Instant | undefined {
  const [, date, time, fraction = '', zone = 'Z'] = ISO.exec(text) ?? []
  if (date === undefined) return undefined
  const colon = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone
  const instant = Date.parse(`${date}T${time}${fraction.slice(0, 4)}${colon}`)
  return Number.isNaN(instant) ? undefined : instant
}

function wholeNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined
  return typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined
}

/** A name that a stranger's file gives, short and printable; undefined where there is none. */
export function nameOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const short = value.slice(0, NAME_MAX)
  const name = (PRINTABLE_ASCII.test(short) ? short : short.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')).trim()
  return name === '' || name === '-' ? undefined : name
}

const NAME_MAX = 120
/** Nearly every name; then there is nothing to replace. */
const PRINTABLE_ASCII = /^[ -~]*$/
