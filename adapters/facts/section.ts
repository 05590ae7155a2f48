import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'

/** One framed part of an answer. Its lines count from `line` in the whole answer, for messages. */
export interface Section {
  readonly name: string
  readonly text: string
  readonly line: number
}

export type Sections = ReadonlyMap<string, Section>

/** The Store keeps answers up to this size, so a longer one is refused before it is read. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024
const SECTIONS_MAX = 64

/**
 * Takes an answer of `facts` or `counters` apart: `@section NAME BYTES`, that many bytes and a line end, each; at last
 * `@end`. `source` names the answer in faults. Faults: FACTS_TOO_LARGE, FACTS_FRAME.
 */
export function readSections(text: string, source: string): Result<Sections> {
  // A text has no more characters than bytes, so this one costs nothing to refuse.
  if (text.length > ANSWER_BYTES_MAX) return fail(tooLarge(source, text.length))
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length > ANSWER_BYTES_MAX) return fail(tooLarge(source, bytes.length))
  const sections = new Map<string, Section>()
  let line = 1
  for (let at = 0; ; ) {
    const header = headerAt(bytes, at)
    if (header?.kind === 'end') return header.next === bytes.length ? succeed(sections) : fail(badFrame(source, line, at))
    if (header?.kind !== 'section' || sections.has(header.name) || sections.size === SECTIONS_MAX) return fail(badFrame(source, line, at))
    const end = endOf(bytes, header.next, header.bytes)
    if (end === undefined) return fail(badFrame(source, line, at))
    const content = bytes.toString('utf8', header.next, end)
    sections.set(header.name, { name: header.name, text: content, line: line + 1 })
    line += 2 + countLines(content)
    at = end + 1
  }
}

type Header = { readonly kind: 'section'; readonly name: string; readonly bytes: number; readonly next: number } | { readonly kind: 'end'; readonly next: number }

const HEADER_BYTES_MAX = 64
const NEWLINE = 10

function headerAt(bytes: Buffer, at: number): Header | undefined {
  const end = bytes.indexOf(NEWLINE, at)
  if (end < 0 || end - at > HEADER_BYTES_MAX) return undefined
  const line = bytes.toString('latin1', at, end)
  if (line === '@end') return { kind: 'end', next: end + 1 }
  const match = /^@section ([a-z0-9_-]{1,40}) ([0-9]{1,9})$/.exec(line)
  return match ? { kind: 'section', name: match[1] ?? '', bytes: Number(match[2]), next: end + 1 } : undefined
}

/**
 * Where the content ends. The host counted bytes, but a name that is not UTF-8 reached us as U+FFFD, three bytes for
 * each one to three of the host's: then the end is where the next header stands within that tolerance.
 */
function endOf(bytes: Buffer, start: number, count: number): number | undefined {
  const counted = start + count
  let end = counted
  let replaced = countReplacements(bytes, start, Math.min(end, bytes.length))
  while (end < bytes.length && end - counted <= 2 * replaced) {
    if (isEnd(bytes, end)) return end
    end += 1
    if (bytes.subarray(end - REPLACEMENT.length, end).equals(REPLACEMENT)) replaced += 1
  }
  return undefined
}

const isEnd = (bytes: Buffer, end: number): boolean => bytes[end] === NEWLINE && headerAt(bytes, end + 1) !== undefined

const REPLACEMENT = Buffer.from('\uFFFD')

function countReplacements(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let at = bytes.indexOf(REPLACEMENT, start); at >= 0 && at < end; at = bytes.indexOf(REPLACEMENT, at + REPLACEMENT.length)) count += 1
  return count
}

function countLines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1
  return count
}

const badFrame = (source: string, line: number, byte: number): Fault => ({
  code: 'FACTS_FRAME',
  what: { en: `byte ${byte} is not where a section of the host's answer may begin`, zh: `字节 ${byte} 处不是主机应答的分段起点` },
  next: { en: 'see that portcullis-host on the host is the version of this controller: portcullis host install', zh: '请确认主机上的 portcullis-host 与控制端版本一致：portcullis host install' },
  place: { file: source, line, column: 1 },
})

const tooLarge = (source: string, bytes: number): Fault => ({
  code: 'FACTS_TOO_LARGE',
  what: { en: `the host's answer has ${bytes} bytes, at most ${ANSWER_BYTES_MAX} are read`, zh: `主机应答有 ${bytes} 字节，最多读取 ${ANSWER_BYTES_MAX} 字节` },
  place: { file: source, line: 1, column: 1 },
})
