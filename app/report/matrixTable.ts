import type { Text } from '@portcullis/core/fault/fault.ts'
import type { MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import type { EndpointRisk } from '@portcullis/core/inventory/risk.ts'
import { hostsByExposure } from './exposure.ts'
import { both, escape, grouped } from './markup.ts'
import { byZone, zoneMarkup, zoneName } from './zoneName.ts'

/** A page with more would not open on a telephone, nor fit on paper. */
export const ENDPOINTS_SHOWN_MAX = 1500
/** Columns that fit on A4 beside the rest. */
export const ZONES_SHOWN_MAX = 24

type Cell = 'bad' | 'need' | 'shut' | 'unknown'

/** An endpoint a line, a zone a column; a zone is as open as the most open of its address families. */
export function matrixTable(rows: readonly MatrixRow[], risks: readonly EndpointRisk[]): string {
  const shown = hostsShown(risks)
  const { zones, all: zoneCount } = zonesShown(rows)
  const hosts = Map.groupBy(rows.filter(({ host }) => shown.has(host)), ({ host }) => host)
  const bodies = [...hosts].map(([host, all]) => {
    const lines = [...Map.groupBy(all, ({ protocol, port }) => `${protocol}/${port}`).values()].slice(0, shown.get(host))
    return `<tbody>${lines.map((line, index) => endpointLine(line, zones, index === 0 ? `<th scope="rowgroup" class="host" rowspan="${lines.length}">${escape(host)}</th>` : '')).join('')}</tbody>`
  })
  return `${legend()}${note(shown.size, risks.length)}${zoneNote(zones.length, zoneCount)}<div class="wide"><table class="matrix states">${head(zones)}${bodies.join('\n')}</table></div>`
}

/** Those with the most to close, as many as there is room for, and how many endpoints of each. */
function hostsShown(risks: readonly EndpointRisk[]): ReadonlyMap<string, number> {
  const shown = new Map<string, number>()
  let room = ENDPOINTS_SHOWN_MAX
  for (const { host, endpoints } of hostsByExposure(risks)) {
    if (room <= 0) break
    shown.set(host, Math.min(room, endpoints))
    room -= endpoints
  }
  return shown
}

/** Where there are too many, those to which most stands open without a need. */
function zonesShown(rows: readonly MatrixRow[]): { readonly zones: readonly string[]; readonly all: number } {
  const unneeded = new Map<string, number>()
  for (const row of rows) unneeded.set(row.zone, (unneeded.get(row.zone) ?? 0) + (isOpenWithoutNeed(row) ? 1 : 0))
  const zones = [...unneeded].toSorted(([one, a], [other, b]) => b - a || byZone(one, other)).slice(0, ZONES_SHOWN_MAX)
  return { zones: zones.map(([zone]) => zone).toSorted(byZone), all: unneeded.size }
}

function zoneNote(shown: number, all: number): string {
  if (shown === all) return ''
  return `<p class="soft">${both({
    en: `${grouped(shown)} of ${grouped(all)} zones: those to which most stands open without a need.`,
    zh: `共 ${grouped(all)} 个区域，仅列出无需求开放最多的 ${grouped(shown)} 个。`,
  })}</p>`
}

function note(hosts: number, endpoints: number): string {
  if (endpoints <= ENDPOINTS_SHOWN_MAX) return ''
  return `<p class="soft">${both({
    en: `The ${grouped(hosts)} servers with the most to close: ${grouped(ENDPOINTS_SHOWN_MAX)} of ${grouped(endpoints)} endpoints; portcullis matrix --csv has them all.`,
    zh: `仅列出待收敛最多的 ${grouped(hosts)} 台服务器：${grouped(ENDPOINTS_SHOWN_MAX)} 个端点，共 ${grouped(endpoints)} 个；portcullis matrix --csv 可导出全部。`,
  })}</p>`
}

function head(zones: readonly string[]): string {
  const column = (content: string, className = ''): string => `<th scope="col"${className}>${content}</th>`
  return `<thead><tr>${column(both({ en: 'Server', zh: '服务器' }), ' class="left"')}${column(both({ en: 'Endpoint', zh: '端点' }), ' class="left"')}${zones.map((zone) => column(`<div>${zoneMarkup(zone)}</div>`, ' class="up"')).join('')}${column(both({ en: 'Need, connections, last used', zh: '业务需求、连接数、最近使用' }), ' class="why"')}</tr></thead>`
}

const KEYS: readonly (readonly [cell: Cell, words: Text])[] = [
  ['bad', { en: 'open, and no need says so', zh: '开放，但无业务需求' }],
  ['need', { en: 'open, because a need says so', zh: '开放，有业务需求' }],
  ['shut', { en: 'cannot be reached', zh: '不可达' }],
  ['unknown', { en: 'not known', zh: '未知' }],
]

const boxClass = (cell: Cell): string => (cell === 'shut' ? '' : ` ${cell}`)

const legend = (): string => `<div class="legend">${KEYS.map(([cell, words]) => `<span class="key"><i class="box${boxClass(cell)}"></i>${both(words)}</span>`).join('')}</div>`

const WORDS = Object.fromEntries(KEYS) as Readonly<Record<Cell, Text>>

function endpointLine(rows: readonly MatrixRow[], zones: readonly string[], host: string): string {
  const [first] = rows
  if (!first) return ''
  const ofZone = Map.groupBy(rows, ({ zone }) => zone)
  const cells = zones.map((zone) => {
    const cell = cellOf(ofZone.get(zone) ?? [])
    const [name, words] = [zoneName(zone), WORDS[cell]]
    const said = escape(`${name.en === name.zh ? name.en : `${name.en} ${name.zh}`}: ${words.en} · ${words.zh}`)
    return `<td class="cell"><i class="box${boxClass(cell)}" role="img" aria-label="${said}" title="${said}"></i></td>`
  })
  return `<tr>${host}<th scope="row" class="end"><code>${first.protocol}/${first.port}</code><span class="who">${escape(who(rows))}</span></th>${cells.join('')}<td class="why">${needs(rows)}${use(rows)}</td></tr>\n`
}

function cellOf(rows: readonly MatrixRow[]): Cell {
  const open = rows.filter((row) => row.reachable.state === 'open')
  if (open.length > 0) return open.some(isOpenWithoutNeed) ? 'bad' : 'need'
  return rows.length > 0 && rows.every((row) => row.reachable.state === 'closed' || row.reachable.state === 'filtered') ? 'shut' : 'unknown'
}

const isOpenWithoutNeed = ({ reachable, needs: letIn }: MatrixRow): boolean => reachable.state === 'open' && (letIn ?? []).length === 0

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
  return `<span class="use">${grouped(connections)}× ${last}</span>${scanned}`
}
