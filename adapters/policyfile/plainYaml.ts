import { resolvePlain, type LocatedEntry, type LocatedNode } from './located.ts'

/**
 * A fast reader for the YAML that policies are nearly always written in: block maps and lists, flow collections that end on
 * their line, one-line scalars, comments. It reads 10,000 hosts some twenty times faster than a complete reader.
 *
 * Invariant: what it answers, a complete YAML 1.2 reader answers too, places included; anything else (anchors, tags, block scalars,
 * values over several lines, escapes, tabs, mistakes of any kind) makes it answer nothing. A property test holds it to that.
 */
export function readPlainYaml(text: string): LocatedNode | undefined {
  // Characters that YAML treats in its own way: C0 and C1 controls (so tabs and carriage returns), byte order marks, lone surrogates.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]/.test(text) || !text.isWellFormed()) return undefined
  const lines = splitLines(text)
  if (!lines || lines.length === 0) return undefined
  try {
    const reader = new PlainReader(text, lines)
    return reader.readDocument()
  } catch (error) {
    if (error instanceof NotPlain) return undefined
    throw error
  }
}

class NotPlain extends Error {}

/** A line with something on it: `at` is the offset of its first character, `end` that after its last one before comment and blanks. */
interface Line {
  at: number
  indent: number
  readonly end: number
}

function splitLines(text: string): Line[] | undefined {
  const lines: Line[] = []
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const stop = newline < 0 ? text.length : newline
    let at = start
    while (at < stop && text[at] === ' ') at += 1
    if (at < stop && text[at] !== '#') {
      const isMarker = at === start && /^(?:---|\.\.\.|%)/.test(text.slice(start, start + 3))
      if (isMarker && !(lines.length === 0 && text.slice(start, stop) === '---')) return undefined
      if (!isMarker) lines.push({ at, indent: at - start, end: endOfContent(text, at, stop) })
    }
    start = stop + 1
  }
  return lines
}

/** Cuts a comment, which begins at a `#` after a blank and outside quotes, and trailing blanks. */
function endOfContent(text: string, at: number, stop: number): number {
  let quote = ''
  let end = at
  for (let i = at; i < stop; i += 1) {
    const char = text[i] ?? ''
    if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '#' && text[i - 1] === ' ') return end
    // A quote opens only where a value can begin; elsewhere it is a letter like any other.
    else if ((char === '"' || char === "'") && /[\s[{,:-]/.test(text[i - 1] ?? ' ')) quote = char
    if (char !== ' ') end = i + 1
  }
  return end
}

/** Deeper than this is left to the complete reader, which states the limit. */
const DEPTH_MAX = 32

class PlainReader {
  readonly #text: string
  readonly #lines: readonly Line[]
  #next = 0
  #depth = 0

  constructor(text: string, lines: readonly Line[]) {
    this.#text = text
    this.#lines = lines
  }

  readDocument(): LocatedNode {
    const first = this.#lines[0]
    if (!first || first.indent !== 0) throw new NotPlain()
    const root = this.#readBlock(0)
    if (this.#next < this.#lines.length) throw new NotPlain()
    return root
  }

  #readBlock(indent: number): LocatedNode {
    const line = this.#lines[this.#next]
    if (!line || line.indent !== indent || ++this.#depth > DEPTH_MAX) throw new NotPlain()
    const node = this.#isItem(line) ? this.#readList(indent, line.at) : this.#readMap(indent, line.at)
    this.#depth -= 1
    return node
  }

  #isItem(line: Line): boolean {
    return this.#text[line.at] === '-' && (line.end === line.at + 1 || this.#text[line.at + 1] === ' ')
  }

  #readList(indent: number, at: number): LocatedNode {
    const items: LocatedNode[] = []
    for (let line = this.#lines[this.#next]; line?.indent === indent && this.#isItem(line); line = this.#lines[this.#next]) {
      items.push(this.#readItem(line))
    }
    return { kind: 'list', items, at }
  }

  #readItem(line: Line): LocatedNode {
    let at = line.at + 1
    while (at < line.end && this.#text[at] === ' ') at += 1
    if (at >= line.end) throw new NotPlain()
    const indent = line.indent + at - line.at
    if (this.#keyEnd(at, line.end) < 0 && !this.#isItem({ at, indent, end: line.end })) return this.#readInline(line, at)
    // The rest of the line is the first line of a block that stands at its own column.
    line.at = at
    line.indent = indent
    return this.#readBlock(indent)
  }

  #readMap(indent: number, at: number): LocatedNode {
    const entries = new Map<string, LocatedEntry>()
    for (let line = this.#lines[this.#next]; line?.indent === indent && !this.#isItem(line); line = this.#lines[this.#next]) {
      const keyEnd = this.#keyEnd(line.at, line.end)
      if (keyEnd < 0) throw new NotPlain()
      const key = this.#keyAt(line.at, keyEnd)
      if (entries.has(key)) throw new NotPlain()
      entries.set(key, { keyAt: line.at, value: this.#readValue(line, keyEnd) })
    }
    if (entries.size === 0) throw new NotPlain()
    return { kind: 'map', entries, at }
  }

  #readValue(line: Line, keyEnd: number): LocatedNode {
    let at = keyEnd + 1
    while (at < line.end && this.#text[at] === ' ') at += 1
    if (at < line.end) return this.#readInline(line, at)
    this.#next += 1
    const below = this.#lines[this.#next]
    if (below && (below.indent > line.indent || (below.indent === line.indent && this.#isItem(below)))) return this.#readBlock(below.indent)
    return { kind: 'scalar', value: null, at: keyEnd + 1 }
  }

  /** Offset of the colon that ends a simple key, or a negative number. */
  #keyEnd(at: number, end: number): number {
    KEY.lastIndex = at
    const match = KEY.exec(this.#text)
    if (!match || KEY.lastIndex > end) return -1
    return KEY.lastIndex === end || this.#text[KEY.lastIndex] === ' ' ? KEY.lastIndex - 1 : -1
  }

  #keyAt(at: number, keyEnd: number): string {
    const source = this.#text.slice(at, keyEnd)
    const key = source.startsWith('"') ? source.slice(1, -1) : source
    if (key === '__proto__' || key.length > KEY_MAX) throw new NotPlain()
    return key
  }

  /** A value that ends on its line. A deeper line after it would go on with it; as no block is waiting for that line, the document then is not plain. */
  #readInline(line: Line, at: number): LocatedNode {
    this.#next += 1
    const flow = new FlowReader(this.#text, at, line.end)
    const char = this.#text[at]
    if (char === '[' || char === '{' || char === '"' || char === "'") return flow.readWhole()
    const source = this.#text.slice(at, line.end)
    if (!BLOCK_PLAIN.test(source)) throw new NotPlain()
    return { kind: 'scalar', value: resolvePlain(source), at }
  }
}

/** YAML 1.2 wants the colon of a simple key within 1024 characters. */
const KEY_MAX = 1000
const KEY = /(?:[A-Za-z0-9_./][A-Za-z0-9_./-]*|"[^"\\\n]*"):/y
// Starts with a character that has no meaning of its own to YAML, holds no `: ` and does not end in a colon.
const BLOCK_PLAIN = /^[\p{L}\p{N}_./(](?:[^:#\n]|:(?! |$)|(?<! )#)*$/u
const FLOW_PLAIN = /[\p{L}\p{N}_./(](?:[^:#,[\]{}\n]|:(?![ ,[\]{}]|$)|(?<! )#)*/uy

/** Reads `[a, {b: c}]` and quoted scalars, within one line. */
class FlowReader {
  readonly #text: string
  readonly #end: number
  #at: number
  #depth = 0

  constructor(text: string, at: number, end: number) {
    this.#text = text
    this.#at = at
    this.#end = end
  }

  readWhole(): LocatedNode {
    const node = this.#readNode()
    if (this.#at !== this.#end) throw new NotPlain()
    return node
  }

  #readNode(): LocatedNode {
    const char = this.#text[this.#at]
    if (char === '"' || char === "'") return this.#readQuoted(char)
    if (char !== '[' && char !== '{') return this.#readPlain()
    if (++this.#depth > DEPTH_MAX) throw new NotPlain()
    const node = char === '[' ? this.#readList() : this.#readMap()
    this.#depth -= 1
    return node
  }

  #readList(): LocatedNode {
    const at = this.#at
    const items: LocatedNode[] = []
    this.#readParts(']', () => {
      items.push(this.#readNode())
      this.#skipBlanks()
      if (this.#text[this.#at] === ':') throw new NotPlain()
    })
    return { kind: 'list', items, at }
  }

  #readMap(): LocatedNode {
    const at = this.#at
    const entries = new Map<string, LocatedEntry>()
    this.#readParts('}', () => {
      KEY.lastIndex = this.#at
      const keyAt = this.#at
      const match = KEY.exec(this.#text)
      if (!match || this.#text[KEY.lastIndex] !== ' ') throw new NotPlain()
      const key = match[0].startsWith('"') ? match[0].slice(1, -2) : match[0].slice(0, -1)
      if (entries.has(key) || key === '__proto__' || key.length > KEY_MAX) throw new NotPlain()
      this.#at = KEY.lastIndex
      this.#skipBlanks()
      entries.set(key, { keyAt, value: this.#readNode() })
    })
    return { kind: 'map', entries, at }
  }

  #readParts(close: string, readPart: () => void): void {
    this.#at += 1
    this.#skipBlanks()
    while (this.#text[this.#at] !== close) {
      readPart()
      this.#skipBlanks()
      if (this.#text[this.#at] === ',') {
        this.#at += 1
        this.#skipBlanks()
      } else if (this.#text[this.#at] !== close) throw new NotPlain()
      if (this.#at >= this.#end) throw new NotPlain()
    }
    this.#at += 1
  }

  #readQuoted(quote: string): LocatedNode {
    const at = this.#at
    const close = this.#text.indexOf(quote, at + 1)
    if (close < 0 || close >= this.#end) throw new NotPlain()
    const value = this.#text.slice(at + 1, close)
    // Escapes, and two single quotes that stand for one, are left to the complete reader.
    if ((quote === '"' && value.includes('\\')) || (quote === "'" && this.#text[close + 1] === "'")) throw new NotPlain()
    this.#at = close + 1
    return { kind: 'scalar', value, at }
  }

  #readPlain(): LocatedNode {
    FLOW_PLAIN.lastIndex = this.#at
    const match = FLOW_PLAIN.exec(this.#text)
    const source = match?.[0].replace(/ +$/, '') ?? ''
    if (source === '' || this.#at + source.length > this.#end) throw new NotPlain()
    const at = this.#at
    this.#at += source.length
    return { kind: 'scalar', value: resolvePlain(source), at }
  }

  #skipBlanks(): void {
    while (this.#at < this.#end && this.#text[this.#at] === ' ') this.#at += 1
  }
}
