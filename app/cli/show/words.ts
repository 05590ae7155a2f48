import type { Text } from '@portcullis/core/fault/fault.ts'
import { STEP_NAMES } from '../progress.ts'
import type { Cli } from '../cli.ts'

/** What a page of output is drawn with. */
export type Pen = Pick<Cli, 'language' | 'paint'>

const ANY_IPV4 = '0.0.0.0/0'
const ANY_IPV6 = '::/0'

/** Sources in few words: anyone, nobody, or the prefixes, the first few of many. */
export function sourceWords(pen: Pen, sources: readonly string[], isDualStack = true): string {
  if (sources.length === 0) return pen.language === 'zh' ? '无' : 'nobody'
  const [v4, v6] = [sources.includes(ANY_IPV4), sources.includes(ANY_IPV6)]
  if (v4 && v6) return pen.language === 'zh' ? '任何人' : 'anyone'
  if ((v4 || v6) && sources.length === 1) return anyOf(pen, v4 ? 'IPv4' : 'IPv6', isDualStack)
  const shown = sources.slice(0, SOURCES_SHOWN_MAX).join(' ')
  const more = sources.length - SOURCES_SHOWN_MAX
  return more > 0 ? `${shown} +${more}` : shown
}

const SOURCES_SHOWN_MAX = 4

function anyOf(pen: Pen, family: string, isDualStack: boolean): string {
  const anyone = pen.language === 'zh' ? '任何人' : 'anyone'
  return isDualStack ? `${anyone} (${family})` : anyone
}

export const stepWord = (pen: Pen, step: string): string => (STEP_NAMES[step] ?? { en: step, zh: step })[pen.language]

/** `3 hosts`, `3 台主机`. */
export const count = (pen: Pen, amount: number, noun: string, nounZh: string): string =>
  pen.language === 'zh' ? `${amount} ${nounZh}` : `${amount} ${noun}${amount === 1 ? '' : 's'}`

/** Local time to the minute, without a locale's surprises. */
export function timeWords(instant: number): string {
  const date = new Date(instant)
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`
}

/** Local time of day, to the second. */
export function clockWords(instant: number): string {
  const date = new Date(instant)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((number) => String(number).padStart(2, '0')).join(':')
}

export const shortId = (id: string): string => id.slice(0, 12)

export const t = (pen: Pen, text: Text): string => text[pen.language]
