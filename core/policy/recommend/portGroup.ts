import type { Day } from '../../inventory/businessCalendar.ts'
import { DaySet } from '../../inventory/daySet.ts'
import { isVacant, type EndpointDays, type HostUsage, type SourceDays } from '../../inventory/usageDays.ts'
import type { PortRange } from '../../net/port.ts'
import type { TransportProtocol } from '../../net/protocol.ts'

/** One endpoint, or ports that stand for one: a server that opens another port each time. */
export interface PortGroup {
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  /** `transient`: opened for a transfer and closed again (FTP data); `moving`: another port after each start (RPC). */
  readonly kind: 'single' | 'transient' | 'moving'
  readonly endpoints: readonly EndpointDays[]
  /** Of all ports, without the noise of scanners. */
  readonly sources: readonly SourceDays[]
}

/** Opened and closed ports within this many are one server's range; its size of vsftpd, proftpd and pure-ftpd examples is 100 to 1000. */
const BAND_PORTS_MAX = 2048
const BAND_ENDPOINTS_MIN = 4
/** Below, ports are assigned and nothing opens them at random. */
const BAND_PORT_MIN = 1024

/** Groups a host's endpoints; `noise` says which sources are scanners. Every endpoint is in exactly one group. */
export function groupPorts(usage: HostUsage, noise: (source: SourceDays) => boolean): PortGroup[] {
  const heard = usage.endpoints.map((endpoint) => ({ ...endpoint, sources: endpoint.sources.filter((source) => !noise(source)) }))
  const moving = Map.groupBy(heard.filter(isMoving), ({ protocol, listening }) => `${protocol} ${listening.process ?? listening.unit ?? ''}`)
  const bands = bandsOf(heard.filter((endpoint) => !isMoving(endpoint) && isTransient(endpoint)))
  const grouped = new Set([...moving.values(), ...bands].flat())
  return [
    ...heard.filter((endpoint) => !grouped.has(endpoint)).map((endpoint) => groupOf('single', [endpoint])),
    ...[...moving.values()].map((endpoints) => groupOf('moving', endpoints)),
    ...bands.map((endpoints) => groupOf('transient', endpoints)),
  ]
}

const isMoving = ({ listening }: EndpointDays): boolean => listening.isEphemeral && (listening.state === 'seen' || listening.state === 'gone') && (listening.process ?? listening.unit) !== undefined

const isTransient = (endpoint: EndpointDays): boolean => isVacant(endpoint.listening.state, endpoint.published) && endpoint.port >= BAND_PORT_MIN && endpoint.sources.some(({ days }) => !days.isEmpty)

function bandsOf(endpoints: readonly EndpointDays[]): EndpointDays[][] {
  const bands: EndpointDays[][] = []
  for (const endpoint of endpoints) {
    const open = bands.at(-1)
    const first = open?.[0]
    if (open && first?.protocol === endpoint.protocol && endpoint.port - first.port < BAND_PORTS_MAX) open.push(endpoint)
    else bands.push([endpoint])
  }
  return bands.filter((band) => band.length >= BAND_ENDPOINTS_MIN)
}

function groupOf(kind: PortGroup['kind'], endpoints: readonly EndpointDays[]): PortGroup {
  const ports = endpoints.map(({ port }) => port)
  const [only] = endpoints
  const sources = endpoints.length === 1 && only ? only.sources : mergeSources(endpoints)
  return { protocol: only?.protocol ?? 'tcp', ports: { first: Math.min(...ports), last: Math.max(...ports) }, kind, endpoints, sources }
}

function mergeSources(endpoints: readonly EndpointDays[]): SourceDays[] {
  const merged = new Map<string, SourceDays>()
  for (const { source, connections, days, isAnswered } of endpoints.flatMap((endpoint) => endpoint.sources)) {
    const key = `${source.family} ${source.value}`
    const before = merged.get(key)
    before?.days.addAll(days)
    merged.set(key, before ? { ...before, connections: before.connections + connections, isAnswered: before.isAnswered || isAnswered } : { source, connections, days: copyOf(days), isAnswered })
  }
  return [...merged.values()]
}

function copyOf(days: DaySet): DaySet {
  const copy = new DaySet(firstOf(days.days()))
  copy.addAll(days)
  return copy
}

// A later source may have come on earlier days, so the copy begins well before.
const firstOf = (days: readonly Day[]): Day => (days[0] ?? 0) - 400
