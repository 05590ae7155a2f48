import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { loadLibc } from '../rawsocket/libc.ts'
import { UNTOLD } from './answer.ts'
import { packCells, unpackCells } from './cells.ts'
import { PortRuns, RestList } from './restPorts.ts'
import { routesTo, type Route } from './route.ts'
import { noCounts, type OnProgress, type ScannedEndpoint, type ScanResult } from './scanResult.ts'
import { readScanSpec, type PortState, type ResumeState, type ScanPlan, type ScanSpec } from './scanSpec.ts'
import type { SweepTarget } from './sweepTarget.ts'
import { formatTarget, type ScanTarget } from './targetList.ts'

/** Bytes of answers held at once; a larger scan runs in groups of targets. */
const CELLS_MAX = 32 * 1024 * 1024
const PROGRESS_EVERY_MS = 250
const IDENTIFY_AT_ONCE = 32

export interface ScanOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/**
 * Scans from where this process stands (its network namespace). An abort ends it early with what is known so far and a state to go on from.
 * Faults: PROBER_* for a bad spec; those of openPacketSocket when `method` is `syn`.
 */
export async function scan(spec: ScanSpec, options: ScanOptions = {}): Promise<Result<ScanResult>> {
  const plan = readScanSpec(spec)
  return plan.ok ? new Scan(plan.value, options).run() : plan
}

interface Subject {
  readonly address: ScanTarget
  readonly cells: Uint8Array
}

class Scan {
  readonly #plan: ScanPlan
  readonly #options: ScanOptions
  readonly #startedMs = performance.now()
  readonly #endpoints: ScannedEndpoint[] = []
  readonly #counts = { tcp: noCounts(), udp: noCounts() }
  readonly #unreachable: { address: string; fault: Fault }[] = []
  readonly #notes: Fault[] = []
  readonly #methods = new Set<'syn' | 'connect'>()
  readonly #rest = new RestList()
  readonly #packed: Record<string, string> = {}
  #probes = 0
  #reportedMs = 0
  /** Where the rate is reckoned from: what lies before the first report is preparation. */
  #reckonedFrom: { readonly done: number; readonly atMs: number } | undefined

  constructor(plan: ScanPlan, options: ScanOptions) {
    this.#plan = plan
    this.#options = options
  }

  async run(): Promise<Result<ScanResult>> {
    const { addresses, tcpPorts } = this.#plan
    const groupSize = Math.max(1, Math.floor(CELLS_MAX / Math.max(1, tcpPorts.length)))
    for (let start = 0; tcpPorts.length > 0 && start < addresses.length; start += groupSize) {
      const faults = await this.#scanTcp(addresses.slice(start, start + groupSize))
      if (faults.length > 0) return fail(...faults)
    }
    if (this.#plan.udpPorts.length > 0 && !this.#isAborted) await this.#scanUdp()
    if (this.#plan.identify && !this.#isAborted) await this.#identify()
    return succeed(this.#result())
  }

  get #isAborted(): boolean {
    return this.#options.signal?.aborted ?? false
  }

  async #scanTcp(addresses: readonly ScanTarget[]): Promise<readonly Fault[]> {
    const subjects = addresses.map((address) => ({ address, cells: this.#cellsOf(address) }))
    const asked = this.#isAborted ? new Map<string, Route>() : routesTo(addresses, this.#options.signal).catch(() => new Map<string, Route>())
    // While another process looks the routes up, what is needed next is read: it takes as long.
    if (this.#plan.method !== 'connect') await Promise.all([import('./synScan.ts'), loadLibc()])
    const routes = await asked
    const { byInterface, byConnect, withoutRoute } = this.#split(subjects, routes)
    for (const { address } of withoutRoute) this.#unreachable.push({ address: formatTarget(address), fault: noRoute(address) })
    for (const [interfaceName, members] of byInterface) {
      const faults = await this.#bySyn(interfaceName, members, routes, byConnect)
      if (faults.length > 0) return faults
    }
    if (byConnect.length > 0 && !this.#isAborted) await this.#byConnect(byConnect)
    for (const subject of subjects) this.#gather(subject)
    return []
  }

  #cellsOf(address: ScanTarget): Uint8Array {
    const size = this.#plan.tcpPorts.length
    const packed = this.#plan.resume?.cells[formatTarget(address)]
    return (packed === undefined ? undefined : unpackCells(packed, size)) ?? new Uint8Array(size)
  }

  #split(subjects: readonly Subject[], routes: ReadonlyMap<string, Route>) {
    const byInterface = new Map<string, Subject[]>()
    const byConnect: Subject[] = []
    const withoutRoute: Subject[] = []
    for (const subject of subjects) {
      const route = routes.get(formatTarget(subject.address))
      if (!route) withoutRoute.push(subject)
      else if (route.isLocal || this.#plan.method === 'connect') byConnect.push(subject)
      else byInterface.set(route.interfaceName, [...(byInterface.get(route.interfaceName) ?? []), subject])
    }
    return { byInterface, byConnect, withoutRoute }
  }

  /** Where raw sockets cannot be had and were not insisted on, the subjects join those to connect to. */
  async #bySyn(interfaceName: string, subjects: readonly Subject[], routes: ReadonlyMap<string, Route>, byConnect: Subject[]): Promise<readonly Fault[]> {
    const requests = subjects.flatMap((subject) => {
      const route = routes.get(formatTarget(subject.address))
      return route ? [{ ...subject, route }] : []
    })
    const { ratesPerSecond, hostRatePerSecondMax, rounds: passesMin } = this.#plan
    const limits = { ratePerSecondUnanswered: ratesPerSecond.unanswered, ratePerSecondMax: ratesPerSecond.answered, hostRatePerSecondMax, passesMin }
    const { signal } = this.#options
    const { synScan } = await import('./synScan.ts')
    const scanned = await synScan(interfaceName, requests, this.#plan.tcpPorts, limits, { signal, onTurn: (targets) => this.#reportSyn(targets) })
    if (!scanned.ok) {
      if (this.#plan.method === 'syn') return scanned.faults
      this.#notes.push(...scanned.faults.map(byConnecting))
      byConnect.push(...subjects)
      return []
    }
    this.#methods.add('syn')
    for (const target of scanned.value.targets) {
      this.#probes += target.probesSent
      if (target.isLossy) this.#notes.push(stillLossy(target))
    }
    for (const { address, fault } of scanned.value.unreachable) this.#unreachable.push({ address: formatTarget(address), fault })
    return []
  }

  async #byConnect(subjects: readonly Subject[]): Promise<void> {
    this.#methods.add('connect')
    const { ConnectScan } = await import('./connectScan.ts')
    const connecting = new ConnectScan(subjects, this.#plan.tcpPorts, { ratePerSecondMax: this.#plan.ratesPerSecond.unanswered, hostRatePerSecondMax: this.#plan.hostRatePerSecondMax })
    const total = subjects.length * this.#plan.tcpPorts.length
    await connecting.run(this.#options.signal, () => this.#report(Math.min(total, connecting.probesSent), total, connecting.open))
    this.#probes += connecting.probesSent
  }

  #gather({ address, cells }: Subject): void {
    const text = formatTarget(address)
    const runs = this.#plan.isRestTold ? new PortRuns() : undefined
    // Not by entries(): a pair for each of a million ports takes longer than the answers to some of them.
    for (let position = 0; position < cells.length; position++) {
      const state = STATE_OF_CELL[cells[position] ?? UNTOLD] ?? 'unknown'
      const port = this.#plan.tcpPorts[position] ?? 0
      this.#counts.tcp[state] += 1
      if (this.#plan.listed.has(state)) this.#endpoints.push({ address: text, protocol: 'tcp', port, state })
      else runs?.add(state, port)
    }
    if (runs) this.#rest.add(text, 'tcp', runs)
    // Every group is packed, not only the last: nobody knows yet whether the scan will be interrupted.
    if (this.#isAborted || this.#plan.addresses.length * cells.length > CELLS_MAX) this.#packed[text] = packCells(cells)
  }

  async #scanUdp(): Promise<void> {
    const { udpScan } = await import('./udpScan.ts')
    const unreachable = new Set(this.#unreachable.map(({ address }) => address))
    const addresses = this.#plan.addresses.filter((address) => !unreachable.has(formatTarget(address)))
    this.#counts.udp.unknown += unreachable.size * this.#plan.udpPorts.length
    const { endpoints, probes, notes } = await udpScan(addresses, this.#plan.udpPorts, {
      signal: this.#options.signal,
      patienceSecondsMax: this.#plan.udpSecondsMax,
      ratePerSecondMax: this.#plan.ratesPerSecond.unanswered,
      hostRatePerSecondMax: this.#plan.hostRatePerSecondMax,
      onTurn: (progress) => this.#options.onProgress?.({ phase: 'udp', ...progress }),
    })
    this.#probes += probes
    this.#notes.push(...notes)
    const rests = new Map<string, PortRuns>()
    for (const { address, port, state, service } of endpoints) {
      const text = formatTarget(address)
      this.#counts.udp[state] += 1
      if (this.#plan.listed.has(state)) this.#endpoints.push({ address: text, protocol: 'udp', port, state, ...(service === undefined ? {} : { service }) })
      else if (this.#plan.isRestTold) runsOf(rests, text).add(state, port)
    }
    for (const [address, runs] of rests) this.#rest.add(address, 'udp', runs)
  }

  /** A few at a time: each endpoint may get a few dozen connections. */
  async #identify(): Promise<void> {
    const [{ identify }, { identifyUdp }] = await Promise.all([import('./identify/identify.ts'), import('./identify/identifyUdp.ts')])
    const signal = this.#options.signal
    const identifyOne = async (endpoint: ScannedEndpoint): Promise<ScannedEndpoint> => {
      if (endpoint.protocol === 'tcp') return { ...endpoint, ...(await identify(endpoint, signal)) }
      const service = await identifyUdp(endpoint, signal)
      return service === undefined ? endpoint : this.#nowOpen({ ...endpoint, service })
    }
    const nameless = [...this.#endpoints.entries()].filter(([, { state, service }]) => service === undefined && (state === 'open' || state === 'open|filtered'))
    const queue = nameless.values()
    const startedMs = performance.now()
    let done = 0
    const work = async (): Promise<void> => {
      for (const [index, endpoint] of queue) {
        if (this.#isAborted) return
        this.#endpoints[index] = await identifyOne(endpoint)
        done += 1
        const secondsLeft = ((performance.now() - startedMs) / 1000 / done) * (nameless.length - done)
        this.#options.onProgress?.({ phase: 'identify', done, total: nameless.length, open: this.#counts.tcp.open + this.#counts.udp.open, secondsLeft })
      }
    }
    await Promise.all(Array.from({ length: IDENTIFY_AT_ONCE }, work))
  }

  /** Silent to one protocol, it has answered another. */
  #nowOpen(endpoint: ScannedEndpoint): ScannedEndpoint {
    if (endpoint.state === 'open') return endpoint
    this.#counts.udp[endpoint.state] -= 1
    this.#counts.udp.open += 1
    return { ...endpoint, state: 'open' }
  }

  #reportSyn(targets: readonly SweepTarget[]): void {
    const left = targets.reduce((sum, target) => sum + target.probesLeft, 0)
    const sent = targets.reduce((sum, target) => sum + target.probesSent, 0)
    this.#report(sent, sent + left, targets.reduce((sum, target) => sum + target.open, 0))
  }

  #report(done: number, total: number, open: number): void {
    const nowMs = performance.now()
    if (!this.#options.onProgress || nowMs - this.#reportedMs < PROGRESS_EVERY_MS) return
    this.#reportedMs = nowMs
    this.#reckonedFrom ??= { done, atMs: nowMs }
    const perSecond = (done - this.#reckonedFrom.done) / ((nowMs - this.#reckonedFrom.atMs) / 1000)
    const secondsLeft = perSecond > 0 ? (total - done) / perSecond : undefined
    this.#options.onProgress({ phase: 'tcp', done, total, open, secondsLeft })
  }

  #result(): ScanResult {
    const isComplete = !this.#isAborted
    const methods = [...this.#methods]
    const resume: ResumeState = { digest: this.#plan.digest, cells: this.#packed }
    return {
      endpoints: this.#endpoints,
      counts: this.#counts,
      rest: this.#rest.entries,
      unreachable: this.#unreachable,
      method: methods.length > 1 ? 'mixed' : (methods[0] ?? 'none'),
      notes: this.#rest.leftOut === 0 ? this.#notes : [...this.#notes, restLeftOut(this.#rest.leftOut)],
      probes: this.#probes,
      seconds: (performance.now() - this.#startedMs) / 1000,
      isComplete,
      ...(isComplete ? {} : { resume }),
    }
  }
}

/** Refused by an ICMP error and silent are both filtered; untold is never rounded to either. */
const STATE_OF_CELL: readonly PortState[] = ['unknown', 'open', 'closed', 'filtered', 'filtered']

function runsOf(rests: Map<string, PortRuns>, address: string): PortRuns {
  let runs = rests.get(address)
  if (!runs) rests.set(address, (runs = new PortRuns()))
  return runs
}

const restLeftOut = (addresses: number): Fault => ({
  code: 'PROBER_REST_LEFT_OUT',
  what: {
    en: `the result is too large to tell of ${addresses} addresses which of their ports are closed or filtered: they are only counted`,
    zh: `结果过大，${addresses} 个地址的关闭或被过滤端口仅计数，未列出范围`,
  },
  next: { en: 'scan the network in parts', zh: '请分段扫描' },
})

const byConnecting = ({ what, next }: Fault): Fault => ({
  code: 'PROBER_BY_CONNECTING',
  what: {
    en: `asked by ordinary connections, which is slower and shows in the targets' logs: ${what.en}`,
    zh: `已改用普通连接扫描，速度较慢且会记入目标日志：${what.zh}`,
  },
  ...(next ? { next } : {}),
})

const noRoute = (address: ScanTarget): Fault => ({
  code: 'PROBER_NO_ROUTE',
  what: { en: `${formatTarget(address)}: no route from here`, zh: `${formatTarget(address)}：此处没有到达它的路由` },
})

const stillLossy = (target: SweepTarget): Fault => ({
  code: 'PROBER_LOSSY',
  what: {
    en: `${formatTarget(target.fields.address)}: packets were still lost after ${target.pass + 1} rounds; ${target.silent} silent ports are unknown`,
    zh: `${formatTarget(target.fields.address)}：${target.pass + 1} 轮之后仍有丢包，${target.silent} 个无应答端口状态未知`,
  },
  next: { en: 'scan it again with a lower --rate', zh: '请用更低的 --rate 重新扫描' },
})
