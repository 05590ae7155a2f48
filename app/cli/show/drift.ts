import type { Text } from '@portcullis/core/fault/fault.ts'
import type { TableChange } from '@portcullis/core/verify/tableDigest.ts'
import type { HostDrift } from '@portcullis/engine/drift.ts'
import { layTable } from '../table.ts'
import { faultLines } from './faults.ts'
import { counterexampleLines, refusalLines } from './verify.ts'
import { t, type Pen } from './words.ts'

export function showDrift(pen: Pen, drifts: readonly HostDrift[]): string {
  const table = layTable(drifts.map((one) => driftRow(pen, one)))
  return drifts.flatMap((one, index) => [table[index] ?? '', ...detailLines(pen, one)].map((line) => `${line}\n`)).join('')
}

const KINDS: Readonly<Record<HostDrift['kind'], readonly [mark: string, paint: keyof Pen['paint'], text: Text]>> = {
  same: ['✓', 'green', { en: 'enforces what was confirmed', zh: '与已确认的意图一致' }],
  differs: ['✗', 'red', { en: 'differs', zh: '存在漂移' }],
  undecided: ['?', 'yellow', { en: 'undecided', zh: '无法判定' }],
  unmanaged: ['-', 'dim', { en: 'nothing confirmed yet', zh: '尚无已确认的代次' }],
  foreign: ['?', 'yellow', { en: "another controller's generation", zh: '由其他控制端写入的代次' }],
  unread: ['?', 'red', { en: 'could not be read', zh: '无法读取' }],
}

function driftRow(pen: Pen, drift: HostDrift): string[] {
  const [mark, colour, words] = KINDS[drift.kind]
  const armed = drift.armedSeconds === undefined ? '' : t(pen, { en: `unconfirmed, reverts in ${drift.armedSeconds} s`, zh: `未确认，${drift.armedSeconds} 秒后回退` })
  return [pen.paint[colour](mark), pen.paint.bold(drift.host), pen.paint.dim(`${drift.generation}`), pen.paint[colour](t(pen, words)), pen.paint.yellow(armed)]
}

/** What packets meet something else now, and who else has changed what. */
const detailLines = (pen: Pen, drift: HostDrift): string[] => [
  ...counterexampleLines(pen, drift.comparison),
  ...foreignLines(pen, drift.foreignChanges),
  ...refusalLines(pen, drift.refusals),
  ...faultLines(pen, drift.faults, '  '),
]

const CHANGES: Readonly<Record<TableChange['change'], Text>> = {
  added: { en: 'added', zh: '新增' },
  changed: { en: 'changed', zh: '修改' },
  removed: { en: 'removed', zh: '删除' },
}

function foreignLines(pen: Pen, changes: readonly TableChange[] | undefined): string[] {
  if (!changes || changes.length === 0) return []
  const named = changes.map(({ table, change }) => `${table} (${t(pen, CHANGES[change])})`).join(', ')
  return [`  ${pen.paint.yellow(t(pen, { en: `others have changed their tables since: ${named}`, zh: `此后其他程序改动了自己的表：${named}` }))}`]
}
