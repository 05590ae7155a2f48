import type { Address } from '../../net/address.ts'
import type { EndpointDays, HostUsage } from '../../inventory/usageDays.ts'
import { isVacant } from './portGroup.ts'

/** What one source tried where nothing answers: scanners knock at doors that are not there, clients do not. */
export interface SourceReach {
  /** Vacant ports outside its densest range, over all hosts. */
  vacant: number
  /** Endpoints of any kind, over all hosts. */
  touched: number
}

/** A client that mistypes, or whose server is gone, knocks at a few. */
const VACANT_MIN = 8
const VACANT_SHARE_MIN = 0.3
/** FTP clients and the like use many ports of one range. */
const RANGE_PORTS_MAX = 2048

export const sourceKey = ({ family, value }: Address): string => `${family} ${value}`

/** Adds what the sources of one host tried. */
export function noteReach(reach: Map<string, SourceReach>, usage: HostUsage): void {
  const bySource = new Map<string, EndpointDays[]>()
  for (const endpoint of usage.endpoints) {
    for (const { source } of endpoint.sources) {
      const key = sourceKey(source)
      const tried = bySource.get(key)
      if (tried) tried.push(endpoint)
      else bySource.set(key, [endpoint])
    }
  }
  for (const [source, tried] of bySource) {
    const vacant = vacantOutsideRange(tried)
    const before = reach.get(source)
    if (before) {
      before.vacant += vacant
      before.touched += tried.length
    } else if (reach.size < SOURCES_REMEMBERED_MAX) reach.set(source, { vacant, touched: tried.length })
  }
}

const SOURCES_REMEMBERED_MAX = 2_000_000

export const isScanner = (reach: SourceReach | undefined): boolean =>
  reach !== undefined && reach.vacant >= VACANT_MIN && reach.vacant >= VACANT_SHARE_MIN * reach.touched

/** `tried` is sorted by protocol and port. */
function vacantOutsideRange(tried: readonly EndpointDays[]): number {
  const ports = tried.filter(isVacant).map(({ protocol, port }) => (protocol === 'tcp' ? port : port + 100_000))
  let densest = 0
  for (let from = 0, to = 0; to < ports.length; to += 1) {
    while ((ports[to] ?? 0) - (ports[from] ?? 0) >= RANGE_PORTS_MAX) from += 1
    if ((ports[from] ?? 0) % 100_000 >= RANGE_PORT_MIN) densest = Math.max(densest, to - from + 1)
  }
  return ports.length - densest
}

const RANGE_PORT_MIN = 1024
