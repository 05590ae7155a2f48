import { widthOf } from './table.ts'

/** A page at the bottom of a terminal that is kept up to date: only lines that have changed are written again. */
export interface LivePage {
  /** Lines that do not fit are cut, and those that the screen has no room for are left out. */
  show(lines: readonly string[], size: ScreenSize): void
  /** Takes the page away. */
  end(): void
}

export interface ScreenSize {
  readonly columns: number
  readonly rows: number
}

/** Cursor up and down, erase to the end of the line and of the screen (ECMA-48 sections 8.3.22, 8.3.19, 8.3.41 and 8.3.39). */
const up = (lines: number): string => (lines === 0 ? '' : `\u001B[${lines}A`)
const down = (lines: number): string => (lines === 0 ? '' : `\u001B[${lines}B`)
const [CLEAR_LINE, CLEAR_BELOW] = ['\u001B[K', '\u001B[J']

export function livePage(write: (text: string) => void): LivePage {
  let shown: readonly string[] = []
  let columns = 0
  return {
    show(lines, size) {
      const page = fit(lines, size)
      // What was written for another width has been wrapped or not, nobody knows where.
      const isNew = columns !== size.columns || page.length < shown.length
      const change = isNew ? `${up(shown.length)}\r${CLEAR_BELOW}${page.map((line) => `${line}\n`).join('')}` : changes(shown, page)
      ;[shown, columns] = [page, size.columns]
      if (change !== '') write(change)
    },
    end() {
      if (shown.length > 0) write(`${up(shown.length)}\r${CLEAR_BELOW}`)
      shown = []
    },
  }
}

/** The cursor stands below the page before and after. */
function changes(before: readonly string[], after: readonly string[]): string {
  const rewritten = before.map((line, index) => {
    const distance = before.length - index
    return line === after[index] ? '' : `${up(distance)}${after[index]}${CLEAR_LINE}\r${down(distance)}`
  })
  return rewritten.join('') + after.slice(before.length).map((line) => `${line}\n`).join('')
}

/** One column is left free, so that no terminal wraps; one row for the cursor. */
function fit(lines: readonly string[], { columns, rows }: ScreenSize): string[] {
  const room = Math.max(1, rows - 1)
  const kept = lines.length <= room ? lines : [...lines.slice(0, room - 1), '…']
  return kept.map((line) => cutTo(line, columns - 1))
}

// oxlint-disable-next-line no-control-regex -- the escape character is what is looked for
const COLOUR_OR_CHARACTER = /\u001B\[[0-9;]*m|./gu

/** The text in so many terminal columns, with an ellipsis where it was longer; colours that were on are switched off. */
export function cutTo(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let [cut, width, isColoured] = ['', 0, false]
  for (const [part] of text.matchAll(COLOUR_OR_CHARACTER)) {
    if (part.startsWith('\u001B')) isColoured = true
    else if (width + widthOf(part) > columns - 1) break
    else width += widthOf(part)
    cut += part
  }
  return `${cut}…${isColoured ? '\u001B[0m' : ''}`
}
