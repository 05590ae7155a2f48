import type { Result } from '@portcullis/core/fault/fault.ts'
import { matrixCsv } from '@portcullis/core/inventory/csv.ts'
import type { MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import { matrixText } from '@portcullis/core/inventory/matrixText.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { Option } from 'commander'
import { outJson, say, type Cli } from '../cli.ts'
import { examples, fleetOptions, wholeNumber, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse, withFleet, type Fleet } from '../fleet.ts'
import { filterOptions, isWanted, matrixRows, readObservations, type MatrixFilter } from '../matrixRows.ts'
import { MATRIX_ORDERS, sortRows, type MatrixOrder } from '../matrixOrder.ts'
import { showMatrix, type MatrixView } from '../show/matrix.ts'

interface MatrixValues extends FleetOptionValues, MatrixFilter {
  readonly csv?: boolean
  readonly html?: string
  readonly sort: MatrixOrder
  readonly watch?: number | true
  readonly days: number
  readonly wide?: boolean
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  filterOptions(fleetOptions(command, text), text)
    .addOption(new Option('--csv', text({ en: 'as CSV', zh: '以 CSV 输出' })).conflicts('json'))
    .addOption(new Option('--html <file>', text({ en: 'as one HTML page that can be printed', zh: '生成可打印的单文件 HTML 报告' })).conflicts(['json', 'csv', 'watch']))
    .addOption(new Option('--sort <order>', text({ en: 'what comes first', zh: '排序方式' })).choices([...MATRIX_ORDERS]).default('host'))
    .addOption(new Option('--watch [seconds]', text({ en: 'show it again and again, until Ctrl-C', zh: '持续刷新显示，直至 Ctrl-C' })).argParser(wholeNumber(1, 86_400)).conflicts(['json', 'csv']))
    .addOption(new Option('--wide', text({ en: 'a line for each zone, and nothing is cut', zh: '每个区域一行，不按终端宽度截断' })).conflicts(['json', 'csv', 'html']))
    .addOption(new Option('--days <n>', text({ en: 'from observations of this many days', zh: '使用最近若干天的观测' })).default(62).argParser(wholeNumber(1, 3660)))
  examples(command, text, [
    ['portcullis matrix', { en: 'from what observe has stored', zh: '来自 observe 已保存的观测' }],
    ['portcullis matrix --unneeded --exposed --sort risk', { en: 'candidates for closing', zh: '可以关闭的候选' }],
    ['portcullis matrix --csv > matrix.csv', { en: 'for a spreadsheet', zh: '供电子表格使用' }],
    ['portcullis matrix --html matrix.html --lang zh', { en: 'for those who decide', zh: '供决策者阅读' }],
    ["portcullis matrix diff --since 'last monday'", { en: 'what is new', zh: '查看新增变化' }],
  ])
  run((cli, options) => {
    const values = options as unknown as MatrixValues
    return withFleet(cli, values, (fleet) => (values.watch === undefined ? showOnce(cli, fleet, values) : watch(cli, fleet, values)))
  })
}

const DAY_MS = 86_400_000
const WATCH_SECONDS = 10

async function showOnce(cli: Cli, fleet: Fleet, values: MatrixValues): Promise<ExitCode> {
  const { observations, rows, unwanted } = await read(cli, fleet, values)
  if (values.html !== undefined) {
    const written = await writePage(cli, fleet, values, { observations, rows, file: values.html })
    if (!written.ok) return refuse(cli, written.faults)
  } else if (cli.isJson) outJson(cli, matrixText(rows))
  else if (values.csv === true) cli.out([...matrixCsv(rows)].join(''))
  else cli.out(showMatrix(cli, rows, viewOf(cli, values, unwanted)))
  return observations.length === 0 ? EXIT.incomplete : EXIT.ok
}

const viewOf = (cli: Cli, { wide }: MatrixValues, unwanted: number): MatrixView => ({ columns: cli.columns, isWide: wide === true, now: cli.now(), unwanted })

async function read(cli: Cli, fleet: Fleet, values: MatrixValues): Promise<{ observations: readonly Observation[]; rows: MatrixRow[]; unwanted: number }> {
  const observations = await readObservations(fleet, cli.now() - values.days * DAY_MS)
  const rows: MatrixRow[] = []
  let unwanted = 0
  for (const row of matrixRows(fleet, observations)) {
    if (isWanted(row, values)) rows.push(row)
    else unwanted += 1
  }
  return { observations, rows: sortRows(rows, values.sort), unwanted }
}

/** The screen is cleared only where there is one; in a file the pages stand one after the other. */
async function watch(cli: Cli, fleet: Fleet, values: MatrixValues): Promise<ExitCode> {
  const seconds = values.watch === true || values.watch === undefined ? WATCH_SECONDS : values.watch
  while (!cli.signal.aborted) {
    const { rows, unwanted } = await read(cli, fleet, values)
    cli.out(`${cli.isTerminal ? '\u001B[2J\u001B[H' : ''}${showMatrix(cli, rows, viewOf(cli, values, unwanted))}`)
    await pause(seconds * 1000, cli.signal)
  }
  return EXIT.ok
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}

async function writePage(cli: Cli, { hosts }: Fleet, { days }: MatrixValues, { observations, rows, file }: { observations: readonly Observation[]; rows: readonly MatrixRow[]; file: string }): Promise<Result<void>> {
  const { matrixPage } = await import('../../report/matrixPage.ts')
  const seen = new Set(observations.map(({ host }) => host))
  const unseenHosts = hosts.map(({ name }) => name).filter((name) => !seen.has(name))
  const written = await cli.doors.writeText(file, matrixPage({ rows, hosts: hosts.length, unseenHosts, at: cli.now(), since: cli.now() - days * DAY_MS, language: cli.language }))
  if (written.ok) cli.err(`${say(cli, { en: `written: ${file}`, zh: `已生成：${file}` })}\n`)
  return written
}
