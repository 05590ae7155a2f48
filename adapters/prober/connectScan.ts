import { connect, type Socket } from 'node:net'
import { CLOSED, OPEN, REFUSED, SILENT, UNTOLD } from './answer.ts'
import { Pace, steadyPace } from './pace.ts'
import { portOrder } from './portOrder.ts'
import { formatTarget, type ScanTarget } from './targetList.ts'

/** Longer than the kernel's first retransmission of a SYN, one second (RFC 6298 section 2.1). */
const TIMEOUT_MS = 1300
const ATTEMPTS = 2
const TICK_MS = 25
/** A tick this late means that this process was starved: answers may lie unread, so nobody is judged yet. */
const STARVED_MS = 75
const IN_FLIGHT_START = 128
const IN_FLIGHT_MIN = 16
const IN_FLIGHT_MAX = 4096

export interface ConnectRequest {
  readonly address: ScanTarget
  /** One byte a port; what is already told is not asked again. Answers are written here. */
  readonly cells: Uint8Array
}

export interface ConnectLimits {
  readonly ratePerSecondMax: number
  readonly hostRatePerSecondMax: number | undefined
}

/** So many attempts at most wait for their host's turn. */
const HELD_BACK_MAX = 4096

interface Attempt {
  readonly request: ConnectRequest
  readonly position: number
  readonly left: number
}

/** What an error of connect(2) says about the port; what is not here says something about this machine. */
const STATE_OF_ERROR: Readonly<Record<string, number>> = {
  ECONNREFUSED: CLOSED,
  ECONNRESET: CLOSED,
  EHOSTUNREACH: REFUSED,
  ENETUNREACH: REFUSED,
  EACCES: REFUSED,
  EPERM: REFUSED,
  EPROTO: REFUSED,
  ETIMEDOUT: UNTOLD,
}

/** Asks by ordinary connections: needs no privilege, and leaves a line in the logs of whoever accepts. */
export class ConnectScan {
  probesSent = 0
  open = 0
  readonly #ports: Uint16Array
  readonly #pace: Pace
  readonly #hostPaces: ReadonlyMap<ConnectRequest, Pace>
  readonly #queue: Iterator<Attempt, undefined>
  readonly #again: Attempt[] = []
  readonly #inFlight = new Map<Socket, { readonly attempt: Attempt; dueMs: number }>()
  #inFlightMax = IN_FLIGHT_START
  #tickedMs = performance.now()
  #isQueueEmpty = false

  constructor(requests: readonly ConnectRequest[], ports: Uint16Array, limits: ConnectLimits) {
    this.#ports = ports
    const { ratePerSecondMax, hostRatePerSecondMax } = limits
    this.#pace = steadyPace(ratePerSecondMax, this.#tickedMs)
    this.#hostPaces = new Map(hostRatePerSecondMax === undefined ? [] : requests.map((request) => [request, steadyPace(hostRatePerSecondMax, this.#tickedMs)]))
    this.#queue = attempts(requests)
  }

  /** Runs to the end, or until the signal; `onTurn` is called on each tick. */
  run(signal: AbortSignal | undefined, onTurn: () => void): Promise<void> {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        this.#tick()
        onTurn()
        if (!signal?.aborted && !this.#isDone) return
        clearInterval(timer)
        for (const socket of this.#inFlight.keys()) socket.destroy()
        this.#inFlight.clear()
        resolve()
      }, TICK_MS)
    })
  }

  get #isDone(): boolean {
    return this.#isQueueEmpty && this.#again.length === 0 && this.#inFlight.size === 0
  }

  #tick(): void {
    const nowMs = performance.now()
    const lateMs = nowMs - this.#tickedMs - TICK_MS
    this.#tickedMs = nowMs
    if (lateMs > STARVED_MS) for (const flight of this.#inFlight.values()) flight.dueMs += lateMs + TICK_MS
    else this.#judgeSilent(nowMs)
    this.#start()
  }

  #judgeSilent(nowMs: number): void {
    for (const [socket, flight] of this.#inFlight) {
      if (flight.dueMs > nowMs) break
      socket.destroy()
      this.#settle(socket, UNTOLD)
    }
  }

  #start(): void {
    const nowMs = performance.now()
    while (this.#inFlight.size < this.#inFlightMax && this.#pace.allowance(nowMs) >= 1) {
      const attempt = this.#nextAllowed(nowMs)
      if (!attempt) return
      this.#pace.spend(1)
      this.#hostPaces.get(attempt.request)?.spend(1)
      this.#ask(attempt)
    }
  }

  /** The first whose host may be asked now; the others are held back. */
  #nextAllowed(nowMs: number): Attempt | undefined {
    const mayAsk = ({ request }: Attempt): boolean => (this.#hostPaces.get(request)?.allowance(nowMs) ?? 1) >= 1
    for (let left = this.#again.length; left > 0; left--) {
      const attempt = this.#again.shift()
      if (attempt && mayAsk(attempt)) return attempt
      if (attempt) this.#again.push(attempt)
    }
    while (this.#again.length < HELD_BACK_MAX) {
      const attempt = this.#queue.next().value
      this.#isQueueEmpty = attempt === undefined
      if (!attempt || mayAsk(attempt)) return attempt
      this.#again.push(attempt)
    }
    return undefined
  }

  #ask(attempt: Attempt): void {
    this.probesSent += 1
    const socket = connect({ host: formatTarget(attempt.request.address), port: this.#ports[attempt.position] ?? 0 })
    this.#inFlight.set(socket, { attempt, dueMs: performance.now() + TIMEOUT_MS })
    socket.on('connect', () => {
      socket.resetAndDestroy()
      this.#settle(socket, OPEN)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const state = STATE_OF_ERROR[error.code ?? '']
      if (state === undefined) this.#retreat(socket)
      else this.#settle(socket, state)
    })
  }

  #settle(socket: Socket, state: number): void {
    const flight = this.#inFlight.get(socket)
    if (!flight) return
    this.#inFlight.delete(socket)
    const { request, position, left } = flight.attempt
    if (state !== UNTOLD) {
      request.cells[position] = state
      if (state === OPEN) this.open += 1
      this.#inFlightMax = Math.min(IN_FLIGHT_MAX, this.#inFlightMax + 1)
    } else if (left > 1) this.#again.push({ request, position, left: left - 1 })
    else request.cells[position] = SILENT
    this.#start()
  }

  /** Out of descriptors or of local ports: fewer at once, and this one again. */
  #retreat(socket: Socket): void {
    const flight = this.#inFlight.get(socket)
    if (!flight) return
    this.#inFlight.delete(socket)
    this.#inFlightMax = Math.max(IN_FLIGHT_MIN, Math.floor(this.#inFlightMax / 2))
    this.#again.push(flight.attempt)
  }
}

/** Goes round the requests, so that no single host gets all connections at once. */
function* attempts(requests: readonly ConnectRequest[]): Generator<Attempt, undefined> {
  const walks = requests.map((request) => ({ request, order: portOrder(request.cells.length, Math.random) }))
  const size = Math.max(0, ...walks.map(({ order }) => order.size))
  for (let step = 0; step < size; step++) {
    for (const { request, order } of walks) {
      const position = (order.first + step * order.step) % order.size
      if (request.cells[position] === UNTOLD) yield { request, position, left: ATTEMPTS }
    }
  }
  return undefined
}
