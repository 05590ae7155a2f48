import type { Alert } from '@portcullis/engine/gates.ts'
import type { HttpForm } from './delivery.ts'
import { messageOf, plainMarkdown, withinBytes, type Language } from './message.ts'

/** The robot refuses more than 4,096 bytes of content. */
const BYTES_MAX = 4096

/** Of the three colours that its Markdown knows. */
const COLOUR: Readonly<Record<Alert['severity'], string>> = { info: 'info', warning: 'warning', critical: 'warning' }

/** 企业微信群机器人: the key in the address is the only secret. */
export function wecomForm(alert: Alert, language: Language): HttpForm {
  const { title, lines } = messageOf(alert, language)
  const content = withinBytes([`**<font color="${COLOUR[alert.severity]}">${plainMarkdown(title)}</font>**`, ...lines.map((line) => `> ${plainMarkdown(line)}`)].join('\n'), BYTES_MAX)
  return { body: JSON.stringify({ msgtype: 'markdown', markdown: { content } }) }
}
