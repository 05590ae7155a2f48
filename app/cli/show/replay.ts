import { formatDay } from '@portcullis/core/inventory/businessCalendar.ts'
import type { DeniedUse, ReplayReport } from '@portcullis/engine/replay.ts'
import { layTable } from '../table.ts'
import { count, t, type Pen } from './words.ts'

/** What would have been denied, the wanted first; then the score. */
export function showReplay(pen: Pen, report: ReplayReport): string {
  const wanted = report.denied.filter(({ kind }) => kind === 'wanted')
  const others = report.denied.length - wanted.length
  const shown = wanted.slice(0, ROWS_MAX)
  const table = shown.length === 0 ? [] : layTable([HEAD.map((text) => pen.paint.dim(t(pen, text))), ...shown.map((each) => row(pen, each))])
  const more = wanted.length > shown.length ? [pen.paint.dim(t(pen, { en: `… ${wanted.length - shown.length} more; --json gives all`, zh: `… 另有 ${wanted.length - shown.length} 条；--json 输出全部` }))] : []
  return `${[...table, ...more, ...(table.length > 0 ? [''] : []), ...score(pen, report, wanted.length, others)].join('\n')}\n`
}

const ROWS_MAX = 200

const HEAD = [
  { en: 'HOST', zh: '主机' },
  { en: 'ENDPOINT', zh: '端点' },
  { en: 'LISTENER', zh: '监听' },
  { en: 'SOURCE', zh: '来源' },
  { en: 'CONNECTIONS', zh: '连接数' },
  { en: 'DAYS', zh: '天数' },
  { en: 'LAST', zh: '最近' },
]

const row = (pen: Pen, { host, protocol, port, listener, source, connections, days, lastDay }: DeniedUse): string[] => [
  pen.paint.bold(host),
  `${protocol}/${port}`,
  listener ?? '-',
  source,
  String(connections),
  String(days),
  lastDay === undefined ? '-' : formatDay(lastDay),
]

function score(pen: Pen, { allowedConnections, allowedSources, firstDay, lastDay, unwatched, lost, denied }: ReplayReport, wanted: number, others: number): string[] {
  const span = firstDay === undefined || lastDay === undefined ? '' : ` (${formatDay(firstDay)} – ${formatDay(lastDay)})`
  const colour = wanted > 0 ? pen.paint.red : pen.paint.green
  const amount = (of: DeniedUse['kind']): number => denied.filter(({ kind }) => kind === of).length
  return [
    colour(t(pen, { en: `${count(pen, wanted, 'use', '项')} that may still be wanted would have been denied${span}`, zh: `${wanted} 项可能仍需要的使用会被拒绝${span}` })),
    t(pen, { en: `let in: ${allowedConnections} connections of ${count(pen, allowedSources, 'use', '项使用')}`, zh: `放行：${allowedSources} 项使用，共 ${allowedConnections} 个连接` }),
    ...(others > 0 ? [t(pen, { en: `also denied: ${amount('ended')} that ended, ${amount('scanner')} of scanners, ${amount('vacant')} where nothing stands`, zh: `同时拒绝：已停止 ${amount('ended')} 项，扫描 ${amount('scanner')} 项，无监听端口 ${amount('vacant')} 项` })] : []),
    ...(lost > 0 ? [pen.paint.yellow(t(pen, { en: `${lost} connections of unknown source: whether they would have been denied is not known`, zh: `${lost} 个连接的来源未知：是否会被拒绝无法判断` }))] : []),
    ...(unwatched.length > 0 ? [pen.paint.yellow(t(pen, { en: `nothing was counted on ${unwatched.slice(0, 5).join(', ')}`, zh: `以下主机没有计数：${unwatched.slice(0, 5).join('、')}` }))] : []),
  ]
}
