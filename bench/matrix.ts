import { isWanted, type MatrixFilter } from '../app/cli/matrixRows.ts'
import { sortRows } from '../app/cli/matrixOrder.ts'
import { foldMatrix, type MatrixRow, type NeedClaim } from '@portcullis/core/inventory/matrix.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { diffMatrix } from '@portcullis/core/inventory/matrixDiff.ts'
import { ANY_IPV4 } from '@portcullis/core/net/prefix.ts'

export const title = 'Fold the observations of 10,000 hosts to 1,000,000 matrix rows (at most 10 s and 2 GiB), filter, sort and compare them: matrix [HOSTS]'

const AT = Date.UTC(2026, 0, 1)
const ENDPOINTS = 20
const ZONES = Array.from({ length: 4 }, (_, index) => ({
  name: `zone-${index}`,
  prefixes: [{ family: 4 as const, value: BigInt((10 << 24) | (index << 16)), length: 16 }],
}))

export async function run([hostsText = '10000']: readonly string[]): Promise<void> {
  const hosts = Number(hostsText)
  const started = performance.now()
  const observations = [...observationsOf(hosts)]
  const folded = performance.now()
  let rows = 0
  let contradictions = 0
  let heapBytesMax = 0
  const kept = []
  for (const row of foldMatrix({ observations, zones: ZONES, needs: needsOf(hosts) })) {
    kept.push(row)
    rows += 1
    contradictions += row.contradictions.length
    if (rows % 50_000 === 0) heapBytesMax = Math.max(heapBytesMax, process.memoryUsage().rss)
  }
  const seconds = (performance.now() - folded) / 1000
  console.log(`observations       ${observations.length} (made in ${((folded - started) / 1000).toFixed(2)} s)`)
  console.log(`rows               ${kept.length}, contradictions ${contradictions}`)
  console.log(`fold               ${seconds.toFixed(2)} s, ${Math.round(rows / seconds)} rows/s`)
  console.log(`resident memory    ${(heapBytesMax / 2 ** 20).toFixed(0)} MiB, all observations and all rows kept`)
  for (const [query, ask] of QUERIES) {
    const askedMs = performance.now()
    const found = ask(kept)
    console.log(`${query.padEnd(18)} ${((performance.now() - askedMs) / 1000).toFixed(2)} s, ${found} rows`)
  }
  await Promise.resolve()
}

const filtered = (rows: readonly MatrixRow[], filter: MatrixFilter): number => rows.filter((row) => isWanted(row, filter)).length

/** What `matrix` and `matrix diff` ask of rows that are there. */
const QUERIES: readonly (readonly [query: string, ask: (rows: readonly MatrixRow[]) => number])[] = [
  ['--port 7', (rows) => filtered(rows, { port: 7 })],
  ['--exposed …', (rows) => filtered(rows, { exposed: true, unneeded: true, contradictory: true })],
  ['--sort risk', (rows) => sortRows([...rows], 'risk').length],
  ['--sort last-used', (rows) => sortRows([...rows], 'last-used').length],
  // Before, every hundredth endpoint was not there.
  ['diff', (rows) => [...diffMatrix(rows.filter((_, index) => index % 100 !== 0), rows)].length],
]

/** 20 listeners a host, each used from two of four zones and probed from one. */
function* observationsOf(hosts: number): Generator<Observation> {
  for (let index = 0; index < hosts; index += 1) {
    const host = `host-${index}`
    yield { kind: 'reading', host, sensor: 'ss', at: AT, covers: 'listeners' }
    yield { kind: 'reading', host, sensor: 'nft-counters', at: AT, covers: 'flows' }
    for (let port = 1; port <= ENDPOINTS; port += 1) yield* endpointOf(host, index, port)
  }
}

function* endpointOf(host: string, index: number, port: number): Generator<Observation> {
  const any = { family: 4 as const, value: 0n }
  yield { kind: 'listener', host, sensor: 'ss', at: AT, address: any, protocol: 'tcp', port, process: 'nginx', unit: 'nginx.service', user: 'www-data', isLoopback: false, isEphemeral: false }
  for (const zone of [0, 1]) {
    const source = { family: 4 as const, value: BigInt((10 << 24) | (zone << 16) | (index % 65_536)) }
    yield { kind: 'flow', host, sensor: 'nft-counters', at: AT, source, protocol: 'tcp', port, connections: index + 1, tally: 'running', lastSeen: AT, verdict: 'accepted' }
  }
  yield { kind: 'scan', host, sensor: 'scan', at: AT, address: { family: 4, value: BigInt(index) }, protocol: 'tcp', port, state: port % 2 ? 'open' : 'filtered', from: 'zone-2' }
}

const needsOf = (hosts: number): NeedClaim[] =>
  Array.from({ length: 10 }, (_, index) => ({
    id: `need-${index}`,
    hosts: Array.from({ length: hosts }, (_, host) => `host-${host}`),
    service: { ports: [{ protocol: 'tcp' as const, ports: { first: index + 1, last: index + 1 } }] },
    from: index % 2 ? [ANY_IPV4] : (ZONES[0]?.prefixes ?? []),
  }))
