import { rmSync } from 'node:fs'
import { startWorld, type Lab } from '@portcullis/lab/start.ts'
import { runCommand } from '@portcullis/lab/command.ts'
import { client, interfaceIn, network, server } from '@portcullis/lab/world.ts'
import { CONTROLLER, openAskers, OWN_NAME, SERVER, type Asker } from './facts/asker.ts'
import { readOptions, type Options } from './measure/options.ts'
import { spreadOf, type Spread } from './measure/spread.ts'
import { formatTable, NOT_MEASURED, tell, timesOf, type Table } from './measure/table.ts'
import { rulesetFor } from './peers/endpoint.ts'
import { anew } from './peers/replacement.ts'
import { mixtureOf } from './peers/mixture.ts'

export const title = 'Asking a host for its facts over ssh, beside one ssh a command and Ansible (aim: 60 ms warm; needs root)'

interface Size {
  /** Of the ruleset that the host has meanwhile, which is part of the answer; 0 is none. */
  readonly endpoints: readonly number[]
  readonly rounds: number
}

const QUICK: Size = { endpoints: [0, 1_000], rounds: 5 }
const FULL: Size = { endpoints: [0, 10, 1_000, 10_000], rounds: 25 }
/** Of those that take seconds. */
const SLOW_ROUNDS_MAX = 5
const SLOW_MS = 500

interface Reading {
  readonly asker: string
  readonly endpoints: number
  readonly milliseconds: Spread
}

export async function run(args: readonly string[]): Promise<void> {
  const options = readOptions(args)
  const size = { ...(options.isQuick ? QUICK : FULL), ...(options.rounds === undefined ? {} : { rounds: options.rounds }) }
  const hasAnsible = (await runCommand(['sh', '-c', 'command -v ansible'])).exitCode === 0
  const net = network('servers', '10.98.0.0/24', 'fd98::/64')
  await using lab = await startWorld({ networks: [net], hosts: [server(SERVER, interfaceIn(net, 10)), client(CONTROLLER, interfaceIn(net, 20))] }, { prefix: `bn-${process.pid}` })
  try {
    print(await measureAll(lab, size, hasAnsible), size, options, hasAnsible)
  } finally {
    // Where the script of a host in a bare namespace keeps its state.
    rmSync(`/run/portcullis-lab/${lab.host(SERVER).netns}`, { recursive: true, force: true })
  }
}

async function measureAll(lab: Lab, { endpoints, rounds }: Size, hasAnsible: boolean): Promise<Reading[]> {
  const askers = await openAskers(lab, hasAnsible)
  const readings: Reading[] = []
  for (const count of endpoints) {
    tell(`${count} endpoints`)
    if (count > 0) await lab.host(SERVER).must(['nft', '-f', '-'], { input: anew(rulesetFor(mixtureOf(count)).text) })
    readings.push(...(await measureAskers(askers, count, rounds)))
  }
  for (const asker of askers) await asker.close()
  return readings
}

/** In turn, round after round; each is asked once before, so that what is opened at the first time is open. */
async function measureAskers(askers: readonly Asker[], endpoints: number, rounds: number): Promise<Reading[]> {
  const times = new Map<Asker, number[]>()
  for (const asker of askers) {
    await asker.ask()
    times.set(asker, [])
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [asker, own] of times) if (round < SLOW_ROUNDS_MAX || (own[0] ?? 0) < SLOW_MS) own.push(await asker.ask())
  }
  return [...times].map(([{ name }, own]) => ({ asker: name, endpoints, milliseconds: spreadOf(own) }))
}

function print(readings: readonly Reading[], { endpoints }: Size, { isJson }: Options, hasAnsible: boolean): void {
  if (isJson) console.log(JSON.stringify({ readings, hasAnsible }))
  else console.log(formatTable(tableOf(readings, endpoints, hasAnsible)))
}

function tableOf(readings: readonly Reading[], endpoints: readonly number[], hasAnsible: boolean): Table {
  const of = (asker: string, count: number): number | undefined => readings.find((one) => one.asker === asker && one.endpoints === count)?.milliseconds.median
  return {
    title: 'One host asked for its facts: ms, and × portcullis over ssh, by the endpoints that its ruleset has open',
    columns: ['', ...endpoints.flatMap((count) => [count === 0 ? 'no rules' : String(count), ''])],
    rows: [...new Set(readings.map(({ asker }) => asker))].map((asker) => [
      asker,
      ...endpoints.flatMap((count) => {
        const time = of(asker, count)
        return time === undefined ? [NOT_MEASURED, ''] : [time.toFixed(1), timesOf(time / (of(OWN_NAME, count) ?? Number.NaN), 1)]
      }),
    ]),
    notes: hasAnsible ? [] : ['ansible is not installed: not measured.'],
  }
}
