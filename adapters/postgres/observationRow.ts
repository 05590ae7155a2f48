import { FaultError } from '@portcullis/core/fault/fault.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { formatAddress, parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { formatPortRanges, parsePortRanges, type PortRange } from '@portcullis/core/net/port.ts'
import { storeCorrupt } from './storeFault.ts'

/** An observation as it lies in its table: what is searched in columns, the rest as JSON with addresses and lists of ports as text. */
export interface ObservationRow {
  readonly host: string
  readonly kind: string
  readonly sensor: string
  readonly at: number
  readonly body: string
}

/** Members that hold an address. */
const ADDRESSES = ['address', 'source'] as const

export function writeObservation({ host, kind, sensor, at, ...body }: Observation): ObservationRow {
  const written: Record<string, unknown> = { ...body }
  for (const key of ADDRESSES) if (written[key] !== undefined) written[key] = formatAddress(written[key] as Address)
  if (Array.isArray(written['ports'])) written['ports'] = formatPortRanges(written['ports'] as PortRange[])
  return { host, kind, sensor, at, body: JSON.stringify(written) }
}

/** Throws a FaultError STORE_CORRUPT. */
export function readObservation({ host, kind, sensor, at, body }: ObservationRow): Observation {
  const read = JSON.parse(body) as Record<string, unknown>
  for (const key of ADDRESSES) {
    const text = read[key]
    if (text === undefined) continue
    const address = parseAddress(typeof text === 'string' ? text : '')
    if (!address.ok) throw new FaultError(storeCorrupt(`the ${key} of an observation of ${host}`))
    read[key] = address.value
  }
  if (typeof read['ports'] === 'string') {
    const ports = parsePortRanges(read['ports'])
    if (!ports.ok) throw new FaultError(storeCorrupt(`the ports of an observation of ${host}`))
    read['ports'] = ports.value
  }
  return { kind, host, sensor, at, ...read } as unknown as Observation
}
