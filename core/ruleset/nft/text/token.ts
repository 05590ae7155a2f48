import type { Fault } from '../../../fault/fault.ts'

/** One token of nft's language. A `word` is anything between blanks and punctuation: `tcp`, `22-25`, `10.0.0.0/8`, `fe80::1`, `@set`, `eth*`. */
export interface Token {
  readonly kind: 'word' | 'string' | 'mark' | 'end'
  readonly text: string
  /** One-based. */
  readonly line: number
  readonly column: number
}

/** Unwinds from the depth of the grammar to the caller, who turns it into a fault. */
export class NftRefusal extends Error {
  readonly line: number
  readonly column: number
  readonly chinese: string

  constructor(at: Pick<Token, 'line' | 'column'>, english: string, chinese: string) {
    super(english)
    this.line = at.line
    this.column = at.column
    this.chinese = chinese
  }

  toFault(file: string): Fault {
    return {
      code: 'RULESET_NFT_TEXT',
      what: { en: this.message, zh: this.chinese },
      next: { en: 'give the output of "nft list ruleset"', zh: '请提供 “nft list ruleset” 的输出' },
      place: { file, line: this.line, column: this.column },
    }
  }
}

export const unexpected = (token: Token, english: string, chinese: string): NftRefusal =>
  new NftRefusal(token, `"${token.text.slice(0, 48).replace('\n', 'end of line')}" where ${english} is expected`, `此处应为${chinese}，却是 “${token.text.slice(0, 48).replace('\n', '行尾')}”`)

const WORD = /[A-Za-z0-9_.:/@*$\\+\-[\]%]+/y
// `:` and `.` alone, and brackets of addresses, are words; the grammar tells them apart.
const MARK = /!=|==|<=|>=|<<|>>|[{}();,=<>&|^!~\n]/y
const STRING = /"(?:[^"\\\n]|\\.)*"/y
const BLANK = /(?:[ \t\r]|\\\r?\n|#[^\n]*)+/y

/** Splits a text into tokens. A line's end is the mark `\n`; comments and continued lines vanish. O(text). */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  let line = 1
  let lineStart = 0
  for (let at = 0; at < text.length; ) {
    const blank = matchAt(BLANK, text, at)
    if (blank !== '') {
      const newlines = blank.split('\n').length - 1
      if (newlines > 0) lineStart = at + blank.lastIndexOf('\n') + 1
      line += newlines
      at += blank.length
      continue
    }
    const token = tokenAt(text, at, line, at - lineStart + 1)
    tokens.push(token.token)
    at += token.length
    if (token.token.text === '\n') {
      line += 1
      lineStart = at
    }
  }
  tokens.push({ kind: 'end', text: '', line, column: text.length - lineStart + 1 })
  return tokens
}

function tokenAt(text: string, at: number, line: number, column: number): { token: Token; length: number } {
  const string = matchAt(STRING, text, at)
  if (string !== '') return { token: { kind: 'string', text: string.slice(1, -1), line, column }, length: string.length }
  const mark = matchAt(MARK, text, at)
  if (mark !== '') return { token: { kind: 'mark', text: mark, line, column }, length: mark.length }
  const word = trimColon(matchAt(WORD, text, at))
  if (word !== '') return { token: { kind: 'word', text: word, line, column }, length: word.length }
  throw new NftRefusal({ line, column }, `a stray character "${text[at] ?? ''}"`, `多余的字符 “${text[at] ?? ''}”`)
}

/** `22: accept` is a key and a colon; `fe80::` and `:80` are words. */
const trimColon = (word: string): string => (word.length > 1 && word.endsWith(':') && !word.endsWith('::') ? word.slice(0, -1) : word)

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}
