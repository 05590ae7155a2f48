import type { Address } from '../net/address.ts'
import { containsPort, type PortRange } from '../net/port.ts'
import { containsAddress, type Prefix } from '../net/prefix.ts'
import { TRANSPORT_PROTOCOLS, type TransportProtocol } from '../net/protocol.ts'
import { isLoopback } from './loopback.ts'
import type { FlowObservation, Instant } from './observation.ts'
import { foldSources, isUse } from './usage.ts'

/** What is read of an intent: everything that it lets in. */
export interface Admission {
  readonly host: string
  readonly management: readonly AdmissionGrant[]
  readonly grants: readonly AdmissionGrant[]
}

export interface AdmissionGrant {
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  readonly from: Prefix
}

/** Connections to one port that an intent would not let in again. */
export interface CutFlows {
  readonly host: string
  readonly protocol: TransportProtocol
  readonly port: number
  readonly connections: number
  readonly lastSeen: Instant
  /** Of `connections`, those alive at the newest reading of connection tracking. */
  readonly alive: number
  /** Sorted. */
  readonly sources: readonly Address[]
}

/**
 * Groups what came through to the intent's host and would be cut, by protocol and port, sorted. Loopback is never
 * cut and never counted. `flows` may hold several readings, in any order.
 */
export function flowsCutBy(intent: Admission, flows: readonly FlowObservation[]): CutFlows[] {
  const byEndpoint = new Map<string, FlowObservation[]>()
  for (const flow of flows) {
    if (flow.host !== intent.host || !isUse(flow) || isLoopback(flow.source)) continue
    const key = `${flow.protocol} ${flow.port}`
    const group = byEndpoint.get(key)
    if (group) group.push(flow)
    else byEndpoint.set(key, [flow])
  }
  const newest = newestSnapshot(flows)
  return [...byEndpoint.values()].flatMap((group) => cutOf(intent, group, newest) ?? []).toSorted(compareCuts)
}

function cutOf(intent: Admission, flows: readonly FlowObservation[], newestSnapshot: Instant): CutFlows | undefined {
  const { protocol, port } = flows[0] as FlowObservation
  const admitted = [...intent.management, ...intent.grants].filter((grant) => grant.protocol === protocol && containsPort(grant.ports, port))
  const isCut = ({ source }: { source: Address }): boolean => !admitted.some((grant) => containsAddress(grant.from, source))
  const sources = foldSources(flows).filter(isCut)
  if (sources.length === 0) return undefined
  const alive = flows.filter((flow) => flow.tally === 'snapshot' && flow.at === newestSnapshot).filter(isCut)
  return {
    host: intent.host,
    protocol,
    port,
    connections: sources.reduce((sum, source) => sum + source.connections, 0),
    lastSeen: Math.max(...sources.map((source) => source.lastSeen)),
    alive: alive.reduce((sum, flow) => sum + flow.connections, 0),
    sources: sources.map(({ source }) => source),
  }
}

const newestSnapshot = (flows: readonly FlowObservation[]): Instant =>
  flows.reduce((newest, flow) => (flow.tally === 'snapshot' ? Math.max(newest, flow.at) : newest), Number.NEGATIVE_INFINITY)

const compareCuts = (a: CutFlows, b: CutFlows): number =>
  TRANSPORT_PROTOCOLS.indexOf(a.protocol) - TRANSPORT_PROTOCOLS.indexOf(b.protocol) || a.port - b.port

