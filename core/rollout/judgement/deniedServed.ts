import { isUse } from '../../inventory/usage.ts'
import type { FlowObservation, Instant } from '../../inventory/observation.ts'
import { formatAddress } from '../../net/address.ts'
import type { GateSample } from '../gate.ts'

/** A source that a host served and now denies. */
export interface DeniedSource {
  readonly host: string
  readonly source: string
  readonly protocol: FlowObservation['protocol']
  readonly port: number
  /** New connections that were denied since. */
  readonly connections: number
}

/**
 * Compares a host's counters before and after: which sources that came through before are denied more often now than they
 * were. A counter that is smaller than before started again from zero. Sorted by host, port and source.
 */
export function deniedServed(before: readonly FlowObservation[], after: readonly FlowObservation[]): DeniedSource[] {
  const served = new Set(before.filter((flow) => isUse(flow) && flow.connections > 0).map(keyOf))
  const deniedBefore = new Map(before.filter(isDenied).map((flow) => [keyOf(flow), flow.connections]))
  const found = new Map<string, DeniedSource>()
  for (const flow of after) {
    const key = keyOf(flow)
    if (!isDenied(flow) || !served.has(key)) continue
    const until = deniedBefore.get(key) ?? 0
    const connections = flow.connections >= until ? flow.connections - until : flow.connections
    if (connections > 0) found.set(key, { host: flow.host, source: formatAddress(flow.source), protocol: flow.protocol, port: flow.port, connections })
  }
  return [...found.values()].toSorted((a, b) => compare(a.host, b.host) || a.port - b.port || compare(a.source, b.source))
}

/** One sample a host: bad, with the sources named, where any that was served is denied. */
export function deniedSample(host: string, at: Instant, denied: readonly DeniedSource[]): GateSample {
  if (denied.length === 0) return { at, host, isGood: true, value: 0 }
  const named = denied.slice(0, NAMED_MAX).map(({ source, port, protocol, connections }) => `${source} → ${port}/${protocol} ×${connections}`).join(', ')
  const more = denied.length > NAMED_MAX ? ` +${denied.length - NAMED_MAX}` : ''
  return { at, host, isGood: false, value: denied.length, because: { en: `denies who was served before: ${named}${more}`, zh: `拒绝了原先放行的来源：${named}${more}` } }
}

const NAMED_MAX = 8
const isDenied = (flow: FlowObservation): boolean => flow.verdict === 'denied' && flow.isLetThrough !== true
const keyOf = (flow: FlowObservation): string => `${flow.host} ${flow.protocol} ${flow.port} ${flow.source.family} ${flow.source.value}`
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
