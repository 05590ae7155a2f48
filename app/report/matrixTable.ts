import type { Text } from '@portcullis/core/fault/fault.ts'
import { isInternal, type MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import { both, escape, grouped } from './markup.ts'

/** A page with more would not open on a telephone, nor fit on paper. */
export const ENDPOINTS_SHOWN_MAX = 1500

type Cell = 'bad' | 'need' | 'shut' | 'unknown'

/** An endpoint a line, a zone a column; a zone is as open as the most open of its address families. */
export function matrixTable(rows: readonly MatrixRow[]): string {
  const reached = rows.filter((row) => !isInternal(row.addressClass))
  const zones = [...new Set(reached.map((row) => row.zone))].toSorted((a, b) => Number(a === 'elsewhere') - Number(b === 'elsewhere') || (a < b ? -1 : 1))
  const endpoints = [...Map.groupBy(reached, ({ host, protocol, port }) => `${host}\0${protocol}\0${port}`).values()]
  const hosts = Map.groupBy(endpoints.slice(0, ENDPOINTS_SHOWN_MAX), (all) => all[0]?.host ?? '')
  const head = `<thead><tr><th></th><th></th>${zones.map((zone) => `<th class="up"><div>${escape(zone)}</div></th>`).join('')}<th></th></tr></thead>`
  const bodies = [...hosts].map(([host, lines]) => `<tbody>${lines.map((line, index) => endpointLine(line, zones, index === 0 ? `<th class="host" rowspan="${lines.length}">${escape(host)}</th>` : '')).join('')}</tbody>`)
  const rest = endpoints.length - ENDPOINTS_SHOWN_MAX
  const note = rest > 0 ? `<p class="soft">${both({ en: `The first ${grouped(ENDPOINTS_SHOWN_MAX)} of ${grouped(endpoints.length)} endpoints; portcullis matrix --csv has them all.`, zh: `此处为前 ${grouped(ENDPOINTS_SHOWN_MAX)} 个端点，共 ${grouped(endpoints.length)} 个；portcullis matrix --csv 可导出全部。` })}</p>` : ''
  return `${legend()}${note}<div class="wide"><table class="matrix states">${head}${bodies.join('\n')}</table></div>`
}

const KEYS: readonly (readonly [cell: Cell, words: Text])[] = [
  ['bad', { en: 'open, and no need says so', zh: '开放，但无业务需求' }],
  ['need', { en: 'open, because a need says so', zh: '开放，有业务需求' }],
  ['shut', { en: 'cannot be reached', zh: '不可达' }],
  ['unknown', { en: 'not known', zh: '未知' }],
]

const boxClass = (cell: Cell): string => (cell === 'shut' ? '' : cell)

const legend = (): string => `<div class="legend">${KEYS.map(([cell, words]) => `<span class="key"><i class="box ${boxClass(cell)}"></i>${both(words)}</span>`).join('')}</div>`

const WORDS = Object.fromEntries(KEYS) as Readonly<Record<Cell, Text>>

function endpointLine(rows: readonly MatrixRow[], zones: readonly string[], host: string): string {
  const [first] = rows
  if (!first) return ''
  const byZone = Map.groupBy(rows, ({ zone }) => zone)
  const cells = zones.map((zone) => {
    const cell = cellOf(byZone.get(zone) ?? [])
    const { en, zh } = WORDS[cell]
    return `<td class="cell"><i class="box ${boxClass(cell)}" role="img" aria-label="${escape(zone)}: ${en} ${zh}" title="${escape(zone)}: ${en} · ${zh}"></i></td>`
  })
  return `<tr>${host}<td class="end"><code>${first.protocol}/${first.port}</code><span class="who">${escape(who(rows))}</span></td>${cells.join('')}<td class="why">${needs(rows)}${use(rows)}</td></tr>\n`
}

function cellOf(rows: readonly MatrixRow[]): Cell {
  const open = rows.filter((row) => row.reachable.state === 'open')
  if (open.length > 0) return open.some((row) => (row.needs ?? []).length === 0) ? 'bad' : 'need'
  return rows.length > 0 && rows.every((row) => row.reachable.state === 'closed' || row.reachable.state === 'filtered') ? 'shut' : 'unknown'
}

function who(rows: readonly MatrixRow[]): string {
  const names = rows.flatMap(({ listening, published }) => [
    ...published.map(({ target, holder }) => `→ ${holder ?? target}`),
    ...(listening.kind === 'seen' ? listening.listeners.map(({ process, unit }) => process ?? unit ?? '') : []),
  ])
  const [first] = [...new Set(names.filter((name) => name !== ''))]
  return first ?? rows.find((row) => row.fingerprint !== undefined)?.fingerprint ?? ''
}

const needs = (rows: readonly MatrixRow[]): string => {
  const ids = [...new Set(rows.flatMap((row) => (row.needs ?? []).map(({ id }) => id)))]
  return ids.length === 0 ? '' : `<b>${ids.map(escape).join(', ')}</b> `
}

function use(rows: readonly MatrixRow[]): string {
  const used = rows.flatMap((row) => (row.used.kind === 'used' ? [row.used] : []))
  const knocks = rows.reduce((sum, { scanners }) => sum + (scanners?.connections ?? 0), 0)
  const scanned = knocks === 0 ? '' : ` <span class="soft">${both({ en: `scanner ${grouped(knocks)}×`, zh: `扫描 ${grouped(knocks)}×` })}</span>`
  if (used.length === 0) return scanned
  const connections = used.reduce((sum, each) => sum + each.connections, 0)
  const last = new Date(Math.max(...used.map(({ lastSeen }) => lastSeen))).toISOString().slice(0, 10)
  return `${grouped(connections)}× ${last}${scanned}`
}
