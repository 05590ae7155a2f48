import { formatAddress, type Address } from '../net/address.ts'
import { formatPortRange } from '../net/port.ts'
import type { Contradiction } from './contradiction.ts'
import type { Listening } from './listening.ts'
import type { MatrixRow, Used } from './matrix.ts'
import type { Instant } from './observation.ts'
import type { Usage } from './usage.ts'

/** The matrix as JSON, addresses and times as text; `schemas/matrix.schema.json` describes it. */
export interface MatrixText {
  readonly format: 'portcullis-matrix'
  readonly version: 1
  readonly rows: readonly MatrixRowText[]
}

/** Every type of the matrix with its addresses and instants as text. */
type Textual<T> = T extends Address
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Textual<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Key extends InstantKey ? string : Textual<T[Key]> }
      : T

type InstantKey = 'lastSeen' | 'firstSeen' | 'at' | 'since' | 'until'

export type MatrixRowText = Omit<Textual<MatrixRow>, 'published' | 'documented'> & {
  readonly published: readonly { readonly ports: string; readonly target: string; readonly holder?: string; readonly sensor: string; readonly lastSeen: string }[]
  readonly documented?: readonly { readonly ports: string; readonly name: string; readonly sensor: string; readonly lastSeen: string }[]
}

export const matrixText = (rows: Iterable<MatrixRow>): MatrixText => ({
  format: 'portcullis-matrix',
  version: 1,
  rows: Array.from(rows, matrixRowText),
})

/** One row; a large matrix is written row by row, so that its text never stands in memory as a whole. */
export function matrixRowText(row: MatrixRow): MatrixRowText {
  return {
    ...row,
    listening: listeningText(row.listening),
    reachable: { ...row.reachable, evidence: row.reachable.evidence.map((word) => ({ ...word, at: formatInstant(word.at) })) },
    used: usedText(row.used),
    ...(row.usedByUnknown ? { usedByUnknown: { ...row.usedByUnknown, firstSeen: formatInstant(row.usedByUnknown.firstSeen), lastSeen: formatInstant(row.usedByUnknown.lastSeen) } } : {}),
    ...(row.scanners ? { scanners: usageText(row.scanners) } : {}),
    ...(row.denied ? { denied: usageText(row.denied) } : {}),
    published: row.published.map((each) => ({ ...each, ports: formatPortRange(each.ports), lastSeen: formatInstant(each.lastSeen) })),
    ...(row.documented ? { documented: row.documented.map((each) => ({ ...each, ports: formatPortRange(each.ports), lastSeen: formatInstant(each.lastSeen) })) } : {}),
    contradictions: row.contradictions.map(contradictionText),
  } as MatrixRowText
}

/** ISO 8601 in UTC, to the millisecond. */
export const formatInstant = (instant: Instant): string => new Date(instant).toISOString()

function listeningText(listening: Listening): Textual<Listening> {
  if (listening.kind === 'absent' || listening.kind === 'unknown') return listening
  const listeners = listening.listeners.map((each) => ({ ...each, address: formatAddress(each.address), lastSeen: formatInstant(each.lastSeen) }))
  return listening.kind === 'seen' ? { kind: 'seen', listeners } : { kind: 'gone', listeners, lastSeen: formatInstant(listening.lastSeen) }
}

function usedText(used: Used): Textual<Used> {
  if (used.kind === 'unknown') return used
  if (used.kind === 'used') return { kind: 'used', ...usageText(used) }
  return { kind: 'unused', since: formatInstant(used.since), until: formatInstant(used.until) }
}

function usageText(usage: Usage): Textual<Usage> {
  return {
    connections: usage.connections,
    ...(usage.bytes === undefined ? {} : { bytes: usage.bytes }),
    firstSeen: formatInstant(usage.firstSeen),
    lastSeen: formatInstant(usage.lastSeen),
    sourceCount: usage.sourceCount,
    sources: usage.sources.map((each) => ({
      ...each,
      source: formatAddress(each.source),
      firstSeen: formatInstant(each.firstSeen),
      lastSeen: formatInstant(each.lastSeen),
    })),
  }
}

const contradictionText = (contradiction: Contradiction): Textual<Contradiction> =>
  'sources' in contradiction ? { ...contradiction, sources: contradiction.sources.map(formatAddress) } : contradiction
