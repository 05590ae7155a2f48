import type { Fault, Place } from '@portcullis/core/fault/fault.ts'

/** Text of a stranger's file, short and without control characters, as it may stand in a message. */
export const shown = (text: string): string => JSON.stringify(text.slice(0, SHOWN_MAX).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?'))

const SHOWN_MAX = 60

const shownValue = (value: unknown): string => shown(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

export const malformed = (place: Place, en: string, zh: string): Fault => ({ code: 'IMPORT_MALFORMED', what: { en, zh }, place })

export const badField = (place: Place, key: string, value: unknown, en: string, zh: string): Fault =>
  value === undefined || value === null || value === ''
    ? malformed(place, `there is no ${key}`, `缺少 ${key}`)
    : malformed(place, `${key} is no ${en}: ${shownValue(value)}`, `${key} 不是${zh}：${shownValue(value)}`)

export const tooLong = (place: Place, what: string, whatZh: string, charactersMax: number): Fault => ({
  code: 'IMPORT_TOO_LONG',
  what: { en: `${what} is longer than ${charactersMax} characters`, zh: `${whatZh}超过 ${charactersMax} 个字符` },
  next: { en: 'is it the right file?', zh: '请确认文件是否正确' },
  place,
})

export const truncated = (place: Place): Fault => ({
  code: 'IMPORT_TRUNCATED',
  what: { en: 'the file ends in the middle of a record', zh: '文件在记录中间结束' },
  next: { en: 'write it again, or take over what came before with --skip-malformed', zh: '请重新生成文件，或用 --skip-malformed 导入此前的内容' },
  place,
})

export const unknownFormat = (file: string, head: string, formats: readonly string[]): Fault => ({
  code: 'IMPORT_UNKNOWN_FORMAT',
  what: { en: `what ${file} holds is not recognised`, zh: `无法识别 ${file} 的格式` },
  next: isCompressed(head)
    ? { en: 'it is compressed: zcat FILE | portcullis import -', zh: '文件已压缩：zcat FILE | portcullis import -' }
    : { en: `name the format: ${formats.join(', ')}`, zh: `请指定格式：${formats.join('、')}` },
  place: { file, line: 1, column: 1 },
})

/** First bytes of gzip (RFC 1952) and zstd (RFC 8878), as they look when read as UTF-8. */
const isCompressed = (head: string): boolean => head.startsWith('\u001F\uFFFD') || head.startsWith('(\uFFFD/\uFFFD')
