import { formatDay } from '@portcullis/core/inventory/businessCalendar.ts'
import { formatPortRange } from '@portcullis/core/net/port.ts'
import { formatPrefix } from '@portcullis/core/net/prefix.ts'
import { RHYTHM_WORDS } from '@portcullis/core/policy/recommend/judge.ts'
import type { Recommendation, Verdict } from '@portcullis/core/policy/recommend/recommendation.ts'
import type { SourceSet } from '@portcullis/core/policy/recommend/sourceSet.ts'
import type { RecommendReport } from '@portcullis/engine/recommend.ts'
import { fitTable, type FitColumn } from '../fitTable.ts'
import { widthOf } from '../table.ts'
import { count, sourceWords, t, type Pen } from './words.ts'

export interface RecommendView {
  /** With all reasons and their points. */
  readonly isExplained: boolean
  readonly columns: number
}

/** What to keep, close and ask, with the reasons of what is not plain. */
export function showRecommend(pen: Pen, report: RecommendReport, { isExplained, columns }: RecommendView): string {
  const { recommendations } = report
  const unwatched = new Set(report.watches.filter(({ days }) => days === 0).map(({ host }) => host))
  if (recommendations.length === 0) return `${t(pen, { en: 'No endpoint. Has portcullis observe been run?', zh: '没有端点。是否已运行 portcullis observe？' })}\n`
  const head = HEAD.map((text) => pen.paint.dim(t(pen, text)))
  const [title = [], ...table] = wrapLast([head, ...recommendations.map((each, index) => row(pen, each, recommendations[index - 1]))], columns)
  // Of a host that was not watched for a day, the same would be asked of everything: that is said once, below.
  const lines = recommendations.flatMap((each, index) => [...(table[index] ?? []), ...details(pen, each, { isExplained, isAsked: !unwatched.has(each.host) })])
  return `${[...title, ...lines].join('\n')}\n\n${summary(pen, report)}\n`
}

/** The last cell goes on beneath itself where the line has no room for it; of the others, only the listener is cut. */
function wrapLast(rows: readonly (readonly string[])[], width: number): string[][] {
  const { lines } = fitTable(rows.map((cells) => cells.slice(0, -1)), COLUMNS, width - LAST_LEAST - GAP)
  const indent = Math.max(...lines.map(widthOf)) + GAP
  return lines.map((line, index) => {
    const [first = '', ...more] = wrapWords(rows[index]?.at(-1) ?? '', Math.max(LAST_LEAST, width - indent))
    return [`${line}${' '.repeat(indent - widthOf(line))}${first}`, ...more.map((words) => `${' '.repeat(indent)}${words}`)]
  })
}

const COLUMNS: readonly FitColumn[] = [{}, {}, {}, {}, { least: 10 }, {}]
const GAP = 2
const LAST_LEAST = 18

function wrapWords(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const joined = `${lines.at(-1) ?? ''} ${word}`
    if (lines.length > 0 && widthOf(joined) <= width) lines[lines.length - 1] = joined
    else lines.push(word)
  }
  return lines
}

const HEAD = [
  { en: 'HOST', zh: '主机' },
  { en: 'ENDPOINT', zh: '端点' },
  { en: 'VERDICT', zh: '建议' },
  { en: 'SURE', zh: '把握' },
  { en: 'LISTENER', zh: '监听' },
  { en: 'USED', zh: '使用' },
  { en: 'FROM', zh: '来源' },
]

const VERDICTS: Readonly<Record<Verdict, readonly ['green' | 'red' | 'yellow', { en: string; zh: string }]>> = {
  keep: ['green', { en: 'keep', zh: '保留' }],
  close: ['red', { en: 'close', zh: '关闭' }],
  ask: ['yellow', { en: 'ask', zh: '询问' }],
}

function row(pen: Pen, each: Recommendation, above: Recommendation | undefined): string[] {
  const [colour, words] = VERDICTS[each.verdict]
  return [
    above?.host === each.host ? '' : pen.paint.bold(each.host),
    `${each.protocol}/${formatPortRange(each.ports)}`,
    pen.paint[colour](t(pen, words)),
    String(each.confidence),
    each.published === undefined ? (each.unit ?? each.process ?? '-') : `→ ${each.published}`,
    t(pen, RHYTHM_WORDS[each.rhythm.kind]) + (each.rhythm.lastDay === undefined ? '' : ` ${pen.paint.dim(formatDay(each.rhythm.lastDay))}`),
    each.rhythm.kind === 'never' ? '-' : fromWords(pen, each.from),
  ]
}

export const fromWords = (pen: Pen, { zone, prefixes }: SourceSet): string => zone ?? sourceWords(pen, prefixes.map(formatPrefix))

function details(pen: Pen, { question, reasons, verdict, needs }: Recommendation, { isExplained, isAsked }: { readonly isExplained: boolean; readonly isAsked: boolean }): string[] {
  const asked = question && isAsked ? [`    ${pen.paint.yellow('?')} ${t(pen, question)}`] : []
  const stale = verdict === 'close' && needs.length > 0 ? [`    ${pen.paint.yellow('!')} ${t(pen, { en: `still opened by ${needs.join(', ')}: ask its owner`, zh: `仍由 ${needs.join('、')} 放行：请询问其负责人` })}`] : []
  const why = isExplained ? reasons.map(({ points, text }) => pen.paint.dim(`    ${(points > 0 ? `+${points}` : String(points)).padStart(4)} ${t(pen, text)}`)) : []
  return [...asked, ...stale, ...why]
}

function summary(pen: Pen, { recommendations, watches, scanners }: RecommendReport): string {
  const amount = (verdict: Verdict): number => recommendations.filter((each) => each.verdict === verdict).length
  const days = watches.map((watch) => watch.days)
  const [least, most] = [days.reduce((a, b) => Math.min(a, b), Infinity), days.reduce((a, b) => Math.max(a, b), 0)]
  const span = least === most ? String(most) : `${least}–${most}`
  const lossy = watches.filter(({ lost }) => lost.length > 0).length
  const unwatched = watches.filter((watch) => watch.days === 0).length
  return [
    t(pen, { en: `keep ${amount('keep')}, close ${amount('close')}, ask ${amount('ask')}`, zh: `保留 ${amount('keep')}，关闭 ${amount('close')}，询问 ${amount('ask')}` }),
    t(pen, { en: `watched for ${span} days on ${count(pen, watches.length, 'host', '台主机')}`, zh: `${watches.length} 台主机，观测 ${span} 天` }),
    ...(unwatched > 0 ? [pen.paint.yellow(t(pen, { en: `${count(pen, unwatched, 'host', '台主机')} not watched for a day yet, so all there is asked about:\n  apply the policy in observe mode, then run portcullis observe every day`, zh: `${unwatched} 台主机尚未观测满一天，其端点均列为询问：\n  请以 observe 模式下发策略，然后每天运行 portcullis observe` }))] : []),
    ...(lossy > 0 ? [t(pen, { en: `evidence was lost on ${count(pen, lossy, 'host', '台主机')}`, zh: `${lossy} 台主机的证据有丢失` })] : []),
    ...(scanners.length > 0 ? [t(pen, { en: `${count(pen, scanners.length, 'source', '个来源')} taken for scanners: ${scannerWords(scanners)}`, zh: `${scanners.length} 个来源被视为扫描器：${scannerWords(scanners)}` })] : []),
  ].join('\n')
}

const scannerWords = (scanners: readonly string[]): string => scanners.slice(0, 4).join(' ')
