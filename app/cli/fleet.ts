import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { nearest } from '@portcullis/core/policy/nearest.ts'
import type { Host, Policy } from '@portcullis/core/policy/policy.ts'
import type { FleetOptions } from '@portcullis/engine/observe.ts'
import type { World } from '@portcullis/engine/world.ts'
import { reportFaults, reportWarnings, type Cli, type OpenedWorld, type ReadPolicy, type WorldSettings } from './cli.ts'
import type { FleetOptionValues } from './command.ts'
import { EXIT, type ExitCode } from './exitCode.ts'
import { startProgress } from './progress.ts'

/** What a command works on: the policy, the chosen hosts, and the open world. */
export interface Fleet {
  readonly world: World
  readonly read: ReadPolicy
  readonly hosts: readonly Host[]
  readonly options: FleetOptions
  readonly openRollouts?: OpenedWorld['openRollouts']
}

/** Reads the policy, opens the world, runs the task, and closes what was opened, whatever happens. */
export async function withFleet(cli: Cli, values: FleetOptionValues, task: (fleet: Fleet) => Promise<ExitCode>): Promise<ExitCode> {
  const read = await cli.doors.readPolicy(values.policy)
  if (!read.ok) return refuse(cli, read.faults)
  const hosts = chosenHosts(read.value.policy.hosts, values.host)
  if (!hosts.ok) return refuse(cli, hosts.faults)
  reportWarnings(cli, read.value.warnings)
  const progress = startProgress(cli, cli.isTerminal, hosts.value.length)
  const opened = await openWorld(cli, values, progress.report)
  if (!opened.ok) return refuse(cli, opened.faults)
  const { world, openRollouts, close } = opened.value
  try {
    return await task({ world, read: read.value, hosts: hosts.value, options: { concurrency: values.concurrency, signal: cli.signal }, ...(openRollouts ? { openRollouts } : {}) })
  } finally {
    progress.end()
    await close()
  }
}

/** Where the options say that it is. */
export const openWorld = (cli: Cli, { state, database }: Pick<FleetOptionValues, 'state' | 'database'>, report: WorldSettings['report']): Promise<Result<OpenedWorld>> =>
  cli.doors.openWorld({ state, ...(database === undefined ? {} : { database }), report })

/** Reads the policy, and opens nothing. */
export async function withPolicy(cli: Cli, { policy: file }: Pick<FleetOptionValues, 'policy'>, task: (policy: Policy) => Promise<ExitCode>): Promise<ExitCode> {
  const read = await cli.doors.readPolicy(file)
  if (!read.ok) return refuse(cli, read.faults)
  reportWarnings(cli, read.value.warnings)
  return task(read.value.policy)
}

export function refuse(cli: Cli, faults: readonly Fault[]): ExitCode {
  reportFaults(cli, faults)
  return EXIT.usage
}

export function chosenHosts(hosts: readonly Host[], names: readonly string[] | undefined): Result<readonly Host[]> {
  if (names === undefined || names.length === 0) return succeed(hosts)
  const known = new Map(hosts.map((host) => [host.name, host]))
  const unknown = names.filter((name) => !known.has(name))
  if (unknown.length > 0) return fail(...unknown.map((name) => unknownHost(name, nearest(name, known.keys()))))
  return succeed(hosts.filter((host) => names.includes(host.name)))
}

const unknownHost = (name: string, meant: string | undefined): Fault => ({
  code: 'HOST_UNKNOWN',
  what: { en: `the policy names no host ${name}`, zh: `策略中没有主机 ${name}` },
  ...(meant === undefined ? {} : { next: { en: `did you mean ${meant}?`, zh: `是否指 ${meant}？` } }),
})
