import type { Text } from '@portcullis/core/fault/fault.ts'
import type { Contradiction } from '@portcullis/core/inventory/contradiction.ts'
import type { Listener } from '@portcullis/core/inventory/listening.ts'
import type { AddressClass, MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import { formatPortRange } from '@portcullis/core/net/port.ts'
import { CONTRADICTION_WORDS } from '../../report/contradictionWords.ts'
import { cutTo } from '../livePage.ts'
import { fitTable, type FitColumn } from '../fitTable.ts'
import { widthOf } from '../table.ts'
import { count, t, type Pen } from './words.ts'

export interface MatrixView {
  readonly columns: number
  /** A line for each zone, and nothing is cut. */
  readonly isWide: boolean
  readonly now: number
  /** Rows that there are and that were not asked for. */
  readonly unwanted: number
}

/**
 * The matrix for a terminal: an endpoint and zone a line. Address families and zones of which all is the same stand together; columns of which
 * nothing is known are left out.
 */
export function showMatrix(pen: Pen, rows: readonly MatrixRow[], { isWide, now, columns, unwanted }: MatrixView): string {
  const width = isWide ? Infinity : columns
  if (rows.length === 0 && unwanted > 0) return `${t(pen, { en: `None of the ${unwanted} rows is like that.`, zh: `${unwanted} 行中没有符合条件的。` })}\n`
  if (rows.length === 0) return `${t(pen, { en: 'No endpoint. Has portcullis observe been run?', zh: '没有端点。是否已运行 portcullis observe？' })}\n`
  const joined = joinFamilies(pen, rows, { now, isNarrow: width < NARROW_COLUMNS })
  const lines = isWide ? joined : joinZones(pen, joined)
  const isByHost = lines.filter(({ row }, index) => lines[index - 1]?.row.host !== row.host).length === new Set(lines.map(({ row }) => row.host)).size
  const cells = lines.map((line, index) => cellsOf(pen, line, lines[index - 1], isByHost))
  const notes = lines.map(({ row }) => row.contradictions.map((each) => noteWords(pen, each)).join(t(pen, { en: ', ', zh: '、' })))
  // A note beneath takes a line, and beside it takes from all others what they say.
  const isBeside = naturalWidth([HEAD.map((text) => t(pen, text)), ...cells.map((line, index) => [...line, notes[index] ?? ''])]) <= width
  const head = HEAD.slice(0, isBeside ? undefined : -1).map((text) => pen.paint.dim(t(pen, text)))
  if (isByHost) head[0] = ''
  const table = fitTable([dropUnused(head, cells), ...cells.map((line, index) => (isBeside ? [...line, pen.paint.yellow(notes[index] ?? '')] : line))], COLUMNS, width)
  const [titles = '', ...body] = table.lines
  const shown = [titles, ...body.flatMap((line, index) => [...hostLine(pen, lines, index, isByHost), line, ...(isBeside ? [] : notesBeneath(pen, lines, index, width))])]
  return `${[...shown, '', ...summary(pen, rows, table.isCut || shown.some((line) => line.includes('…')))].join('\n')}\n`
}

const HEAD: readonly Text[] = [
  { en: 'HOST', zh: '主机' },
  { en: 'ENDPOINT', zh: '端点' },
  { en: 'LISTENER', zh: '监听' },
  { en: 'ZONE', zh: '区域' },
  { en: 'REACH', zh: '可达' },
  { en: 'USED', zh: '使用' },
  { en: 'NEED', zh: '业务需求' },
  { en: 'ANSWERS', zh: '指纹' },
  { en: 'DOCUMENTED', zh: '登记' },
  { en: 'NOTE', zh: '备注' },
]
const COLUMNS: readonly FitColumn[] = [{ least: 10 }, {}, { least: 10 }, { least: 8 }, {}, { least: 14, isLast: true }, { least: 8 }, { least: 8 }, { least: 8 }, {}]
const NOTE_INDENT = 4

/** A title does not keep alive a column in which nothing stands. */
const dropUnused = (head: readonly string[], cells: readonly (readonly string[])[]): string[] => head.map((title, index) => (index === head.length - 1 && index === HEAD.length - 1) || cells.some((line) => (line[index] ?? '') !== '') ? title : '')

const naturalWidth = (rows: readonly (readonly string[])[]): number => {
  const widths = COLUMNS.map((_, index) => Math.max(0, ...rows.slice(1).map((row) => widthOf(row[index] ?? ''))))
  return widths.reduce((sum, width, index) => sum + (width === 0 ? 0 : Math.max(width, widthOf(rows[0]?.[index] ?? '')) + 2), -2)
}

/** Below, the sources of use have no room. */
const NARROW_COLUMNS = 100

interface UseView {
  readonly now: number
  readonly isNarrow: boolean
}

interface Line {
  readonly row: MatrixRow
  /** `v4+6` where both families say the same. */
  readonly family: string
  readonly said: readonly string[]
}

const FAMILIES: Readonly<Record<AddressClass, string>> = { ipv4: 'v4', ipv6: 'v6', loopback: 'lo', namespace: 'ns' }

/** A row of IPv6 is told with that of IPv4 where all that is shown of them is the same. */
function joinFamilies(pen: Pen, rows: readonly MatrixRow[], use: UseView): Line[] {
  const lines = new Map<string, Line>()
  for (const row of rows) {
    const line = { row, family: FAMILIES[row.addressClass], said: saidOf(pen, row, use) }
    const key = `${row.host} ${row.protocol} ${row.port} ${row.zone}`
    const other = lines.get(`${key} v4`)
    const isSame = row.addressClass === 'ipv6' && other?.said.join('\0') === line.said.join('\0') && kinds(other.row) === kinds(row)
    if (isSame && other) lines.set(`${key} v4`, { ...other, family: 'v4+6' })
    else lines.set(`${key} ${line.family}`, line)
  }
  return keepTogether([...lines.values()])
}

/** Zones named one by one beside the one that takes the rest. */
const REST_ZONES_MIN = 3

/** Zones of one endpoint of which the same is to be said stand in one line; the many are called every other zone. */
function joinZones(pen: Pen, lines: readonly Line[]): Line[] {
  const totals = Map.groupBy(lines, ({ row }) => nameOf(row))
  const key = runKey(lines, ({ row, family }) => `${nameOf(row)} ${family}`)
  return [...Map.groupBy(lines, key).values()].flatMap((run) => {
    const groups = [...Map.groupBy(run, ({ row, said }) => [...said.slice(0, 1), ...said.slice(2), kinds(row)].join('\0')).values()]
    const rest = groups.reduce((most, group) => (group.length > most.length ? group : most), groups[0] ?? [])
    const isRest = rest.length >= REST_ZONES_MIN
    return [...groups.filter((group) => group !== rest), rest].flatMap((group) => {
      const [first] = group
      const zones = group.map(({ row }) => row.zone)
      const isAll = first !== undefined && group.length === totals.get(nameOf(first.row))?.length
      const name = group !== rest || !isRest ? zones.join(' ') : isAll ? t(pen, { en: `all ${zones.length} zones`, zh: `全部 ${zones.length} 个区域` }) : t(pen, { en: `${zones.length} others`, zh: `其余 ${zones.length} 个` })
      return first ? [{ ...first, said: first.said.with(1, name) }] : []
    })
  })
}

/** Of one endpoint, a family after the other, and what both families share at the end. */
const keepTogether = (lines: readonly Line[]): Line[] => [...Map.groupBy(lines, runKey(lines, ({ row }) => nameOf(row))).values()].flatMap((run) => run.toSorted((a, b) => order(a) - order(b)))

const order = ({ family }: Line): number => ['v4', 'v6', 'v4+6', 'lo', 'ns'].indexOf(family)

/** Lines of one name that follow each other have the same key; under another order of rows they are apart, and stay so. */
function runKey(lines: readonly Line[], name: (line: Line) => string): (line: Line) => number {
  const keys = new Map<Line, number>()
  let run = 0
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1]
    if (before === undefined || name(before) !== name(line)) run += 1
    keys.set(line, run)
  }
  return (line) => keys.get(line) ?? 0
}

const kinds = (row: MatrixRow): string => row.contradictions.map(({ kind }) => kind).join(' ')
const nameOf = ({ host, protocol, port }: MatrixRow): string => `${host} ${protocol}/${port}`

const saidOf = (pen: Pen, row: MatrixRow, use: UseView): string[] => [
  listenerWords(pen, row),
  row.zone,
  reachWords(pen, row),
  usedWords(pen, row, use),
  needWords(pen, row),
  row.fingerprint ?? '',
  documentedWords(pen, row),
]

function cellsOf(pen: Pen, { row, family, said }: Line, above: Line | undefined, isByHost: boolean): string[] {
  const isSame = above !== undefined && nameOf(above.row) === nameOf(row) && above.family === family
  const [listener = '', zone = '', reach = '', used = '', need = '', fingerprint = '', documented = ''] = said
  const host = isByHost ? '' : isSame ? '' : pen.paint.bold(row.host)
  // What is of the endpoint and not of the zone is said once.
  return [host, isSame ? '' : `${row.protocol}/${row.port} ${pen.paint.dim(family)}`, isSame ? '' : listener, zone, reach, used, need, isSame ? '' : fingerprint, isSame ? '' : documented]
}

/** After the last line of an endpoint: what does not fit together, and as seen from where. */
function notesBeneath(pen: Pen, lines: readonly Line[], index: number, width: number): string[] {
  const last = lines[index]
  const keyOf = ({ row, family }: Line): string => `${nameOf(row)} ${family}`
  if (!last || (lines[index + 1] !== undefined && keyOf(lines[index + 1] as Line) === keyOf(last))) return []
  let first = index
  while (first > 0 && keyOf(lines[first - 1] as Line) === keyOf(last)) first -= 1
  const zones = new Map<string, string[]>()
  for (const { row, said } of lines.slice(first, index + 1)) {
    for (const each of row.contradictions) zones.set(noteWords(pen, each), [...(zones.get(noteWords(pen, each)) ?? []), said[1] ?? ''])
  }
  return [...zones].map(([note, from]) => pen.paint.yellow(cutTo(`${' '.repeat(NOTE_INDENT)}! ${note}${t(pen, { en: ': ', zh: '：' })}${from.join(', ')}`, width)))
}

function hostLine(pen: Pen, lines: readonly Line[], index: number, isByHost: boolean): string[] {
  const host = lines[index]?.row.host ?? ''
  return isByHost && lines[index - 1]?.row.host !== host ? [pen.paint.bold(host)] : []
}

function listenerWords(pen: Pen, row: MatrixRow): string {
  const published = row.published.map(({ ports, target, holder }) => `${formatPortRange(ports)} → ${holder ?? target}`).join(', ')
  if (published !== '') return published
  if (row.listening.kind === 'absent') return pen.paint.dim(t(pen, { en: 'nothing', zh: '无' }))
  if (row.listening.kind === 'unknown') return pen.paint.yellow(t(pen, { en: 'unknown', zh: '未知' }))
  const names = [...new Set(row.listening.listeners.map((listener) => listenerName(pen, listener)))].join(', ')
  return row.listening.kind === 'gone' ? pen.paint.dim(`${names} (${t(pen, { en: 'gone', zh: '已消失' })})`) : names
}

function listenerName(pen: Pen, listener: Listener): string {
  const { process, unit, program, activatedBy, namespace, isEphemeral } = listener
  const name = process ?? unit ?? program ?? '?'
  const about = [
    activatedBy ?? (program !== undefined && program !== name ? program : undefined),
    namespace === undefined ? undefined : t(pen, { en: `in ${namespace}`, zh: `位于 ${namespace}` }),
    listener.package === 'none' ? t(pen, { en: 'no package', zh: '不属于任何软件包' }) : undefined,
    isEphemeral ? t(pen, { en: 'ephemeral', zh: '临时端口' }) : undefined,
  ].filter((word) => word !== undefined)
  return about.length === 0 ? name : `${name} (${about.join(', ')})`
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

const UNKNOWN_USE: Readonly<Record<'not watched' | 'evidence lost' | 'sources unknown', Text>> = {
  'not watched': { en: 'unknown', zh: '未知' },
  'evidence lost': { en: 'unknown: evidence lost', zh: '未知：证据有丢失' },
  'sources unknown': { en: 'by somebody', zh: '有使用，来源未知' },
}

/** What use there was, and what only looked like it. */
function usedWords(pen: Pen, row: MatrixRow, view: UseView): string {
  const { scanners } = row
  if (scanners === undefined) return useWords(pen, row, view)
  return `${useWords(pen, row, view)} ${pen.paint.dim(t(pen, { en: `(scanner ${scanners.connections}×)`, zh: `（扫描 ${scanners.connections}×）` }))}`
}

/** Who, how often, and when last. */
function useWords(pen: Pen, { used, usedByUnknown }: MatrixRow, { now, isNarrow }: UseView): string {
  if (used.kind === 'unused' && isNarrow) return t(pen, { en: 'unused', zh: '未使用' })
  if (used.kind === 'unused') return t(pen, { en: `unused since ${shortTime(used.since, now)}`, zh: `自 ${shortTime(used.since, now)} 未使用` })
  if (used.kind === 'unknown' && used.because === 'sources unknown' && usedByUnknown) return pen.paint.yellow(`${t(pen, UNKNOWN_USE[used.because])} (${usedByUnknown.because.join(', ')}) ${shortTime(usedByUnknown.lastSeen, now)}`)
  if (used.kind === 'unknown') return pen.paint.dim(t(pen, UNKNOWN_USE[used.because]))
  const [first] = used.sources
  const more = used.sourceCount - 1
  if (isNarrow) return `${used.connections}× … ${pen.paint.dim(shortTime(used.lastSeen, now))}`
  return `${used.connections}× ${first ? formatAddress(first.source) : ''}${more > 0 ? ` +${more}` : ''} ${pen.paint.dim(shortTime(used.lastSeen, now))}`
}

/** The hour of today, the day of this year, else the whole date; local. */
function shortTime(instant: number, now: number): string {
  const [date, today] = [new Date(instant), new Date(now)]
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`
  if (date.getFullYear() !== today.getFullYear()) return `${date.getFullYear()}-${day}`
  return date.toDateString() === today.toDateString() ? `${two(date.getHours())}:${two(date.getMinutes())}` : day
}

const needWords = (pen: Pen, { needs }: MatrixRow): string =>
  needs === undefined ? '' : needs.map(({ id, covers }) => (covers === 'all' ? id : `${id}*`)).join(' ') || pen.paint.dim('-')

function documentedWords(pen: Pen, { documented }: MatrixRow): string {
  if (documented === undefined) return ''
  return documented.map(({ name }) => name).join(', ') || pen.paint.yellow(t(pen, { en: 'not', zh: '未登记' }))
}

function noteWords(pen: Pen, contradiction: Contradiction): string {
  const name = pen.language === 'zh' ? CONTRADICTION_WORDS[contradiction.kind].title.zh : contradiction.kind
  return contradiction.kind === 'probes-disagree' ? `${name} (${contradiction.says.map(({ sensor, state }) => `${sensor} ${state}`).join(', ')})` : name
}

function summary(pen: Pen, rows: readonly MatrixRow[], isCut: boolean): string[] {
  const amount = (isIt: (row: MatrixRow) => boolean): number => new Set(rows.filter(isIt).map(nameOf)).size
  const [endpoints, odd] = [amount(() => true), amount((row) => row.contradictions.length > 0)]
  const unknown = (because: 'not watched' | 'evidence lost' | 'sources unknown'): number => amount((row) => row.used.kind === 'unknown' && row.used.because === because && row.zone !== 'itself')
  const [unwatched, lost, sourceless] = [unknown('not watched'), unknown('evidence lost'), unknown('sources unknown')]
  const knocked = amount((row) => row.scanners !== undefined)
  const words = [
    count(pen, endpoints, 'endpoint', '个端点'),
    count(pen, rows.length, 'row', '行'),
    ...(odd > 0 ? [pen.paint.yellow(t(pen, { en: `${count(pen, odd, 'endpoint', '')} with contradictions`, zh: `${odd} 个端点存在矛盾` }))] : []),
    ...(unwatched > 0 ? [t(pen, { en: `use of ${unwatched} not watched`, zh: `${unwatched} 个端点的使用未观测` })] : []),
    ...(lost > 0 ? [pen.paint.yellow(t(pen, { en: `evidence of ${lost} lost`, zh: `${lost} 个端点的证据有丢失` }))] : []),
    ...(sourceless > 0 ? [t(pen, { en: `${sourceless} used by unknown sources`, zh: `${sourceless} 个端点由未知来源使用` })] : []),
    ...(knocked > 0 ? [t(pen, { en: `scanners knocked at ${knocked}`, zh: `${knocked} 个端点被扫描` })] : []),
  ]
  const cut = t(pen, { en: '… is cut: --wide, --csv and --json have all of it', zh: '… 表示已截断：--wide、--csv、--json 可查看全部' })
  return [words.join(t(pen, { en: ', ', zh: '，' })), ...(isCut ? [pen.paint.dim(cut)] : [])]
}
