export type Attributes = Readonly<Record<string, string>>

/** What stands in a document, in order. `refuse` does not return. */
export interface TokenListener {
  readonly open: (name: string, attributes: Attributes) => void
  readonly close: (name: string) => void
  readonly text: (text: string) => void
  readonly refuse: (refusal: XmlRefusal) => never
}

export type XmlRefusal = { readonly kind: 'malformed'; readonly en: string; readonly zh: string } | { readonly kind: 'too long'; readonly charactersMax: number }

/** More than the longest plugin output and the longest tag; what goes beyond is no report. */
export const TOKEN_CHARACTERS_MAX = 4 * 1024 * 1024

const NAME = /[A-Za-z_\u00C0-\uFFFD][\w.:\u00B7-\uFFFD-]*/y

/** Things that begin with `<` and are no element, and what ends each. */
const ASIDES = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
  ['<!DOCTYPE', '>'],
] as const

/**
 * XML 1.0 as tokens, several times as fast as a general parser on what scanners write, and stricter: no entity but the five
 * of XML and numeric ones is known, a document type that declares anything is refused, and nothing is loaded. Text comes
 * entity by entity; a token is never held longer than the limit.
 */
export class XmlTokens {
  readonly #listener: TokenListener
  /** The names of the attributes of the last element of a name, in their order. */
  readonly #guesses = new Map<string, string[]>()
  #rest = ''
  #at = 0
  #text = ''
  /** Line ends before `#counted`, and where in the text the last of their lines begins. */
  #lines = 0
  #lineStart = 0
  #counted = 0
  #depth = 0
  #hasRoot = false

  constructor(listener: TokenListener) {
    this.#listener = listener
  }

  /** Whether nothing is half-read. */
  get isAtRest(): boolean {
    return this.#rest.trim() === '' && this.#hasRoot
  }

  write(chunk: string): void {
    this.#text = this.#rest === '' ? chunk : this.#rest + chunk
    this.#at = 0
    while (this.#token());
    this.#count()
    // Columns go on in the text that is kept.
    this.#lineStart -= this.#at
    this.#counted = 0
    this.#rest = this.#text.slice(this.#at)
    this.#text = this.#rest
    this.#at = 0
    if (this.#rest.length > TOKEN_CHARACTERS_MAX) this.#listener.refuse({ kind: 'too long', charactersMax: TOKEN_CHARACTERS_MAX })
  }

  /** Of the token that is being read, one-based. */
  place(): { line: number; column: number } {
    this.#count()
    return { line: this.#lines + 1, column: this.#at - this.#lineStart + 1 }
  }

  /** Reads one; false where its end has not come yet. */
  #token(): boolean {
    const text = this.#text
    if (this.#at >= text.length) return false
    if (text.charCodeAt(this.#at) !== LESS) return this.#characters()
    const next = text.charCodeAt(this.#at + 1)
    if (next === SLASH) return this.#closing()
    if (next === QUESTION || next === EXCLAMATION || Number.isNaN(next)) return this.#aside()
    return this.#opening()
  }

  #characters(): boolean {
    const blankEnd = skipBlanks(this.#text, this.#at)
    if (this.#text.charCodeAt(blankEnd) === LESS) {
      this.#at = blankEnd
      return true
    }
    const end = this.#text.indexOf('<', blankEnd)
    if (end < 0) return false
    const raw = this.#text.slice(this.#at, end)
    const isBlank = BLANK.test(raw)
    if (this.#depth === 0 && !isBlank) this.#malformed('text outside of the document', '文档之外有文本')
    if (!isBlank) this.#listener.text(this.#decode(raw))
    this.#at = end
    return true
  }

  #opening(): boolean {
    const text = this.#text
    const nameEnd = endOfName(text, this.#at + 1)
    const name = text.slice(this.#at + 1, nameEnd)
    const attributes: Record<string, string> = new Bag()
    const at = name === '' ? -1 : this.#attributes(nameEnd, this.#guessesOf(name), attributes)
    const isEmpty = text.charCodeAt(at) === SLASH
    const end = isEmpty ? at + 1 : at
    if (at < 0 || text.charCodeAt(end) !== GREATER) return this.#unfinished('<')
    if (this.#depth === 0 && this.#hasRoot) this.#malformed('a second document', '存在第二个文档')
    this.#hasRoot = true
    if (!isEmpty) this.#depth += 1
    this.#listener.open(name, attributes)
    if (isEmpty) this.#listener.close(name)
    this.#at = end + 1
    return true
  }

  /** Reads `name="value"` as often as it stands there, and gives where it ends; -1 where something else stands there. */
  #attributes(from: number, guesses: string[], attributes: Record<string, string>): number {
    const text = this.#text
    let at = from
    for (let index = 0; ; index += 1) {
      const start = skipBlanks(text, at)
      const code = text.charCodeAt(start)
      if (code === GREATER || code === SLASH) return start
      const guess = guesses[index] ?? ''
      const isGuessed = guess !== '' && text.startsWith(guess, start) && text.charCodeAt(start + guess.length) === EQUALS
      const nameEnd = isGuessed ? start + guess.length : endOfName(text, start)
      if (start === at || nameEnd === start) return -1
      const name = isGuessed ? guess : text.slice(start, nameEnd)
      if (!isGuessed && index < GUESSES_MAX) guesses[index] = name
      const equals = skipBlanks(text, nameEnd)
      const open = skipBlanks(text, equals + 1)
      const quote = text.charAt(open)
      const close = quote === '"' || quote === "'" ? text.indexOf(quote, open + 1) : -1
      if (text.charCodeAt(equals) !== EQUALS || close < 0) return -1
      const value = text.slice(open + 1, close)
      if (name in attributes) this.#malformed('an attribute stands twice', '属性重复')
      if (value.includes('<')) return -1
      attributes[name] = value.includes('&') ? this.#decode(value) : value
      at = close + 1
    }
  }

  /** Elements of one name have the same attributes in the same order nearly always, and what is expected need not be made anew. */
  #guessesOf(name: string): string[] {
    let guesses = this.#guesses.get(name)
    if (!guesses) {
      guesses = []
      if (this.#guesses.size < ELEMENTS_GUESSED_MAX) this.#guesses.set(name, guesses)
    }
    return guesses
  }

  #closing(): boolean {
    const nameEnd = endOfName(this.#text, this.#at + 2)
    const end = skipBlanks(this.#text, nameEnd)
    if (nameEnd === this.#at + 2 || this.#text.charCodeAt(end) !== GREATER) return this.#unfinished('</')
    this.#depth -= 1
    this.#listener.close(this.#text.slice(this.#at + 2, nameEnd))
    this.#at = end + 1
    return true
  }

  #aside(): boolean {
    const text = this.#text
    const found = ASIDES.find(([begin]) => text.startsWith(begin, this.#at))
    if (!found) {
      if (text.length - this.#at < LONGEST_ASIDE && ASIDES.some(([begin]) => begin.startsWith(text.slice(this.#at)))) return false
      return this.#malformed('this is no tag', '这不是标签')
    }
    const [begin, ending] = found
    const end = text.indexOf(ending, this.#at + begin.length)
    const body = text.slice(this.#at + begin.length, end < 0 ? undefined : end)
    if (begin === '<!DOCTYPE' && /[[\]]|ENTITY/.test(body)) this.#malformed('a document type that declares something', '文档类型中含有声明')
    if (end < 0) return false
    if (begin === '<![CDATA[') this.#listener.text(body)
    this.#at = end + ending.length
    return true
  }

  /** A tag that does not end may go on in the next chunk, unless another begins before. */
  #unfinished(begin: string): boolean {
    const text = this.#text
    const end = endOfTag(text, this.#at + begin.length)
    return end < 0 ? false : this.#malformed('a tag that is none', '标签格式错误')
  }

  #decode(raw: string): string {
    if (!raw.includes('&')) return raw
    return raw.replaceAll(/&([^;&]{0,12})(;?)/g, (_, name: string, end: string) => {
      const known = end === ';' ? (ENTITIES[name] ?? numeric(name)) : undefined
      return known ?? this.#malformed('an entity that XML does not know', '未知的实体')
    })
  }

  #malformed(en: string, zh: string): never {
    return this.#listener.refuse({ kind: 'malformed', en, zh })
  }

  /** Line ends from where they were last counted. */
  #count(): void {
    for (let next = this.#text.indexOf('\n', this.#counted); next >= 0 && next < this.#at; next = this.#text.indexOf('\n', next + 1)) {
      this.#lines += 1
      this.#lineStart = next + 1
    }
    this.#counted = Math.max(this.#counted, this.#at)
  }
}

const [LESS, GREATER, SLASH, QUESTION, EXCLAMATION, EQUALS, UNDERSCORE] = [0x3c, 0x3e, 0x2f, 0x3f, 0x21, 0x3d, 0x5f]
const LONGEST_ASIDE = 9
const ELEMENTS_GUESSED_MAX = 64
const GUESSES_MAX = 16
const BLANK = /^\s*$/
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** `#65`, `#x41`: a character that XML allows (XML 1.0, section 2.2). */
function numeric(name: string): string | undefined {
  const [, hex, decimal] = /^#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}))$/.exec(name) ?? []
  if (hex === undefined && decimal === undefined) return undefined
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  const isAllowed = code === 9 || code === 10 || code === 13 || (code >= 0x20 && code <= 0xd7ff) || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x1_0000 && code <= 0x10_ffff)
  return isAllowed ? String.fromCodePoint(code) : undefined
}

/** Without a prototype, so that an attribute may have any name; and, unlike what Object.create(null) makes, as quick as any object. */
const Bag = function Bag() {} as unknown as new () => Record<string, string>
Bag.prototype = Object.create(null) as object

/** Where the name that begins there ends; `from` where none does. Names of ASCII letters, as all scanners write, without an expression. */
function endOfName(text: string, from: number): number {
  let at = from
  for (let code = text.charCodeAt(at); (code >= 0x61 && code <= 0x7a) || code === UNDERSCORE; code = text.charCodeAt(at)) at += 1
  const next = text.charCodeAt(at)
  if (at > from && (next === EQUALS || next === 0x20 || next === GREATER)) return at
  NAME.lastIndex = from
  return NAME.test(text) ? NAME.lastIndex : from
}

function skipBlanks(text: string, from: number): number {
  let at = from
  for (let code = text.charCodeAt(at); code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09; code = text.charCodeAt(at)) at += 1
  return at
}

/** Where a tag would end, quotes heeded; -1 where that has not come. A `<` ends it too, for no tag holds one. */
function endOfTag(text: string, from: number): number {
  let quote = ''
  for (let at = from; at < text.length; at += 1) {
    const character = text.charAt(at)
    if (character === '<') return at
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '>') return at
    else if (character === '"' || character === "'") quote = character
  }
  return -1
}
