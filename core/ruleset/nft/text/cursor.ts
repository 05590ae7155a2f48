import { unexpected, type Token } from './token.ts'

const END: Token = { kind: 'end', text: '', line: 1, column: 1 }

/** Reads tokens in order, with a look at what comes next. */
export class Cursor {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  peek(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? this.#tokens.at(-1) ?? END
  }

  next(): Token {
    const token = this.peek()
    this.#at += 1
    return token
  }

  is(...texts: readonly string[]): boolean {
    const token = this.peek()
    return token.kind !== 'string' && token.kind !== 'end' && texts.includes(token.text)
  }

  /** Takes the next token when it is the given one. */
  take(text: string): boolean {
    if (!this.is(text)) return false
    this.#at += 1
    return true
  }

  /** Takes several words in a row, or none of them. */
  takeAll(...texts: readonly string[]): boolean {
    const isHere = texts.every((text, ahead) => this.peek(ahead).kind !== 'string' && this.peek(ahead).text === text)
    if (isHere) this.#at += texts.length
    return isHere
  }

  expect(text: string): Token {
    const token = this.next()
    if (token.kind === 'string' || token.text !== text) throw unexpected(token, `"${text}"`, `“${text}”`)
    return token
  }

  word(english: string, chinese: string): Token {
    const token = this.next()
    if (token.kind !== 'word' && token.kind !== 'string') throw unexpected(token, english, chinese)
    return token
  }

  /** A name as nft prints it, quoted where it is not a plain word. */
  name(): string {
    return this.word('a name', '名称').text
  }

  skipLines(): void {
    while (this.is('\n', ';')) this.#at += 1
  }

  /** A statement or a declaration ends at a line's end, a semicolon or the brace that closes its block. */
  get isAtEnd(): boolean {
    return this.peek().kind === 'end' || this.is('\n', ';', '}')
  }

  endLine(): void {
    if (!this.isAtEnd) throw unexpected(this.peek(), 'the end of the line', '行尾')
    if (this.is('\n', ';')) this.#at += 1
  }

  /** Skips a balanced block whose opening brace comes next. */
  skipBlock(): void {
    this.expect('{')
    for (let depth = 1; depth > 0; ) {
      const token = this.next()
      if (token.kind === 'end') throw unexpected(token, '"}"', '“}”')
      if (token.kind === 'mark' && token.text === '{') depth += 1
      if (token.kind === 'mark' && token.text === '}') depth -= 1
    }
  }
}
