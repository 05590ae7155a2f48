import type { TransportProtocol } from '../net/protocol.ts'
import { containsPort } from '../net/port.ts'
import { aggregatePrefixes, ANY_IPV4, ANY_IPV6, containsAddress, containsPrefix, samePrefix, type Prefix } from '../net/prefix.ts'
import type { Address } from '../net/address.ts'
import type { Grant, Intent } from '../policy/intent.ts'
import type { ChangeKind } from './plan.ts'

/** The source addresses that may open a connection to an endpoint: aggregated, so that equal sets are equal lists. */
export type Sources = readonly Prefix[]

export const ANYONE: Sources = [ANY_IPV4, ANY_IPV6]

/** Who reaches a port under an intent; everyone where there is none, or where it only counts. */
export function reachOf(intent: Intent | undefined, protocol: TransportProtocol, port: number): Sources {
  if (!intent || intent.mode === 'observe') return ANYONE
  return grantedTo(intent, protocol, port)
}

/** Who the intent grants a port to, whatever its mode; nobody where there is none. */
export const grantedTo = (intent: Intent | undefined, protocol: TransportProtocol, port: number): Sources =>
  intent ? aggregatePrefixes(grantsOn(intent, protocol, port).map((grant) => grant.from)) : []

export const grantsOn = (intent: Intent, protocol: TransportProtocol, port: number): readonly Grant[] =>
  [...intent.management, ...intent.grants].filter((grant) => grant.protocol === protocol && containsPort(grant.ports, port))

export const hasSource = (sources: Sources, address: Address): boolean =>
  sources.some((prefix) => containsAddress(prefix, address))

export function compareSources(before: Sources, after: Sources): ChangeKind {
  if (sameSources(before, after)) return 'stays'
  if (after.length === 0) return 'closes'
  if (before.length === 0) return 'opens'
  if (isWithin(after, before)) return 'narrows'
  return isWithin(before, after) ? 'widens' : 'moves'
}

const sameSources = (a: Sources, b: Sources): boolean =>
  a.length === b.length && a.every((prefix, index) => samePrefix(prefix, b[index] ?? prefix))

/** Exact because `outer` is aggregated: a prefix that it covers lies in one of its prefixes. */
const isWithin = (inner: Sources, outer: Sources): boolean =>
  inner.every((prefix) => outer.some((other) => containsPrefix(other, prefix)))
