import type { Text } from '@portcullis/core/fault/fault.ts'
import { Command, CommanderError } from 'commander'
import { COMMANDS, GROUPS, type CommandEntry } from './catalogue.ts'
import type { Cli, Language } from './cli.ts'
import { outputOptions, type Definition, type Options } from './command.ts'
import { EXIT, type ExitCode } from './exitCode.ts'

export interface ProgramSurroundings {
  readonly language: Language
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly isColoured: boolean
  /** Made once the options are known. */
  readonly makeCli: (options: Options) => Cli
}

/** Runs one command line and gives its exit status. Only the called command's file is loaded. */
export async function runProgram(words: readonly string[], surroundings: ProgramSurroundings): Promise<ExitCode> {
  const argv = namedCommand(words)
  let exitCode: ExitCode = EXIT.ok
  const finish = (code: ExitCode): void => {
    exitCode = code
  }
  const program = await buildProgram(argv, surroundings, finish)
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
  return exitCode
}

/** `--version`, which every program is asked for, is the command of that name. */
export const namedCommand = (words: readonly string[]): readonly string[] => (words[0] === '--version' ? ['version', ...words.slice(1)] : words)

/** The whole tree with names and summaries; options only of the commands that `isWanted` says. */
export async function buildProgram(argv: readonly string[], surroundings: ProgramSurroundings, finish: (code: ExitCode) => void): Promise<Command> {
  const text = (words: Text): string => words[surroundings.language]
  const program = newCommand('portcullis', surroundings).description(
    text({
      en: 'Closes every port that a fleet of servers does not need, without breaking what it does need, and proves it.',
      zh: '关闭服务器群中不需要的端口，不影响业务需要的端口，并给出等价验证。',
    }),
  )
  // Only in front of a command: behind one it would be taken for an option of that.
  program.enablePositionalOptions().option('--version', text({ en: 'print the versions, as the command of that name does', zh: '输出版本信息，与 version 命令相同' }))
  const groups = new Map<string, Command>()
  const called = COMMANDS.filter((entry) => isCalled(entry, argv)).toSorted((a, b) => b.name.length - a.name.length)[0]
  for (const entry of COMMANDS) {
    const command = attach(program, groups, entry, surroundings)
    if (entry === called) await defineCommand(command, entry, surroundings, finish)
  }
  program.addHelpText('after', `\n${text({ en: 'Each command has its own --help with examples. Exit codes: docs/exit-codes.md', zh: '各命令的 --help 附有示例。退出码见 docs/exit-codes.md' })}`)
  return program
}

/** Names stand in front of options, so the first words that are no option are the command's. */
export function isCalled(entry: CommandEntry, argv: readonly string[]): boolean {
  const words = argv.filter((word) => word !== 'help')
  return entry.name.split(' ').every((word, index) => words[index] === word)
}

function attach(program: Command, groups: Map<string, Command>, entry: CommandEntry, surroundings: ProgramSurroundings): Command {
  const [first = '', second] = entry.name.split(' ')
  const summary = entry.summary[surroundings.language]
  if (second === undefined && !(first in GROUPS)) return add(program, first, summary, surroundings)
  const group = groups.get(first) ?? add(program, first, GROUPS[first]?.[surroundings.language] ?? '', surroundings)
  groups.set(first, group)
  return second === undefined ? group : add(group, second, summary, surroundings)
}

function add(parent: Command, name: string, summary: string, surroundings: ProgramSurroundings): Command {
  const command = newCommand(name, surroundings).description(summary)
  parent.addCommand(command)
  return command
}

export async function defineCommand(command: Command, entry: CommandEntry, surroundings: ProgramSurroundings, finish: (code: ExitCode) => void): Promise<void> {
  const module = await entry.load()
  const definition: Definition = {
    text: (words) => words[surroundings.language],
    run: (task) => {
      command.action(async () => {
        const options: Options = command.opts()
        finish(await task(surroundings.makeCli(options), options, command.processedArgs.flat().filter(isWord)))
      })
    },
  }
  module.define(command, definition)
  outputOptions(command, definition.text)
}

const isWord = (argument: unknown): argument is string => typeof argument === 'string'

function newCommand(name: string, { language, out, err, isColoured }: ProgramSurroundings): Command {
  const title = (english: string): string => (language === 'zh' ? (CHINESE_TITLES[english] ?? english) : english)
  const command = new Command(name)
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: err, getOutHasColors: () => isColoured, getErrHasColors: () => isColoured })
    .configureHelp({ styleTitle: title, showGlobalOptions: false })
    .showSuggestionAfterError(true)
    .helpOption('-h, --help', language === 'zh' ? '显示帮助' : 'show this help')
  return command.helpCommand(false)
}

/** Commander's own headings. */
const CHINESE_TITLES: Readonly<Record<string, string>> = { 'Usage:': '用法：', 'Options:': '选项：', 'Arguments:': '参数：', 'Commands:': '命令：' }
