import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { makeHosts } from '@portcullis/adapters/transport/hosts.ts'
import type { HostLink } from '@portcullis/engine/ports.ts'
import type { FlowEnd } from '../adapters/transport/lab/flow.ts'
import type { Namespace } from '../lab/netns.ts'
import { addContainer, DOCKER_RULES, HOST, load, openTrap, OUTSIDE, sleep, textOf, type Trap } from '../lab/traps/trap.ts'
import { readOptions } from './measure/options.ts'
import { quantile } from './measure/spread.ts'
import { formatTable, tell } from './measure/table.ts'

export const title = 'Ending an established flow: from the call to the last byte that arrives (aim: 50 ms, both directions)'

const ROUNDS_USUAL = 15
const OPEN = textOf({ generation: 1, grants: ['tcp 8444 any', 'tcp 8080 any'] })
const CLOSED = textOf({ generation: 2 })
const PLACES = [
  { name: 'a socket of the host', port: 8444, inside: 8444 },
  { name: 'a published port', port: 8080, inside: 80 },
] as const
const DIRECTIONS = ['in', 'out'] as const
type Place = (typeof PLACES)[number]
type Direction = (typeof DIRECTIONS)[number]

/** One process each for the two ends of a flow that carries 500 pieces a second one way only. */
const FLOW = join(import.meta.dirname, '../adapters/transport/lab/flow.ts')

interface Cutting {
  readonly name: string
  readonly cut: (stage: Stage, port: number) => Promise<unknown>
}

interface Stage extends Pick<Trap, 'host' | 'outside'> {
  readonly container: Namespace
  /** As the controller has one to the host: a session that stands. */
  readonly link: HostLink
}

const CUTTINGS: readonly Cutting[] = [
  {
    name: 'the verb `cut`',
    cut: async ({ link }, port) => {
      const answered = await link.call({ verb: 'cut', args: [], input: `tcp ${port} ${OUTSIDE.ipv4}\n`, timeoutMs: 60_000 })
      if (!answered.ok || answered.value.exitCode !== 0) throw new Error(JSON.stringify(answered))
    },
  },
  {
    name: 'ss -K, conntrack -D',
    cut: ({ host }, port) => host.run(['sh', '-c', `ss -K -t state connected dst ${OUTSIDE.ipv4} sport = :${port}; conntrack -D -p tcp -s ${OUTSIDE.ipv4} --orig-port-dst ${port}`]),
  },
]

interface Row {
  readonly place: string
  readonly direction: Direction
  readonly cutting: string
  readonly lastByteMs: readonly number[]
  /** Rounds in which bytes were still coming two seconds later. */
  readonly alive: number
}

export async function run(args: readonly string[]): Promise<void> {
  const { isQuick, isJson, rounds = isQuick ? 3 : ROUNDS_USUAL } = readOptions(args)
  await using trap = await openTrap('bencut')
  const stateDirectory = mkdtempSync(join(tmpdir(), 'bencut-'))
  const hosts = makeHosts()
  try {
    const container = await addContainer(trap)
    const link = await hosts.connect({ name: 'host', addresses: [], labels: {}, tier: 'standard', transport: { kind: 'netns', namespace: trap.host.netns, stateDirectory } })
    if (!link.ok) throw new Error(link.faults[0]?.what.en)
    // A session that stands has been called before: its first call makes its folder, which is not measured.
    await link.value.call({ verb: 'version', args: [], timeoutMs: 60_000 })
    const stage: Stage = { ...trap, container, link: link.value }
    const rows: Row[] = []
    for (const place of PLACES) for (const direction of DIRECTIONS) for (const cutting of CUTTINGS) rows.push(await measure(stage, { place, direction, cutting, rounds }))
    process.stdout.write(isJson ? `${JSON.stringify(rows)}\n` : tableOf(rows))
  } finally {
    await hosts.close()
    rmSync(stateDirectory, { recursive: true, force: true })
  }
}

async function measure(stage: Stage, what: { place: Place; direction: Direction; cutting: Cutting; rounds: number }): Promise<Row> {
  const { place, direction, cutting, rounds } = what
  const lastByteMs: number[] = []
  let alive = 0
  for (let round = 0; round < rounds; round++) {
    tell(`${place.name}, bytes going ${direction}, ${cutting.name}: ${round + 1} of ${rounds}`)
    const ms = await cutOnce(stage, what)
    if (ms === undefined) alive += 1
    else lastByteMs.push(ms)
  }
  return { place: place.name, direction, cutting: cutting.name, lastByteMs, alive }
}

/** Bytes that come later were not the last ones on their way. */
const ALIVE_MS = 2_000

/** Milliseconds from the call to the last byte, both by the clock of this machine; the start of programs, and of the peer's shell, is in it. */
async function cutOnce(stage: Stage, { place, direction, cutting }: { place: Place; direction: Direction; cutting: Cutting }): Promise<number | undefined> {
  const { host, outside, container } = stage
  await load(host, DOCKER_RULES)
  await load(host, OPEN)
  const [serverDoes, clientDoes] = direction === 'in' ? ['sink', 'push'] : ['push', 'sink']
  const server = await beginFlow(place.inside === 80 ? container : host, 'serve', String(place.inside), serverDoes)
  const client = await beginFlow(outside, 'use', HOST.ipv4, String(place.port), clientDoes)
  try {
    await sleep(300)
    await load(host, CLOSED)
    const beganMs = Date.now()
    await cutting.cut(stage, place.port)
    // An end that is not told waits until its own time is over; what it has seen by then counts.
    const { bytes, lastAt } = await (direction === 'in' ? server : client).end
    if (bytes === 0) throw new Error('not a byte has come: nothing was measured')
    return lastAt - beganMs > ALIVE_MS ? undefined : Math.max(0, lastAt - beganMs)
  } finally {
    await Promise.all([server.kill(), client.kill()])
    await host.must(['nft', 'flush', 'ruleset'])
    await host.run(['conntrack', '-F'])
  }
}

async function beginFlow(at: Namespace, ...words: readonly string[]): Promise<{ readonly end: Promise<FlowEnd>; kill(): Promise<unknown> }> {
  const flow = at.spawn([process.execPath, FLOW, ...words])
  if (!flow.process.stdout) throw new Error('a flow has no output')
  const lines = createInterface({ input: flow.process.stdout })[Symbol.asyncIterator]()
  if ((await lines.next()).value !== 'ready') throw new Error(`no flow: ${words.join(' ')}`)
  return { end: lines.next().then(({ value }) => JSON.parse(value ?? '{"bytes":0}') as FlowEnd), kill: () => flow.kill('SIGKILL') }
}

const tableOf = (rows: readonly Row[]): string =>
  formatTable({
    title: 'From the call to the last byte, ms',
    columns: ['flow', 'bytes going', 'cut by', 'median', 'most', 'goes on'],
    rows: rows.map(({ place, direction, cutting, lastByteMs, alive }) => [
      place,
      direction,
      cutting,
      ...(lastByteMs.length === 0 ? ['–', '–'] : [quantile(lastByteMs, 0.5).toFixed(0), Math.max(...lastByteMs).toFixed(0)]),
      `${alive} of ${alive + lastByteMs.length}`,
    ]),
    notes: [`"goes on": bytes still came ${ALIVE_MS / 1000} s after the call.`],
  })
