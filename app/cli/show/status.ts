import type { Text } from '@portcullis/core/fault/fault.ts'
import type { HostStatus } from '@portcullis/engine/status.ts'
import { layTable } from '../table.ts'
import { faultLines } from './faults.ts'
import { shortId, t, timeWords, type Pen } from './words.ts'

export function showStatus(pen: Pen, statuses: readonly HostStatus[]): string {
  const [head = '', ...table] = layTable([HEAD.map((text) => pen.paint.dim(t(pen, text))), ...statuses.map((one) => statusRow(pen, one))])
  const lines = statuses.flatMap((one, index) => [table[index] ?? '', ...faultLines(pen, one.faults, '  ')])
  return `${[head, ...lines].join('\n')}\n`
}

const HEAD: readonly Text[] = [
  { en: 'HOST', zh: '主机' },
  { en: 'STATE', zh: '状态' },
  { en: 'GEN', zh: '代次' },
  { en: 'MODE', zh: '模式' },
  { en: 'PLAN', zh: '计划' },
  { en: 'CONFIRMED', zh: '确认时间' },
  { en: 'FACTS', zh: '最近观测' },
]

const STATES: Readonly<Record<HostStatus['kind'], readonly [keyof Pen['paint'], Text]>> = {
  confirmed: ['green', { en: 'confirmed', zh: '已确认' }],
  unmanaged: ['dim', { en: 'unmanaged', zh: '未接管' }],
  foreign: ['yellow', { en: 'foreign', zh: '他方' }],
  unread: ['red', { en: 'unread', zh: '无法读取' }],
}

const MODES: Readonly<Record<string, Text>> = { enforce: { en: 'enforce', zh: '强制' }, observe: { en: 'observe', zh: '观察' } }

function statusRow(pen: Pen, status: HostStatus): string[] {
  const [colour, words] = STATES[status.kind]
  const armed = status.armedSeconds === undefined ? '' : t(pen, { en: ` (reverts in ${status.armedSeconds} s)`, zh: `（${status.armedSeconds} 秒后回退）` })
  return [
    pen.paint.bold(status.host),
    pen.paint[colour](t(pen, words)) + pen.paint.yellow(armed),
    status.generation === 0 ? '-' : String(status.generation),
    status.mode === undefined ? '-' : t(pen, MODES[status.mode] ?? { en: status.mode, zh: status.mode }),
    status.plan === undefined ? '-' : shortId(status.plan),
    status.confirmedAt === undefined ? '-' : timeWords(status.confirmedAt),
    status.factsAt === undefined ? '-' : timeWords(status.factsAt),
  ]
}
