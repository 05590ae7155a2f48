import { cutTo } from './livePage.ts'
import { layTable, widthOf } from './table.ts'

export interface FitColumn {
  /** The column may become this narrow where the table is too wide; columns without it keep their width. */
  readonly least?: number
  /** Only when the others are as narrow as they may be. */
  readonly isLast?: true
}

const GAP = 2

/** As `layTable`, in at most so many terminal columns where the narrowing columns allow it; what is cut ends in an ellipsis. */
export function fitTable(rows: readonly (readonly string[])[], columns: readonly FitColumn[], width: number): { readonly lines: string[]; readonly isCut: boolean } {
  const widths = columns.map((_, index) => Math.max(0, ...rows.map((row) => widthOf(row[index] ?? ''))))
  const shown = widths.flatMap((natural, index) => (natural > 0 ? [index] : []))
  let over = shown.reduce((sum, index) => sum + (widths[index] ?? 0) + GAP, -GAP) - width
  for (; over > 0; over -= 1) {
    const widest = widestOf(shown, widths, columns, false) ?? widestOf(shown, widths, columns, true)
    if (widest === undefined) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  let isCut = false
  const cells = rows.map((row) =>
    shown.map((index) => {
      const cell = row[index] ?? ''
      const cut = cutTo(cell, widths[index] ?? 0)
      isCut ||= cut !== cell
      return cut
    }),
  )
  return { lines: layTable(cells), isCut }
}

function widestOf(shown: readonly number[], widths: readonly number[], columns: readonly FitColumn[], isLast: boolean): number | undefined {
  let widest: number | undefined
  for (const index of shown) {
    const { least, isLast: comesLast = false } = columns[index] ?? {}
    if (comesLast === isLast && least !== undefined && (widths[index] ?? 0) > least && (widest === undefined || (widths[index] ?? 0) > (widths[widest] ?? 0))) widest = index
  }
  return widest
}
