import type { Result } from '@portcullis/core/fault/fault.ts'
import { Option, type Command } from 'commander'
import { outJson, reportFaults, say, type Cli, type KeepOptions, type KeptFile, type StoreKeeper } from '../cli.ts'
import { examples, stateOptions, wholeNumber, type CommandModule, type Definition } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse } from '../fleet.ts'
import { showKept, showRetired } from '../show/store.ts'

/** The commands of `portcullis store`: what Portcullis remembers, as a whole. */

interface StoreValues {
  readonly state: string
  readonly database?: string
  readonly dryRun?: boolean
  readonly replace?: boolean
  readonly days: number
}

export const backup: CommandModule = {
  define: (command, { text, run }) => {
    command.argument('<file>', text({ en: 'the file to write', zh: '要写入的文件' }))
    keepOptions(command, text)
    examples(command, text, [['portcullis store backup portcullis-2027-03-31.zst', { en: 'all that is remembered at this moment; others go on meanwhile', zh: '此刻的全部数据，期间不影响其他操作' }]])
    run((cli, values, [file = '']) => withKeeper(cli, values as unknown as StoreValues, async (keeper, options) => tellFile(cli, 'backup', await keeper.backUp(file, { ...options, now: cli.now() }))))
  },
}

export const restore: CommandModule = {
  define: (command, { text, run }) => {
    command.argument('<file>', text({ en: 'a backup', zh: '备份文件' }))
    keepOptions(command, text).addOption(new Option('--replace', text({ en: 'also where the store holds something: the backup takes its place', zh: '存储不为空时也恢复：以备份取代现有内容' })))
    examples(command, text, [
      ['portcullis store restore portcullis-2027-03-31.zst --state new-folder', { en: 'into a new store', zh: '恢复到新的存储' }],
      ['portcullis store restore portcullis-2027-03-31.zst --dry-run --replace', { en: 'reads the file to its end and says what is in it', zh: '校验文件并列出其内容，不作更改' }],
    ])
    run((cli, values, [file = '']) => {
      const { replace } = values as unknown as StoreValues
      return withKeeper(cli, values as unknown as StoreValues, async (keeper, options) => tellFile(cli, 'restore', await keeper.restore(file, { ...options, now: cli.now(), isReplacing: replace === true })))
    })
  },
}

const DAY_MS = 86_400_000

export const retention: CommandModule = {
  define: (command, { text, run }) => {
    keepOptions(command, text).addOption(new Option('--days <n>', text({ en: 'what sensors saw longer ago goes', zh: '早于此天数的观测将被删除' })).makeOptionMandatory().argParser(wholeNumber(1, 36_500)))
    examples(command, text, [['portcullis store retention --days 400 --dry-run', { en: 'how many rows would go; plans, rollouts and the journal always stay', zh: '将删除多少行；计划、发布与日志始终保留' }]])
    run((cli, values) =>
      withKeeper(cli, values as unknown as StoreValues, async (keeper, options) => {
        const { days } = values as unknown as StoreValues
        const retired = await keeper.retire({ ...options, before: cli.now() - days * DAY_MS })
        if (!retired.ok) return told(cli, retired.faults)
        if (cli.isJson) outJson(cli, { format: 'portcullis-store', version: 1, kind: 'retention', ...retired.value })
        else cli.out(showRetired(cli, retired.value))
        return EXIT.ok
      }),
    )
  },
}

function keepOptions(command: Command, text: Definition['text']): Command {
  return stateOptions(command, text).addOption(new Option('--dry-run', text({ en: 'say what would be done, and do nothing', zh: '仅说明将执行的操作，不作更改' })))
}

async function withKeeper(cli: Cli, values: StoreValues, task: (keeper: StoreKeeper, options: KeepOptions) => Promise<ExitCode>): Promise<ExitCode> {
  const opened = await cli.doors.openKeeper({ state: values.state, ...(values.database === undefined ? {} : { database: values.database }) })
  if (!opened.ok) return refuse(cli, opened.faults)
  try {
    return await task(opened.value, { isDry: values.dryRun === true, signal: cli.signal, report: progress(cli) })
  } catch (error) {
    if (!cli.signal.aborted) throw error
    cli.err(`${say(cli, { en: 'interrupted: the store is as it was, but for rows that are already retired', zh: '已中断：除已删除的过期行外，存储保持原样' })}\n`)
    return EXIT.interrupted
  } finally {
    await opened.value.close()
  }
}

const PROGRESS_MS = 500

/** A line now and then, so that a large store is seen to go on. */
function progress(cli: Cli): KeepOptions['report'] {
  let [told, sequence] = [0, 0]
  return (table, rows) => {
    sequence += 1
    if (cli.isJson) return cli.err(`${JSON.stringify({ sequence, run: 'store', at: cli.now(), kind: 'signal', name: 'store', detail: { table, rows } })}\n`)
    if (cli.now() - told < PROGRESS_MS) return
    told = cli.now()
    cli.err(`${table} ${rows}\n`)
  }
}

function tellFile(cli: Cli, kind: 'backup' | 'restore', kept: Result<KeptFile>): ExitCode {
  if (!kept.ok) return told(cli, kept.faults)
  if (cli.isJson) outJson(cli, { format: 'portcullis-store', version: 1, kind, ...kept.value })
  else cli.out(showKept(cli, kind, kept.value))
  return EXIT.ok
}

/** A store that went away on the way is no wrong call. */
function told(cli: Cli, faults: Parameters<typeof reportFaults>[1]): ExitCode {
  reportFaults(cli, faults)
  return faults.some(({ code }) => code === 'STORE_UNREACHABLE' || code === 'STORE_REFUSED') ? EXIT.incomplete : EXIT.usage
}
