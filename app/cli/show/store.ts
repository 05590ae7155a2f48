import type { KeptFile } from '../cli.ts'
import { layTable } from '../table.ts'
import { t, timeWords, type Pen } from './words.ts'

export function showKept(pen: Pen, kind: 'backup' | 'restore', { file, created, rows, isDry }: KeptFile): string {
  const done =
    kind === 'backup'
      ? isDry ? { en: `${file}: would be written`, zh: `${file}：将写入` } : { en: `${file}: written, and on the disk`, zh: `${file}：已写入磁盘` }
      : isDry ? { en: `${file}: whole; would be restored`, zh: `${file}：完整，将被恢复` } : { en: `${file}: restored`, zh: `${file}：已恢复` }
  const what = kind === 'restore' ? ` · ${t(pen, { en: `as of ${timeWords(created)}`, zh: `数据时间 ${timeWords(created)}` })}` : ''
  return `${pen.paint.bold(t(pen, done))}${what}\n${rowLines(rows)}`
}

export function showRetired(pen: Pen, { before, rows, isDry }: { readonly before: number; readonly rows: Readonly<Record<string, number>>; readonly isDry: boolean }): string {
  const title = isDry ? { en: `would be taken away, from before ${timeWords(before)}:`, zh: `将删除 ${timeWords(before)} 之前的：` } : { en: `taken away, from before ${timeWords(before)}:`, zh: `已删除 ${timeWords(before)} 之前的：` }
  return `${pen.paint.bold(t(pen, title))}\n${rowLines(rows)}`
}

const rowLines = (rows: Readonly<Record<string, number>>): string =>
  layTable(Object.entries(rows).map(([table, count]) => [table, String(count)]), '  ').map((line) => `${line}\n`).join('')
