import { BadRecord, isFields, type Fields } from './fieldReader.ts'
import type { ImportClaims } from './importClaims.ts'
import { malformed } from './importFault.ts'
import { TextLines } from './textLines.ts'
import type { ImportReader } from './format.ts'
import type { Place } from '@portcullis/core/fault/fault.ts'

/** One JSON object a line (NDJSON); empty lines are passed over. */
export function readJsonLines(file: string, claims: ImportClaims, take: (fields: Fields, place: Place) => void): ImportReader {
  return new TextLines(file, claims, (line, number) => {
    if (/^\s*$/.test(line)) return
    takeJson(line, { file, line: number, column: 1 }, claims, take)
  })
}

/** Reads one object and gives it on; what is no object, or not the object that was expected, is refused. */
export function takeJson(text: string, place: Place, claims: ImportClaims, take: (fields: Fields, place: Place) => void): void {
  claims.record()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return claims.refuse(malformed(jsonPlace(text, place, String(error)), 'this is not JSON', '不是 JSON'))
  }
  if (!isFields(value)) return claims.refuse(malformed(place, 'this is no object of JSON', '不是 JSON 对象'))
  takeRecord(claims, () => take(value, place))
}

export function takeRecord(claims: ImportClaims, take: () => void): void {
  try {
    take()
  } catch (error) {
    if (!(error instanceof BadRecord)) throw error
    claims.refuse(error.fault)
  }
}

/** V8 names the offset of most that it cannot read, and the end by a message of its own; else the record is named. */
function jsonPlace(text: string, place: Place, message: string): Place {
  const offset = Number(/position ([0-9]+)/.exec(message)?.[1] ?? (message.includes('end of JSON') ? text.length : 0))
  const before = text.slice(0, offset)
  const lines = before.split('\n').length - 1
  return lines === 0 ? { ...place, column: place.column + offset } : { ...place, line: place.line + lines, column: offset - before.lastIndexOf('\n') }
}
