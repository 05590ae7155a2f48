import { formatPortRange } from '@portcullis/core/net/port.ts'
import type { AcceptedRow, AcceptedTable, AddressType } from '@portcullis/core/verify/accepts.ts'
import type { Way } from '@portcullis/core/verify/compose.ts'
import { writeProtocol, writeSources } from '@portcullis/core/verify/differenceText.ts'
import type { Finding } from '@portcullis/core/verify/findings.ts'
import type { Sources } from '@portcullis/core/verify/sources.ts'
import type { Service } from '@portcullis/core/verify/services.ts'
import type { Unknown } from '@portcullis/core/verify/linear.ts'
import { CT_STATES, type CtState, type Rule } from '@portcullis/core/ruleset/ruleset.ts'
import type { Cli } from '../cli.ts'
import { layTable, widthOf } from '../table.ts'
import { conditionWords } from './conditionWords.ts'
import { placeWords, ruleWords, WAYS } from './ruleWords.ts'
import { sourceWords, t, type Pen } from './words.ts'

export interface AcceptedWay {
  readonly way: Way
  /** Undefined: larger than the budget. */
  readonly table: AcceptedTable | undefined
}

/** A page and what it is drawn with. */
export type Page = Pen & Pick<Cli, 'columns'>

/** What is accepted, as an auditor would sign it; then what could not be told, and rules that do nothing. */
export function showAccepts(page: Page, ways: readonly AcceptedWay[], open: readonly Rule[], idle: readonly Finding[]): string {
  return `${[...ways.flatMap((way) => wayLines(page, way)), ...assumptionLines(page, ways), ...openRuleLines(page, ways, open), ...idleLines(page, idle)].join('\n').trimStart()}\n`
}

function wayLines(page: Page, { way, table }: AcceptedWay): string[] {
  const title = page.paint.bold(t(page, WAYS[way]))
  if (!table) return ['', title, `  ? ${t(page, { en: 'the analysis is larger than its budget', zh: '分析超出预算' })}`]
  if (table.rows.length === 0) return ['', title, `  ${page.paint.green(t(page, { en: 'nothing is accepted', zh: '不放行任何报文' }))}`]
  return ['', title, ...tableLines(page, table), `  ${page.paint.dim(t(page, table.isWhole ? REST : CUT))}`]
}

const REST = { en: 'all else is refused', zh: '其余一律拒绝' }
const CUT = { en: 'and more, which is not listed: the rules differ in too many places', zh: '另有未列出的放行内容：规则差异过多' }

// ───────────────────────────── the table ─────────────────────────────

const HEAD = {
  mark: { en: '', zh: '' },
  protocol: { en: 'PROTOCOL', zh: '协议' },
  ports: { en: 'PORTS', zh: '端口' },
  from: { en: 'FROM', zh: '来源' },
  to: { en: 'TO', zh: '目的' },
  in: { en: 'INTERFACE', zh: '接口' },
  out: { en: 'OUT', zh: '出接口' },
  state: { en: 'STATE', zh: '状态' },
} as const
type Column = keyof typeof HEAD
const COLUMNS = Object.keys(HEAD) as Column[]
/** Left out where every row says any. */
const OPTIONAL: ReadonlySet<Column> = new Set(['to', 'out'])

interface Line {
  readonly cells: Readonly<Record<Column, string>>
  readonly notes: readonly string[]
}

function tableLines(page: Page, table: AcceptedTable): string[] {
  const lines = table.rows.flatMap((row) => linesOf(page, table, row)).toSorted((a, b) => a.rank - b.rank)
  const any = anyWords(page)
  const columns = COLUMNS.filter((column) => !OPTIONAL.has(column) || lines.some(({ cells }) => cells[column] !== any))
  const head: Line = { cells: Object.fromEntries(COLUMNS.map((column) => [column, t(page, HEAD[column])])) as Line['cells'], notes: [] }
  const limit = LIMITS.find((most) => widthWith(page, [head, ...lines], columns, most) <= page.columns) ?? LIMITS.at(-1) ?? 0
  const blocks = [head, ...lines].map(({ cells }) => wrapped(columns.map((column) => broken(page, cells[column], limit))))
  const laid = layTable(blocks.flat(), '  ')
  let at = 0
  return blocks.flatMap((block, index) => {
    const own = laid.slice(at, (at += block.length)).map((text, line) => painted(page, text, index === 0 ? 'head' : line === 0 ? lines[index - 1]?.mark : undefined))
    const notes = lines[index - 1]?.notes ?? []
    return [...own, ...notes.flatMap((note) => broken(page, note, page.columns - NOTE_INDENT.length)).map((note) => NOTE_INDENT + page.paint.yellow(note))]
  })
}

const NOTE_INDENT = ' '.repeat(5)

/** Of cells, the widest first: what fits the page is taken. */
const LIMITS = [64, 48, 40, 32, 26, 22, 18, 14, 12, 10] as const

const widthWith = (page: Page, lines: readonly Line[], columns: readonly Column[], limit: number): number =>
  columns.reduce((sum, column) => sum + 2 + Math.max(...lines.flatMap(({ cells }) => broken(page, cells[column], limit).map(widthOf))), 0)

/** Text over as many lines as it needs, broken behind commas and blanks; in Chinese anywhere but before a punctuation mark. */
function broken(pen: Pen, text: string, limit: number): string[] {
  const lines: string[] = ['']
  for (const word of text.split(pen.language === 'zh' ? ZH_BREAKS : BREAKS)) {
    const last = lines.at(-1) ?? ''
    if (last !== '' && widthOf((last + word).trimEnd()) > limit) lines.push(word)
    else lines[lines.length - 1] = last + word
  }
  return lines.map((line) => line.trimEnd())
}

const BREAKS = /(?<=[, ])/
const ZH_BREAKS = /(?<=[, ])|(?<=[\p{Script=Han}，；：。）”])(?=[\p{Script=Han}（“])/u

const wrapped = (cells: readonly (readonly string[])[]): string[][] =>
  Array.from({ length: Math.max(...cells.map((cell) => cell.length)) }, (_, line) => cells.map((cell) => cell[line] ?? ''))

function painted({ paint }: Pen, text: string, mark: 'head' | AcceptedRow['verdict'] | undefined): string {
  if (mark === 'head') return paint.dim(text)
  if (mark === undefined) return text
  const sign = MARKS[mark]
  return text.replace(sign, mark === 'accepted' ? paint.green(sign) : paint.yellow(sign))
}

const MARKS: Readonly<Record<AcceptedRow['verdict'], string>> = { accepted: '✓', undecided: '?' }

interface RankedLine extends Line {
  readonly rank: number
  readonly mark: AcceptedRow['verdict']
}

/** A line for each service; one where all but a few are meant. */
function linesOf(page: Page, table: AcceptedTable, row: AcceptedRow): RankedLine[] {
  const common = {
    mark: MARKS[row.verdict],
    from: sourcesWords(page, row.sources),
    to: toWords(page, row),
    in: namesWords(page, row.interfaces, table.interfaces),
    out: namesWords(page, row.outInterfaces, table.interfaces),
    state: namesWords(page, STATES.filter((state) => row.states.includes(state)), STATES),
  }
  const line = (protocol: string, ports: string, first: number): RankedLine => ({ cells: { ...common, protocol, ports }, notes: notesOf(page, row), mark: row.verdict, rank: rankOf(row) * 1e6 + first })
  if (row.services.length === 0) return [line(anyWords(page), anyWords(page), 0)]
  if (row.exceptServices) return [line(anyWords(page), `${t(page, BUT)}${row.exceptServices.map((service) => oneWord(page, service)).join(' ')}`, 0)]
  return row.services.map((service) => line(allWords(page, service.protocols.map(writeProtocol)), portsWords(page, service), (service.protocols[0]?.first ?? 0) * 1000 + (service.ports[0]?.first ?? 0) / 100))
}

const BUT = { en: 'but ', zh: '除外：' }
const anyWords = (pen: Pen): string => t(pen, { en: 'any', zh: '任意' })

/** Known flows first, then what holds for loopback alone; the rest by service. */
function rankOf({ states, interfaces, verdict }: AcceptedRow): number {
  if (states.length > 0 && states.every((state) => state === 'established' || state === 'related')) return 0
  return interfaces.join() === 'lo' && verdict === 'accepted' ? 1 : 2
}

/** The order in which people read them. */
const STATES: readonly CtState[] = ['new', 'established', 'related', 'untracked', 'invalid'] satisfies (keyof typeof CT_STATES)[]

const allWords = (pen: Pen, list: readonly string[]): string => (list.length === 0 ? anyWords(pen) : list.join(','))

const portsWords = (pen: Pen, { ports, icmpTypes }: Service): string =>
  icmpTypes.length > 0 && ports.length === 0 ? `${t(pen, { en: 'type', zh: '类型' })} ${allWords(pen, icmpTypes.map(formatPortRange))}` : allWords(pen, ports.map(formatPortRange))

const oneWord = (pen: Pen, service: Service): string => {
  const protocols = allWords(pen, service.protocols.map(writeProtocol))
  return service.ports.length === 0 && service.icmpTypes.length === 0 ? protocols : `${protocols}/${portsWords(pen, service)}`
}

/** Those, or all but the others where these are fewer. */
function namesWords(pen: Pen, names: readonly string[], all: readonly string[]): string {
  if (names.length === 0 || names.length === all.length) return anyWords(pen)
  const others = all.filter((name) => !names.includes(name))
  return others.length < names.length && !others.includes('other') ? t(pen, { en: `any but ${others.join(',')}`, zh: `除 ${others.join(',')} 外` }) : names.map((name) => (name === 'other' ? t(pen, OTHER) : name)).join(',')
}

const OTHER = { en: 'other', zh: '其他' }

function toWords(pen: Pen, { destinations, destinationTypes }: AcceptedRow): string {
  const types = destinationTypes.length === 0 ? undefined : namesWords(pen, destinationTypes.map((type) => typeWords(pen, type)), ALL_TYPES.map((type) => typeWords(pen, type)))
  if (destinations.kind === 'any') return types ?? anyWords(pen)
  const { except, family } = writeSources(destinations)
  if (!except) return [sourcesWords(pen, destinations), ...(types ? [types] : [])].join(' ')
  return butWords(pen, [types ?? anyWords(pen), ...(family ? [`(IPv${family})`] : [])].join(' '), except)
}

/** All of them: nobody signs a list that is cut. */
function sourcesWords(pen: Pen, sources: Sources): string {
  const { prefixes, more, except, family } = writeSources(sources)
  if (sources.kind !== 'prefixes') return sourceWords(pen, prefixes)
  if (except) return butWords(pen, sourceWords(pen, family === 4 ? [ANY_IPV4] : family === 6 ? [ANY_IPV6] : [ANY_IPV4, ANY_IPV6]), except)
  return [...prefixes, ...(more > 0 ? [t(pen, { en: `and ${more} more`, zh: `另有 ${more} 个` })] : [])].join(' ')
}

const butWords = (pen: Pen, all: string, except: readonly string[]): string => t(pen, { en: `${all} but ${except.join(' ')}`, zh: `${all}（除 ${except.join(' ')}）` })

const ANY_IPV4 = '0.0.0.0/0'
const ANY_IPV6 = '::/0'

/** Those that packets of a host are seen with; the others are errors of routing. */
const ALL_TYPES: readonly AddressType[] = ['unicast', 'local', 'broadcast', 'anycast', 'multicast', 'unspec', 'blackhole', 'unreachable', 'prohibit', 'throw', 'nat', 'xresolve']
const TYPE_WORDS: Partial<Record<AddressType, { readonly en: string; readonly zh: string }>> = { local: { en: 'this host', zh: '本机' }, unicast: { en: 'another host', zh: '其他主机' } }
const typeWords = (pen: Pen, type: AddressType): string => (TYPE_WORDS[type] ? t(pen, TYPE_WORDS[type]) : type)

function notesOf(pen: Pen, { conditions, verdict, because }: AcceptedRow): string[] {
  const only = conditions.length === 0 ? [] : [t(pen, { en: `only with ${conditions.map((each) => conditionWords(pen, each)).join('; ')}`, zh: `仅限：${conditions.map((each) => conditionWords(pen, each)).join('；')}` })]
  if (verdict === 'accepted') return only
  const questions = [...Map.groupBy(because, ({ what }) => what)].map(([what, all]) => `${what} (${all.flatMap(({ rule }) => (rule ? [placeWords(rule.source)] : [])).join(', ')})`)
  const shown = questions.slice(0, QUESTIONS_SHOWN_MAX).join(', ') + (questions.length > QUESTIONS_SHOWN_MAX ? ` +${questions.length - QUESTIONS_SHOWN_MAX}` : '')
  return [...only, t(pen, { en: `undecided${shown && `: ${shown}`}`, zh: `无法判定${shown && `：${shown}`}` })]
}

const unknownWords = ({ what, rule }: Unknown): string => `${what}${rule ? ` (${placeWords(rule.source)})` : ''}`

const QUESTIONS_SHOWN_MAX = 3

// ───────────────────────────── below the tables ─────────────────────────────

/** What holds for all rows, and what --facts would settle: once. */
function assumptionLines(page: Page, ways: readonly AcceptedWay[]): string[] {
  const tables = ways.flatMap(({ table }) => table ?? [])
  const assumptions = tables.flatMap(({ assuming }) => assuming)
  const isTyped = tables.some(({ rows }) => rows.some(({ destinationTypes }) => destinationTypes.length > 0))
  const questions = new Set(assumptions.flatMap((each) => (each.kind === 'no match' ? [unknownWords(each.unknown)] : [])))
  return [
    ...(assumptions.some(({ kind }) => kind === 'route') ? [t(page, ROUTED)] : []),
    ...[...questions].map((question) => t(page, { en: `The rules refuse what answers to “${question}”, which is outside the model. The tables are of packets that do not; of others no more is accepted.`, zh: `规则会拒绝匹配“${question}”的报文，该匹配在模型之外。上表针对不匹配的报文，其余报文不会放行更多。` })),
    ...(isTyped ? [t(page, TYPED)] : []),
  ].flatMap((text) => ['', ...broken(page, text, page.columns).map((line) => page.paint.yellow(line))])
}

const ROUTED = {
  en: 'The rules check the way back to the source. The tables are of packets that pass this check; of others no more is accepted. --facts FILE tells which addresses pass by which interface.',
  zh: '规则会检查返回来源的路由。上表针对通过该检查的报文，其余报文不会放行更多。用 --facts FILE 可判定哪些地址经由哪个接口通过检查。',
}
const TYPED = {
  en: '“This host” is what the routes say of the address as the packet arrives: --facts FILE tells which addresses these are.',
  zh: '“本机”指报文到达时路由判定为本机的地址：--facts FILE 可判定是哪些地址。',
}

/** Rows tell what they depend on, unless there was too much to tell apart. */
function openRuleLines(pen: Pen, ways: readonly AcceptedWay[], open: readonly Rule[]): string[] {
  const isUntold = ways.some(({ table }) => table?.rows.some(({ verdict, because }) => verdict === 'undecided' && because.length === 0))
  if (!isUntold || open.length === 0) return []
  const title = t(pen, { en: 'Undecided because of what some of these rules ask:', zh: '无法判定的原因在于以下部分规则：' })
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
