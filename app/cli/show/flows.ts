import type { FlowsEnded } from '@portcullis/core/plan/flowEnds.ts'
import type { AffectedFlow } from '@portcullis/core/plan/plan.ts'
import type { FlowEnd } from '@portcullis/core/policy/policy.ts'
import type { Text } from '@portcullis/core/fault/fault.ts'
import { t, type Pen } from './words.ts'

/** What became of the flows that are no longer let in, on one line. */
export function flowWords(pen: Pen, { before, cut, left, draining, silent, leased }: FlowsEnded): string {
  const { paint } = pen
  const rest =
    left === undefined
      ? paint.yellow(t(pen, { en: 'how many are left is not known', zh: '剩余数量未知' }))
      : (left === 0 ? paint.green : paint.yellow)(t(pen, { en: `${left} left`, zh: `剩余 ${left}` }))
  return [
    t(pen, { en: `flows: ${before} before, ${cut} cut`, zh: `流：原有 ${before}，切断 ${cut}` }),
    rest,
    ...(silent === 0 ? [] : [t(pen, { en: `${silent} of them said nothing: their ends do not know yet`, zh: `其中 ${silent} 条无数据，两端尚未得知` })]),
    ...(draining === 0 ? [] : [t(pen, { en: `${draining} drain`, zh: `${draining} 条待自然结束` })]),
    ...(leased === 0 ? [] : [t(pen, { en: `${leased} let in by a lease`, zh: `${leased} 条由端口租约放行` })]),
  ].join(', ')
}

const ENDS: Readonly<Record<FlowEnd, readonly [keyof Pen['paint'], Text]>> = {
  drain: ['dim', { en: 'drains', zh: '自然结束' }],
  'warn-then-cut': ['yellow', { en: 'warned, cut', zh: '告警后切断' }],
  'cut-now': ['red', { en: 'cut at once', zh: '立即切断' }],
}

/** What becomes of a flow that is up. */
export function endWords(pen: Pen, { end }: AffectedFlow): string {
  if (end === undefined) return pen.paint.dim(t(pen, { en: 'would be shut out', zh: '将不再放行' }))
  const [colour, words] = ENDS[end]
  return pen.paint[colour](t(pen, words))
}

/** `12 kB`; a host that does not count its bytes says so. */
export function byteWords(pen: Pen, { isLive, bytes }: AffectedFlow): string {
  if (bytes === undefined) return isLive ? pen.paint.dim(t(pen, { en: 'bytes not counted', zh: '未统计字节' })) : ''
  const [size, unit] = UNITS.find(([unitSize]) => bytes >= unitSize) ?? [1, 'B']
  return `${Number((bytes / size).toPrecision(3))} ${unit}`
}

const UNITS = [[1e12, 'TB'], [1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB']] as const
