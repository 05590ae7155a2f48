import type { Text } from '@portcullis/core/fault/fault.ts'
import type { Alert } from '@portcullis/engine/gates.ts'

export type Language = keyof Text

/** An alert in words: one line, and the lines below it. */
export interface Message {
  readonly title: string
  readonly lines: readonly string[]
}

const SEVERITY: Readonly<Record<Alert['severity'], Text>> = {
  info: { en: 'Info', zh: '通知' },
  warning: { en: 'Warning', zh: '警告' },
  critical: { en: 'Critical', zh: '严重' },
}

const HOSTS_MAX = 20

export function messageOf(alert: Alert, language: Language): Message {
  const label = (en: string, zh: string): string => (language === 'en' ? `${en}: ` : `${zh}：`)
  const hosts = alert.hosts ?? []
  const more = hosts.length > HOSTS_MAX ? (language === 'en' ? ` and ${hosts.length - HOSTS_MAX} more` : ` 等 ${hosts.length} 台`) : ''
  return {
    title: `[${SEVERITY[alert.severity][language]}] ${oneLine(alert.title[language])}`,
    lines: [
      ...alert.lines.map((line) => oneLine(line[language])),
      ...(hosts.length > 0 ? [`${label('Hosts', '主机')}${hosts.slice(0, HOSTS_MAX).map(oneLine).join(language === 'en' ? ', ' : '、')}${more}`] : []),
      ...(alert.rollout === undefined ? [] : [`${label('Rollout', '发布')}${oneLine(alert.rollout)}`]),
      ...(alert.plan === undefined ? [] : [`${label('Change plan', '变更计划')}${oneLine(alert.plan)}`]),
      `${label('Time', '时间')}${new Date(alert.at).toISOString()}`,
      `${label('Id', '编号')}${oneLine(alert.id)}`,
    ],
  }
}

/** What hosts said may stand in an alert: no line and no direction of writing is theirs to change. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 1000)

/** Cuts at a whole character so that the text takes at most so many bytes of UTF-8, and says that it was cut. */
export function withinBytes(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text
  const cut = Buffer.from(text).subarray(0, bytesMax - 3)
  return `${new TextDecoder('utf-8', { ignoreBOM: true }).decode(cut).replace(/\ufffd+$/u, '')}…`
}

/** What Markdown would take for its own, in the dialects of chat robots: no link, mention or image comes out of a host's words. */
export const plainMarkdown = (text: string): string => text.replaceAll(/[\\`*_{}[\]()#+!|<>~@]/g, (char) => FULL_WIDTH[char] ?? `\\${char}`)

/** Robots do not all know escapes; these read the same. */
const FULL_WIDTH: Readonly<Record<string, string>> = { '<': '＜', '>': '＞', '[': '［', ']': '］', '@': '＠', '#': '＃', '*': '＊', '`': '｀', '_': '＿', '~': '～', '!': '！', '|': '｜', '{': '｛', '}': '｝', '(': '（', ')': '）', '+': '＋', '\\': '＼' }
