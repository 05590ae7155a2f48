import { describeFault, type Fault } from '@portcullis/core/fault/fault.ts'
import type { UnreadHost } from '@portcullis/engine/observe.ts'
import { t, type Pen } from './words.ts'

export const faultLines = (pen: Pen, faults: readonly Fault[], indent = ''): string[] =>
  faults.map((fault) => `${indent}${pen.paint.red('✗')} ${describeFault(fault, pen.language).replaceAll('\n', `\n${indent}`)}`)

/** Hosts that did not answer: said aloud, because nothing is known about them. */
export const unreadLines = (pen: Pen, unread: readonly UnreadHost[]): string[] =>
  unread.flatMap(({ host, faults }) => [
    `${pen.paint.red('?')} ${pen.paint.bold(host)}  ${t(pen, { en: 'could not be read', zh: '无法读取' })}`,
    ...faultLines(pen, faults, '  '),
  ])
