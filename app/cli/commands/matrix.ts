import { matrixCsv } from '@portcullis/core/inventory/csv.ts'
import { foldMatrix, type MatrixRow, type NeedClaim } from '@portcullis/core/inventory/matrix.ts'
import { matrixText } from '@portcullis/core/inventory/matrixText.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import { Option } from 'commander'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, wholeNumber, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT } from '../exitCode.ts'
import { withFleet } from '../fleet.ts'
import { showMatrix } from '../show/matrix.ts'

interface MatrixValues extends FleetOptionValues {
  readonly csv?: boolean
  readonly zone?: readonly string[]
  readonly port?: number
  readonly protocol?: string
  readonly exposed?: boolean
  readonly unneeded?: boolean
  readonly days: number
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  fleetOptions(command, text)
    .addOption(new Option('--csv', text({ en: 'as CSV', zh: '以 CSV 输出' })).conflicts('json'))
    .addOption(new Option('--zone <name...>', text({ en: 'only as seen from these zones', zh: '仅限从这些区域看到的' })))
    .addOption(new Option('--port <number>', text({ en: 'only this port', zh: '仅限此端口' })).argParser(wholeNumber(1, 65_535)))
    .addOption(new Option('--protocol <name>', text({ en: 'only this protocol', zh: '仅限此协议' })).choices(['tcp', 'udp', 'sctp']))
    .addOption(new Option('--exposed', text({ en: 'only what listens beyond loopback, or was found open', zh: '仅限在回环之外监听或已探测为开放的' })))
    .addOption(new Option('--unneeded', text({ en: 'only what no need lets in', zh: '仅限没有业务需求的' })))
    .addOption(new Option('--days <n>', text({ en: 'from observations of this many days', zh: '使用最近若干天的观测' })).default(62).argParser(wholeNumber(1, 3660)))
  examples(command, text, [
    ['portcullis matrix', { en: 'from what observe has stored', zh: '来自 observe 已保存的观测' }],
    ['portcullis matrix --unneeded --exposed', { en: 'candidates for closing', zh: '可以关闭的候选' }],
    ['portcullis matrix --csv > matrix.csv', { en: 'for a spreadsheet', zh: '供电子表格使用' }],
  ])
  run((cli, options) => {
    const values = options as unknown as MatrixValues
    return withFleet(cli, values, async ({ world, read, hosts }) => {
      const since = cli.now() - values.days * DAY_MS
      const observations = (await Promise.all(hosts.map((host) => world.store.observations({ host: host.name, since })))).flat()
      const names = new Set(hosts.map((host) => host.name))
      const needs = [...read.policy.needs, ...managementNeed(read.policy)].filter((need) => need.hosts.some((host) => names.has(host)))
      const rows = foldMatrix({ observations, zones: read.policy.zones, needs })
      const wanted = Array.from(rows).filter((row) => names.has(row.host) && isWanted(row, values))
      if (cli.isJson) outJson(cli, matrixText(wanted))
      else if (values.csv === true) cli.out([...matrixCsv(wanted)].join(''))
      else cli.out(showMatrix(cli, wanted))
      return observations.length === 0 ? EXIT.incomplete : EXIT.ok
    })
  })
}

/** The way by which the controller comes in is needed on every host, though no service says so. */
const managementNeed = ({ hosts, defaults }: Policy): NeedClaim[] => [
  {
    id: 'management',
    hosts: hosts.map((host) => host.name),
    service: { ports: defaults.managementPorts.map((ports) => ({ protocol: 'tcp', ports })) },
    from: defaults.managementFrom,
  },
]

const DAY_MS = 86_400_000

const isWanted = (row: MatrixRow, { zone, port, protocol, exposed, unneeded }: MatrixValues): boolean =>
  (zone === undefined || zone.includes(row.zone)) &&
  (port === undefined || row.port === port) &&
  (protocol === undefined || row.protocol === protocol) &&
  (exposed !== true || isExposed(row)) &&
  (unneeded !== true || (row.needs ?? []).length === 0)

const isExposed = (row: MatrixRow): boolean =>
  row.reachable.state === 'open' || row.published.length > 0 || (row.listening.kind === 'seen' && row.addressClass !== 'loopback')
