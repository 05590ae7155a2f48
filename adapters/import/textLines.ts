import type { Place } from '@portcullis/core/fault/fault.ts'
import { tooLong } from './importFault.ts'
import type { ImportClaims } from './importClaims.ts'

/** Longer than any honest record of a log; what goes beyond is not kept. */
export const LINE_CHARACTERS_MAX = 1024 * 1024

/** Cuts text into lines as it comes, without ever holding more of a line than the limit. */
export class TextLines {
  readonly #file: string
  readonly #claims: ImportClaims
  readonly #take: (line: string, number: number) => void
  #rest = ''
  #line = 0
  #isTooLong = false

  constructor(file: string, claims: ImportClaims, take: (line: string, number: number) => void) {
    this.#file = file
    this.#claims = claims
    this.#take = take
  }

  write(chunk: string): void {
    const text = this.#rest === '' ? chunk : this.#rest + chunk
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#end(text.slice(start, end))
      start = end + 1
    }
    this.#rest = text.slice(start)
    if (this.#rest.length > LINE_CHARACTERS_MAX) this.#drop()
  }

  end(): void {
    if (this.#rest !== '' || this.#isTooLong) this.#end(this.#rest)
    this.#rest = ''
  }

  #end(line: string): void {
    this.#line += 1
    if (this.#isTooLong) this.#isTooLong = false
    else if (line.length > LINE_CHARACTERS_MAX) this.#claims.refuse(this.#fault(this.#line))
    else this.#take(line.endsWith('\r') ? line.slice(0, -1) : line, this.#line)
  }

  #drop(): void {
    if (!this.#isTooLong) this.#claims.refuse(this.#fault(this.#line + 1))
    this.#isTooLong = true
    this.#rest = ''
  }

  #fault(line: number): ReturnType<typeof tooLong> {
    const place: Place = { file: this.#file, line, column: LINE_CHARACTERS_MAX + 1 }
    return tooLong(place, 'the line', '该行', LINE_CHARACTERS_MAX)
  }
}
