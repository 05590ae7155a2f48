import type { Place } from '@portcullis/core/fault/fault.ts'
import { EndOfInput } from './endOfInput.ts'
import { BadRecord } from './fieldReader.ts'
import type { ImportReader } from './format.ts'
import type { ImportClaims } from './importClaims.ts'
import { malformed, tooLong, truncated } from './importFault.ts'
import { XmlTokens, type Attributes, type XmlRefusal } from './xmlTokens.ts'

/** What a format wants to hear of its document. */
export interface XmlListener {
  open(name: string, attributes: Attributes, place: () => Place): void
  close(name: string, text: string, place: () => Place): void
}

const DEPTH_MAX = 64
const TEXT_CHARACTERS_MAX = 4096

/** A document as events. `wanted`: the elements whose text is wanted; that of all others is not kept. */
export function readXml(file: string, claims: ImportClaims, root: string, wanted: ReadonlySet<string>, listener: XmlListener): ImportReader {
  return new XmlDocument(file, claims, root, wanted, listener)
}

class XmlDocument implements ImportReader {
  readonly #tokens: XmlTokens
  readonly #file: string
  readonly #claims: ImportClaims
  readonly #root: string
  readonly #wanted: ReadonlySet<string>
  readonly #listener: XmlListener
  readonly #open: string[] = []
  /** Beside `#open`: what stands directly in each. */
  readonly #texts: string[] = []

  constructor(file: string, claims: ImportClaims, root: string, wanted: ReadonlySet<string>, listener: XmlListener) {
    this.#file = file
    this.#claims = claims
    this.#root = root
    this.#wanted = wanted
    this.#listener = listener
    this.#tokens = new XmlTokens({
      open: (name, attributes) => this.#opens(name, attributes),
      close: (name) => this.#closes(name),
      text: (text) => {
        if (this.#wanted.has(this.#open.at(-1) ?? '')) this.#texts.push(((this.#texts.pop() ?? '') + text).slice(0, TEXT_CHARACTERS_MAX))
      },
      refuse: (refusal) => this.#stop(refusal),
    })
  }

  write(chunk: string): void {
    this.#tokens.write(chunk)
  }

  end(): void {
    if (!this.#tokens.isAtRest || this.#open.length > 0) this.#claims.refuse(truncated(this.#place()))
  }

  #opens(name: string, attributes: Attributes): void {
    if (this.#open.length === 0 && name !== this.#root) {
      this.#stop({ kind: 'malformed', en: `the document is a <${name.slice(0, 40)}>, not a <${this.#root}>`, zh: `文档根元素是 <${name.slice(0, 40)}>，应为 <${this.#root}>` })
    }
    if (this.#open.push(name) > DEPTH_MAX) this.#stop({ kind: 'malformed', en: `elements are nested more than ${DEPTH_MAX} deep`, zh: `元素嵌套超过 ${DEPTH_MAX} 层` })
    this.#texts.push('')
    try {
      this.#listener.open(name, attributes, this.#place)
    } catch (error) {
      this.#refuse(error)
    }
  }

  #closes(name: string): void {
    const open = this.#open.pop()
    if (open !== name) this.#stop({ kind: 'malformed', en: `</${name.slice(0, 40)}> closes no <${(open ?? '').slice(0, 40)}>`, zh: `</${name.slice(0, 40)}> 与 <${(open ?? '').slice(0, 40)}> 不匹配` })
    const text = this.#texts.pop() ?? ''
    try {
      this.#listener.close(name, text.trim(), this.#place)
    } catch (error) {
      this.#refuse(error)
    }
  }

  #refuse(error: unknown): void {
    if (!(error instanceof BadRecord)) throw error
    this.#claims.refuse(error.fault)
  }

  /** Nothing behind what is not well-formed can be trusted, however lenient the import. */
  #stop(refusal: XmlRefusal): never {
    if (refusal.kind === 'too long') this.#claims.refuse(tooLong(this.#place(), 'a tag or text', '标签或文本', refusal.charactersMax))
    else this.#claims.refuse(malformed(this.#place(), `this XML is refused: ${refusal.en}`, `拒绝该 XML：${refusal.zh}`))
    throw new EndOfInput()
  }

  readonly #place = (): Place => {
    const { line, column } = this.#tokens.place()
    return { file: this.#file, line, column }
  }
}
