import { isInternal } from '@portcullis/core/inventory/matrix.ts'
import type { MatrixRowText, MatrixText } from '@portcullis/core/inventory/matrixText.ts'

/** One row of the report: an endpoint of a host, IPv4 and IPv6 together, from every zone, before and after. */
export interface ReportEndpoint {
  readonly host: string
  /** `tcp/443` */
  readonly endpoint: string
  readonly listener: string
  /** Families that the endpoint was found open on, before or after. */
  readonly families: readonly ('IPv4' | 'IPv6')[]
  readonly zones: readonly ReportCell[]
  /** Ids of needs, of any zone. */
  readonly needs: readonly string[]
}

export interface ReportCell {
  readonly zone: string
  readonly before: Sight
  readonly after: Sight
  /** Whether a need, or the management of the fleet, lets the zone in. */
  readonly isNeeded: boolean
}

export type Sight = 'open' | 'shut' | 'unknown'

/** Endpoints that were found open from anywhere, before or after, sorted by host, protocol, port. Zones as given. */
export function reportEndpoints(before: MatrixText, after: MatrixText, zones: readonly string[]): ReportEndpoint[] {
  const [was, is] = [byEndpoint(before), byEndpoint(after)]
  return [...new Set([...was.keys(), ...is.keys()])]
    .map((key) => endpointOf(was.get(key) ?? [], is.get(key) ?? [], zones))
    .filter(({ families }) => families.length > 0)
    .toSorted((a, b) => (a.host === b.host ? portOf(a) - portOf(b) : a.host < b.host ? -1 : 1))
}

const byEndpoint = ({ rows }: MatrixText): Map<string, MatrixRowText[]> =>
  Map.groupBy(rows.filter((row) => !isInternal(row.addressClass)), (row) => `${row.host} ${row.protocol}/${row.port}`)

/** TCP first, then by number. */
const portOf = ({ endpoint }: ReportEndpoint): number => {
  const [protocol, port] = endpoint.split('/')
  return Number(port) + (protocol === 'tcp' ? 0 : 65_536)
}

function endpointOf(was: readonly MatrixRowText[], is: readonly MatrixRowText[], zones: readonly string[]): ReportEndpoint {
  const all = [...was, ...is]
  const [first] = all
  const open = new Set(all.filter((row) => row.reachable.state === 'open').map((row) => row.addressClass))
  return {
    host: first?.host ?? '',
    endpoint: `${first?.protocol}/${first?.port}`,
    listener: listenerOf(all),
    families: [...(open.has('ipv4') ? (['IPv4'] as const) : []), ...(open.has('ipv6') ? (['IPv6'] as const) : [])],
    zones: zones.map((zone) => ({
      zone,
      before: sightFrom(was, zone),
      after: sightFrom(is, zone),
      isNeeded: all.some((row) => row.zone === zone && (row.needs ?? []).length > 0),
    })),
    needs: [...new Set(all.flatMap((row) => (row.needs ?? []).map(({ id }) => id)))].toSorted(),
  }
}

function listenerOf(rows: readonly MatrixRowText[]): string {
  const published = rows.flatMap((row) => row.published.map(({ target }) => `→ ${target}`))
  const processes = rows.flatMap(({ listening }) => ('listeners' in listening ? listening.listeners.map(({ process, unit }) => process ?? unit ?? '?') : []))
  return [...new Set(processes.length > 0 ? processes : published.slice(0, 1))].join(', ')
}

/** Open on any address counts; shut needs the word of a probe. */
function sightFrom(rows: readonly MatrixRowText[], zone: string): Sight {
  const states = rows.filter((row) => row.zone === zone).map((row) => row.reachable.state)
  if (states.includes('open')) return 'open'
  return states.some((state) => state === 'closed' || state === 'filtered') ? 'shut' : 'unknown'
}
