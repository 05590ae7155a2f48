import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { isTransportProtocol, type TransportProtocol } from '@portcullis/core/net/protocol.ts'

/** One element of a counting set: `saddr . protocol . port`, or `protocol . port` of the totals. */
export interface Counted {
  readonly source?: Address
  readonly protocol: TransportProtocol
  readonly port: number
  readonly connections: number
  readonly bytes: number
}

export interface CounterSet {
  readonly elements: readonly Counted[]
  /** Elements that are not of that form. */
  readonly unread: number
}

/** The set's own size limit is below this. */
const ELEMENTS_MAX = 1_000_000

/** Reads a set as nft lists it. Elements of protocols without ports are left out. Undefined: not that. */
export function readCounterSet(set: unknown): CounterSet | undefined {
  if (set === undefined) return undefined
  const listed = member(set, 'elem') ?? []
  if (!Array.isArray(listed) || listed.length > ELEMENTS_MAX) return undefined
  const elements: Counted[] = []
  let unread = 0
  for (const item of listed) {
    const counted = readElement(item)
    if (counted === undefined) unread += 1
    else if (counted !== 'portless') elements.push(counted)
  }
  return { elements, unread }
}

/** Reads a counter as nft lists it: packets. Undefined: not that. */
export function readCounter(counter: unknown): number | undefined {
  const packets = member(counter, 'packets')
  return isCount(packets) ? packets : undefined
}

function readElement(item: unknown): Counted | 'portless' | undefined {
  const element = member(item, 'elem')
  const key = member(member(element, 'val'), 'concat')
  const counter = member(element, 'counter')
  const connections = member(counter, 'packets')
  const bytes = member(counter, 'bytes')
  if (!Array.isArray(key) || !isCount(connections) || !isCount(bytes)) return undefined
  const [protocol, port]: unknown[] = key.slice(-2)
  if (port === 0 || (typeof protocol === 'number' ? true : typeof protocol === 'string' && !isTransportProtocol(protocol))) return 'portless'
  if (typeof protocol !== 'string' || !isTransportProtocol(protocol) || !isCount(port) || port > 65_535) return undefined
  if (key.length === 2) return { protocol, port, connections, bytes }
  const source = typeof key[0] === 'string' ? parseAddress(key[0]) : undefined
  return source?.ok && key.length === 3 ? { source: source.value, protocol, port, connections, bytes } : undefined
}

/** Undefined where there is no such member. */
export const member = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
