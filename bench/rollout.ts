import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import type { RolloutEvent } from '@portcullis/engine/rolloutStore.ts'
import { runCommand } from '@portcullis/lab/command.ts'
import { takeHostCount } from './measure/hostCount.ts'
import { readOptions } from './measure/options.ts'
import { quantile } from './measure/spread.ts'
import { formatTable, tell, type Table } from './measure/table.ts'
import { cpuSecondsBetween, must, portcullis, stateOf, type CommandRun, type Stand } from './rollout/command.ts'
import type { Simulated } from './rollout/simulated.ts'
import { GATES, openStage, policyFile, SHOP_PORT, type Stage } from './rollout/stage.ts'
import type { Outage } from './rollout/watcher.ts'

export const title = 'Rollouts: from an outage to every host restored, after kill -9, what a controller needs, simulated ones (aim: trip to restored in 2 s at 100 hosts; needs root)'

interface Size {
  readonly hosts: number
  readonly outageSeconds: number
  readonly simulatedHosts: number
  readonly stories: number
}

const QUICK: Size = { hosts: 10, outageSeconds: 10, simulatedHosts: 1_000, stories: 20 }
const FULL: Size = { hosts: 100, outageSeconds: 60, simulatedHosts: 10_000, stories: 300 }

/** What can be measured alone: `npm run bench -- rollout outage`. */
const PARTS = ['restore', 'outage', 'recovery', 'simulated'] as const
type Part = (typeof PARTS)[number]

/** `--hosts N` lab hosts instead of the usual number. */
export async function run(args: readonly string[]): Promise<void> {
  const { parts, hosts, rest } = readParts(args)
  const options = readOptions(rest)
  const size = { ...(options.isQuick ? QUICK : FULL), ...(hosts === undefined ? {} : { hosts }) }
  const result: Result = {}
  if (parts.some((part) => part !== 'simulated')) {
    await using stage = await openStage(size.hosts)
    await prepare(stage)
    if (parts.includes('restore')) result.restore = await measureRestore(stage, size)
    if (parts.includes('outage')) result.outage = await measureOutage(stage, size)
    if (parts.includes('recovery')) result.recovery = await measureRecovery(stage, size)
  }
  if (parts.includes('simulated')) result.simulated = await measureSimulated(size)
  if (options.isJson) console.log(JSON.stringify({ size, ...result }))
  else for (const table of tablesOf(result, size)) console.log(formatTable(table))
}

interface Result {
  restore?: RestoreFigures
  outage?: OutageFigures
  recovery?: readonly Recovery[]
  simulated?: { readonly fleet: Simulated; readonly stories: Simulated }
}

function readParts(args: readonly string[]): { parts: readonly Part[]; hosts: number | undefined; rest: readonly string[] } {
  const { hosts, rest } = takeHostCount(args)
  const named = PARTS.filter((part) => rest.includes(part))
  return { parts: named.length > 0 ? named : PARTS, hosts, rest: rest.filter((arg) => !named.includes(arg as Part)) }
}

/** Every host has a first generation, which lets the shop's clients in. */
async function prepare({ stand }: Stage): Promise<void> {
  tell('the script is put on the hosts, and the first rules')
  await must(stand, ['host', 'install', ...policyFile('whole'), '--concurrency', '32'])
  await must(stand, ['plan', ...policyFile('whole'), '--concurrency', '32'])
  await must(stand, ['apply', '--yes', ...policyFile('whole'), '--concurrency', '32', '--confirm-within', '300'])
}

/** A round of watching takes up to a tenth of a second of this machine for each host: with many it is to have time for more. */
const pace = (hosts: number): string[] => ['--baseline', '5', '--bake-min', '5', '--bake-max', '1200', '--every', hosts > 40 ? '15' : '5', '--confirm-within', '300', '--shares', '100', '--at-once', '32', '--approve-core']

/** All in seconds. */
interface OutageFigures {
  /** That did not serve for a while: a trip may come before all are changed. */
  readonly hosts: number
  /** As the shop's clients see it: the first of them that is not served, to the last that is served again. */
  readonly interrupted: number
  readonly beyondThreshold: number
  readonly detected: number
  /** From the trip to the last host whose clients are served again. */
  readonly served: number
  /** From the trip to the last host that has confirmed its old rules. */
  readonly confirmed: number
  readonly cause: string
  readonly controller: Pick<CommandRun, 'cpuSeconds' | 'residentBytesMax' | 'milliseconds'>
}

/** All in seconds, from the moment on which somebody's word to put everything back was given. */
interface RestoreFigures {
  readonly served: number
  /** Of each ten hosts, when the first, the fifth and the ninth served again. */
  readonly servedBy: readonly number[]
  readonly confirmed: number
  /** CPU time of the controller up to the last host served: what even hosts with processors of their own would have to wait for. */
  readonly controller: number
}

/** All hosts have the rules that forget the shop, no gate minds, and a person asks for everything back. */
async function measureRestore({ lab, stand, addresses }: Stage, { hosts }: Size): Promise<RestoreFigures> {
  await must(stand, ['plan', ...policyFile('forgetful'), '--concurrency', '32'])
  tell('all hosts are changed, and put back by hand')
  let changed = 0
  let watcher: ReturnType<typeof runWatcher> | undefined
  let asked: Promise<unknown> | undefined
  const run = await portcullis(stand, ['rollout', 'start', '--yes', '--json', ...policyFile('forgetful'), ...pace(hosts), '--at-once', '16', '--bake-min', '600', '--outage', '3600'], {
    onEvent: (event) => {
      if (event.kind !== 'signal' || event.signal.kind !== 'applied' || event.signal.result !== 'changed') return
      changed += 1
      if (changed < hosts) return
      watcher = runWatcher(lab.switchNamespace, addresses)
      // Its exit code says that everything was put back by hand.
      asked = new Promise((resolve) => setTimeout(resolve, DARK_MS)).then(() => portcullis(stand, ['rollout', 'rollback', ...policyFile('forgetful')]))
    },
  })
  const outages = (await watcher?.end()) ?? []
  await asked
  const state = stateOf(run)
  const { trip, hosts: ended, outcome } = state
  if (trip?.cause !== 'asked' || outcome !== 'reverted' || outages.length !== hosts) throw new Error(`${endOf(state)}; ${outages.length} hosts were seen to be away: ${run.err}`)
  const ends = outages.map(({ until }) => until ?? Number.NaN)
  const servedAt = Math.max(...ends)
  return {
    served: (servedAt - trip.at) / 1000,
    servedBy: [0.1, 0.5, 0.9].map((share) => (quantile(ends, share) - trip.at) / 1000),
    confirmed: (Math.max(...Object.values(ended).map(({ since }) => since)) - trip.at) / 1000,
    controller: cpuSecondsBetween(run, trip.at, servedAt),
  }
}

/** How it ended where it should have ended otherwise. */
function endOf({ outcome, trip, hosts }: RolloutState): string {
  const faults = Object.entries(hosts).flatMap(([host, { fault }]) => (fault ? [`${host}: ${fault.what.en}`] : []))
  return `the rollout ended ${String(outcome)} by ${String(trip?.cause)} (${(trip?.because ?? []).map(({ en }) => en).join('; ')}); ${faults.join('; ') || 'no host has a fault'}`
}

/** Until every client has seen that its host does not serve it. */
const DARK_MS = 5_000

/** A policy that forgets the shop goes to all hosts in one wave; the gate sees it, and everything is put back. */
async function measureOutage({ lab, stand, addresses }: Stage, { hosts, outageSeconds }: Size): Promise<OutageFigures> {
  await must(stand, ['plan', ...policyFile('forgetful'), '--concurrency', '32'])
  tell(`an outage of the shop on all hosts, ${outageSeconds} s allowed`)
  const watcher = runWatcher(lab.switchNamespace, addresses)
  const run = await portcullis(stand, ['rollout', 'start', '--yes', '--json', ...policyFile('forgetful'), ...pace(hosts), '--outage', String(outageSeconds), ...GATES])
  const outages = await watcher.end()
  const state = stateOf(run)
  const { trip } = state
  if (!trip || state.outcome !== 'reverted') throw new Error(`${endOf(state)}: ${run.err}`)
  const ends = outages.map(({ until }) => until ?? Number.NaN)
  const [first, last] = [Math.min(...outages.map(({ from }) => from)), Math.max(...ends)]
  const confirmed = Math.max(...Object.values(state.hosts).map(({ since }) => since))
  return {
    hosts: outages.length,
    interrupted: (last - first) / 1000,
    beyondThreshold: (last - first) / 1000 - outageSeconds,
    detected: (trip.at - first) / 1000,
    served: (last - trip.at) / 1000,
    confirmed: (confirmed - trip.at) / 1000,
    cause: trip.cause,
    controller: run,
  }
}

function runWatcher(namespace: string, addresses: readonly string[]): { end(): Promise<readonly Outage[]> } {
  let stop = (): void => undefined
  const stopped = new Promise<void>((resolve) => (stop = resolve))
  const told = watch(namespace, addresses, stopped)
  return {
    end: () => {
      stop()
      return told
    },
  }
}

async function watch(namespace: string, addresses: readonly string[], stopped: Promise<void>): Promise<readonly Outage[]> {
  const file = fileURLToPath(new URL('rollout/watcher.ts', import.meta.url))
  // A client has processors of its own: it is not to wait for those of the hosts.
  const child = spawn('nice', ['-n', '-10', 'ip', 'netns', 'exec', namespace, process.execPath, file, String(SHOP_PORT), ...addresses], { stdio: ['pipe', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  const closed = new Promise((resolve) => child.once('close', resolve))
  await stopped
  child.stdin.end()
  await closed
  return JSON.parse(out) as readonly Outage[]
}

interface Recovery {
  readonly what: string
  /** Seconds from the start of the next process to the moment it has the rollout, and to the first thing it does to a host. */
  readonly taken: number
  readonly goesOn: number
}

/** The controller is killed in the middle of a wave, then the same with its database, and each time started again. */
async function measureRecovery({ stand }: Stage, { hosts }: Size): Promise<readonly Recovery[]> {
  tell('kill -9 of the controller')
  await must(stand, ['plan', ...policyFile('forgetful'), '--concurrency', '32'])
  const start = ['rollout', 'start', '--yes', '--json', ...policyFile('forgetful'), ...pace(hosts), '--outage', '3600', ...GATES]
  const resume = ['rollout', 'resume', '--json', ...policyFile('forgetful'), ...GATES]
  await killedAt(stand, start, isApply)
  const alone = await recover('kill -9 of the controller', stand, resume)
  await killDatabase(stand)
  const both = await recover('kill -9 of the controller and of its database', stand, resume)
  return [alone, both]
}

const isApply = (event: RolloutEvent): boolean => event.kind === 'action' && event.action.kind === 'apply'
const isTaken = (event: RolloutEvent): boolean => event.kind === 'signal' && event.signal.kind === 'taken'
const isOnHost = (event: RolloutEvent): boolean => event.kind === 'action' && event.action.kind !== 'tell' && event.action.kind !== 'cancel'

async function killedAt(stand: Stand, argv: readonly string[], isMoment: (event: RolloutEvent) => boolean): Promise<void> {
  const run = await portcullis(stand, argv, { onEvent: (event, kill) => (isMoment(event) ? kill() : undefined) })
  if (run.code !== null) throw new Error(`it ended with ${run.code} before it was killed: ${run.out.slice(-2_000)}${run.err}`)
}

/** Runs the command until it has done something, and kills it. */
async function recover(what: string, stand: Stand, argv: readonly string[]): Promise<Recovery> {
  const startedMs = performance.now()
  let [taken, goesOn] = [Number.NaN, Number.NaN]
  const run = await portcullis(stand, argv, {
    onEvent: (event, kill) => {
      const seconds = (performance.now() - startedMs) / 1000
      if (isTaken(event) && Number.isNaN(taken)) taken = seconds
      if (!isOnHost(event) || Number.isNaN(taken)) return
      goesOn = seconds
      kill()
    },
  })
  if (Number.isNaN(goesOn)) throw new Error(`${what}: the rollout does not go on: ${run.out.slice(-2_000)}${run.err}`)
  return { what, taken, goesOn }
}

/** The postmaster and whatever it has started, wherever below the state's folder its pid file lies. */
async function killDatabase({ folder }: Stand): Promise<void> {
  const files = await readdir(join(folder, 'state'), { recursive: true })
  const pidFile = files.find((file) => file.endsWith('postmaster.pid'))
  if (pidFile === undefined) return
  const pid = Number((await readFile(join(folder, 'state', pidFile), 'utf8')).split('\n')[0])
  if (Number.isInteger(pid) && pid > 1) await runCommand(['sh', '-c', 'pkill -KILL -P "$0"; kill -KILL "$0"', String(pid)])
}

async function measureSimulated({ simulatedHosts, stories }: Size): Promise<NonNullable<Result['simulated']>> {
  tell(`${simulatedHosts} simulated hosts`)
  const fleet = await simulate('fleet', simulatedHosts)
  if (fleet.outcome !== 'completed') throw new Error(`the rollout of ${simulatedHosts} simulated hosts ended ${fleet.outcome}`)
  tell(`${stories} simulated rollouts`)
  return { fleet, stories: await simulate('stories', stories) }
}

async function simulate(kind: string, count: number): Promise<Simulated> {
  const file = fileURLToPath(new URL('rollout/simulated.ts', import.meta.url))
  const { exitCode, stdout, stderr } = await runCommand(['taskset', '-c', '0', process.execPath, '--expose-gc', file, kind, String(count)], { timeoutMs: 3_600_000 })
  if (exitCode !== 0) throw new Error(stderr)
  const told = JSON.parse(stdout) as Simulated
  if (told.broken > 0) throw new Error(`${told.broken} promises were broken`)
  return told
}

function tablesOf({ restore, outage, recovery, simulated }: Result, size: Size): Table[] {
  return [...(restore ? [restoreTable(restore, size)] : []), ...(outage ? [outageTable(outage, size)] : []), ...(recovery ? [recoveryTable(recovery, size)] : []), ...(simulated ? [simulatedTable(simulated, size)] : [])]
}

const restoreTable = ({ served, servedBy, confirmed, controller }: RestoreFigures, { hosts }: Size): Table => ({
  title: `${hosts} hosts over ssh that all have new rules, put back at a person's word: s from that word`,
  columns: ['', 's', 'aim'],
  rows: [
    ['a tenth, half and nine tenths of the hosts serve again', servedBy.map((seconds) => seconds.toFixed(1)).join(' '), ''],
    ['the last host serves again', served.toFixed(2), hosts === 100 ? '2' : ''],
    ['the last old ruleset is confirmed', confirmed.toFixed(2), ''],
    ['CPU time of the controller until the last host serves', controller.toFixed(2), ''],
  ],
  notes: [SHARED],
})

/** What every figure of many hosts here has in it. */
const SHARED = 'All hosts share the processors of this machine: what a hundred hosts do at the same moment is part of these figures. The controller goes first (nice -10).'

function outageTable(figures: OutageFigures, { hosts, outageSeconds }: Size): Table {
  const { controller } = figures
  const row = (what: string, value: number, aim = ''): string[] => [what, value.toFixed(2), aim]
  return {
    title: `${hosts} hosts over ssh whose service a new policy forgets, ${outageSeconds} s allowed: s`,
    columns: ['', 's', 'aim'],
    rows: [
      ['hosts that did not serve for a while', String(figures.hosts), ''],
      row('the service was interrupted, first host down to last host up', figures.interrupted),
      row('beyond the threshold', figures.beyondThreshold),
      row('first host down to the trip', figures.detected),
      row('trip to the last host served again', figures.served),
      row('trip to the last old ruleset confirmed', figures.confirmed),
      row('CPU time of the controller, whole rollout', controller.cpuSeconds),
      row('  of a rollout that took', controller.milliseconds / 1000),
    ],
    notes: [
      `Resident at most: ${mebibytes(controller.residentBytesMax)} MiB. Tripped by: ${figures.cause}.`,
      SHARED,
    ],
  }
}

const recoveryTable = (recovery: readonly Recovery[], { hosts }: Size): Table => ({
  title: `${hosts} hosts, killed in the middle of a wave and started again: s from the start of the process`,
  columns: ['', 'has the rollout', 'acts on a host'],
  rows: recovery.map(({ what, taken, goesOn }) => [what, taken.toFixed(2), goesOn.toFixed(2)]),
})

function simulatedTable({ fleet, stories }: NonNullable<Result['simulated']>, { simulatedHosts }: Size): Table {
  const perSecond = (one: Simulated): number => one.rollouts / (one.cpuMs / 1000)
  return {
    title: 'The production engine on simulated hosts, one processor',
    columns: ['', 'rollouts', 'CPU s', 'driven', 'rollouts a second', 'events', 'MiB', 'in use'],
    rows: ([
      [`${simulatedHosts} hosts, nothing fails`, fleet],
      ['10 to 150 hosts, kills, outages, lost calls', stories],
    ] as const).map(([what, one]) => [what, String(one.rollouts), (one.cpuMs / 1000).toFixed(1), (one.drivenCpuMs / 1000).toFixed(1), perSecond(one).toFixed(2), String(one.events), mebibytes(one.residentBytesMax), mebibytes(one.liveBytes)]),
    notes: ['CPU s with making the plans and judging what came of them; driven: from the first measuring to the last answer. All of it, and the memory, with the simulated hosts, networks and databases. MiB: resident at most, with what V8 has not collected yet; in use: when the last rollout was over.'],
  }
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
