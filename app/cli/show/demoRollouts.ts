import type { DemoRollouts } from '../../demo/rollouts.ts'
import { rolloutStory } from '../../report/rolloutStory.ts'
import { t, type Pen } from './words.ts'

/** The second act in a few lines, between two blank ones. */
export function rolloutLines(pen: Pen, rollouts: DemoRollouts): string[] {
  const { title, parts } = rolloutStory(rollouts)
  const lines = parts.flatMap(({ mark, isGood, text, note }) => [
    `  ${pen.paint[MARKS[mark] ?? 'green'](isGood ? mark : '✗')} ${t(pen, text)}`,
    ...note.map((one) => `    ${pen.paint.dim(t(pen, one))}`),
  ])
  return ['', `  ${pen.paint.bold(t(pen, title))}`, ...lines]
}

const MARKS: Readonly<Record<string, keyof Pen['paint']>> = { '✗': 'red', '↶': 'yellow', '✉': 'cyan', '✓': 'green' }
