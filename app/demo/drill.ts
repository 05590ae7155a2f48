import type { ScanProgress, ScanResult } from '@portcullis/adapters/prober/scanResult.ts'
import type { PortState, ScanSpec } from '@portcullis/adapters/prober/scanSpec.ts'
import { FaultError, type Fault } from '@portcullis/core/fault/fault.ts'
import type { Family } from '@portcullis/core/net/address.ts'
import { fanOut } from '@portcullis/engine/fanOut.ts'
import { startCommand } from '@portcullis/lab/command.ts'
import type { Port } from '@portcullis/lab/demo/expectations.ts'
import { silentServices } from '@portcullis/lab/demo/silent.ts'
import type { Lab } from '@portcullis/lab/start.ts'
import { addressOf, hostNamed } from '@portcullis/lab/world.ts'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { serversOf } from './policy.ts'

/** A scan of every server from several places at once, IPv4 and IPv6. */
export interface DrillSpec {
  readonly vantages: readonly Vantage[]
  /** TCP ports as the prober reads them: `1-1024,5432`. */
  readonly tcp: (vantage: Vantage) => string
  readonly udp: string
  /** Scans that run side by side. */
  readonly atOnce: number
  /** Servers that are scanned; all without it. */
  readonly hosts?: readonly string[]
  /** The state of nearly all ports; the others are listed one by one. */
  readonly usual: PortState
}

export interface Vantage {
  /** A host of the lab. */
  readonly host: string
  /** The network that it stands in. */
  readonly zone: string
  /** A server of the fleet, not a client of it. */
  readonly isServer: boolean
}

/** What one place found of one address of one server. */
export interface DrillLine {
  readonly vantage: string
  readonly zone: string
  readonly host: string
  readonly family: Family
  readonly address: string
  /** Sorted by protocol, then port. */
  readonly open: readonly Port[]
  /** The host itself answered that nothing listens: packets pass. */
  readonly closed: readonly Port[]
  /** Silence, or an answer that a firewall gave. On UDP, silence of what may well listen too. */
  readonly filtered: readonly Port[]
  /** Ports about which the scan can say nothing. */
  readonly unknown: number
}

export interface Drill {
  readonly lines: readonly DrillLine[]
  readonly probes: number
  readonly seconds: number
}

/** Share of the probes that is done, 0 to 1. */
export type OnShare = (share: number) => void

/** Scans from all places, and uses what no scanner gets an answer from. */
export async function runDrill(lab: Lab, spec: DrillSpec, onShare: OnShare): Promise<Drill> {
  const startedMs = performance.now()
  const shares = new Map<string, number>()
  const report = (vantage: string, share: number): void => {
    shares.set(vantage, share)
    onShare([...shares.values()].reduce((sum, one) => sum + one, 0) / spec.vantages.length)
  }
  const found = await fanOut(spec.vantages, spec.atOnce, async (vantage) => {
    const [result, silent] = await Promise.all([scanFrom(lab, vantage, spec, (share) => report(vantage.host, share)), reachSilent(lab, spec, vantage.host)])
    return { result, lines: linesOf(lab, spec, vantage, result, silent) }
  })
  const probes = found.reduce((sum, { result }) => sum + result.probes, 0)
  return { lines: found.flatMap(({ lines }) => lines), probes, seconds: (performance.now() - startedMs) / 1000 }
}

const PROBER = fileURLToPath(import.meta.resolve('@portcullis/adapters/prober/main.ts'))
/** Cables of a lab lose nothing, and the prober goes slower by itself where answers are lost. */
const RATE_PER_SECOND_MAX = 1_000_000
const UDP_SECONDS_MAX = 8

const isScanned = ({ hosts }: DrillSpec, host: string, from: string): boolean => host !== from && (hosts?.includes(host) ?? true)

async function scanFrom(lab: Lab, vantage: Vantage, drill: DrillSpec, onShare: OnShare): Promise<ScanResult> {
  const { host } = vantage
  const { tcp, udp, usual } = drill
  const spec: ScanSpec = {
    targets: serversOf(lab.world).filter((server) => isScanned(drill, server.name, host)).flatMap((server) => [addressOf(server, 4), addressOf(server, 6)]),
    ports: tcp(vantage),
    udp,
    rate: RATE_PER_SECOND_MAX,
    rounds: 1,
    method: 'syn',
    list: (['open', 'closed', 'filtered', 'open|filtered', 'unknown'] as const).filter((state) => state !== usual),
    udpSecondsMax: UDP_SECONDS_MAX,
  }
  // Behind those who work: a drill that starves the services would interrupt them itself.
  const argv = ['ip', 'netns', 'exec', lab.host(host).netns, 'nice', '-n', '19', process.execPath, PROBER, '--json-spec', '-']
  const child = startCommand(argv, {}, ['pipe', 'pipe', 'pipe'])
  if (!child.stdin || !child.stdout || !child.stderr) throw new Error('the prober has no streams')
  child.stdin.on('error', () => undefined)
  child.stdin.end(JSON.stringify(spec))
  const said = listenForProgress(child.stderr, onShare)
  const ended = new Promise<string>((resolve) => child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`)))
  const result = JSON.parse((await text(child.stdout)) || '{}') as Partial<ScanResult> & { readonly faults?: readonly Fault[] }
  const fault = result.faults?.[0]
  if (fault) throw new FaultError(fault)
  if (result.isComplete !== true) throw new Error(`the scan from ${host} did not finish (${await ended}): ${said()}`)
  onShare(1)
  return result as ScanResult
}

/** Gives the last line that was no progress. */
function listenForProgress(stderr: NodeJS.ReadableStream, onShare: OnShare): () => string {
  let said = ''
  createInterface({ input: stderr }).on('line', (line) => {
    if (!line.startsWith('{')) return void (said = line)
    const { phase, done, total } = JSON.parse(line) as ScanProgress
    if (phase === 'tcp') onShare(done / Math.max(1, total))
  })
  return () => said
}

interface Reached {
  readonly address: string
  readonly port: Port
  readonly isReached: boolean
}

const reachSilent = (lab: Lab, spec: DrillSpec, from: string): Promise<Reached[]> =>
  Promise.all(
    silentServices(lab)
      .filter(({ host }) => isScanned(spec, host, from))
      .map(async ({ address, port, use }) => ({ address, port, isReached: (await lab.vantage(from).perform(use)).ok })),
  )

function linesOf(lab: Lab, spec: DrillSpec, { host: from, zone }: Vantage, result: ScanResult, silent: readonly Reached[]): DrillLine[] {
  const { names, lost } = { names: namesOf(lab), lost: new Set(result.unreachable.map(({ address }) => address)) }
  return [...names]
    .filter(([, { host }]) => isScanned(spec, host, from))
    .map(([address, { host, family }]): DrillLine => {
      const endpoints = result.endpoints.filter((endpoint) => endpoint.address === address)
      const inState = (state: PortState): Port[] => endpoints.filter((one) => one.state === state).map(({ protocol, port }) => ({ protocol, port }))
      const used = silent.filter((one) => one.address === address && one.isReached).map(({ port }) => port)
      const unknown = lost.has(address) ? 65_535 : inState('unknown').length
      return { vantage: from, zone, host, family, address, open: sortPorts([...inState('open'), ...used]), closed: sortPorts(inState('closed')), filtered: [...inState('filtered'), ...inState('open|filtered')], unknown }
    })
}

function namesOf(lab: Lab): Map<string, { host: string; family: Family }> {
  const servers = serversOf(lab.world)
  return new Map(servers.flatMap(({ name }) => ([4, 6] as const).map((family) => [addressOf(hostNamed(lab.world, name), family), { host: name, family }] as const)))
}

/** Each once: a service that a scanner hears of after all is used as well. */
function sortPorts(ports: readonly Port[]): Port[] {
  const once = new Map(ports.map((one) => [`${one.protocol} ${one.port}`, one]))
  return [...once.values()].toSorted((a, b) => a.protocol.localeCompare(b.protocol) || a.port - b.port)
}
