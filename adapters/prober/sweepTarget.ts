import type { Address } from '@portcullis/core/net/address.ts'
import { CLOSED, OPEN, REFUSED, SILENT, UNTOLD } from './answer.ts'
import { following, type PortOrder } from './portOrder.ts'

/** Ports asked first, to learn what kind of target this is. */
const SAMPLE_SIZE = 200
/** A target that answers at least this share of the sample is asked no faster than it answers. */
const ANSWERING_SHARE_MIN = 0.5
const WINDOW_START = 1024
const WINDOW_MIN = 8
const WINDOW_MAX = 65_536
/** Random loss up to here slows nothing down; retransmission makes up for it. */
const LOSS_SHARE_TOLERATED = 0.1
const LOST_MIN = 3
/** Fewer than this share of the expected answers, and some more missing, is loss too. */
const COLLAPSED_SHARE = 0.3
const COLLAPSED_MIN = 5
/** So few silent ports cost nothing to ask a third time. */
const FEW_SILENT = 1024
const PASSES_MIN_ON_LOSS = 3
const MISSED_SHARE_MAX = 1e-4
export const PASSES_MAX = 8
const ANSWER_WAIT_MS = { min: 100, unknown: 1000, max: 2000 } as const
/** Of the 256 source ports the lower half tells the pass; the upper half is for controls. */
export const CONTROL_CHANNEL = 128
/** In each round, so that a loss of 2 % goes unnoticed with a probability of 7 % in the first and of 0.6 % after the second. */
const CONTROLS_A_PASS = 128
const CONTROL_EVERY_PROBES_MIN = 16
const NO_CONTROL = 0
const YOUNG_CONTROL = 1
const OLD_CONTROL = 2

/** What is known of the way to a next hop, shared by all targets behind it. */
export interface Path {
  /** Longest round trip seen; undefined until something answered. */
  roundTripMs: number | undefined
}

type Phase = 'sample' | 'sampled' | 'ask' | 'settle' | 'done'

export interface SweepTargetFields {
  readonly address: Address
  readonly order: PortOrder
  readonly path: Path
  readonly key0: number
  readonly key1: number
  /** Sum of everything in a probe's TCP checksum that is the same for all probes to this target. */
  readonly segmentSum: number
  /** Where this target's Ethernet and IP header stands among the batch's heads. */
  readonly headOffset: number
  readonly headBytes: number
  /** How often silent ports are asked when nothing points to loss. */
  readonly passesMin: number
  /** What an earlier, interrupted scan has told. */
  readonly cells: Uint8Array
}

/**
 * What has been asked of one target, what it told, and what is to be asked next. It knows no socket and no clock: times come in.
 *
 * All ports are asked once and those that stayed silent again, more often the more packets get lost, and once more whenever the
 * last round still found something. Controls repeat the question to a port that has answered before: on a target that is
 * otherwise silent they are the only thing that tells loss from a firewall.
 */
export class SweepTarget {
  readonly fields: SweepTargetFields
  readonly cells: Uint8Array
  phase: Phase = 'sample'
  pass = 0
  told: number
  open: number
  probesSent = 0
  /** There was loss even in the last pass: what stayed silent remains untold, for it may be open. */
  isLossy = false
  #position: number
  #walked = 0
  #passStartedMs = 0
  #waitUntilMs = 0
  /** When each port of the sample was asked, until the sample is judged. */
  #sampleSentMs = new Map<number, number>()
  #sampleTold = 0
  #isAnswering = false
  #silentShare = 1
  #window = WINDOW_START
  #young = 0
  #old = 0
  #oldAtRoll = 0
  #rolledAtMs = 0
  /** Ports that were silent in all passes before this one and have now answered. */
  #recoveredInPass = 0
  #hasLostCapture = false
  #hasSeenLoss = false
  readonly #control = {
    position: -1,
    last: 0,
    probesSince: 0,
    sent: 0,
    lost: 0,
    sentSinceRoll: 0,
    sentBeforeRoll: 0,
    age: new Uint8Array(CONTROL_CHANNEL),
    sentMs: new Float64Array(CONTROL_CHANNEL),
  }

  constructor(fields: SweepTargetFields, nowMs: number) {
    this.fields = fields
    this.cells = fields.cells
    this.told = countCells(fields.cells, (cell) => cell !== UNTOLD)
    this.open = countCells(fields.cells, (cell) => cell === OPEN)
    this.#position = fields.order.first
    this.#passStartedMs = nowMs
    this.#rolledAtMs = nowMs
    if (this.told === this.cells.length) this.phase = 'done'
  }

  get silent(): number {
    return this.cells.length - this.told
  }

  /** Probes not yet sent, if no further pass becomes necessary. */
  get probesLeft(): number {
    if (this.phase === 'done') return 0
    const passes = Math.max(0, this.fields.passesMin - 1 - this.pass)
    const shareUntold = this.silent / this.cells.length
    return Math.round((this.cells.length - this.#walked + passes * this.cells.length) * shareUntold)
  }

  /** How many probes may leave for this target now. */
  allowance(): number {
    if (this.phase === 'sample') return SAMPLE_SIZE - this.#sampleSentMs.size
    if (this.phase !== 'ask') return 0
    return this.#isAnswering ? Math.max(0, this.#window - this.#young - this.#old) : Number.MAX_SAFE_INTEGER
  }

  /** The position of the next port to ask, or −1 when there is none for now. */
  next(nowMs: number): number {
    const end = this.cells.length
    while (this.#walked < end && this.cells[this.#position] !== UNTOLD) this.#step()
    if (this.#walked === end) {
      this.#endPass(nowMs)
      return -1
    }
    const position = this.#position
    this.#step()
    this.probesSent += 1
    this.#young += 1
    this.#control.probesSince += 1
    if (this.phase === 'sample') this.#noteSampled(position, nowMs)
    return position
  }

  /** The source port's low byte of the next control, or −1 when none is due. `controlPosition` is what it asks. */
  nextControl(nowMs: number): number {
    const control = this.#control
    if (control.position < 0 || this.phase !== 'ask') return -1
    const every = Math.max(CONTROL_EVERY_PROBES_MIN, this.cells.length / CONTROLS_A_PASS)
    const number = (control.last + 1) % CONTROL_CHANNEL
    if (control.probesSince < every || control.age[number] !== NO_CONTROL) return -1
    control.probesSince = 0
    control.last = number
    control.age[number] = YOUNG_CONTROL
    control.sentMs[number] = nowMs
    control.sentSinceRoll += 1
    control.sent += 1
    this.probesSent += 1
    return CONTROL_CHANNEL + number
  }

  get controlPosition(): number {
    return this.#control.position
  }

  /** An answer that has proved to be one of ours. */
  take(position: number, state: number, channel: number, nowMs: number): void {
    if (channel >= CONTROL_CHANNEL) {
      this.#takeControl(channel - CONTROL_CHANNEL, nowMs)
      return
    }
    if (this.cells[position] !== UNTOLD) return
    this.cells[position] = state
    this.told += 1
    if (state === OPEN) this.open += 1
    // Slow start (RFC 5681 section 3.1): until the first loss each answer makes room for one more question.
    if (!this.#hasSeenLoss) this.#window = Math.min(WINDOW_MAX, this.#window + 1)
    if (this.#old > 0) this.#old -= 1
    else if (this.#young > 0) this.#young -= 1
    // An ICMP error that came only now was held back by its sender's rate limit, not lost (RFC 1812 section 4.3.2.8).
    if (channel > 0 && channel === this.pass && state !== REFUSED) this.#noteRecovered()
    if (this.phase === 'sample' || this.phase === 'sampled') this.#noteSampleTold(position, nowMs)
    this.#chooseControl(position, state)
  }

  /** Frames that our own receive buffer had no room for may have been anyone's answers. */
  noteLostCapture(): void {
    this.#hasLostCapture = true
    this.#hasSeenLoss = true
    this.#window = Math.max(WINDOW_MIN, this.#window / 2)
  }

  /** Moves on what time moves on. Answers the number of controls that have newly proved lost. */
  tick(nowMs: number): number {
    if (this.phase === 'sampled' && (this.#sampleTold >= this.#sampleSentMs.size || nowMs >= this.#waitUntilMs)) this.#classify()
    if (this.phase === 'settle' && (this.silent === 0 || nowMs >= this.#waitUntilMs)) this.#concludePass(nowMs)
    if (nowMs - this.#rolledAtMs < this.answerWaitMs()) return 0
    return this.#roll(nowMs)
  }

  /** When `tick` has something to do, if nothing arrives before. */
  wakeAtMs(): number {
    return this.phase === 'sampled' || this.phase === 'settle' ? this.#waitUntilMs : this.#rolledAtMs + this.answerWaitMs()
  }

  /** After this time an answer is not worth waiting for. */
  answerWaitMs(): number {
    const { roundTripMs } = this.fields.path
    if (roundTripMs === undefined) return ANSWER_WAIT_MS.unknown
    return Math.min(ANSWER_WAIT_MS.max, ANSWER_WAIT_MS.min + 4 * roundTripMs)
  }

  #step(): void {
    this.#position = following(this.fields.order, this.#position)
    this.#walked += 1
  }

  #noteSampled(position: number, nowMs: number): void {
    this.#sampleSentMs.set(position, nowMs)
    if (this.#sampleSentMs.size < SAMPLE_SIZE) return
    this.phase = 'sampled'
    this.#waitUntilMs = nowMs + this.answerWaitMs()
  }

  #noteSampleTold(position: number, nowMs: number): void {
    this.#sampleTold += 1
    this.#noteRoundTrip(nowMs - (this.#sampleSentMs.get(position) ?? nowMs))
  }

  #classify(): void {
    const answered = this.#sampleTold / Math.max(1, this.#sampleSentMs.size)
    this.#sampleSentMs.clear()
    this.#isAnswering = answered >= ANSWERING_SHARE_MIN
    this.#silentShare = 1 - answered
    this.#young = 0
    this.#old = 0
    this.phase = 'ask'
  }

  #endPass(nowMs: number): void {
    if (this.phase === 'sample') this.#classify()
    this.phase = 'settle'
    // Another pass only has to keep its distance from this one; the last word on a port needs the full wait.
    const isSure = this.pass + 1 < this.#passesNeeded()
    this.#waitUntilMs = (isSure ? this.#passStartedMs : nowMs) + this.answerWaitMs()
  }

  #concludePass(nowMs: number): void {
    if (this.pass + 1 >= this.#passesNeeded()) this.#expireControls(true)
    const isAskedEnough = this.pass + 1 >= this.#passesNeeded() && this.#recoveredInPass === 0 && !this.#hasLostCapture
    if (this.silent === 0 || isAskedEnough || this.pass + 1 >= PASSES_MAX) {
      this.#finish(isAskedEnough)
      return
    }
    this.pass += 1
    this.#position = this.fields.order.first
    this.#walked = 0
    this.#passStartedMs = nowMs
    this.#recoveredInPass = 0
    this.#hasLostCapture = false
    this.phase = 'ask'
  }

  #finish(isAskedEnough: boolean): void {
    this.phase = 'done'
    this.isLossy = this.silent > 0 && !isAskedEnough
    if (this.isLossy) return
    for (let position = 0; position < this.cells.length; position++) if (this.cells[position] === UNTOLD) this.cells[position] = SILENT
  }

  #passesNeeded(): number {
    const share = this.#control.lost / Math.max(1, this.#control.sent)
    const isThorough = this.#hasSeenLoss || (this.silent <= FEW_SILENT && this.fields.passesMin > 1)
    const least = isThorough ? Math.max(PASSES_MIN_ON_LOSS, this.fields.passesMin) : this.fields.passesMin
    return passesFor(share, least)
  }

  /** Controls tell loss best, and otherwise a collapse of the share that answers; a small change of it may be the ports' own doing. */
  #roll(nowMs: number): number {
    const controls = this.#expireControls(false)
    const expected = this.#oldAtRoll * (1 - this.#silentShare)
    const hasCollapsed = this.#oldAtRoll - this.#old < expected * COLLAPSED_SHARE - COLLAPSED_MIN
    const isLossy = hasCollapsed || (controls.lost >= LOST_MIN && controls.lost > controls.expected * LOSS_SHARE_TOLERATED)
    this.#window = isLossy ? Math.max(WINDOW_MIN, this.#window / 2) : Math.min(WINDOW_MAX, this.#window * 2)
    this.#old = this.#young
    this.#oldAtRoll = this.#young
    this.#young = 0
    this.#rolledAtMs = nowMs
    return controls.lost
  }

  #takeControl(number: number, nowMs: number): void {
    const control = this.#control
    if (control.age[number] === NO_CONTROL) return
    control.age[number] = NO_CONTROL
    this.#noteRoundTrip(nowMs - (control.sentMs[number] ?? nowMs))
  }

  /** Counts as lost the controls that were there at the roll before; with `isFinal` all, for then a full wait has passed. */
  #expireControls(isFinal: boolean): { expected: number; lost: number } {
    const control = this.#control
    let lost = 0
    for (const [number, age] of control.age.entries()) {
      if (age === NO_CONTROL) continue
      const isLost = isFinal || age === OLD_CONTROL
      if (isLost) lost += 1
      control.age[number] = isLost ? NO_CONTROL : OLD_CONTROL
    }
    const expected = control.sentBeforeRoll
    control.sentBeforeRoll = control.sentSinceRoll
    control.sentSinceRoll = 0
    control.lost += lost
    if (lost > 0) this.#hasSeenLoss = true
    return { expected, lost }
  }

  #chooseControl(position: number, state: number): void {
    const chosen = this.#control.position
    const isBetter = chosen < 0 || (state === CLOSED && this.cells[chosen] !== CLOSED)
    if (isBetter && state !== REFUSED) this.#control.position = position
  }

  #noteRoundTrip(roundTripMs: number): void {
    const { path } = this.fields
    path.roundTripMs = Math.max(path.roundTripMs ?? 0, roundTripMs)
  }

  #noteRecovered(): void {
    this.#recoveredInPass += 1
    this.#hasSeenLoss = true
  }
}

function countCells(cells: Uint8Array, isCounted: (cell: number) => boolean): number {
  let count = 0
  for (const cell of cells) if (isCounted(cell)) count += 1
  return count
}

/**
 * How often to ask so that a port that answers has stayed silent each time with a probability of at most MISSED_SHARE_MAX,
 * when this share of questions or answers gets lost.
 */
export function passesFor(lossShare: number, least: number): number {
  if (lossShare <= 0) return least
  if (lossShare >= 1) return Number.POSITIVE_INFINITY
  return Math.max(least, Math.ceil(Math.log(MISSED_SHARE_MAX) / Math.log(lossShare)))
}
