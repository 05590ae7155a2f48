import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { DIALECTS, type Dialect } from '@portcullis/core/ruleset/dialect.ts'
import type { HostFacts } from '@portcullis/core/ruleset/hostfacts.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import type { Way } from '@portcullis/core/verify/compose.ts'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Cli, RulesetFile } from './cli.ts'
import type { Definition } from './command.ts'

/** Of every command that is about the rules in files. */
export interface RulesetOptionValues {
  readonly ruleset?: readonly RulesetFile[]
  readonly ipset?: string
  readonly facts?: string
  readonly hook?: 'input' | 'forward'
}

/** `--ruleset` as often as there are dumps of the host, each with its `--dialect` behind it; one before the first is for all. */
export function rulesetOptions(command: Command, text: Definition['text']): Command {
  const files: { file: string; dialect?: Dialect }[] = []
  let ofAll: Dialect | undefined
  const addFile = (file: string): readonly RulesetFile[] => {
    files.push({ file, ...(ofAll ? { dialect: ofAll } : {}) })
    return files
  }
  const addDialect = (name: string): Dialect => {
    const dialect = dialectOf(name)
    const last = files.at(-1)
    if (last) last.dialect = dialect
    else ofAll = dialect
    return dialect
  }
  const file = new Option('--ruleset <file>', text({ en: 'rules of the host, as often as it has dumps of them; - for standard input', zh: '主机规则文件，可多次指定；- 表示标准输入' }))
  const dialect = new Option('--dialect <name>', text({ en: `of the --ruleset before it: ${DIALECTS.join(', ')}; recognised without it`, zh: `前一个 --ruleset 的语法：${DIALECTS.join('、')}；缺省自动识别` }))
  return command.addOption(file.argParser(addFile)).addOption(dialect.argParser(addDialect))
}

export function dialectOf(name: string): Dialect {
  const found = DIALECTS.find((each) => each === name)
  if (!found) throw new InvalidArgumentError(DIALECTS.join(', '))
  return found
}

/** `--ipset`, `--facts`, `--hook`: what there is to know of the host besides its rules. */
export function hostOptions(command: Command, text: Definition['text']): Command {
  return command
    .addOption(new Option('--ipset <file>', text({ en: 'what ipset save prints, for -m set', zh: 'ipset save 的输出，用于 -m set' })))
    .addOption(new Option('--facts <file>', text({ en: 'what portcullis-host facts or ip -j prints: interfaces and routes', zh: 'portcullis-host facts 或 ip -j 的输出：接口与路由' })))
    .addOption(new Option('--hook <name>', text({ en: 'what routing has said; by the facts without it', zh: '路由判定的去向；缺省由 --facts 决定' })).choices(['input', 'forward']))
}

/** A host as files describe it. */
export interface FileHost {
  readonly ruleset: Ruleset
  readonly facts?: HostFacts
}

export async function readFileHost(cli: Cli, files: readonly RulesetFile[], { ipset, facts }: RulesetOptionValues): Promise<Result<FileHost>> {
  const ruleset = await cli.doors.readRuleset(files, ipset)
  if (!ruleset.ok) return ruleset
  if (facts === undefined) return succeed({ ruleset: ruleset.value })
  const known = await cli.doors.readHostFacts(facts)
  return known.ok ? succeed({ ruleset: ruleset.value, facts: known.value }) : known
}

/** One way where the hook is stated or the routes decide; else a host's two. */
export function waysOf(hook: RulesetOptionValues['hook'], facts: HostFacts | undefined): readonly Way[] {
  if (hook) return [hook]
  return facts ? ['arrival'] : ['input', 'forward']
}
