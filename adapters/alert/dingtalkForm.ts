import { createHmac } from 'node:crypto'
import type { Alert } from '@portcullis/engine/gates.ts'
import type { HttpForm } from './delivery.ts'
import { messageOf, plainMarkdown, withinBytes, type Language } from './message.ts'

/** The robot refuses more than 20,000 bytes; the title and the frame need some. */
const BYTES_MAX = 18_000

/** 钉钉自定义机器人, "加签": the signature of `timestamp\nsecret` goes into the query. */
export function dingtalkForm(alert: Alert, secret: string | undefined, language: Language, now: number): HttpForm {
  const { title, lines } = messageOf(alert, language)
  const text = withinBytes([`### ${plainMarkdown(title)}`, ...lines.map((line) => `- ${plainMarkdown(line)}`)].join('\n'), BYTES_MAX)
  const body = JSON.stringify({ msgtype: 'markdown', markdown: { title, text } })
  if (secret === undefined) return { body }
  const timestamp = String(now)
  return { query: { timestamp, sign: createHmac('sha256', secret).update(`${timestamp}\n${secret}`).digest('base64') }, body }
}
