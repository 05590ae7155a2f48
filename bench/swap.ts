import { openNamespaces, type Namespace, type Namespaces } from '@portcullis/lab/netns.ts'
import { readOptions, type Options } from './measure/options.ts'
import { median, spreadOf, type Spread } from './measure/spread.ts'
import { formatTable, NOT_MEASURED, tell, timesOf, type Table } from './measure/table.ts'
import { mixtureOf } from './peers/mixture.ts'
import type { Endpoint } from './peers/endpoint.ts'
import { openManagedHost, type HostSwap } from './swap/managedHost.ts'
import { LOADERS, PORTCULLIS, type Change, type Loader } from './swap/loader.ts'

export const title = 'Loading and replacing rules of 10 to 100,000 endpoints, beside iptables-restore (needs root)'

interface Size {
  readonly endpoints: readonly number[]
  readonly rounds: number
}

const QUICK: Size = { endpoints: [10, 1_000], rounds: 3 }
const FULL: Size = { endpoints: [10, 1_000, 10_000, 100_000], rounds: 9 }

interface Loads {
  readonly loader: string
  readonly endpoints: number
  readonly first: Spread
  readonly replace: Spread
}

interface Swaps {
  readonly endpoints: number
  readonly stage: Spread
  readonly swap: Spread
  /** Of which nft alone. */
  readonly nft: Spread
}

/** All times in milliseconds. */
interface Result {
  /** A process that does nothing, in a namespace: what every load pays. */
  readonly nothing: Spread
  readonly loads: readonly Loads[]
  readonly swaps: readonly Swaps[]
}

export async function run(args: readonly string[]): Promise<void> {
  const options = readOptions(args)
  const size = { ...(options.isQuick ? QUICK : FULL), ...(options.rounds === undefined ? {} : { rounds: options.rounds }) }
  await using spaces = openNamespaces(`bn-${process.pid}`)
  print(await measureAll(spaces, size), size, options)
}

async function measureAll(spaces: Namespaces, size: Size): Promise<Result> {
  const places = await Promise.all(LOADERS.map((_, index) => spaces.add(`load${index}`)))
  const loads: Loads[] = []
  for (const endpoints of size.endpoints) {
    tell(`loading ${endpoints} endpoints`)
    loads.push(...(await measureLoads(places, mixtureOf(endpoints), size.rounds)))
  }
  const swaps: Swaps[] = []
  await using host = await openManagedHost(await spaces.add('host'))
  // The very first warms connection tracking for two seconds, which is not what is measured.
  await host.swap(mixtureOf(10))
  for (const endpoints of size.endpoints) {
    tell(`the host script, ${endpoints} endpoints`)
    swaps.push(await measureSwaps((changing) => host.swap(changing), mixtureOf(endpoints), size.rounds))
  }
  const [place] = places
  const nothing = place === undefined ? [] : await times(size.rounds, async () => (await place.run(['true'])).durationMs)
  return { nothing: spreadOf(nothing), loads, swaps }
}

/** All loaders in turn, round after round, so that a busy moment of the machine meets them all. */
async function measureLoads(places: readonly Namespace[], endpoints: readonly Endpoint[], rounds: number): Promise<Loads[]> {
  const able = LOADERS.flatMap((loader, index) => {
    const space = places[index]
    return space && loader.endpointsMax >= endpoints.length ? [{ loader, space, first: [] as number[], replace: [] as number[] }] : []
  })
  for (let round = 0; round < rounds; round += 1) {
    for (const { loader, space, first, replace } of able) {
      first.push(await timeLoad(loader, space, { endpoints, generation: 2 * round + 1 }))
      replace.push(await timeLoad(loader, space, { endpoints: changed(endpoints), generation: 2 * round + 2, before: endpoints }))
      await loader.unload(space)
    }
  }
  return able.map(({ loader, first, replace }) => ({ loader: loader.name, endpoints: endpoints.length, first: spreadOf(first), replace: spreadOf(replace) }))
}

async function timeLoad(loader: Loader, space: Namespace, change: Change): Promise<number> {
  let milliseconds = 0
  for (const input of loader.texts(change)) {
    const { exitCode, stderr, durationMs } = await space.run(loader.argv, { input, timeoutMs: 600_000 })
    if (exitCode !== 0) throw new Error(`${loader.name}: ${stderr}`)
    milliseconds += durationMs
  }
  return milliseconds
}

async function measureSwaps(swap: (endpoints: readonly Endpoint[]) => Promise<HostSwap>, endpoints: readonly Endpoint[], rounds: number): Promise<Swaps> {
  const done: HostSwap[] = []
  for (let round = 0; round < rounds; round += 1) done.push(await swap(round % 2 ? changed(endpoints) : endpoints))
  const spread = (pick: (one: HostSwap) => number): Spread => spreadOf(done.map(pick))
  return { endpoints: endpoints.length, stage: spread((one) => one.stageMs), swap: spread((one) => one.swapMs), nft: spread((one) => one.nftMs) }
}

/** One endpoint is another one: the smallest change there is. */
const changed = (endpoints: readonly Endpoint[]): Endpoint[] => [{ protocol: 'tcp', port: 999, from: 'any' }, ...endpoints.slice(1)]

async function times(count: number, once: () => Promise<number>): Promise<number[]> {
  const all: number[] = []
  for (let at = 0; at < count; at += 1) all.push(await once())
  return all
}

function print(result: Result, { endpoints }: Size, { isJson }: Options): void {
  if (isJson) console.log(JSON.stringify(result))
  else for (const table of [loadTable(result, endpoints, 'first'), loadTable(result, endpoints, 'replace'), swapTable(result)]) console.log(formatTable(table))
}

function loadTable({ loads, nothing }: Result, sizes: readonly number[], what: 'first' | 'replace'): Table {
  const own = (endpoints: number): number | undefined => loads.find((one) => one.loader === PORTCULLIS.name && one.endpoints === endpoints)?.[what].median
  return {
    title: what === 'first' ? 'First load: ms, and × portcullis' : 'Replacing them with one endpoint changed: ms, and × portcullis',
    columns: ['endpoints', ...sizes.flatMap((endpoints) => [String(endpoints), ''])],
    rows: LOADERS.map(({ name }) => [
      name,
      ...sizes.flatMap((endpoints) => {
        const time = loads.find((one) => one.loader === name && one.endpoints === endpoints)?.[what].median
        return time === undefined ? [NOT_MEASURED, ''] : [time.toFixed(1), timesOf(time / (own(endpoints) ?? Number.NaN))]
      }),
    ]),
    notes: [`A process that does nothing takes ${nothing.median.toFixed(1)} ms of each.`],
  }
}

const swapTable = ({ swaps, loads }: Result): Table => ({
  title: 'The same through portcullis-host: ms',
  columns: ['endpoints', 'stage', 'swap', 'of which nft', 'swap × nft -f'],
  rows: swaps.map(({ endpoints, stage, swap, nft }) => {
    const alone = median(loads.filter((one) => one.loader === PORTCULLIS.name && one.endpoints === endpoints).map((one) => one.replace.median))
    return [String(endpoints), ...[stage, swap, nft].map(({ median }) => median.toFixed(1)), timesOf(swap.median / alone)]
  }),
  notes: ['Staging checks the text, hashes it and rehearses it in an empty network namespace; swapping is what packets can notice.'],
})
