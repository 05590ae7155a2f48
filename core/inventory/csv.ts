import { formatAddress } from '../net/address.ts'
import { formatPortRange } from '../net/port.ts'
import type { Listener } from './listening.ts'
import type { MatrixRow } from './matrix.ts'
import { formatInstant } from './matrixText.ts'

/** The columns of the matrix as CSV, in order. Within a cell, several values stand apart by `; `. */
const COLUMNS: Readonly<Record<string, (row: MatrixRow) => string | number>> = {
  host: (row) => row.host,
  protocol: (row) => row.protocol,
  port: (row) => row.port,
  address_class: (row) => row.addressClass,
  zone: (row) => row.zone,
  listening: (row) => row.listening.kind,
  process: (row) => listed(row, (listener) => listener.process),
  unit: (row) => listed(row, (listener) => listener.unit),
  user: (row) => listed(row, (listener) => listener.user),
  executable: (row) => listed(row, (listener) => listener.executable),
  sha256: (row) => listed(row, (listener) => listener.digest),
  package: (row) => listed(row, (listener) => listener.package),
  container: (row) => listed(row, (listener) => listener.container ?? listener.namespace),
  rpc_program: (row) => listed(row, (listener) => listener.program),
  holder_unknown: (row) => listed(row, (listener) => listener.untold),
  bound_to: (row) => listed(row, (listener) => formatAddress(listener.address)),
  reachable: (row) => row.reachable.state,
  reachable_by: (row) => row.reachable.evidence.map((word) => `${word.sensor} ${word.state}`).join('; '),
  used: (row) => row.used.kind,
  connections: (row) => (row.used.kind === 'used' ? row.used.connections : ''),
  sources: (row) => (row.used.kind === 'used' ? row.used.sourceCount : ''),
  busiest_sources: (row) => (row.used.kind === 'used' ? row.used.sources.map(({ source }) => formatAddress(source)).join('; ') : ''),
  last_used: (row) => (row.used.kind === 'used' ? formatInstant(row.used.lastSeen) : ''),
  used_by_unknown: (row) => row.usedByUnknown?.because.join('; ') ?? '',
  scanner_connections: (row) => row.scanners?.connections ?? '',
  denied: (row) => row.denied?.connections ?? '',
  needs: (row) => row.needs?.map(({ id, covers }) => (covers === 'all' ? id : `${id} (part)`)).join('; ') ?? '',
  published: (row) => row.published.map(({ ports, target, holder }) => `${formatPortRange(ports)} to ${target}${holder === undefined ? '' : ` (${holder})`}`).join('; '),
  documented: (row) => (row.documented === undefined ? 'unknown' : row.documented.map(({ name }) => name).join('; ')),
  fingerprint: (row) => row.fingerprint ?? '',
  contradictions: (row) => row.contradictions.map(({ kind }) => kind).join('; '),
}

/** The matrix as lines of CSV (RFC 4180: CRLF, header line, doubled quotes), each with its line end. */
export function* matrixCsv(rows: Iterable<MatrixRow>): Generator<string, void, undefined> {
  yield `${Object.keys(COLUMNS).join(',')}\r\n`
  const columns = Object.values(COLUMNS)
  for (const row of rows) yield `${columns.map((column) => csvCell(column(row))).join(',')}\r\n`
}

/**
 * One cell. Process names and banners come from strangers: a cell that a spreadsheet would run as a formula gets a
 * leading apostrophe (OWASP, "CSV Injection").
 */
export function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(value)
  const inert = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert
}

function listed(row: MatrixRow, pick: (listener: Listener) => string | undefined): string {
  if (row.listening.kind !== 'seen' && row.listening.kind !== 'gone') return ''
  return [...new Set(row.listening.listeners.flatMap((listener) => pick(listener) ?? []))].join('; ')
}
