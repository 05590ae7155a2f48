import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCommand } from '@portcullis/lab/command.ts'
import { spawned, type Spawned } from '@portcullis/lab/netns.ts'
import { openStage, type Place, type Stage } from './cable/stage.ts'
import { readOptions, type Options } from './measure/options.ts'
import { formatTable, tell, type Table } from './measure/table.ts'
import { mixtureOf } from './peers/mixture.ts'
import type { Endpoint } from './peers/endpoint.ts'
import { layMeters, readMeters, resetMeters, type Packets } from './replace/meters.ts'
import { ALLOWED_PORT } from './replace/ports.ts'
import { CONTROLS, WAYS, type Way } from './replace/way.ts'

export const title = 'Packets lost and let through while the rules are replaced, beside ufw and firewalld (needs root)'

interface Size {
  readonly endpoints: readonly number[]
  /** At least so many packets of each kind a way. */
  readonly packetsMin: number
  /** Replacements, × those that the way states. */
  readonly share: number
}

const QUICK: Size = { endpoints: [10], packetsMin: 60_000, share: 0.1 }
const FULL: Size = { endpoints: [10, 1_000], packetsMin: 240_000, share: 1 }
/** Half of them allowed. What one processor sends beside the replacement without holding it up. */
const PACKETS_PER_SECOND = 200_000

interface Outcome {
  readonly way: string
  readonly endpoints: number
  readonly replacements: number
  readonly seconds: number
  readonly sent: Packets
  readonly lost: number
  readonly letThrough: number
}

export async function run(args: readonly string[]): Promise<void> {
  const options = readOptions(args)
  const size = options.isQuick ? QUICK : FULL
  const ways = [...WAYS, ...CONTROLS]
  const stage = await openStage(ways.map(({ system }) => system))
  try {
    const outcomes: Outcome[] = []
    for (const [index, way] of ways.entries()) {
      const place = stage.places[index]
      if (place) outcomes.push(...(await measureWay(stage, place, way, size)))
    }
    print(outcomes, size, options)
  } finally {
    await stage.close()
  }
}

async function measureWay(stage: Stage, { host, device }: Place, way: Way, size: Size): Promise<Outcome[]> {
  const replace = await way.open(host)
  await layMeters(host)
  const outcomes: Outcome[] = []
  let generation = 0
  for (const endpoints of size.endpoints) {
    tell(`${way.name}, ${endpoints} endpoints`)
    await replace(rulesOf(endpoints, generation), ++generation)
    // Before the first packet and after the last one: meters are read one by one, and packets in between would seem lost.
    await resetMeters(host)
    const sender = startSender(stage, device)
    while ((await readMeters(host)).arrived.allowed === 0) await sleep(10)
    const startedMs = performance.now()
    const replacementsMin = Math.max(2, Math.round(way.replacements * size.share))
    let replacements = 0
    for (; replacements < replacementsMin; replacements += 1) await replace(rulesOf(endpoints, generation), ++generation)
    while ((await readMeters(host)).arrived.allowed < size.packetsMin) await sleep(50)
    await sender.kill('SIGKILL')
    outcomes.push({ way: way.name, endpoints, replacements, seconds: (performance.now() - startedMs) / 1_000, ...judge(await readMeters(host)) })
  }
  return outcomes
}

const SENDER = fileURLToPath(new URL('replace/sender.ts', import.meta.url))

/** On the last processor, so that on a machine with two the replacement has the first. */
function startSender({ outside }: Stage, device: string): Spawned {
  const argv = ['ip', 'netns', 'exec', outside, 'taskset', '-c', String(cpus().length - 1), process.execPath, SENDER, device, String(PACKETS_PER_SECOND)]
  return spawned(startCommand(argv, {}, ['ignore', 'ignore', 'inherit']))
}

/** The probed ports stay as they are; of the others one is open in every second generation only. */
const rulesOf = (count: number, generation: number): Endpoint[] => [
  { protocol: 'udp', port: ALLOWED_PORT, from: 'any' },
  ...mixtureOf(count - 2),
  { protocol: 'tcp', port: 998 + (generation % 2), from: 'any' },
]

const judge = ({ arrived, passed }: Awaited<ReturnType<typeof readMeters>>): Pick<Outcome, 'sent' | 'lost' | 'letThrough'> => ({
  sent: arrived,
  lost: arrived.allowed - passed.allowed,
  letThrough: passed.forbidden,
})

function print(outcomes: readonly Outcome[], { endpoints }: Size, { isJson }: Options): void {
  if (isJson) console.log(JSON.stringify({ outcomes }))
  else for (const count of endpoints) console.log(formatTable(tableOf(outcomes.filter((one) => one.endpoints === count), count)))
}

const tableOf = (outcomes: readonly Outcome[], endpoints: number): Table => ({
  title: `Replacing the rules of ${endpoints} endpoints under load`,
  columns: ['', 'replaced', 'ms each', 'allowed sent', 'lost', 'forbidden sent', 'let through', 'shut ms each', 'open ms each'],
  rows: outcomes.map((one) => [
    one.way,
    String(one.replacements),
    ((one.seconds * 1_000) / one.replacements).toFixed(0),
    String(one.sent.allowed),
    String(one.lost),
    String(one.sent.forbidden),
    String(one.letThrough),
    outageMs(one, one.lost, one.sent.allowed).toFixed(2),
    outageMs(one, one.letThrough, one.sent.forbidden).toFixed(2),
  ]),
  notes: ['"shut" and "open" are the packets as time: for how long, each time, everything was refused or let in.'],
})

const outageMs = ({ seconds, replacements }: Outcome, packets: number, sent: number): number => (packets / sent) * ((seconds * 1_000) / replacements)
