import { createSocket, type Socket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '@portcullis/core/fault/fault.ts'
import { steadyPace, type Pace } from './pace.ts'
import type { ScanProgress } from './scanResult.ts'
import type { PortState } from './scanSpec.ts'
import { formatTarget, type ScanTarget } from './targetList.ts'
import { questionFor } from './udpQuestion.ts'

/** When a port is asked, counted from the first time: the gaps let a burst of loss pass. */
const ASKED_AT_MS = [0, 400, 1100]
const LAST_WAIT_MS = 900
/** Sockets open at once: each endpoint has its own, because an ICMP error is only told to the socket that is connected to it. */
const OPEN_SOCKETS_MAX = 1024
/** Linux sends a source one "port unreachable" a second after the first six (icmp(7), icmp_ratelimit and its burst). */
const PATIENT_EVERY_MS = 1030
const PATIENT_TRIES_A_PORT = 2

export interface UdpEndpoint {
  readonly address: ScanTarget
  readonly port: number
  state: PortState
  service?: string
}

export interface UdpScan {
  readonly endpoints: readonly UdpEndpoint[]
  readonly probes: number
  readonly notes: readonly Fault[]
}

export interface UdpOptions {
  readonly signal: AbortSignal | undefined
  readonly patienceSecondsMax: number
  readonly ratePerSecondMax: number
  readonly hostRatePerSecondMax: number | undefined
  readonly onTurn: (progress: Omit<ScanProgress, 'phase'>) => void
}

/**
 * Asks UDP ports in their usual protocol. An answer is open, "port unreachable" is closed, another ICMP error is filtered;
 * silence is open|filtered, for UDP cannot tell more. Needs no privilege.
 */
export async function udpScan(addresses: readonly ScanTarget[], ports: Uint16Array, options: UdpOptions): Promise<UdpScan> {
  const probes = [...ports].flatMap((port) => addresses.map((address) => new UdpProbe(address, port)))
  const paces = new UdpPaces(addresses, options)
  const startedMs = performance.now()
  const tell = (done: number, secondsLeft: number | undefined): void =>
    options.onTurn({ done, total: probes.length, open: probes.filter(({ endpoint }) => endpoint.state === 'open').length, secondsLeft })
  for (let start = 0; start < probes.length && !options.signal?.aborted; start += OPEN_SOCKETS_MAX) {
    await askAll(probes.slice(start, start + OPEN_SOCKETS_MAX), paces, options)
    const done = Math.min(probes.length, start + OPEN_SOCKETS_MAX)
    tell(done, ((performance.now() - startedMs) / 1000 / done) * (probes.length - done))
  }
  const notes = await askPatiently(probes, options, (untold, secondsLeft) => tell(probes.length - untold, secondsLeft))
  for (const { endpoint } of probes) if (endpoint.state === 'unknown' && !options.signal?.aborted) endpoint.state = 'open|filtered'
  return { endpoints: probes.map(({ endpoint }) => endpoint), probes: probes.reduce((sum, probe) => sum + probe.sent, 0), notes }
}

/** How fast datagrams may leave, over all and to each host. */
class UdpPaces {
  readonly #all: Pace
  readonly #hosts: ReadonlyMap<string, Pace>

  constructor(addresses: readonly ScanTarget[], { ratePerSecondMax, hostRatePerSecondMax }: UdpOptions) {
    const nowMs = performance.now()
    this.#all = steadyPace(ratePerSecondMax, nowMs)
    this.#hosts = new Map(hostRatePerSecondMax === undefined ? [] : addresses.map((address) => [formatTarget(address), steadyPace(hostRatePerSecondMax, nowMs)]))
  }

  /** Resolves when a question to this host may leave. */
  async turn(host: string, options: Pick<UdpOptions, 'signal'>): Promise<void> {
    const paces = [this.#all, this.#hosts.get(host)]
    while (!options.signal?.aborted && paces.some((pace) => pace && pace.allowance(performance.now()) < 1)) await sleep(5)
  }

  spend(host: string, datagrams: number): void {
    this.#all.spend(datagrams)
    this.#hosts.get(host)?.spend(datagrams)
  }
}

async function askAll(probes: readonly UdpProbe[], paces: UdpPaces, options: UdpOptions): Promise<void> {
  let before = 0
  for (const atMs of [...ASKED_AT_MS, (ASKED_AT_MS.at(-1) ?? 0) + LAST_WAIT_MS]) {
    await settled(probes, atMs - before, options.signal)
    before = atMs
    if (options.signal?.aborted || probes.every((probe) => probe.isTold)) break
    if (atMs > (ASKED_AT_MS.at(-1) ?? 0)) break
    for (const probe of probes) {
      if (probe.isTold) continue
      await paces.turn(probe.host, options)
      if (options.signal?.aborted) break
      paces.spend(probe.host, probe.ask())
    }
  }
  for (const probe of probes) probe.close()
}

/** Waits, but not when everything is told already. */
async function settled(probes: readonly UdpProbe[], waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  for (let waited = 0; waited < waitMs; waited += 20) {
    await sleep(Math.min(20, waitMs - waited))
    if (signal?.aborted || probes.every((probe) => probe.isTold)) return
  }
}

/**
 * A host that sends ICMP errors at all sends only so many: what it left unsaid is asked again one by one, at its pace.
 * All hosts at the same time, until the patience ends.
 */
async function askPatiently(probes: readonly UdpProbe[], options: UdpOptions, tell: (untold: number, secondsLeft: number) => void): Promise<Fault[]> {
  const untold = limitedHosts(probes)
  const endMs = performance.now() + options.patienceSecondsMax * 1000
  for (let turn = 0; untold.size > 0 && performance.now() < endMs; turn++) {
    if (options.signal?.aborted) return []
    const longest = Math.max(...[...untold.values()].map((queue) => queue.length))
    tell([...untold.values()].reduce((sum, queue) => sum + queue.length, 0), Math.min((longest * PATIENT_EVERY_MS) / 1000, (endMs - performance.now()) / 1000))
    const asked = [...untold.values()].flatMap((queue) => queue.slice(0, 1))
    for (const probe of asked) probe.askOnce()
    await settled(asked, PATIENT_EVERY_MS, options.signal)
    const restMs = asked.every((probe) => probe.isTold) ? PATIENT_EVERY_MS - 30 : 0
    if (turn > 0 && restMs > 0) await sleep(restMs)
    for (const [host, queue] of untold) {
      const probe = queue.shift()
      probe?.close()
      if (probe && !probe.isTold && probe.patientTries++ < PATIENT_TRIES_A_PORT - 1) queue.push(probe)
      if (queue.length === 0) untold.delete(host)
    }
  }
  return [...untold].map(([host, queue]) => rateLimited(host, queue.length))
}

function limitedHosts(probes: readonly UdpProbe[]): Map<string, UdpProbe[]> {
  const refusing = new Set(probes.filter(({ endpoint }) => ['closed', 'filtered'].includes(endpoint.state)).map(({ host }) => host))
  const untold = new Map<string, UdpProbe[]>()
  for (const probe of probes) {
    if (probe.isTold || !refusing.has(probe.host)) continue
    untold.set(probe.host, [...(untold.get(probe.host) ?? []), probe])
  }
  return untold
}

const STATE_OF_ERROR: Readonly<Record<string, PortState>> = {
  ECONNREFUSED: 'closed',
  EHOSTUNREACH: 'filtered',
  ENETUNREACH: 'filtered',
  EACCES: 'filtered',
  EPERM: 'filtered',
  EPROTO: 'filtered',
}

class UdpProbe {
  readonly endpoint: UdpEndpoint
  readonly host: string
  sent = 0
  patientTries = 0
  #connected: Socket | undefined
  #loose: Socket | undefined
  #isConnected = false

  constructor(address: ScanTarget, port: number) {
    this.endpoint = { address, port, state: 'unknown' }
    this.host = formatTarget(address)
  }

  get isTold(): boolean {
    return this.endpoint.state !== 'unknown'
  }

  /** Answers how many datagrams that makes. */
  ask(): number {
    this.askOnce()
    const question = questionFor(this.endpoint.port)
    const datagrams = question.datagrams().length
    if (!question.answersFromElsewhere) return datagrams
    this.#loose ??= this.#openLoose()
    this.#send(this.#loose)
    return 2 * datagrams
  }

  /** By the one socket that hears of errors. */
  askOnce(): void {
    this.#connected ??= this.#open()
    if (this.#isConnected) this.#send(this.#connected)
  }

  close(): void {
    for (const socket of [this.#connected, this.#loose]) {
      try {
        socket?.close()
      } catch {
        // It has closed itself on an error.
      }
    }
    this.#connected = undefined
    this.#loose = undefined
    this.#isConnected = false
  }

  #open(): Socket {
    const socket = this.#socket()
    socket.on('message', (answer) => this.#take(answer))
    socket.connect(this.endpoint.port, this.host, () => {
      this.#isConnected = true
      this.#send(socket)
    })
    return socket
  }

  #openLoose(): Socket {
    const socket = this.#socket()
    socket.on('message', (answer, from) => {
      if (from.address.split('%')[0] === this.host.split('%')[0]) this.#take(answer)
    })
    return socket
  }

  #socket(): Socket {
    const socket = createSocket(this.endpoint.address.family === 4 ? 'udp4' : 'udp6')
    socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(error))
    return socket
  }

  #send(socket: Socket): void {
    const done = (error: Error | null): void => (error ? this.#fail(error) : undefined)
    for (const datagram of questionFor(this.endpoint.port).datagrams()) {
      this.sent += 1
      if (socket === this.#loose) socket.send(datagram, this.endpoint.port, this.host, done)
      else socket.send(datagram, done)
    }
  }

  #take(answer: Buffer): void {
    const question = questionFor(this.endpoint.port)
    this.endpoint.state = 'open'
    if (question.recognises(answer)) this.endpoint.service = question.service
  }

  /** An answer outweighs an error: TFTP for instance answers from elsewhere and may refuse a second question. */
  #fail(error: NodeJS.ErrnoException): void {
    if (!this.isTold) this.endpoint.state = STATE_OF_ERROR[error.code ?? ''] ?? 'unknown'
  }
}

const rateLimited = (host: string, ports: number): Fault => ({
  code: 'PROBER_UDP_RATE_LIMITED',
  what: {
    en: `${host} limits its ICMP errors; ${ports} UDP ports stay open|filtered that may well be closed`,
    zh: `${host} 限制 ICMP 差错报文的速率；${ports} 个 UDP 端口仍为 open|filtered，可能已关闭`,
  },
  next: { en: 'allow more time with --udp-seconds', zh: '用 --udp-seconds 延长时间' },
})
