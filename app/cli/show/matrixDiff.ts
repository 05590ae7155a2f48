import type { Text } from '@portcullis/core/fault/fault.ts'
import type { FieldChange, RowChange } from '@portcullis/core/inventory/matrixDiff.ts'
import { layTable } from '../table.ts'
import { count, t, timeWords, type Pen } from './words.ts'

/** What is different, a row a line. */
export function showMatrixDiff(pen: Pen, since: number, changes: readonly RowChange[]): string {
  const from = timeWords(since)
  if (changes.length === 0) return `${t(pen, { en: `Nothing is different since ${from}.`, zh: `自 ${from} 以来没有变化。` })}\n`
  const lines = layTable(changes.map((change) => changeLine(pen, change)))
  return `${t(pen, { en: `since ${from}`, zh: `自 ${from} 以来` })}\n${lines.join('\n')}\n\n${count(pen, changes.length, 'row', '行')}\n`
}

const SIGNS = { appeared: ['+', 'yellow'], gone: ['−', 'green'], changed: ['~', 'cyan'] } as const

function changeLine(pen: Pen, { row, kind, fields }: RowChange): string[] {
  const [sign, colour] = SIGNS[kind]
  return [pen.paint[colour](sign), pen.paint.bold(row.host), `${row.protocol}/${row.port} ${pen.paint.dim(row.addressClass)}`, row.zone, fields.map((field) => fieldWords(pen, field, kind)).join(', ')]
}

function fieldWords(pen: Pen, { field, before, after }: FieldChange, kind: RowChange['kind']): string {
  const name = pen.paint.dim(t(pen, NAMES[field]))
  const none = t(pen, { en: 'none', zh: '无' })
  if (kind !== 'changed') return `${name} ${kind === 'appeared' ? after : before}`
  return `${name} ${before === '' ? none : before} → ${after === '' ? none : after}`
}

const NAMES: Readonly<Record<FieldChange['field'], Text>> = {
  listening: { en: 'listening', zh: '监听' },
  reachable: { en: 'reachable', zh: '可达' },
  used: { en: 'used', zh: '使用' },
  needs: { en: 'needs', zh: '业务需求' },
  published: { en: 'published', zh: '发布' },
  fingerprint: { en: 'fingerprint', zh: '指纹' },
  documented: { en: 'documented', zh: '登记' },
  contradictions: { en: 'contradictions', zh: '矛盾' },
}
