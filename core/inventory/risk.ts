import { isInternal, type MatrixRow } from './matrix.ts'
import { ELSEWHERE } from './zone.ts'

/** One endpoint over all zones and address families: what stands open, to whom, and whether anyone needs it. */
export interface EndpointRisk {
  readonly host: string
  readonly protocol: MatrixRow['protocol']
  readonly port: number
  /** Who answers: process, published target or fingerprint; empty where unknown. */
  readonly owner: string
  /** Zones that reach it, and of those the ones that no need lets in. Sorted. */
  readonly openTo: readonly string[]
  readonly unneededTo: readonly string[]
  /** Zones for which nobody knows whether it can be reached. */
  readonly unknownTo: readonly string[]
  /** Connections from the zones that no need lets in; `unknown` where that was not watched. */
  readonly unneededUse: 'used' | 'unused' | 'unknown'
  readonly level: RiskLevel
  /** `level` as a number, for sorting; what adds up to it stands in docs/matrix.md. */
  readonly points: number
  readonly sensitive?: SensitiveKind
}

export type RiskLevel = 'high' | 'medium' | 'low' | 'none'
export type SensitiveKind = 'administration' | 'data' | 'files' | 'clear text'

/** What usually has these ports. A hint for the order of work, never a name for what answers there. */
const SENSITIVE: readonly (readonly [kind: SensitiveKind, ports: readonly number[]])[] = [
  ['administration', [22, 623, 2375, 2376, 3389, 5900, 5985, 5986, 6443, 8291, 9090, 10_250]],
  ['data', [1433, 1521, 2379, 3306, 5432, 5984, 6379, 9042, 9200, 11_211, 27_017]],
  ['files', [111, 137, 139, 445, 548, 873, 2049]],
  ['clear text', [21, 23, 69, 110, 143, 161, 389, 512, 513, 514]],
]

const POINTS = { openToAnyone: 4, openToZone: 1, openToZonesMax: 3, unneeded: 2, sensitive: 3 } as const
const [HIGH_MIN, MEDIUM_MIN] = [7, 4]

/** Sorted by risk, then by host and port. Loopback is no exposure. */
export function risksOf(rows: Iterable<MatrixRow>): EndpointRisk[] {
  const groups = new Map<string, MatrixRow[]>()
  for (const row of rows) {
    if (isInternal(row.addressClass)) continue
    const key = `${row.host}\0${row.protocol}\0${row.port}`
    const group = groups.get(key)
    if (group) group.push(row)
    else groups.set(key, [row])
  }
  return [...groups.values()].map(riskOf).toSorted((a, b) => b.points - a.points || (a.host < b.host ? -1 : a.host > b.host ? 1 : 0) || a.port - b.port)
}

function riskOf(rows: readonly MatrixRow[]): EndpointRisk {
  const { host, protocol, port } = rows[0] as MatrixRow
  const open = rows.filter((row) => row.reachable.state === 'open')
  const unneeded = open.filter((row) => (row.needs ?? []).length === 0)
  const sensitive = SENSITIVE.find(([, ports]) => ports.includes(port))?.[0]
  const openTo = zonesOf(open)
  const unneededTo = zonesOf(unneeded)
  const unknown = rows.filter((row) => row.reachable.state === 'unknown' && row.listening.kind === 'seen')
  const points = pointsOf(unneededTo, openTo, sensitive)
  return {
    host,
    protocol,
    port,
    owner: ownerOf(rows),
    openTo,
    unneededTo,
    unknownTo: zonesOf(unknown).filter((zone) => !openTo.includes(zone)),
    unneededUse: useOf(unneeded),
    points,
    level: points >= HIGH_MIN ? 'high' : points >= MEDIUM_MIN ? 'medium' : points > 0 ? 'low' : 'none',
    ...(sensitive === undefined ? {} : { sensitive }),
  }
}

/** What a need lets in is no risk to be closed, however sensitive: somebody answers for it. */
function pointsOf(unneededTo: readonly string[], openTo: readonly string[], sensitive: SensitiveKind | undefined): number {
  if (unneededTo.length === 0) return openTo.length > 0 ? 1 : 0
  const zones = unneededTo.filter((zone) => zone !== ELSEWHERE).length
  const reach = (unneededTo.includes(ELSEWHERE) ? POINTS.openToAnyone : 0) + Math.min(POINTS.openToZonesMax, zones * POINTS.openToZone)
  return reach + POINTS.unneeded + (sensitive === undefined ? 0 : POINTS.sensitive)
}

function useOf(rows: readonly MatrixRow[]): EndpointRisk['unneededUse'] {
  if (rows.some((row) => row.used.kind === 'used')) return 'used'
  return rows.length > 0 && rows.every((row) => row.used.kind === 'unused') ? 'unused' : 'unknown'
}

const zonesOf = (rows: readonly MatrixRow[]): readonly string[] => [...new Set(rows.map((row) => row.zone))].toSorted()

function ownerOf(rows: readonly MatrixRow[]): string {
  const targets = rows.flatMap((row) => row.published.map(({ target, holder }) => `→ ${holder ?? target}`))
  const processes = rows.flatMap(({ listening }) => (listening.kind === 'seen' ? listening.listeners.flatMap(({ process, unit }) => process ?? unit ?? []) : []))
  const [first = ''] = [...targets, ...processes, ...rows.flatMap((row) => row.fingerprint ?? [])]
  return first
}
