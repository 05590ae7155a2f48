import type { Pen } from './words.ts'

/** One line of either text: kept, removed or added. */
interface DiffLine {
  readonly sign: ' ' | '-' | '+'
  readonly line: string
}

const CONTEXT_LINES = 3
/** An edit of more lines than this is shown as a block removed and a block added. */
const EDITS_MAX = 1500

/** A unified diff of two texts, as `git apply` and `patch -p1` take it; nothing where they are equal. */
export function textDiff(pen: Pick<Pen, 'paint'>, before: string, after: string, file: string): string {
  if (before === after) return ''
  const lines = diffLines(linesOf(before), linesOf(after))
  const hunks = hunksOf(lines).map((hunk) => showHunk(pen, hunk))
  const name = file.replace(/^\/+/, '')
  return `${pen.paint.bold(`--- a/${name}`)}\n${pen.paint.bold(`+++ b/${name}`)}\n${hunks.join('')}`
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1
  let tail = 0
  while (tail < before.length - head && tail < after.length - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1
  const kept = (lines: readonly string[]): DiffLine[] => lines.map((line) => ({ sign: ' ', line }))
  return [...kept(before.slice(0, head)), ...diffMiddle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)), ...kept(before.slice(before.length - tail))]
}

/** Myers, An O(ND) Difference Algorithm (1986): the furthest reach on each diagonal, kept for every number of edits, walked back at the end. */
function diffMiddle(before: readonly string[], after: readonly string[]): DiffLine[] {
  const reached: Map<number, number>[] = []
  const furthest = new Map([[1, 0]])
  for (let edits = 0; edits <= Math.min(before.length + after.length, EDITS_MAX); edits += 1) {
    reached.push(new Map(furthest))
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = startOn(furthest, diagonal, edits)
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x += 1
      furthest.set(diagonal, x)
      if (x >= before.length && x - diagonal >= after.length) return walkBack(before, after, reached)
    }
  }
  return [...before.map((line): DiffLine => ({ sign: '-', line })), ...after.map((line): DiffLine => ({ sign: '+', line }))]
}

const isDown = (furthest: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean =>
  diagonal === -edits || (diagonal !== edits && (furthest.get(diagonal - 1) ?? -1) < (furthest.get(diagonal + 1) ?? -1))

const startOn = (furthest: ReadonlyMap<number, number>, diagonal: number, edits: number): number =>
  isDown(furthest, diagonal, edits) ? (furthest.get(diagonal + 1) ?? 0) : (furthest.get(diagonal - 1) ?? 0) + 1

function walkBack(before: readonly string[], after: readonly string[], reached: readonly ReadonlyMap<number, number>[]): DiffLine[] {
  const lines: DiffLine[] = []
  let [x, y] = [before.length, after.length]
  for (let edits = reached.length - 1; edits >= 0; edits -= 1) {
    const furthest = reached[edits] ?? new Map<number, number>()
    const diagonal = x - y
    const from = isDown(furthest, diagonal, edits) ? diagonal + 1 : diagonal - 1
    const [fromX, fromY] = edits === 0 ? [0, 0] : [furthest.get(from) ?? 0, (furthest.get(from) ?? 0) - from]
    for (; x > fromX && y > fromY; x -= 1, y -= 1) lines.push({ sign: ' ', line: before[x - 1] ?? '' })
    if (edits === 0) break
    if (x === fromX) lines.push({ sign: '+', line: after[y - 1] ?? '' })
    else lines.push({ sign: '-', line: before[x - 1] ?? '' })
    ;[x, y] = [fromX, fromY]
  }
  return lines.toReversed()
}

interface Hunk {
  readonly beforeLine: number
  readonly afterLine: number
  readonly lines: readonly DiffLine[]
}

function hunksOf(lines: readonly DiffLine[]): Hunk[] {
  const changed = lines.flatMap(({ sign }, index) => (sign === ' ' ? [] : [index]))
  const spans: { from: number; to: number }[] = []
  for (const index of changed) {
    const open = spans.at(-1)
    if (open && index - open.to <= 2 * CONTEXT_LINES) open.to = index
    else spans.push({ from: index, to: index })
  }
  return spans.map(({ from, to }) => {
    const start = Math.max(0, from - CONTEXT_LINES)
    const above = lines.slice(0, start)
    return {
      beforeLine: above.filter(({ sign }) => sign !== '+').length + 1,
      afterLine: above.filter(({ sign }) => sign !== '-').length + 1,
      lines: lines.slice(start, to + 1 + CONTEXT_LINES),
    }
  })
}

function showHunk({ paint }: Pick<Pen, 'paint'>, { beforeLine, afterLine, lines }: Hunk): string {
  const before = lines.filter(({ sign }) => sign !== '+').length
  const after = lines.filter(({ sign }) => sign !== '-').length
  const at = (line: number, count: number): string => `${count === 0 ? line - 1 : line},${count}`
  const colours = { ' ': (text: string) => text, '-': paint.red, '+': paint.green }
  const body = lines.map(({ sign, line }) => `${colours[sign](sign + line)}\n`).join('')
  return `${paint.dim(`@@ -${at(beforeLine, before)} +${at(afterLine, after)} @@`)}\n${body}`
}
