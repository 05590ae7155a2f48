import { connectionsOfClients, datagramsOfClients } from './datapath/clients.ts'
import { sourceAt } from './cable/frames.ts'
import { newConnections } from './datapath/connections.ts'
import { datagramsOfNewFlows } from './datapath/datagrams.ts'
import { synFlood, type Flood } from './datapath/flood.ts'
import { measure, type Reading } from './datapath/measure.ts'
import { CLIENT_SOURCES, sceneOf, type Form, type Scene } from './datapath/scene.ts'
import { segmentsOfConnections } from './datapath/segments.ts'
import { openStage, type Stage } from './cable/stage.ts'
import type { Contender } from './datapath/contender.ts'
import { FLOOD_VARIANTS, NO_FIREWALL, PLAIN_DROP, TRACKING_ALONE, VARIANTS, type Variant } from './datapath/variant.ts'
import type { Workload } from './datapath/workload.ts'
import { readOptions, type Options } from './measure/options.ts'
import { formatTable, NOT_MEASURED, tell, timesOf, type Table } from './measure/table.ts'

export const title = 'CPU a packet: new connections, new UDP flows, established segments, SYN floods, beside six other firewalls (needs root)'

interface Size {
  readonly endpoints: readonly number[]
  readonly rounds: number
  readonly frames: number
  readonly segmentChunks: number
}

const QUICK: Size = { endpoints: [10, 1_000], rounds: 3, frames: 2_560, segmentChunks: 10 }
const FULL: Size = { endpoints: [10, 1_000, 10_000], rounds: 15, frames: 10_240, segmentChunks: 40 }
/** A reload takes them seconds: not in a quick run. */
const isSlow = ({ system }: Variant): boolean => system !== undefined

interface SizeReadings {
  readonly endpoints: number
  readonly readings: readonly Reading[]
}

/** The figures of all sizes; `flood` is measured at the smallest size alone. */
interface Result {
  readonly sizes: readonly SizeReadings[]
  readonly flood: readonly Reading[]
}

export async function run(args: readonly string[]): Promise<void> {
  const options = readOptions(args)
  const size = { ...(options.isQuick ? QUICK : FULL), ...(options.rounds === undefined ? {} : { rounds: options.rounds }) }
  const variants = [...VARIANTS, ...FLOOD_VARIANTS].filter((variant) => !options.isQuick || !isSlow(variant))
  const stage = await openStage(variants.map(({ system }) => system))
  try {
    const contenders = stage.places.flatMap((place, index) => variants.slice(index, index + 1).map((variant) => ({ ...place, variant })))
    print(await measureAll(stage, contenders, size), options)
  } finally {
    await stage.close()
  }
}

async function measureAll(stage: Stage, contenders: readonly Contender[], size: Size): Promise<Result> {
  const sizes: SizeReadings[] = []
  const flood: Reading[] = []
  const regular = contenders.filter(({ variant }) => !FLOOD_VARIANTS.includes(variant))
  for (const endpoints of size.endpoints) {
    const scenes = scenesOf(endpoints)
    const present = await loadAll(contenders, endpoints, scenes)
    sizes.push({ endpoints, readings: await measureTraffic(stage, regular.filter((one) => present.includes(one)), scenes, size) })
    if (flood.length === 0) flood.push(...(await measureFloods(present, size)))
  }
  return { sizes, flood }
}

type Scenes = Readonly<Record<Form, Scene>>

const scenesOf = (endpoints: number): Scenes => ({
  ports: sceneOf('ports', endpoints),
  pairs: sceneOf('pairs', endpoints),
  networks: sceneOf('networks', endpoints),
})

/** Answers those that can be loaded with so many endpoints. */
async function loadAll(contenders: readonly Contender[], endpoints: number, scenes: Scenes): Promise<Contender[]> {
  const present = contenders.filter(({ variant }) => variant.endpointsMax >= endpoints)
  for (const { variant, host } of present) {
    tell(`loading ${endpoints} endpoints: ${variant.name}`)
    await variant.load(host, scenes[variant.form])
  }
  return present
}

const CLIENTS = CLIENT_SOURCES.map(sourceAt)

async function measureTraffic(stage: Stage, contenders: readonly Contender[], scenes: Scenes, { rounds, frames, segmentChunks }: Size): Promise<Reading[]> {
  const measureEach = async (makers: readonly ((scene: Scene) => Workload)[]): Promise<Reading[]> => {
    const readings: Reading[] = []
    for (const make of makers) {
      const workload = perForm(scenes, make)
      tell(`measuring: ${workload.name}`)
      readings.push(...(await measure(workload, contenders, rounds, [NO_FIREWALL, TRACKING_ALONE])))
    }
    return readings
  }
  await stage.bringClient(CLIENTS)
  const whole = await measureEach([(scene) => connectionsOfClients(scene, stage.outside, frames), (scene) => datagramsOfClients(scene, stage.outside, frames)])
  await stage.takeClient(CLIENTS)
  const host = await measureEach([
    (scene) => newConnections(scene, frames),
    (scene) => datagramsOfNewFlows(scene, frames),
    (scene) => segmentsOfConnections('in', scene, segmentChunks),
    (scene) => segmentsOfConnections('out', scene, segmentChunks),
  ])
  return [...whole, ...host]
}

/** The same traffic, sent to where each contender's own form of policy has its endpoints. */
function perForm(scenes: Scenes, make: (scene: Scene) => Workload): Workload {
  const workloads = { ports: make(scenes.ports), pairs: make(scenes.pairs), networks: make(scenes.networks) }
  return {
    name: workloads.ports.name,
    round: (contender) => workloads[contender.variant.form].round(contender),
    end: (contender) => workloads[contender.variant.form].end(contender),
  }
}

async function measureFloods(contenders: readonly Contender[], { rounds, frames }: Size): Promise<Reading[]> {
  const readings: Reading[] = []
  for (const kind of ['scan', 'spoofed'] satisfies Flood[]) {
    const workload = synFlood(kind, frames)
    tell(`measuring: ${workload.name}`)
    readings.push(...(await measure(workload, contenders, rounds, [PLAIN_DROP])))
  }
  return readings
}

function print(result: Result, { isJson }: Options): void {
  if (isJson) console.log(JSON.stringify(result))
  else for (const table of [...trafficTables(result), ...floodTables(result)]) console.log(formatTable(table))
}

function trafficTables({ sizes }: Result): Table[] {
  const workloads = [...new Set(sizes.flatMap(({ readings }) => readings.map(({ workload }) => workload)))]
  return workloads.map((workload) => ({
    title: `${workload}, CPU time × ${NO_FIREWALL} and × ${TRACKING_ALONE}, by number of open endpoints`,
    columns: ['', ...sizes.flatMap(({ endpoints }) => [`${endpoints}: × none`, '± ', '× tracking', 'ns'])],
    rows: VARIANTS.map(({ name }) => [name, ...sizes.flatMap(({ readings }) => cells(readings.find((one) => one.contender === name && one.workload === workload)))]),
  }))
}

function cells(reading: Reading | undefined): string[] {
  if (reading === undefined) return [NOT_MEASURED, '', NOT_MEASURED, NOT_MEASURED]
  const [none, tracking] = [reading.ratios[NO_FIREWALL], reading.ratios[TRACKING_ALONE]]
  return [timesOf(none?.median), none === undefined ? '' : ((none.high - none.low) / 2).toFixed(2), timesOf(tracking?.median), reading.nanoseconds.median.toFixed(0)]
}

function floodTables({ flood }: Result): Table[] {
  const workloads = [...new Set(flood.map(({ workload }) => workload))]
  return workloads.map((workload) => ({
    title: `${workload}: packets disposed of in a second, × ${PLAIN_DROP}`,
    columns: ['', 'rate', '± ', 'ns'],
    rows: flood.filter((one) => one.workload === workload).map(floodRow),
  }))
}

function floodRow({ contender, ratios, nanoseconds }: Reading): string[] {
  const ratio = ratios[PLAIN_DROP]
  if (ratio === undefined) return [contender, NOT_MEASURED, '', nanoseconds.median.toFixed(0)]
  // The ratios are of times, and a rate is the other way round.
  return [contender, timesOf(1 / ratio.median), ((1 / ratio.low - 1 / ratio.high) / 2).toFixed(2), nanoseconds.median.toFixed(0)]
}
