import type { Text } from '@portcullis/core/fault/fault.ts'
import type { MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import { formatPortRange } from '@portcullis/core/net/port.ts'
import { layTable } from '../table.ts'
import { count, t, timeWords, type Pen } from './words.ts'

/** The matrix for a terminal: an endpoint a line, its zones beneath where they differ. */
export function showMatrix(pen: Pen, rows: readonly MatrixRow[]): string {
  if (rows.length === 0) return `${t(pen, { en: 'No endpoint. Has portcullis observe been run?', zh: '没有端点。是否已运行 portcullis observe？' })}\n`
  const endpoints = new Set(rows.map((row) => `${row.host} ${row.protocol} ${row.port} ${row.addressClass}`)).size
  const table = layTable([HEAD.map((text) => pen.paint.dim(t(pen, text))), ...rows.map((row, index) => matrixRow(pen, row, rows[index - 1]))])
  return `${table.join('\n')}\n\n${count(pen, endpoints, 'endpoint', '个端点')}, ${count(pen, rows.length, 'row', '行')}\n`
}

const HEAD: readonly Text[] = [
  { en: 'HOST', zh: '主机' },
  { en: 'ENDPOINT', zh: '端点' },
  { en: 'LISTENER', zh: '监听' },
  { en: 'ZONE', zh: '区域' },
  { en: 'REACHABLE', zh: '可达' },
  { en: 'USED', zh: '使用' },
  { en: 'NEED', zh: '业务需求' },
  { en: 'NOTE', zh: '备注' },
]

function matrixRow(pen: Pen, row: MatrixRow, above: MatrixRow | undefined): string[] {
  const isSameHost = above?.host === row.host
  const isSame = isSameHost && above.protocol === row.protocol && above.port === row.port && above.addressClass === row.addressClass
  return [
    isSameHost ? '' : pen.paint.bold(row.host),
    isSame ? '' : `${row.protocol}/${row.port} ${pen.paint.dim(row.addressClass)}`,
    isSame ? '' : listenerWords(pen, row),
    row.zone,
    reachWords(pen, row),
    usedWords(pen, row),
    row.needs === undefined ? '' : row.needs.map(({ id, covers }) => (covers === 'all' ? id : `${id}*`)).join(' ') || pen.paint.dim('-'),
    row.contradictions.map(({ kind }) => pen.paint.yellow(kind)).join(' '),
  ]
}

function listenerWords(pen: Pen, row: MatrixRow): string {
  if (row.published.length > 0) return row.published.map(({ ports, target }) => `${formatPortRange(ports)} → ${target}`).join(', ')
  if (row.listening.kind === 'absent') return pen.paint.dim(t(pen, { en: 'nothing', zh: '无' }))
  if (row.listening.kind === 'unknown') return pen.paint.yellow(t(pen, { en: 'unknown', zh: '未知' }))
  const names = [...new Set(row.listening.listeners.map(({ process, unit }) => process ?? unit ?? '?'))].join(', ')
  return row.listening.kind === 'gone' ? pen.paint.dim(`${names} (${t(pen, { en: 'gone', zh: '已消失' })})`) : names
}

const REACH: Readonly<Record<MatrixRow['reachable']['state'], readonly [keyof Pen['paint'], Text]>> = {
  open: ['red', { en: 'open', zh: '开放' }],
  closed: ['green', { en: 'closed', zh: '关闭' }],
  filtered: ['green', { en: 'filtered', zh: '被过滤' }],
  unknown: ['dim', { en: 'unknown', zh: '未知' }],
}

function reachWords(pen: Pen, row: MatrixRow): string {
  const [colour, words] = REACH[row.reachable.state]
  return pen.paint[colour](t(pen, words))
}

function usedWords(pen: Pen, row: MatrixRow): string {
  const { used } = row
  if (used.kind === 'unused') return t(pen, { en: 'unused', zh: '未使用' })
  if (used.kind === 'unknown') return pen.paint.dim(t(pen, { en: 'unknown', zh: '未知' }))
  return `${used.connections}× ${pen.paint.dim(timeWords(used.lastSeen))}`
}
