import { SKIP_REASONS } from '@portcullis/adapters/import/skipReason.ts'
import type { ImportResult } from '@portcullis/adapters/import/importStream.ts'
import { describeFault, type Text } from '@portcullis/core/fault/fault.ts'
import { formatInstant } from '@portcullis/core/inventory/matrixText.ts'
import { layTable } from '../table.ts'
import { count, t, timeWords, type Pen } from './words.ts'

export interface ImportOutcome {
  readonly result: ImportResult
  readonly isStored: boolean
  /** When the same file was taken over; nothing was stored now. */
  readonly importedBefore?: number
}

export function importJson({ result, isStored, importedBefore }: ImportOutcome): unknown {
  const { oldest, newest, ...rest } = result
  return {
    format: 'portcullis-import',
    version: 1,
    source: rest.format,
    isStored,
    ...(importedBefore === undefined ? {} : { importedBefore: formatInstant(importedBefore) }),
    digest: rest.digest,
    records: rest.records,
    observations: rest.observations,
    hosts: rest.hosts,
    states: rest.states,
    directions: rest.directions,
    ...(oldest === undefined || newest === undefined ? {} : { oldest: formatInstant(oldest), newest: formatInstant(newest) }),
    skipped: rest.skipped,
    faults: rest.faults,
  }
}

/** What was taken over, what was not, and why. */
export function showImport(pen: Pen, { result, isStored, importedBefore }: ImportOutcome, { isFromKnown }: { isFromKnown: boolean }): string {
  const lines = [headline(pen, result), ...spanLine(result), ...stateLine(pen, result), ...directionLine(pen, result), ...skippedLines(pen, result)]
  for (const fault of result.faults) lines.push(`  ${pen.paint.yellow(describeFault(fault, pen.language))}`)
  if (importedBefore !== undefined) lines.push(pen.paint.yellow(t(pen, { en: `this file was imported on ${timeWords(importedBefore)}: nothing is added (--again adds it once more)`, zh: `该文件已于 ${timeWords(importedBefore)} 导入：未重复添加（--again 可再次添加）` })))
  else if (!isStored) lines.push(pen.paint.dim(t(pen, { en: 'nothing was stored: a dry run', zh: '试运行：未保存' })))
  if (!isFromKnown && Object.keys(result.states).length > 0) lines.push(pen.paint.dim(t(pen, { en: `the file does not say where the scan stood: its zone is called ${result.format}; --from ZONE says it`, zh: `文件未说明扫描发起位置：区域记为 ${result.format}；可用 --from 指定` })))
  return `${lines.join('\n')}\n`
}

function headline(pen: Pen, { format, records, observations, hosts }: ImportResult): string {
  const [read, made, of] = [count(pen, records, 'record', '条记录'), count(pen, observations, 'observation', '条观测'), count(pen, hosts, 'host', '台主机')]
  return t(pen, { en: `${pen.paint.bold(format)}  ${read} → ${made} of ${of}`, zh: `${pen.paint.bold(format)}  ${read} → ${made}，涉及 ${of}` })
}

function spanLine({ oldest, newest }: ImportResult): string[] {
  if (oldest === undefined || newest === undefined) return []
  const [first, last] = [timeWords(oldest), timeWords(newest)]
  return [`  ${first === last ? first : `${first} – ${last}`}`]
}

const stateLine = (pen: Pen, { states }: ImportResult): string[] => {
  const words = Object.entries(states).map(([state, amount]) => `${amount} ${STATE_WORDS[state]?.[pen.language] ?? state}`)
  return words.length === 0 ? [] : [`  ${words.join(', ')}`]
}

const STATE_WORDS: Readonly<Record<string, Text>> = {
  open: { en: 'open', zh: '开放' },
  closed: { en: 'closed', zh: '关闭' },
  filtered: { en: 'filtered', zh: '被过滤' },
  'open|filtered': { en: 'open or filtered', zh: '开放或被过滤' },
}

/** Said only where the log left something to be guessed. */
function directionLine(pen: Pen, { directions }: ImportResult): string[] {
  const words = DIRECTION_WORDS.flatMap(([word, text]) => (directions[word] === 0 ? [] : [t(pen, { en: `${directions[word]} ${text.en}`, zh: `${text.zh} ${directions[word]}` })]))
  const isAllTold = words.length === (directions.told === 0 ? 0 : 1)
  return isAllTold ? [] : [`  ${t(pen, { en: `who is the server: ${words.join(', ')}`, zh: `服务端判定：${words.join('，')}` })}`]
}

const DIRECTION_WORDS: readonly (readonly [keyof ImportResult['directions'], Text])[] = [
  ['told', { en: 'told by the log', zh: '日志注明' }],
  ['known', { en: 'by listeners and needs', zh: '按监听与业务需求' }],
  ['guessed', { en: 'by port numbers', zh: '按端口号推断' }],
  ['inferred', { en: 'by the other records', zh: '按其他记录推断' }],
  ['unknown', { en: 'unknown (the destination counts)', zh: '未知（以目的端计）' }],
]

function skippedLines(pen: Pen, { skipped }: ImportResult): string[] {
  if (skipped.length === 0) return []
  const rows = skipped.map(({ reason, count: amount, first, examples }) => [
    String(amount),
    t(pen, SKIP_REASONS[reason]) + (examples.length === 0 ? '' : ` (${examples.join(', ')})`),
    pen.paint.dim(`${first.file}:${first.line}:${first.column}`),
  ])
  return [`  ${t(pen, { en: 'not taken over:', zh: '未导入：' })}`, ...layTable(rows, '    ')]
}
