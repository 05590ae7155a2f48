import { indexFleet } from '@portcullis/adapters/import/fleetIndex.ts'
import { readMetricUse, readUseFile, useObservation } from '@portcullis/adapters/prometheus/metricUse.ts'
import type { Fault } from '@portcullis/core/fault/fault.ts'
import { formatInstant } from '@portcullis/core/inventory/matrixText.ts'
import type { UseObservation } from '@portcullis/core/inventory/observation.ts'
import { Option } from 'commander'
import { readTextFile } from '../../textFile.ts'
import { outJson, type Cli } from '../cli.ts'
import { examples, fleetOptions, wholeNumber, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse, withFleet, type Fleet } from '../fleet.ts'
import { faultLines } from '../show/faults.ts'
import { count, t, timeWords, type Pen } from '../show/words.ts'
import { parseSince } from '../sinceTime.ts'
import { layTable } from '../table.ts'

interface PrometheusValues extends FleetOptionValues {
  readonly since: (now: number) => number
  readonly timeout: number
  readonly dryRun?: boolean
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  fleetOptions(command, text)
    .argument('<file>', text({ en: 'which metric shows use of which endpoint (docs/prometheus.md)', zh: '指标与端点的对应关系文件（见 docs/prometheus.md）' }))
    .addOption(
      new Option('--since <when>', text({ en: "from when on: 2026-11-23, 3d, 'last monday'", zh: '起始时间：2026-11-23、3d、上周一' }))
        .default((now: number) => now - 7 * DAY_MS, '7d')
        .argParser((input) => {
          parseSince(input, Date.now())
          return (now: number) => parseSince(input, now)
        }),
    )
    .addOption(new Option('--timeout <seconds>', text({ en: 'no answer after this is a failure', zh: '超过此秒数视为失败' })).default(30).argParser(wholeNumber(1, 300)))
    .addOption(new Option('--dry-run', text({ en: 'read and report, and store nothing', zh: '只读取并报告，不保存' })))
  examples(command, text, [['portcullis import prometheus metrics.yaml --since 30d', { en: 'use that metrics show; by whom they do not know', zh: '导入指标显示的使用情况（来源未知）' }]])
  run((cli, options, [file = '']) => {
    const values = options as unknown as PrometheusValues
    return withFleet(cli, values, (fleet) => importMetrics(cli, fleet, values, file))
  })
}

const DAY_MS = 86_400_000

interface Outcome {
  readonly uses: readonly UseObservation[]
  /** Hosts of metrics that are none of the fleet. */
  readonly strangers: readonly string[]
  readonly faults: readonly Fault[]
  readonly since: number
  readonly until: number
  readonly isStored: boolean
}

async function importMetrics(cli: Cli, { world, read: { policy } }: Fleet, { since, timeout, dryRun }: PrometheusValues, file: string): Promise<ExitCode> {
  const text = await readTextFile(file)
  if (!text.ok) return refuse(cli, text.faults)
  const given = readUseFile(text.value, file)
  if (!given.ok) return refuse(cli, given.faults)
  const window = { since: since(cli.now()), until: cli.now() }
  const { uses, faults } = await readMetricUse(given.value, window.since, window.until, timeout * 1000, cli.signal)
  const fleet = indexFleet(policy.hosts)
  const observations = uses.flatMap((use) => useObservation(use, fleet) ?? [])
  const strangers = [...new Set(uses.flatMap((use) => (useObservation(use, fleet) ? [] : [use.host])))].toSorted()
  if (dryRun !== true) await world.store.addObservations(observations)
  const outcome = { uses: observations, strangers, faults, ...window, isStored: dryRun !== true }
  if (cli.isJson) outJson(cli, outcomeJson(outcome))
  else cli.out(showOutcome(cli, outcome))
  return faults.length > 0 || observations.length === 0 ? EXIT.incomplete : EXIT.ok
}

interface EndpointUse {
  readonly host: string
  readonly protocol: string
  readonly port: number
  readonly because: string
  readonly days: number
  readonly firstSeen: number
  readonly lastSeen: number
}

const endpointUses = (uses: readonly UseObservation[]): EndpointUse[] =>
  [...Map.groupBy(uses, ({ host, protocol, port, because }) => `${host} ${protocol} ${port} ${because}`).values()].flatMap((all) => {
    const [first] = all
    if (!first) return []
    const { host, protocol, port, because } = first
    const days = new Set(all.map(({ lastSeen }) => Math.floor(lastSeen / DAY_MS))).size
    return [{ host, protocol, port, because, days, firstSeen: Math.min(...all.map((use) => use.firstSeen)), lastSeen: Math.max(...all.map((use) => use.lastSeen)) }]
  })

const outcomeJson = ({ uses, strangers, faults, since, until, isStored }: Outcome): unknown => ({
  format: 'portcullis-import-prometheus',
  version: 1,
  isStored,
  since: formatInstant(since),
  until: formatInstant(until),
  uses: endpointUses(uses).map((use) => ({ ...use, firstSeen: formatInstant(use.firstSeen), lastSeen: formatInstant(use.lastSeen) })),
  strangers,
  faults,
})

const STRANGERS_SHOWN_MAX = 5

function showOutcome(pen: Pen, { uses, strangers, faults, since, isStored }: Outcome): string {
  const lines = layTable(
    endpointUses(uses).map(({ host, protocol, port, because, days, lastSeen }) => [pen.paint.bold(host), `${protocol}/${port}`, because, t(pen, { en: `on ${count(pen, days, 'day', '天')}`, zh: `${days} 天有使用` }), pen.paint.dim(timeWords(lastSeen))]),
  )
  if (lines.length === 0) lines.push(t(pen, { en: `No metric shows use since ${timeWords(since)}. That says nothing of the endpoints.`, zh: `自 ${timeWords(since)} 起没有指标显示使用；这不能说明端点未使用。` }))
  const named = strangers.slice(0, STRANGERS_SHOWN_MAX).join(', ') + (strangers.length > STRANGERS_SHOWN_MAX ? ', …' : '')
  if (strangers.length > 0) lines.push(pen.paint.yellow(t(pen, { en: `${count(pen, strangers.length, 'host', '台主机')} of metrics not in the policy: ${named}`, zh: `${strangers.length} 个指标主机不在策略中：${named}` })))
  lines.push(...faultLines(pen, faults, ''))
  if (!isStored) lines.push(pen.paint.dim(t(pen, { en: 'nothing was stored: a dry run', zh: '试运行：未保存' })))
  return `${lines.join('\n')}\n`
}
