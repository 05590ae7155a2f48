import type { Text } from '@portcullis/core/fault/fault.ts'
import type { ApplyReport } from '@portcullis/engine/apply.ts'
import type { HostOutcome } from '@portcullis/engine/confirmedApply.ts'
import { layTable } from '../table.ts'
import { faultLines } from './faults.ts'
import { flowWords } from './flows.ts'
import { count, shortId, stepWord, t, type Pen } from './words.ts'

export function showApply(pen: Pen, report: ApplyReport): string {
  const rows = report.hosts.map((outcome) => outcomeRow(pen, outcome))
  const table = layTable(rows)
  const lines = report.hosts.flatMap((outcome, index) => [table[index] ?? '', ...flowLines(pen, outcome), ...faultLines(pen, outcome.faults, '  ')])
  const confirmed = report.hosts.filter((outcome) => outcome.kind === 'confirmed').length
  const total = count(pen, report.hosts.length, 'host', '台主机')
  const paint = confirmed === report.hosts.length ? pen.paint.green : pen.paint.yellow
  const summary = t(pen, { en: `${confirmed} of ${total} confirmed`, zh: `${total}中 ${confirmed} 台已确认` })
  return `${[...lines, '', `${paint(summary)} · ${t(pen, { en: 'plan', zh: '计划' })} ${shortId(report.plan)}`].join('\n')}\n`
}

function flowLines(pen: Pen, { flows }: HostOutcome): string[] {
  return flows === undefined ? [] : [`  ${flowWords(pen, flows)}`]
}

const KINDS: Readonly<Record<HostOutcome['kind'], readonly [mark: string, paint: keyof Pen['paint'], text: Text]>> = {
  confirmed: ['✓', 'green', { en: 'confirmed', zh: '已确认' }],
  refused: ['✗', 'red', { en: 'left as it was', zh: '保持原样' }],
  reverted: ['↶', 'red', { en: 'put back', zh: '已回退' }],
  reverting: ['↶', 'red', { en: 'puts itself back', zh: '将自动回退' }],
  unknown: ['?', 'yellow', { en: 'not known', zh: '结果未知' }],
}

function outcomeRow(pen: Pen, { kind, host, generation, step, swapUs }: HostOutcome): string[] {
  const [mark, colour, words] = KINDS[kind]
  const told = [pen.paint[colour](mark), pen.paint.bold(host), pen.paint[colour](t(pen, words))]
  if (kind !== 'confirmed') return [...told, `${t(pen, { en: 'at', zh: '止于' })} ${stepWord(pen, step)}`]
  const swap = swapUs === undefined ? '' : `${t(pen, { en: 'swapped in', zh: '切换用时' })} ${swapUs < 10_000 ? '< 10' : (swapUs / 1000).toFixed(0)} ms`
  return [...told, `${t(pen, { en: 'generation', zh: '代次' })} ${generation}`, pen.paint.dim(swap)]
}
