import type { Text } from '@portcullis/core/fault/fault.ts'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Cli } from './cli.ts'
import type { ExitCode } from './exitCode.ts'
import { widthOf } from './table.ts'

/** One subcommand, one file in `commands/`. It is loaded only when it is called. */
export interface CommandModule {
  /** Adds arguments, options and examples, and says what to run with them. */
  readonly define: (command: Command, definition: Definition) => void
}

/** What a command's `define` is given. */
export interface Definition {
  readonly text: (text: Text) => string
  /** Sets what the command does; its exit status is the process's. */
  readonly run: (task: (cli: Cli, options: Options, args: readonly string[]) => Promise<ExitCode>) => void
}

/** As commander read them; each command knows the types of its own. */
export type Options = Readonly<Record<string, unknown>>

export interface FleetOptionValues {
  readonly policy: string
  readonly state: string
  readonly database?: string
  readonly concurrency: number
  readonly host?: readonly string[]
}

/** `--policy`, `--state`, `--database`, `--concurrency`, `--host`: of every command that asks hosts. */
export function fleetOptions(command: Command, text: Definition['text']): Command {
  return stateOptions(command, text)
    .addOption(new Option('--policy <file>', text({ en: 'the policy file', zh: '策略文件' })).default('portcullis.yaml').env('PORTCULLIS_POLICY'))
    .addOption(
      new Option('--concurrency <n>', text({ en: 'hosts at a time', zh: '同时操作的主机数' })).default(32).argParser(wholeNumber(1, 1000)),
    )
    .addOption(new Option('--host <name...>', text({ en: 'only these hosts', zh: '仅限这些主机' })))
}

/** `--state`, `--database`: of every command that remembers. */
export function stateOptions(command: Command, text: Definition['text']): Command {
  return command
    .addOption(new Option('--state <dir>', text({ en: 'where Portcullis keeps what it knows', zh: '状态目录' })).default('.portcullis').env('PORTCULLIS_STATE'))
    .addOption(
      new Option('--database <url>', text({ en: 'a PostgreSQL that several controllers share, instead of the state folder', zh: '多个控制端共用的 PostgreSQL，替代状态目录' })).env('PORTCULLIS_DATABASE'),
    )
}

/** `--json`, `--lang`, `--no-color`: of every command. */
export function outputOptions(command: Command, text: Definition['text']): Command {
  return command
    .addOption(new Option('--json', text({ en: 'the result as JSON (schemas/ has its schema); progress as JSON lines on stderr', zh: '以 JSON 输出结果（格式见 schemas/），进度以 JSON 行输出到 stderr' })))
    .addOption(new Option('--lang <language>', text({ en: 'language of the text', zh: '文字语言' })).choices(['en', 'zh']))
    .addOption(new Option('--no-color', text({ en: 'no colours', zh: '不使用颜色' })))
}

/** A terminal that nobody has made wider. */
const HELP_COLUMNS = 80

/** Shown under the options: what people type, and what it is for: behind it where all of them fit, else above it. */
export function examples(command: Command, text: Definition['text'], list: readonly (readonly [line: string, what: Text])[]): void {
  const title = text({ en: 'Examples:', zh: '示例：' })
  const width = Math.max(...list.map(([line]) => line.length))
  const beside = list.map(([line, what]) => `  $ ${line.padEnd(width)}  # ${text(what)}`)
  const above = list.map(([line, what]) => `  # ${text(what)}\n  $ ${line}`)
  const lines = beside.every((line) => widthOf(line) <= HELP_COLUMNS) ? beside.join('\n') : above.join('\n\n')
  command.addHelpText('after', `\n${title}\n${lines}`)
}

export const wholeNumber =
  (min: number, max: number) =>
  (input: string): number => {
    const value = Number(input)
    if (!/^[0-9]{1,9}$/.test(input) || value < min || value > max) throw new InvalidArgumentError(`${min}–${max}`)
    return value
  }
