import { systemClock } from '@portcullis/adapters/system/clock.ts'
import { FaultError } from '@portcullis/core/fault/fault.ts'
import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import { COMMANDS } from './catalogue.ts'
import { reportFaults, type Cli, type Doors, type Language } from './cli.ts'
import type { Options } from './command.ts'
import { EXIT, type ExitCode } from './exitCode.ts'
import { paintFor, wantsColour } from './paint.ts'
import { isCalled, namedCommand, runProgram } from './program.ts'

/** Runs the command line of this process. */
export async function runMain(argv: readonly string[], doors: Doors): Promise<ExitCode> {
  const stop = new AbortController()
  endWithReader()
  if (!COMMANDS.some((entry) => entry.isOffline && isCalled(entry, namedCommand(argv)))) catchInterrupt(stop)
  const language = languageOf(argv, process.env)
  const isPlain = argv.includes('--no-color')
  const isColoured = !isPlain && wantsColour(process.stdout.isTTY, process.env)
  let cli: Cli | undefined
  const makeCli = (options: Options): Cli => (cli = processCli(options, language, isPlain, stop.signal, doors))
  try {
    const code = await runProgram(argv, { language, isColoured, out: write(process.stdout), err: write(process.stderr), makeCli })
    return stop.signal.aborted ? EXIT.interrupted : code
  } catch (error) {
    if (stop.signal.aborted) return EXIT.interrupted
    if (!(error instanceof FaultError) || !cli) return reportDefect(error)
    reportFaults(cli, [error.fault])
    return EXIT.incomplete
  }
}

/** Where it happened is all that helps to mend it; nothing of the world stands in a stack. */
function reportDefect(error: unknown): ExitCode {
  process.stderr.write(`portcullis: a defect of Portcullis, please report it\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return EXIT.defect
}

/** `--lang`, else what POSIX says of the locale: the first of LC_ALL, LC_MESSAGES, LANG that is set. */
export function languageOf(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Language {
  const at = argv.indexOf('--lang')
  const asked = at >= 0 ? argv[at + 1] : argv.find((word) => word.startsWith('--lang='))?.slice('--lang='.length)
  if (asked !== undefined) return asked === 'zh' ? 'zh' : 'en'
  const locale = [env.LC_ALL, env.LC_MESSAGES, env.LANG].find((value) => value !== undefined && value !== '')
  return locale?.startsWith('zh') ? 'zh' : 'en'
}

function processCli(options: Options, language: Language, isPlain: boolean, signal: AbortSignal, doors: Doors): Cli {
  const paintOn = (stream: { readonly isTTY?: boolean }) => paintFor(!isPlain && wantsColour(stream.isTTY === true, process.env))
  return {
    language,
    isJson: options.json === true,
    out: write(process.stdout),
    err: write(process.stderr),
    paint: paintOn(process.stdout),
    errPaint: paintOn(process.stderr),
    isTerminal: process.stderr.isTTY,
    get columns() {
      return process.stdout.columns ?? process.stderr.columns ?? 120
    },
    get rows() {
      return process.stderr.rows
    },
    ...(process.stdin.isTTY && process.stderr.isTTY ? { ask } : {}),
    drained,
    signal,
    now: () => systemClock.now(),
    doors,
  }
}

const write =
  (stream: NodeJS.WriteStream) =>
  (text: string): void => {
    stream.write(text)
  }

async function drained(): Promise<void> {
  if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

/**
 * The first Ctrl-C stops in an orderly way: hosts that are not confirmed are put back. The second ends at once, and
 * those hosts put themselves back.
 */
function catchInterrupt(stop: AbortController): void {
  const interrupt = (): void => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted)
    stop.abort(new Error('interrupted'))
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
}

/** A reader that goes away (`| head`) ends us too. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok)
    throw error
  })
}
