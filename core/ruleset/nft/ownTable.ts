import { formatAddress, type Family } from '../../net/address.ts'
import { formatPrefix, prefixesOfRange } from '../../net/prefix.ts'
import { isTransportProtocol, protocolName, type TransportProtocol } from '../../net/protocol.ts'
import { entryOf } from './jsonNode.ts'
import type { Interval, NamedSet, Ruleset, SetElement, Table, Value } from '../ruleset.ts'

/** What Portcullis owns on a host: the table `inet portcullis`, and nothing else. */
export const isOwnTable = (table: Table): boolean => table.family === 'inet' && table.name === 'portcullis' && table.backend === 'nft'

export const ownTables = (ruleset: Ruleset): Ruleset => ({ ...ruleset, tables: ruleset.tables.filter(isOwnTable) })

export const foreignTables = (ruleset: Ruleset): Ruleset => ({ ...ruleset, tables: ruleset.tables.filter((table) => !isOwnTable(table)) })

/** What `lease` and `block` of the host script have put into our table, until it ends by itself. */
export interface Lease {
  readonly kind: 'lease' | 'block'
  /** Of a lease. */
  readonly protocol?: TransportProtocol
  readonly ports?: string
  /** An address, a prefix, a range, or `any`. */
  readonly source: string
  readonly secondsLeft: number
}

/**
 * The ruleset as the intent means it: without leases, blocks and connections that are being cut, which end by themselves and are no part of any
 * intent. An element without an end was put there by someone else, and stays.
 */
export const withoutLeases = (ruleset: Ruleset): Ruleset => ({
  ...ruleset,
  tables: ruleset.tables.map((table) => (isOwnTable(table) ? { ...table, sets: table.sets.map((set) => (isLent(set) ? { ...set, elements: set.elements.filter((element) => !ends(element)) } : set)) } : table)),
})

export const leasesOf = (ruleset: Ruleset): Lease[] =>
  ruleset.tables.filter(isOwnTable).flatMap((table) => table.sets.flatMap((set) => (entryOf(READERS, set.name) ? set.elements.filter(ends).map((element) => leaseOf(set, element)) : [])))

const LENT_SETS: ReadonlySet<string> = new Set(['lease4', 'lease6', 'lease_any', 'block4', 'block6', 'closing4', 'closing6'])

const isLent = (set: NamedSet): boolean => LENT_SETS.has(set.name)

const ends = (element: SetElement): boolean => element.expiresSeconds !== undefined

type Reader = (values: readonly Value[]) => Omit<Lease, 'secondsLeft'>

const lease =
  (family: Family): Reader =>
  ([source, protocol, port]) => ({ kind: 'lease', ...serviceOf(protocol, port), source: sourceOf(family, source) })

const block =
  (family: Family): Reader =>
  ([source]) => ({ kind: 'block', source: sourceOf(family, source) })

/** Keys as `docs/host-verbs.md` states them. */
const READERS: Readonly<Record<string, Reader>> = {
  lease4: lease(4),
  lease6: lease(6),
  lease_any: ([protocol, port]) => ({ kind: 'lease', ...serviceOf(protocol, port), source: 'any' }),
  block4: block(4),
  block6: block(6),
}

const leaseOf = (set: NamedSet, element: SetElement): Lease => ({
  ...(entryOf(READERS, set.name) ?? block(4))(element.values),
  secondsLeft: element.expiresSeconds ?? 0,
})

function serviceOf(protocol: Value | undefined, port: Value | undefined): Pick<Lease, 'protocol' | 'ports'> {
  const name = isInterval(protocol) ? protocolName(Number(protocol.first)) : undefined
  if (name === undefined || !isTransportProtocol(name) || !isInterval(port)) return {}
  return { protocol: name, ports: port.first === port.last ? String(port.first) : `${port.first}-${port.last}` }
}

function sourceOf(family: Family, value: Value | undefined): string {
  if (!isInterval(value)) return 'any'
  const prefixes = prefixesOfRange(family, value.first, value.last)
  const [only] = prefixes
  if (only && prefixes.length === 1) return formatPrefix(only)
  return `${formatAddress({ family, value: value.first })}-${formatAddress({ family, value: value.last })}`
}

const isInterval = (value: Value | undefined): value is Interval => value !== undefined && 'first' in value
