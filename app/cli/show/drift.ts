import type { Text } from '@portcullis/core/fault/fault.ts'
import type { HostDrift } from '@portcullis/engine/drift.ts'
import { layTable } from '../table.ts'
import { faultLines } from './faults.ts'
import { t, type Pen } from './words.ts'

export function showDrift(pen: Pen, drifts: readonly HostDrift[]): string {
  const table = layTable(drifts.map((one) => driftRow(pen, one)))
  return drifts.flatMap((one, index) => [table[index] ?? '', ...faultLines(pen, one.faults, '  ')].map((line) => `${line}\n`)).join('')
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
  const why =
    drift.comparison?.kind === 'counterexample'
      ? `${drift.comparison.packet} (${drift.comparison.because})`
      : drift.comparison?.kind === 'undecided'
        ? drift.comparison.because
        : ''
  const armed = drift.armedSeconds === undefined ? '' : t(pen, { en: `unconfirmed, reverts in ${drift.armedSeconds} s`, zh: `未确认，${drift.armedSeconds} 秒后回退` })
  return [pen.paint[colour](mark), pen.paint.bold(drift.host), pen.paint.dim(`${drift.generation}`), pen.paint[colour](t(pen, words)), why, pen.paint.yellow(armed)]
}
