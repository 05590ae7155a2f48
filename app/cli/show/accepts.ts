import { formatPortRange } from '@portcullis/core/net/port.ts'
import type { AcceptedRow } from '@portcullis/core/verify/accepts.ts'
import type { Way } from '@portcullis/core/verify/compose.ts'
import { writeProtocol, writeSources } from '@portcullis/core/verify/differenceText.ts'
import type { Finding } from '@portcullis/core/verify/findings.ts'
import type { CtState, Rule } from '@portcullis/core/ruleset/ruleset.ts'
import { layTable } from '../table.ts'
import { fromWords, listWords, placeWords, ruleWords, WAYS } from './ruleWords.ts'
import { t, type Pen } from './words.ts'

export interface AcceptedWay {
  readonly way: Way
  /** Undefined: larger than the budget. */
  readonly rows: readonly AcceptedRow[] | undefined
}

/** What is accepted, as an auditor would sign it; then what could not be told, and rules that do nothing. */
export function showAccepts(pen: Pen, ways: readonly AcceptedWay[], open: readonly Rule[], idle: readonly Finding[]): string {
  return `${[...ways.flatMap((way) => wayLines(pen, way)), ...openRuleLines(pen, ways, open), ...idleLines(pen, idle)].join('\n').trimStart()}\n`
}

function wayLines(pen: Pen, { way, rows }: AcceptedWay): string[] {
  const title = pen.paint.bold(t(pen, WAYS[way]))
  if (!rows) return ['', title, `  ? ${t(pen, { en: 'the analysis is larger than its budget', zh: '分析超出预算' })}`]
  if (rows.length === 0) return ['', title, `  ${pen.paint.green(t(pen, { en: 'nothing is accepted', zh: '不放行任何报文' }))}`]
  return ['', title, ...layTable([HEAD.map((text) => pen.paint.dim(t(pen, text))), ...rows.toSorted(byState).map((row) => rowCells(pen, row))], '  '), `  ${pen.paint.dim(t(pen, REST))}`]
}

const HEAD = [
  { en: '', zh: '' },
  { en: 'PROTOCOL', zh: '协议' },
  { en: 'PORTS', zh: '端口' },
  { en: 'FROM', zh: '来源' },
  { en: 'INTERFACE', zh: '接口' },
  { en: 'STATE', zh: '状态' },
]
const REST = { en: 'all else is refused', zh: '其余一律拒绝' }

/** Known flows first, then what holds for loopback alone; the rest as it comes. */
const byState = (a: AcceptedRow, b: AcceptedRow): number => rankOf(a) - rankOf(b)

function rankOf({ states, interfaces }: AcceptedRow): number {
  if (states.length > 0 && states.every((state) => state === 'established' || state === 'related')) return 0
  return interfaces.join() === 'lo' ? 1 : 2
}

/** The order in which people read them. */
const STATES: readonly CtState[] = ['new', 'established', 'related', 'untracked', 'invalid']

function rowCells(pen: Pen, { states, interfaces, protocols, ports, icmpTypes, sources, verdict }: AcceptedRow): string[] {
  const [mark, note] = VERDICTS[verdict]
  const any = t(pen, { en: 'any', zh: '任意' })
  const types = icmpTypes.length === 0 ? '' : `${t(pen, { en: 'type', zh: '类型' })} ${listWords(pen, icmpTypes.map(formatPortRange))}`
  const service = ports.length === 0 && types !== '' ? types : listWords(pen, ports.map(formatPortRange))
  return [
    verdict === 'accepted' ? pen.paint.green(mark) : pen.paint.yellow(mark),
    listWords(pen, protocols.map(writeProtocol)),
    service,
    fromWords(pen, writeSources(sources)),
    interfaces.length === 0 ? any : interfaces.join(','),
    `${states.length === 0 ? any : STATES.filter((state) => states.includes(state)).join(',')}${note ? `  ${pen.paint.yellow(t(pen, note))}` : ''}`,
  ]
}

const VERDICTS: Readonly<Record<AcceptedRow['verdict'], readonly [mark: string, note?: { readonly en: string; readonly zh: string }]>> = {
  accepted: ['✓'],
  'in part': ['◐', { en: 'in part: by destination, flags or another field', zh: '部分放行：取决于目的地址、标志等字段' }],
  undecided: ['?', { en: 'undecided', zh: '无法判定' }],
}

function openRuleLines(pen: Pen, ways: readonly AcceptedWay[], open: readonly Rule[]): string[] {
  const isOpen = ways.some(({ rows }) => rows?.some((row) => row.verdict === 'undecided'))
  if (!isOpen || open.length === 0) return []
  const title = t(pen, { en: 'Undecided because of what these rules ask:', zh: '无法判定的原因，取决于以下规则：' })
  return ['', pen.paint.yellow(title), ...listed(pen, open)]
}

export function idleLines(pen: Pen, idle: readonly Finding[]): string[] {
  if (idle.length === 0) return []
  const title = t(pen, { en: idle.length === 1 ? '1 rule changes nothing:' : `${idle.length} rules change nothing:`, zh: `${idle.length} 条规则不起作用：` })
  const rows = idle.slice(0, LISTED_MAX).map(({ kind, rule }) => [t(pen, KINDS[kind]), placeWords(rule.source), pen.paint.dim(ruleWords(rule.source))])
  return ['', title, ...layTable(rows, '  '), ...moreLine(pen, idle.length)]
}

const KINDS: Readonly<Record<Finding['kind'], { readonly en: string; readonly zh: string }>> = {
  shadowed: { en: 'shadowed', zh: '被遮蔽' },
  redundant: { en: 'redundant', zh: '冗余' },
}

const LISTED_MAX = 20

const listed = (pen: Pen, rules: readonly Rule[]): string[] => [
  ...layTable(rules.slice(0, LISTED_MAX).map(({ source }) => [placeWords(source), pen.paint.dim(ruleWords(source))]), '  '),
  ...moreLine(pen, rules.length),
]

const moreLine = (pen: Pen, amount: number): string[] =>
  amount > LISTED_MAX ? [pen.paint.dim(`  ${t(pen, { en: `and ${amount - LISTED_MAX} more`, zh: `另有 ${amount - LISTED_MAX} 个` })}`)] : []
