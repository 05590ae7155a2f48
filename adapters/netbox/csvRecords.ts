import type { Place } from '@portcullis/core/fault/fault.ts'
import type { Fields } from '../import/fieldReader.ts'
import type { ImportReader } from '../import/format.ts'
import type { ImportClaims } from '../import/importClaims.ts'
import { malformed, truncated } from '../import/importFault.ts'
import { takeRecord } from '../import/jsonLines.ts'
import { LINE_CHARACTERS_MAX, TextLines } from '../import/textLines.ts'

/** CSV (RFC 4180) with a header line; a quoted value may go over several lines. Names of columns are taken in lower case. */
export function readCsv(file: string, claims: ImportClaims, take: (fields: Fields, place: Place) => void): ImportReader {
  let header: readonly string[] | undefined
  let open: { text: string; line: number } | undefined
  const lines = new TextLines(file, claims, (line, number) => {
    const record = open ? { text: `${open.text}\n${line}`, line: open.line } : { text: line, line: number }
    const isOpen = quotesOf(record.text) % 2 === 1 && record.text.length <= LINE_CHARACTERS_MAX
    open = isOpen ? record : undefined
    if (isOpen || record.text.trim() === '') return
    const place = { file, line: record.line, column: 1 }
    const values = splitCsv(record.text)
    if (!header) return void (header = values.map((name) => name.trim().toLowerCase()))
    claims.record()
    const names = header
    if (values.length !== names.length) {
      return claims.refuse(malformed(place, `this record has ${values.length} columns, not ${names.length}`, `该记录有 ${values.length} 列，应为 ${names.length} 列`))
    }
    takeRecord(claims, () => take(Object.fromEntries(names.map((name, index) => [name, values[index]])), place))
  })
  return {
    write: (chunk) => lines.write(chunk),
    end: () => {
      lines.end()
      if (open) claims.refuse(truncated({ file, line: open.line, column: 1 }))
    },
  }
}

const quotesOf = (text: string): number => text.split('"').length - 1

/** Values without their quotes; a doubled quote within quotes is one. */
export function splitCsv(text: string): string[] {
  const values: string[] = []
  let value = ''
  let isQuoted = false
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? ''
    if (isQuoted && character === '"' && text[index + 1] === '"') {
      value += '"'
      index += 1
    } else if (character === '"') isQuoted = !isQuoted
    else if (character === ',' && !isQuoted) {
      values.push(value)
      value = ''
    } else value += character
  }
  return [...values, value]
}
