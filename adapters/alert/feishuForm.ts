import { createHmac } from 'node:crypto'
import type { Alert } from '@portcullis/engine/gates.ts'
import type { HttpForm } from './delivery.ts'
import { messageOf, withinBytes, type Language } from './message.ts'

/** The robot refuses a request of more than 20 KB. */
const BYTES_MAX = 15_000

/** 飞书自定义机器人, "签名校验": `timestamp\nsecret` is the key, and nothing is what is signed. */
export function feishuForm(alert: Alert, secret: string | undefined, language: Language, now: number): HttpForm {
  const { title, lines } = messageOf(alert, language)
  const text = withinBytes(lines.join('\n'), BYTES_MAX)
  const content = { post: { [language === 'zh' ? 'zh_cn' : 'en_us']: { title, content: text.split('\n').map((line) => [{ tag: 'text', text: line }]) } } }
  const timestamp = String(Math.floor(now / 1000))
  const signed = secret === undefined ? {} : { timestamp, sign: createHmac('sha256', `${timestamp}\n${secret}`).update('').digest('base64') }
  return { body: JSON.stringify({ ...signed, msg_type: 'post', content }) }
}
