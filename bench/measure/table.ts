export interface Table {
  readonly title: string
  /** The first column is text, the others are figures. */
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** What has to be known to read it, a line each. */
  readonly notes?: readonly string[]
}

export function formatTable({ title, columns, rows, notes = [] }: Table): string {
  const widths = columns.map((column, index) => Math.max(...[column, ...rows.map((row) => row[index] ?? '')].map((cell) => cell.length)))
  const line = (cells: readonly string[]): string =>
    widths.map((width, index) => (index === 0 ? (cells[index] ?? '').padEnd(width) : (cells[index] ?? '').padStart(width))).join('  ').trimEnd()
  return [title, ...[columns, ...rows].map((cells) => `  ${line(cells)}`), ...notes.map((note) => `  ${note}`), ''].join('\n')
}

/** Where a figure is missing because nothing was measured. */
export const NOT_MEASURED = '–'

export const timesOf = (ratio: number | undefined, digits = 2): string =>
  ratio === undefined || Number.isNaN(ratio) ? NOT_MEASURED : `${ratio.toFixed(digits)} ×`

/** Standard error, so that standard output is the result alone. */
export const tell = (progress: string): boolean => process.stderr.write(`${progress}\n`)
