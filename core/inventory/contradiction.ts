import type { Address } from '../net/address.ts'
import type { Listener } from './listening.ts'
import type { MatrixRow } from './matrix.ts'
import type { ScanObservation } from './observation.ts'

/** Where two observations, or an observation and the policy, do not fit together; with what each side says. */
export type Contradiction =
  /** Someone listens, and no packet of this zone gets through: harmless, or broken. */
  | { readonly kind: 'listening-but-filtered' }
  /** The port answers, and a complete reading of the host shows no listener: NAT, a hidden process, or a stale reading. */
  | { readonly kind: 'open-without-listener' }
  /** Two probes of one address do not agree. */
  | { readonly kind: 'probes-disagree'; readonly says: readonly { readonly sensor: string; readonly state: ScanObservation['state'] }[] }
  /** Connections that no need lets in: closing the port would cut them. */
  | { readonly kind: 'used-without-need'; readonly sources: readonly Address[]; readonly sourceCount: number }
  /** The gate denies a source that a need lets in. */
  | { readonly kind: 'denied-despite-need'; readonly sources: readonly Address[]; readonly sourceCount: number }
  | { readonly kind: 'needed-without-listener'; readonly needs: readonly string[] }
  | { readonly kind: 'needed-but-filtered'; readonly needs: readonly string[] }
  /** A need on a port that the kernel chose: after a restart it is probably another. */
  | { readonly kind: 'needed-but-ephemeral'; readonly needs: readonly string[] }
  /** Connections that came through, to an endpoint that the inventory of services does not know. */
  | { readonly kind: 'used-but-undocumented' }
  /** The port answers, and the inventory of services does not know it. */
  | { readonly kind: 'open-but-undocumented' }
  /** The inventory of services names what a complete reading of the host does not show: stale, or down. */
  | { readonly kind: 'documented-without-listener'; readonly names: readonly string[] }
  /** A listener and a NAT rule claim the same port; packets from outside meet the NAT rule first. */
  | { readonly kind: 'published-over-listener'; readonly targets: readonly string[] }

/** A contradiction names this many sources and counts the rest. */
export const CONTRADICTION_SOURCES_MAX = 8

export interface ContradictionEvidence {
  readonly scans: readonly ScanObservation[]
  /** Sources of accepted connections that no need lets in, sorted. */
  readonly unneeded: readonly Address[]
  /** Sources of denied connections that a need lets in, sorted. */
  readonly denied: readonly Address[]
}

type Facts = Omit<MatrixRow, 'contradictions'>

export function contradictionsOf(row: Facts, evidence: ContradictionEvidence): readonly Contradiction[] {
  const found = CHECKS.flatMap((check) => check(row, evidence) ?? [])
  return found.length === 0 ? NONE : found
}

const NONE: readonly Contradiction[] = []

const CHECKS: readonly ((row: Facts, evidence: ContradictionEvidence) => Contradiction | undefined)[] = [
  (row) => (row.listening.kind === 'seen' && row.reachable.state === 'filtered' ? { kind: 'listening-but-filtered' } : undefined),
  (row) => (row.reachable.state === 'open' && isAbsent(row) && row.published.length === 0 ? { kind: 'open-without-listener' } : undefined),
  (_, { scans }) => disagreement(scans),
  // Where nothing stands, clients and scanners try in vain: closing it cuts nobody.
  (row, { unneeded }) => (unneeded.length > 0 && !isVacant(row) ? { kind: 'used-without-need', ...someOf(unneeded) } : undefined),
  (_, { denied }) => (denied.length > 0 ? { kind: 'denied-despite-need', ...someOf(denied) } : undefined),
  (row) => (isAbsent(row) && row.published.length === 0 ? neededBut('needed-without-listener', row) : undefined),
  (row) => (row.reachable.state === 'filtered' ? neededBut('needed-but-filtered', row) : undefined),
  (row) => (isEphemeral(row) ? neededBut('needed-but-ephemeral', row) : undefined),
  (row) => (isUndocumented(row) && row.used.kind === 'used' && !isVacant(row) ? { kind: 'used-but-undocumented' } : undefined),
  (row) => (isUndocumented(row) && row.reachable.state === 'open' && row.used.kind !== 'used' ? { kind: 'open-but-undocumented' } : undefined),
  (row) =>
    row.documented !== undefined && row.documented.length > 0 && isAbsent(row) && row.published.length === 0 && row.reachable.state !== 'open'
      ? { kind: 'documented-without-listener', names: row.documented.map(({ name }) => name) }
      : undefined,
  (row) =>
    row.listening.kind === 'seen' && row.published.length > 0 && !row.listening.listeners.every(isProxy)
      ? { kind: 'published-over-listener', targets: row.published.map((publication) => publication.target) }
      : undefined,
]

/** Docker holds each port that it publishes, so that nobody else takes it, and for clients on the host itself. */
const isProxy = ({ process, executable }: Listener): boolean => process === 'docker-proxy' || (executable?.endsWith('/docker-proxy') ?? false)

const isUndocumented = (row: Facts): boolean => row.documented?.length === 0

const isAbsent = (row: Facts): boolean => row.listening.kind === 'absent' || row.listening.kind === 'gone'

/** Never seen to listen by a complete reading, nor published, nor found open. */
const isVacant = (row: Facts): boolean => row.listening.kind === 'absent' && row.published.length === 0 && row.reachable.state !== 'open'

const isEphemeral = (row: Facts): boolean =>
  row.listening.kind === 'seen' && row.listening.listeners.every((listener) => listener.isEphemeral)

function neededBut<K extends 'needed-without-listener' | 'needed-but-filtered' | 'needed-but-ephemeral'>(
  kind: K,
  row: Facts,
): { readonly kind: K; readonly needs: readonly string[] } | undefined {
  const needs = row.needs ?? []
  return needs.length > 0 ? { kind, needs: needs.map((need) => need.id) } : undefined
}

const someOf = (sources: readonly Address[]): { sources: readonly Address[]; sourceCount: number } => ({
  sources: sources.slice(0, CONTRADICTION_SOURCES_MAX),
  sourceCount: sources.length,
})

/** Only the newest words of different sensors about one address can disagree; one that changes its mind saw a change. */
function disagreement(scans: readonly ScanObservation[]): Contradiction | undefined {
  if (scans.length < 2) return undefined
  for (const [, bySensor] of [...newestWords(scans)].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const words = [...bySensor.values()].filter((scan) => scan.state !== 'open|filtered')
    if (new Set(words.map((scan) => scan.state)).size < 2) continue
    const says = words.map(({ sensor, state }) => ({ sensor, state })).toSorted((a, b) => (a.sensor < b.sensor ? -1 : 1))
    return { kind: 'probes-disagree', says }
  }
  return undefined
}

function newestWords(scans: readonly ScanObservation[]): Map<bigint, Map<string, ScanObservation>> {
  const byAddress = new Map<bigint, Map<string, ScanObservation>>()
  for (const scan of scans.toSorted((a, b) => a.at - b.at || (a.state < b.state ? 1 : -1))) {
    let bySensor = byAddress.get(scan.address.value)
    if (!bySensor) byAddress.set(scan.address.value, (bySensor = new Map()))
    bySensor.set(scan.sensor, scan)
  }
  return byAddress
}
