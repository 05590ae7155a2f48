import type { Place } from '@portcullis/core/fault/fault.ts'
import { EndOfInput } from './endOfInput.ts'
import type { Fields } from './fieldReader.ts'
import type { ImportReader } from './format.ts'
import type { ImportClaims } from './importClaims.ts'
import { malformed, tooLong, truncated } from './importFault.ts'
import { takeJson } from './jsonLines.ts'

/** Larger than any object of a list that is imported. */
export const ITEM_CHARACTERS_MAX = 1024 * 1024

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, LINE_FEED] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x0a]
const DEPTH_MAX = 64

/**
 * The objects of the outermost lists of a JSON document, one by one: `[{…}, {…}]` or `{"results": [{…}]}`. A list itself is
 * never in memory. Commas are not insisted on, because masscan leaves one too many.
 */
export function readJsonItems(file: string, claims: ImportClaims, take: (fields: Fields, place: Place) => void): ImportReader {
  return new JsonItems(file, claims, take)
}

class JsonItems implements ImportReader {
  readonly #file: string
  readonly #claims: ImportClaims
  readonly #take: (fields: Fields, place: Place) => void
  #item = ''
  #place: Place
  /** Brackets that are open, outermost first. */
  #open: number[] = []
  /** How many brackets are open around an item; unknown until the list begins. */
  #listDepth: number | undefined
  #isItem = false
  #isText = false
  #isEscaped = false
  #line = 1
  /** Characters read up to the start of the line. */
  #lineStart = 0
  #read = 0

  constructor(file: string, claims: ImportClaims, take: (fields: Fields, place: Place) => void) {
    this.#file = file
    this.#claims = claims
    this.#take = take
    this.#place = { file, line: 1, column: 1 }
  }

  write(chunk: string): void {
    let start = this.#isItem ? 0 : -1
    for (let index = 0; index < chunk.length; index += 1) {
      const code = chunk.charCodeAt(index)
      if (code === LINE_FEED) {
        this.#line += 1
        this.#lineStart = this.#read + index + 1
      }
      if (this.#isText) {
        this.#inText(code)
        continue
      }
      if (code === QUOTE) this.#isText = true
      else if (code === OPEN || code === OPEN_LIST) {
        if (code === OPEN && this.#listDepth === this.#open.length && this.#open.at(-1) === OPEN_LIST) [start, this.#isItem, this.#place] = [index, true, this.#at(index)]
        this.#opens(code, index)
      } else if (code === CLOSE || code === CLOSE_LIST) {
        this.#closes(code, index)
        if (code === CLOSE && start >= 0 && this.#open.length === this.#listDepth) {
          this.#ends(chunk.slice(start, index + 1))
          start = -1
          this.#isItem = false
        }
      }
    }
    if (start >= 0) this.#keep(chunk.slice(start))
    this.#read += chunk.length
  }

  end(): void {
    if (this.#open.length > 0 || this.#isText) this.#claims.refuse(truncated(this.#at(0)))
    else if (this.#listDepth === undefined) this.#claims.refuse(malformed(this.#at(0), 'there is no list in it', '其中没有列表'))
  }

  #inText(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (code === BACKSLASH) this.#isEscaped = true
    else if (code === QUOTE) this.#isText = false
  }

  #opens(code: number, index: number): void {
    this.#open.push(code)
    if (code === OPEN_LIST) this.#listDepth ??= this.#open.length
    if (this.#open.length > DEPTH_MAX) stop(this.#claims, malformed(this.#at(index), `brackets are nested more than ${DEPTH_MAX} deep`, `括号嵌套超过 ${DEPTH_MAX} 层`))
  }

  #closes(code: number, index: number): void {
    const open = this.#open.pop()
    if (open !== (code === CLOSE ? OPEN : OPEN_LIST)) stop(this.#claims, malformed(this.#at(index), 'this bracket closes none', '括号不匹配'))
  }

  #ends(last: string): void {
    const text = this.#item + last
    this.#item = ''
    if (text.length > ITEM_CHARACTERS_MAX) return this.#claims.refuse(tooLong(this.#place, 'the object', '该对象', ITEM_CHARACTERS_MAX))
    if (!/^\{\s*finished\b/.test(text)) takeJson(text, this.#place, this.#claims, this.#take)
  }

  #keep(part: string): void {
    this.#item += part
    if (this.#item.length > ITEM_CHARACTERS_MAX + part.length) stop(this.#claims, tooLong(this.#place, 'the object', '该对象', ITEM_CHARACTERS_MAX))
  }

  #at = (index: number): Place => ({ file: this.#file, line: this.#line, column: this.#read + index - this.#lineStart + 1 })
}

/** Where the structure itself is lost, nothing that follows can be trusted, however lenient the import. */
function stop(claims: ImportClaims, fault: Parameters<ImportClaims['refuse']>[0]): never {
  claims.refuse(fault)
  throw new EndOfInput()
}
