import type { Text } from '@portcullis/core/fault/fault.ts'
import type { JournalEntry } from '@portcullis/engine/store.ts'
import { randomUUID } from 'node:crypto'
import { say, type Cli } from '../cli/cli.ts'
import { widthOf } from '../cli/table.ts'

/** One thing that the demo does, with a name for programs and a title for people. */
export interface Step {
  readonly name: string
  readonly title: Text
}

export interface Progress {
  /** Shows the step while the work goes on, and what came of it. Steps may run side by side. */
  run<Value>(step: Step, work: (onShare: (share: number) => void) => Promise<Value>, tell: (value: Value) => Text): Promise<Value>
  /** Every step that has ended. */
  readonly phases: readonly { readonly name: string; readonly seconds: number }[]
  /** Takes the live lines away. */
  end(): void
}

export function startProgress(cli: Cli): Progress {
  const view = cli.isJson ? eventView(cli) : cli.isTerminal ? liveView(cli) : lineView(cli)
  const phases: { name: string; seconds: number }[] = []
  return {
    phases,
    async run(step, work, tell) {
      const startedMs = performance.now()
      const seconds = (): number => (performance.now() - startedMs) / 1000
      view.start(step)
      try {
        const value = await work((share) => view.share(step, share))
        phases.push({ name: step.name, seconds: round(seconds()) })
        view.end(step, seconds(), tell(value), true)
        return value
      } catch (error) {
        view.end(step, seconds(), FAILED, false)
        throw error
      }
    },
    end: () => view.close(),
  }
}

const FAILED: Text = { en: 'failed', zh: '失败' }

export const round = (seconds: number): number => Math.round(seconds * 10) / 10

interface View {
  start(step: Step): void
  share(step: Step, share: number): void
  end(step: Step, seconds: number, told: Text, isOk: boolean): void
  close(): void
}

/** Lines of `schemas/event.schema.json`. */
function eventView({ err, now }: Cli): View {
  const run = randomUUID()
  let sequence = 0
  const write = (kind: JournalEntry['kind'], { name }: Step, detail?: JournalEntry['detail']): void => {
    sequence += 1
    err(`${JSON.stringify({ sequence, run, at: now(), kind, name, ...(detail ? { detail } : {}) })}\n`)
  }
  return {
    start: (step) => write('action', step),
    share: () => undefined,
    end: (step, seconds, told, isOk) => write('signal', step, { ok: isOk, seconds: round(seconds), told: told.en }),
    close: () => undefined,
  }
}

const TITLE_COLUMNS = 44

const endLine = (cli: Cli, { title }: Step, seconds: number, told: Text, isOk: boolean): string => {
  const mark = isOk ? cli.errPaint.green('✓') : cli.errPaint.red('✗')
  const time = cli.errPaint.dim(`${seconds.toFixed(1)} s`.padStart(7))
  return `${mark} ${padTo(say(cli, title), TITLE_COLUMNS)} ${time}  ${cli.errPaint.dim(say(cli, told))}`
}

const padTo = (text: string, columns: number): string => text + ' '.repeat(Math.max(0, columns - widthOf(text)))

/** One line when a step begins, one when it ends. */
function lineView(cli: Cli): View {
  return {
    start: (step) => cli.err(`· ${say(cli, step.title)}\n`),
    share: () => undefined,
    end: (step, seconds, told, isOk) => cli.err(`${endLine(cli, step, seconds, told, isOk)}\n`),
    close: () => undefined,
  }
}

const REDRAW_MS = 120
const BAR_COLUMNS = 20
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
/** Cursor previous line, erase in display, make the cursor invisible and visible (ECMA-48 sections 8.3.13 and 8.3.39, DECTCEM). */
const [UP, CLEAR_BELOW, HIDE, SHOW] = [(lines: number) => `\u001B[${lines}F`, '\u001B[0J', '\u001B[?25l', '\u001B[?25h']

/** Steps that run stand at the bottom, those that have ended scroll up. */
function liveView(cli: Cli): View {
  const running = new Map<Step, { readonly startedMs: number; share?: number }>()
  let drawn = 0
  const clear = (): string => (drawn === 0 ? '' : `${UP(drawn)}${CLEAR_BELOW}`)
  const draw = (above = ''): void => {
    const lines = [...running].map(([step, state]) => runningLine(cli, step, state))
    cli.err(clear() + above + lines.map((line) => `${line}\n`).join(''))
    drawn = lines.length
  }
  const timer = setInterval(draw, REDRAW_MS)
  cli.err(HIDE)
  return {
    start(step) {
      running.set(step, { startedMs: performance.now() })
      draw()
    },
    share(step, share) {
      const state = running.get(step)
      if (state) state.share = share
    },
    end(step, seconds, told, isOk) {
      running.delete(step)
      draw(`${endLine(cli, step, seconds, told, isOk)}\n`)
    },
    close() {
      clearInterval(timer)
      cli.err(clear() + SHOW)
      drawn = 0
    },
  }
}

function runningLine(cli: Cli, { title }: Step, { startedMs, share }: { startedMs: number; share?: number }): string {
  const ms = performance.now() - startedMs
  const spin = cli.errPaint.cyan(SPINNER[Math.floor(ms / REDRAW_MS) % SPINNER.length] ?? '')
  const time = cli.errPaint.dim(`${(ms / 1000).toFixed(1)} s`.padStart(7))
  if (share === undefined) return `${spin} ${padTo(say(cli, title), TITLE_COLUMNS)} ${time}`
  const full = Math.round(share * BAR_COLUMNS)
  const bar = cli.errPaint.cyan('━'.repeat(full)) + cli.errPaint.dim('━'.repeat(BAR_COLUMNS - full))
  return `${spin} ${padTo(say(cli, title), TITLE_COLUMNS)} ${time}  ${bar} ${String(Math.floor(share * 100)).padStart(3)} %`
}
