import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutTo, livePage } from './livePage.ts'
import { widthOf } from './table.ts'

const SIZE = { columns: 20, rows: 10 }

describe('a live page', () => {
  test('writes again only what has changed', () => {
    const written: string[] = []
    const page = livePage((text) => written.push(text))
    page.show(['one', 'two', 'three'], SIZE)
    page.show(['one', 'two', 'three'], SIZE)
    page.show(['one', '2', 'three'], SIZE)
    expect(written).toEqual(['\r\u001B[Jone\ntwo\nthree\n', '\u001B[2A2\u001B[K\r\u001B[2B'])
  })

  const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '发', '✓'), maxLength: 30 })
  const pages = fc.array(fc.record({ lines: fc.array(line, { maxLength: 14 }), columns: fc.constantFrom(8, 20, 21) }), { minLength: 1, maxLength: 8 })

  test('whatever was shown before, the screen holds the last page and nothing else', () => {
    fc.assert(
      fc.property(pages, (shown) => {
        const screen = new Screen()
        const page = livePage((text) => screen.write(text))
        for (const { lines, columns } of shown) page.show(lines, { columns, rows: SIZE.rows })
        const { lines, columns } = shown.at(-1) ?? { lines: [], columns: 0 }
        const room = SIZE.rows - 1
        const kept = lines.length <= room ? lines : [...lines.slice(0, room - 1), '…']
        expect(screen.lines()).toEqual(kept.map((one) => cutTo(one, columns - 1)))
        page.end()
        expect(screen.lines()).toEqual([])
      }),
    )
  })

  test('a cut line has its colours switched off, and is never too wide', () => {
    expect(cutTo('\u001B[31mforbidden\u001B[39m', 5)).toBe('\u001B[31mforb…\u001B[0m')
    expect(cutTo('发布完成', 5)).toBe('发布…')
    fc.assert(fc.property(line, fc.integer({ min: 1, max: 40 }), (text, columns) => widthOf(cutTo(text, columns)) <= columns))
  })
})

/** As much of a terminal as the page uses; lines stand as they were written. */
class Screen {
  #rows: string[] = ['']
  #row = 0
  #column = 0

  write(text: string): void {
    // oxlint-disable-next-line no-control-regex -- the escape character is what is looked for
    for (const [part, , count, code] of text.matchAll(/(\u001B\[(\d*)([ABJK]))|\r|\n|[^\u001B\r\n]+/g)) {
      if (code === 'A') this.#row -= Number(count)
      else if (code === 'B') this.#row += Number(count)
      else if (code === 'J') this.#rows.splice(this.#row, Infinity, '')
      else if (code === 'K') this.#rows[this.#row] = (this.#rows[this.#row] ?? '').slice(0, this.#column)
      else if (part === '\r') this.#column = 0
      else if (part === '\n') this.#newLine()
      else this.#put(part)
      if (this.#row < 0) throw new RangeError('above the page')
    }
  }

  #newLine(): void {
    this.#row += 1
    this.#column = 0
    this.#rows[this.#row] ??= ''
  }

  #put(text: string): void {
    const row = this.#rows[this.#row] ?? ''
    this.#rows[this.#row] = row.slice(0, this.#column) + text + row.slice(this.#column + text.length)
    this.#column += text.length
  }

  lines(): string[] {
    return this.#rows.slice(0, this.#row)
  }
}
