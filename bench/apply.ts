import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { runCommand } from '@portcullis/lab/command.ts'
import { startWorld, type Lab } from '@portcullis/lab/start.ts'
import { ANSIBLE_WAYS, openAnsible, type AnsibleWay } from './apply/ansible.ts'
import type { Cost, Order } from './apply/controller.ts'
import { CONTROLLER, fleetOf, worldOf } from './apply/fleet.ts'
import { takeHostCount } from './measure/hostCount.ts'
import { readOptions } from './measure/options.ts'
import { median } from './measure/spread.ts'
import { formatTable, NOT_MEASURED, tell, timesOf, type Table } from './measure/table.ts'
import { rulesetFor } from './peers/endpoint.ts'
import { mixtureOf } from './peers/mixture.ts'
import { anew } from './peers/replacement.ts'

export const title = 'A ruleset of 1,000 endpoints to 50 and 100 hosts over ssh, beside Ansible (aim: 50 hosts in 2.5 s, warm in 1 s; needs root)'

interface Size {
  readonly hosts: readonly number[]
  readonly rounds: number
  readonly ansible: readonly AnsibleWay[]
}

const QUICK: Size = { hosts: [10], rounds: 1, ansible: ANSIBLE_WAYS.filter(({ name }) => /as installed|50 forks/.test(name)) }
const FULL: Size = { hosts: [50, 100], rounds: 3, ansible: ANSIBLE_WAYS }

const ENDPOINTS = 1_000
const HOSTS_AT_ONCE = 32

/** One way of getting the rules to all hosts. Seconds. */
interface Row {
  readonly way: string
  readonly seconds: number
  /** Of the controller's process. */
  readonly cpuSeconds?: number
  /** Of one host: milliseconds of each step, as the controller saw them. */
  readonly steps?: Readonly<Record<string, number>>
}

interface Result {
  readonly hosts: number
  readonly rows: readonly Row[]
}

export async function run(args: readonly string[]): Promise<void> {
  const { hosts: asked, rest } = takeHostCount(args)
  const options = readOptions(rest)
  const size = { ...(options.isQuick ? QUICK : FULL), ...(options.rounds === undefined ? {} : { rounds: options.rounds }) }
  const hasAnsible = (await runCommand(['sh', '-c', 'command -v ansible-playbook'])).exitCode === 0
  const results: Result[] = []
  for (const hosts of asked === undefined ? size.hosts : [asked]) {
    await using lab = await startWorld(worldOf(hosts), { prefix: `bn-${process.pid}` })
    results.push({ hosts, rows: [...(await measureOwn(lab, hosts, size.rounds)), ...(hasAnsible ? await measureAnsible(lab, size.ansible) : [])] })
  }
  if (options.isJson) console.log(JSON.stringify({ results, hasAnsible }))
  else print(results, hasAnsible)
}

/** The same file for all that only push one: it takes the place of what is there. */
const FILE = anew(rulesetFor(mixtureOf(ENDPOINTS)).text)

const PUSH = { cold: 'the file by our ssh, cold', warm: 'the file by our ssh, warm: a session that stands' } as const
const APPLY = { first: 'confirmed apply, first', cold: 'confirmed apply', warm: 'confirmed apply, warm' } as const

async function measureOwn(lab: Lab, hosts: number, rounds: number): Promise<Row[]> {
  const controller = startController(lab)
  try {
    tell(`${hosts} hosts: the script is put there`)
    await controller.order({ kind: 'install' })
    tell('the file is pushed')
    const push = (isWarm: boolean): Promise<Cost> => controller.order({ kind: 'push', text: FILE, isWarm })
    const pushedCold = rowOf(PUSH.cold, hosts, await times(rounds, () => push(false)))
    await push(true)
    const pushes = [pushedCold, rowOf(PUSH.warm, hosts, await times(rounds, () => push(true)))]
    await Promise.all(lab.hosts.filter(({ name }) => name !== CONTROLLER).map((host) => host.must(['nft', 'delete', 'table', 'inet', 'portcullis'])))
    tell('confirmed apply')
    const apply = (isWarm: boolean): Promise<Cost> => controller.order({ kind: 'apply', endpoints: ENDPOINTS, concurrency: HOSTS_AT_ONCE, isWarm })
    const first = rowOf(APPLY.first, hosts, [await apply(false)])
    const cold = rowOf(APPLY.cold, hosts, await times(rounds, () => apply(false)))
    await apply(true)
    return [...pushes, first, cold, rowOf(APPLY.warm, hosts, await times(rounds, () => apply(true)))]
  } finally {
    await controller.end()
  }
}

function rowOf(way: string, hosts: number, costs: readonly Cost[]): Row {
  const middle = (pick: (cost: Cost) => number): number => median(costs.map(pick))
  const names = [...new Set(costs.flatMap(({ steps }) => Object.keys(steps)))].filter((name) => name !== 'end')
  return {
    way,
    seconds: middle(({ milliseconds }) => milliseconds) / 1000,
    cpuSeconds: middle(({ cpuMs }) => cpuMs) / 1000,
    ...(names.length === 0 ? {} : { steps: Object.fromEntries(names.map((name) => [name, middle(({ steps }) => steps[name] ?? 0) / hosts])) }),
  }
}

async function measureAnsible(lab: Lab, ways: readonly AnsibleWay[]): Promise<Row[]> {
  const ansible = await openAnsible(lab.host(CONTROLLER), join(lab.directory, 'ansible'), fleetOf(lab.world), lab.ssh, FILE)
  const rows: Row[] = []
  for (const way of ways) {
    tell(way.name)
    rows.push({ way: way.name, seconds: (await ansible.push(way)) / 1000 })
  }
  return rows
}

function startController(lab: Lab): { order(order: Order): Promise<Cost>; end(): Promise<unknown> } {
  const access = JSON.stringify({ hosts: fleetOf(lab.world), ...lab.ssh })
  const started = lab.host(CONTROLLER).spawn([process.execPath, join(import.meta.dirname, 'apply/controller.ts'), access])
  const { stdin, stdout, stderr } = started.process
  if (!stdin || !stdout || !stderr) throw new Error('the controller has no streams')
  stderr.pipe(process.stderr)
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  return {
    async order(order) {
      stdin.write(`${JSON.stringify(order)}\n`)
      const line = await lines.next()
      if (line.done) throw new Error('the controller has ended')
      return JSON.parse(line.value) as Cost
    },
    end: () => {
      stdin.end()
      return started.ended
    },
  }
}

async function times<T>(count: number, once: () => Promise<T>): Promise<T[]> {
  const all: T[] = []
  for (let at = 0; at < count; at += 1) all.push(await once())
  return all
}

function print(results: readonly Result[], hasAnsible: boolean): void {
  for (const result of results) console.log(formatTable(tableOf(result, hasAnsible)))
  for (const result of results) console.log(formatTable(stepTable(result)))
}

/** Each peer beside what does the same as it: a connection that is opened, or one that stands. */
function tableOf({ hosts, rows }: Result, hasAnsible: boolean): Table {
  const of = (way: string): number => rows.find((row) => row.way === way)?.seconds ?? Number.NaN
  return {
    title: `${hosts} hosts, ${ENDPOINTS} endpoints each`,
    columns: ['', 's', 'of which controller', '× our ssh, cold', '× our ssh, warm', '× confirmed apply'],
    rows: rows.map(({ way, seconds, cpuSeconds }) => [
      way,
      seconds.toFixed(2),
      cpuSeconds === undefined ? NOT_MEASURED : cpuSeconds.toFixed(2),
      ...[PUSH.cold, PUSH.warm, APPLY.warm].map((own) => timesOf(seconds / of(own), 1)),
    ]),
    notes: [
      'All hosts share the processors of this machine, so that what a host does is part of every figure.',
      'Aims for 50 hosts: pushed cold in 2.5 s, warm in 1 s; Ansible as installed ≥ 20 × warm, tuned and warm ≥ 8 × warm.',
      ...(hasAnsible ? [] : ['ansible is not installed (apt-get install --no-install-recommends ansible-core): not measured.']),
    ],
  }
}

function stepTable({ hosts, rows }: Result): Table {
  const stepped = rows.flatMap(({ way, steps }) => (steps ? [{ way, steps }] : []))
  const names = Object.keys(stepped[0]?.steps ?? {})
  return {
    title: `${hosts} hosts: where one host's time goes, ms, with ${HOSTS_AT_ONCE} at once`,
    columns: ['', ...names],
    rows: stepped.map(({ way, steps }) => [way, ...names.map((name) => (steps[name] ?? 0).toFixed(0))]),
  }
}
