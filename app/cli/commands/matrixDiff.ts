import { diffMatrix, type RowChange } from '@portcullis/core/inventory/matrixDiff.ts'
import { formatInstant, matrixRowText } from '@portcullis/core/inventory/matrixText.ts'
import { Option } from 'commander'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, wholeNumber, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT } from '../exitCode.ts'
import { withFleet } from '../fleet.ts'
import { filterOptions, isWanted, matrixRows, readObservations, type MatrixFilter } from '../matrixRows.ts'
import { showMatrixDiff } from '../show/matrixDiff.ts'
import { parseSince } from '../sinceTime.ts'

interface DiffValues extends FleetOptionValues, MatrixFilter {
  readonly since: (now: number) => number
  readonly days: number
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  filterOptions(fleetOptions(command, text), text)
    .addOption(
      new Option('--since <time>', text({ en: "compare with this time: 2026-11-23, 3d, 'last monday'", zh: '与该时间比较：2026-11-23、3d、上周一' }))
        .default((now: number) => now - DAY_MS, '1d')
        .argParser((input) => {
          parseSince(input, Date.now())
          return (now: number) => parseSince(input, now)
        }),
    )
    .addOption(new Option('--days <n>', text({ en: 'from observations of this many days', zh: '使用最近若干天的观测' })).default(62).argParser(wholeNumber(1, 3660)))
  examples(command, text, [
    ["portcullis matrix diff --since 'last monday'", { en: 'what is new since then', zh: '查看此后的变化' }],
    ['portcullis matrix diff --since 12h --exposed --json', { en: 'for a program', zh: '供程序使用' }],
  ])
  run((cli, options) => {
    const values = options as unknown as DiffValues
    return withFleet(cli, values, async (fleet) => {
      const since = values.since(cli.now())
      const observations = await readObservations(fleet, cli.now() - values.days * DAY_MS)
      const before = observations.filter(({ at }) => at <= since)
      const changes = [...diffMatrix(matrixRows(fleet, before), matrixRows(fleet, observations))].filter(({ row }) => isWanted(row, values))
      if (cli.isJson) outJson(cli, diffText(since, cli.now(), changes))
      else cli.out(showMatrixDiff(cli, since, changes))
      if (before.length === 0) return EXIT.incomplete
      return changes.length === 0 ? EXIT.ok : EXIT.differs
    })
  })
}

const DAY_MS = 86_400_000

const diffText = (since: number, at: number, changes: readonly RowChange[]): unknown => ({
  format: 'portcullis-matrix-diff',
  version: 1,
  since: formatInstant(since),
  at: formatInstant(at),
  changes: changes.map(({ row, kind, fields }) => ({ kind, fields, row: matrixRowText(row) })),
})
