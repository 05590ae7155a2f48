import { foldMatrix, isInternal, type MatrixRow, type NeedClaim } from '@portcullis/core/inventory/matrix.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import type { Command } from 'commander'
import { Option } from 'commander'
import { wholeNumber, type Definition } from './command.ts'
import type { Fleet } from './fleet.ts'

export interface MatrixFilter {
  readonly zone?: readonly string[]
  readonly port?: number
  readonly protocol?: string
  readonly exposed?: boolean
  readonly unneeded?: boolean
  readonly contradictory?: boolean
}

/** `--zone`, `--port`, …: which rows are shown. */
export function filterOptions(command: Command, text: Definition['text']): Command {
  return command
    .addOption(new Option('--zone <name...>', text({ en: 'only as seen from these zones', zh: '仅限从这些区域看到的' })))
    .addOption(new Option('--port <number>', text({ en: 'only this port', zh: '仅限此端口' })).argParser(wholeNumber(1, 65_535)))
    .addOption(new Option('--protocol <name>', text({ en: 'only this protocol', zh: '仅限此协议' })).choices(['tcp', 'udp', 'sctp']))
    .addOption(new Option('--exposed', text({ en: 'only what listens beyond loopback, or was found open', zh: '仅限在回环之外监听或已探测为开放的' })))
    .addOption(new Option('--unneeded', text({ en: 'only what no need lets in', zh: '仅限没有业务需求的' })))
    .addOption(new Option('--contradictory', text({ en: 'only where observations do not fit together', zh: '仅限观测相互矛盾的' })))
}

export const isWanted = (row: MatrixRow, { zone, port, protocol, exposed, unneeded, contradictory }: MatrixFilter): boolean =>
  (zone === undefined || zone.includes(row.zone)) &&
  (port === undefined || row.port === port) &&
  (protocol === undefined || row.protocol === protocol) &&
  (exposed !== true || isExposed(row)) &&
  (unneeded !== true || (row.needs ?? []).length === 0) &&
  (contradictory !== true || row.contradictions.length > 0)

const isExposed = (row: MatrixRow): boolean =>
  row.reachable.state === 'open' || row.published.length > 0 || (row.listening.kind === 'seen' && !isInternal(row.addressClass))

export const readObservations = async ({ world, hosts }: Fleet, since: number): Promise<readonly Observation[]> =>
  (await Promise.all(hosts.map((host) => world.store.observations({ host: host.name, since })))).flat()

/** The matrix of the chosen hosts, with the needs of the policy as it is now. */
export function* matrixRows({ read, hosts }: Fleet, observations: readonly Observation[]): Generator<MatrixRow, void, undefined> {
  const names = new Set(hosts.map((host) => host.name))
  const needs = [...read.policy.needs, ...managementNeed(read.policy)].filter((need) => need.hosts.some((host) => names.has(host)))
  for (const row of foldMatrix({ observations, zones: read.policy.zones, needs })) if (names.has(row.host)) yield row
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
