import { setImmediate as yieldToEvents } from 'node:timers/promises'
import type { PacketSocket } from '../rawsocket/packetSocket.ts'
import { AddressIndex } from './addressIndex.ts'
import { newAnswer, readAnswer } from './answer.ts'
import { cookieOf } from './cookie.ts'
import { addressBytes } from './frame.ts'
import { Pace, steadyPace } from './pace.ts'
import type { SweepTarget } from './sweepTarget.ts'
import { questionOf, type SynBatch } from './synBatch.ts'

/** Neighbouring probes of a batch that go to one target. */
const RUN = 32
/** From so many frames on it pays to send them on a thread of their own while the next batch is made. */
const APART_MIN = 128
/** Longest time without a look at the abort signal and at timers. */
const BUSY_MS = 8
const IDLE_MS_MAX = 20
const RATE_REVIEW_MS = 100
/** Until the first loss, as long as it takes to see that what has left is answered. */
const FIRST_REVIEWS_MS = 20
const RATE_START = 100_000
const RATE_MIN = 500
/** This share of lost controls, and no fewer than this, is congestion. */
const CONGESTED_SHARE = 0.05
const CONGESTED_MIN = 3

export interface SweepLimits {
  readonly ratePerSecondUnanswered: number
  readonly ratePerSecondMax: number
  readonly hostRatePerSecondMax: number | undefined
  readonly passesMin: number
}

/** One interface's share of a scan: probes out, answers in, until each target's ports are told or silent for good. */
export class Sweep {
  readonly targets: readonly SweepTarget[]
  readonly #socket: PacketSocket
  /** The one that is being filled, and the one that may still be on its way out. */
  #batch: SynBatch
  #spare: SynBatch
  #sending: Promise<void> | undefined
  readonly #ports: Uint16Array
  readonly #positions: Int32Array
  readonly #index: AddressIndex
  readonly #answer = newAnswer()
  readonly #pace: Pace
  readonly #hostPaces: readonly Pace[]
  #active: number[]
  #rotor = 0
  #controlsSent = 0
  #controlsLost = 0
  #reviewedAtMs = performance.now()
  #answered = 0
  #grownAtMs = performance.now()
  #hasShrunk = false

  constructor(socket: PacketSocket, batches: readonly [SynBatch, SynBatch], ports: Uint16Array, targets: readonly SweepTarget[], limits: SweepLimits) {
    this.#socket = socket
    ;[this.#batch, this.#spare] = batches
    this.#ports = ports
    this.targets = targets
    this.#positions = new Int32Array(65_536).fill(-1)
    for (let position = 0; position < ports.length; position++) this.#positions[ports[position] ?? 0] = position
    this.#index = new AddressIndex(targets.length)
    for (const [number, { fields }] of targets.entries()) this.#index.add(addressBytes(fields.address), 0, fields.address.family, number)
    const now = performance.now()
    const { ratePerSecondUnanswered, ratePerSecondMax } = limits
    this.#pace = new Pace({ ratePerSecondMin: RATE_MIN, ratePerSecondStart: RATE_START, ratePerSecondUnanswered, ratePerSecondMax }, now)
    this.#hostPaces = targets.flatMap(() => (limits.hostRatePerSecondMax === undefined ? [] : [steadyPace(limits.hostRatePerSecondMax, now)]))
    this.#active = [...targets.keys()].filter((number) => targets[number]?.phase !== 'done')
  }

  get isDone(): boolean {
    return this.#active.length === 0
  }

  /** Runs to the end, or until the signal; `onTurn` is called every few milliseconds. */
  async run(signal: AbortSignal | undefined, onTurn: () => void): Promise<void> {
    try {
      await this.#turns(signal, onTurn)
    } finally {
      // The memory of a batch that is on its way out must stay.
      await this.#sending
    }
  }

  async #turns(signal: AbortSignal | undefined, onTurn: () => void): Promise<void> {
    let yieldedAtMs = performance.now()
    while (!this.isDone) {
      if (signal?.aborted) break
      const nowMs = performance.now()
      this.#fill(nowMs)
      const asked = this.#batch.count
      if (asked > 0) await this.#send()
      const received = this.#drain()
      this.#tick(performance.now())
      if (asked === 0 && received === 0) {
        await this.#idle()
        onTurn()
        yieldedAtMs = performance.now()
      } else if (nowMs - yieldedAtMs > BUSY_MS) {
        await yieldToEvents()
        onTurn()
        yieldedAtMs = performance.now()
      }
    }
  }

  /** Goes round the targets, a run of probes each, until the batch is full, the pace is used up or nobody may be asked. */
  #fill(nowMs: number): void {
    this.#batch.clear()
    let budget = Math.min(this.#batch.room, this.#pace.allowance(nowMs))
    for (let idle = 0; budget > 0 && idle < this.#active.length; ) {
      this.#rotor = (this.#rotor + 1) % this.#active.length
      const added = this.#askRun(this.#active[this.#rotor] ?? 0, Math.min(RUN, budget), nowMs)
      budget -= added
      idle = added === 0 ? idle + 1 : 0
    }
    this.#pace.spend(this.#batch.count)
  }

  #askRun(number: number, limit: number, nowMs: number): number {
    const target = this.targets[number]
    if (!target) return 0
    const hostPace = this.#hostPaces[number]
    const allowed = Math.min(limit, target.allowance(), hostPace?.allowance(nowMs) ?? limit)
    let added = 0
    while (added < allowed) {
      const control = target.nextControl(nowMs)
      const position = control < 0 ? target.next(nowMs) : target.controlPosition
      if (position < 0) break
      if (control >= 0) this.#controlsSent += 1
      this.#batch.add(target, this.#ports[position] ?? 0, control < 0 ? target.pass : control)
      added += 1
    }
    hostPace?.spend(added)
    return added
  }

  /** Large batches leave while the next one is made, and the kernel's work and ours take two processors. */
  async #send(): Promise<void> {
    await this.#sending
    const batch = this.#batch
    this.#batch = this.#spare
    this.#spare = batch
    this.#sending = batch.count < APART_MIN ? undefined : this.#sendApart(batch)
    // A failure is told to whoever awaits it next; until then it is not unhandled.
    if (this.#sending) this.#sending.catch(() => undefined)
    else await this.#sendRest(batch, 0)
  }

  async #sendApart(batch: SynBatch): Promise<void> {
    const sent = await this.#socket.sendFramesApart(batch.messages, batch.count)
    if (sent < batch.count) await this.#sendRest(batch, sent)
  }

  async #sendRest(batch: SynBatch, first: number): Promise<void> {
    for (let sent = first; sent < batch.count; ) {
      const taken = this.#socket.sendFrames(batch.messages, batch.count, sent)
      sent += taken
      if (taken > 0) continue
      // The queue of the interface is full: empty our own inbox meanwhile.
      if (this.#drain() === 0) await yieldToEvents()
    }
  }

  #drain(): number {
    const nowMs = performance.now()
    let received = 0
    for (let count = this.#socket.receiveFrames(); count > 0; count = this.#socket.receiveFrames()) {
      for (let index = 0; index < count; index++) this.#take(index, nowMs)
      received += count
      if (count < this.#socket.inbox.capacity) break
    }
    return received
  }

  #take(index: number, nowMs: number): void {
    const { inbox } = this.#socket
    const answer = this.#answer
    readAnswer(inbox.bytes, inbox.slotOffset(index), inbox.receivedBytes(index), answer)
    if (answer.kind !== 'tcp') return
    const target = this.targets[this.#index.find(inbox.bytes, answer.addressOffset, answer.family)]
    const position = this.#positions[answer.port] ?? -1
    if (!target || position < 0) return
    const { key0, key1 } = target.fields
    if (answer.sequence !== cookieOf(key0, key1, questionOf(answer.sourcePort, answer.port))) return
    this.#answered += 1
    target.take(position, answer.state, answer.sourcePort & 0xff, nowMs)
  }

  #tick(nowMs: number): void {
    let hasFinished = false
    for (const number of this.#active) {
      const target = this.targets[number]
      if (!target) continue
      this.#controlsLost += target.tick(nowMs)
      hasFinished ||= target.phase === 'done'
    }
    if (hasFinished) this.#active = this.#active.filter((number) => this.targets[number]?.phase !== 'done')
    if (nowMs - this.#reviewedAtMs >= RATE_REVIEW_MS) this.#reviewLoss(nowMs)
    if (nowMs - this.#grownAtMs >= (this.#hasShrunk ? RATE_REVIEW_MS : FIRST_REVIEWS_MS)) this.#grow(nowMs)
  }

  #grow(nowMs: number): void {
    this.#pace.grow((this.#answered * 1000) / (nowMs - this.#grownAtMs))
    this.#answered = 0
    this.#grownAtMs = nowMs
  }

  #reviewLoss(nowMs: number): void {
    const hasLostCapture = this.#socket.takeLost() > 0
    if (hasLostCapture) for (const number of this.#active) this.targets[number]?.noteLostCapture()
    const isCongested = this.#controlsLost >= CONGESTED_MIN && this.#controlsLost > this.#controlsSent * CONGESTED_SHARE
    if (hasLostCapture || isCongested) {
      this.#pace.shrink()
      this.#hasShrunk = true
      this.#answered = 0
      this.#grownAtMs = nowMs
    }
    this.#controlsLost = 0
    this.#controlsSent = 0
    this.#reviewedAtMs = nowMs
  }

  async #idle(): Promise<void> {
    const nowMs = performance.now()
    const wakes = this.#active.map((number) => (this.targets[number]?.wakeAtMs() ?? 0) - nowMs)
    await this.#socket.waitReadable(Math.max(1, Math.min(IDLE_MS_MAX, ...wakes.slice(0, RUN))))
  }
}
