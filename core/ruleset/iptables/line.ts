import { type Fault, type Place } from '../../fault/fault.ts'

/** One word of a line, with the column (one-based) at which it starts. */
export interface Word {
  readonly text: string
  readonly column: number
  /** Written in quotes: never an option, even if it starts with a dash. */
  readonly isQuoted?: true
}

/** Unwinds from the depth of one line to the loop over lines, which turns it into a fault with a place. */
export class LineRefusal extends Error {
  readonly column: number
  readonly chinese: string

  constructor(column: number, english: string, chinese: string) {
    super(english)
    this.column = column
    this.chinese = chinese
  }

  toFault(file: string, line: number): Fault {
    const place: Place = { file, line, column: this.column }
    return { code: 'IPTABLES_SYNTAX', what: { en: this.message, zh: this.chinese }, place }
  }
}

/** Splits as iptables-restore does: blanks separate, double quotes hold blanks, a backslash inside quotes takes the next character as it is. */
export function splitWords(line: string): readonly Word[] {
  const words: Word[] = []
  let at = 0
  while (at < line.length) {
    if (line[at] === ' ' || line[at] === '\t') {
      at += 1
      continue
    }
    const end = wordEnd(line, at)
    words.push({ text: unquote(line.slice(at, end)), column: at + 1, ...(line[at] === '"' ? { isQuoted: true } : {}) })
    at = end
  }
  return words
}

function wordEnd(line: string, start: number): number {
  let isQuoted = false
  let at = start
  for (; at < line.length; at += 1) {
    const character = line[at]
    if (isQuoted && character === '\\') at += 1
    else if (character === '"') isQuoted = !isQuoted
    else if (!isQuoted && (character === ' ' || character === '\t')) break
  }
  if (isQuoted) throw new LineRefusal(start + 1, 'a quotation mark is not closed', '引号没有闭合')
  return Math.min(at, line.length)
}

const unquote = (text: string): string => (text.includes('"') ? text.replaceAll(/"((?:[^"\\]|\\.)*)"/g, (_, inner: string) => inner.replaceAll(/\\(.)/g, '$1')) : text)
