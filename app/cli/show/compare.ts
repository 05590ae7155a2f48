import type { Change, Comparison } from '@portcullis/core/verify/compare.ts'
import type { Way } from '@portcullis/core/verify/compose.ts'
import { writeDifference, type DifferenceText } from '@portcullis/core/verify/differenceText.ts'
import { fromWords, serviceWords, WAYS } from './ruleWords.ts'
import { count, t, type Pen } from './words.ts'

export interface ComparedWay {
  readonly way: Way
  readonly comparison: Comparison
}

/** Equal, or what differs: by service, then by source, each with a packet. */
export function showComparison(pen: Pen, names: readonly [string, string], ways: readonly ComparedWay[], openLines: readonly string[]): string {
  const isOpen = openLines.length > 0
  const lines = [headline(pen, names, ways, isOpen), ...ways.flatMap((each) => wayLines(pen, each)), ...openLines, ...replayLine(pen, ways)]
  return `${lines.join('\n')}\n`
}

function headline(pen: Pen, [a, b]: readonly [string, string], ways: readonly ComparedWay[], isOpen: boolean): string {
  const names = `${a} → ${b}`
  if (ways.some(({ comparison }) => comparison.kind === 'different')) return `${pen.paint.red(t(pen, { en: 'different', zh: '不一致' }))}  ${names}`
  if (isOpen || ways.some(({ comparison }) => comparison.kind === 'undecided')) return `${pen.paint.yellow(t(pen, { en: 'undecided', zh: '无法判定' }))}  ${names}`
  return `${pen.paint.green(t(pen, { en: 'equal', zh: '等价' }))}  ${names}`
}

function wayLines(pen: Pen, { way, comparison }: ComparedWay): string[] {
  return ['', pen.paint.bold(t(pen, WAYS[way])), ...comparisonLines(pen, comparison)]
}

export function comparisonLines(pen: Pen, comparison: Comparison): string[] {
  if (comparison.kind === 'undecided') return [`  ? ${t(pen, { en: 'the analysis is larger than its budget', zh: '分析超出预算' })}`]
  if (comparison.kind === 'equal') return [`  = ${t(pen, comparison.isOpen ? EQUAL_BUT_OPEN : EQUAL)}`]
  const more = comparison.more === 0 ? [] : [pen.paint.dim(`  ${t(pen, { en: `and ${comparison.more} more differences`, zh: `另有 ${comparison.more} 处差异` })}`)]
  return [...differenceLines(pen, comparison.differences.map(writeDifference)), ...more]
}

const EQUAL = { en: 'every packet meets the same', zh: '每个报文的结果都相同' }
const EQUAL_BUT_OPEN = { en: 'every packet meets the same, or the same unknown matches decide', zh: '每个报文的结果都相同，或由相同的未知匹配决定' }

const CHANGES: Readonly<Record<Change, readonly [mark: string, paint: keyof Pen['paint'], en: string, zh: string]>> = {
  opens: ['+', 'yellow', 'opens', '放行'],
  closes: ['−', 'red', 'closes', '关闭'],
  'refuses-otherwise': ['~', 'cyan', 'refuses otherwise', '拒绝方式不同'],
  'less-certain': ['?', 'yellow', 'is no longer certain', '不再确定'],
  'more-certain': ['!', 'cyan', 'is certain now', '变为确定'],
}

export function differenceLines(pen: Pen, differences: readonly DifferenceText[]): string[] {
  return differences.flatMap((difference) => {
    const [mark, colour, en, zh] = CHANGES[difference.change]
    const what = serviceWords(pen, difference.protocols, difference.ports)
    const from = `${t(pen, { en: 'from', zh: '来源' })} ${fromWords(pen, difference.sources)}`
    const assuming = difference.assuming.length === 0 ? '' : `  ${t(pen, { en: 'assuming', zh: '假设' })} ${difference.assuming.join(', ')}`
    const or = t(pen, { en: ' or ', zh: ' 或 ' })
    return [
      `  ${pen.paint[colour](`${mark} ${t(pen, { en, zh })}`)}  ${pen.paint.bold(what)}  ${from}`,
      `      ${difference.packet}`,
      `      ${difference.before.join(or)} → ${difference.after.join(or)}${assuming}`,
    ]
  })
}

function replayLine(pen: Pen, ways: readonly ComparedWay[]): string[] {
  const amount = ways.reduce((sum, { comparison }) => sum + (comparison.kind === 'different' ? comparison.differences.length : 0), 0)
  if (amount === 0) return []
  const packets = count(pen, amount, 'packet', '个报文')
  return ['', pen.paint.dim(t(pen, { en: `${packets} taken through the second evaluator, rule by rule: it says the same.`, zh: `${packets}已由第二个求值器逐条规则复核，结果一致。` }))]
}
