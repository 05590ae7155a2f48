import type { MessageBatch } from '../rawsocket/messageBatch.ts'
import { cookieOf } from './cookie.ts'
import { checksum, swap16, swap32, SYN_BYTES, synTemplate } from './frame.ts'
import type { SweepTarget } from './sweepTarget.ts'

/** Bytes kept for each target's Ethernet and IP header; 54 at most. */
export const HEAD_STRIDE_BYTES = 64

/** Turns probes into frames inside a batch: each slot is a SYN whose constant parts stand already; the head belongs to the target. */
export class SynBatch {
  readonly messages: MessageBatch
  readonly #sourcePortBase: number
  readonly #firstWords: Int32Array
  readonly #targets: (SweepTarget | undefined)[]
  #count = 0

  constructor(messages: MessageBatch, sourcePortBase: number) {
    this.messages = messages
    this.#sourcePortBase = sourcePortBase
    this.#firstWords = new Int32Array(messages.capacity)
    this.#targets = Array.from({ length: messages.capacity })
    const template = synTemplate()
    for (let slot = 0; slot < messages.capacity; slot++) {
      template.copy(messages.bytes, messages.slotOffset(slot))
      messages.setLength(slot, SYN_BYTES)
      this.#firstWords[slot] = messages.slotOffset(slot) >>> 2
    }
  }

  get count(): number {
    return this.#count
  }

  get room(): number {
    return this.messages.capacity - this.#count
  }

  clear(): void {
    this.#count = 0
  }

  /** `channel` is the lower byte of the source port. */
  add(target: SweepTarget, port: number, channel: number): void {
    const slot = this.#count
    this.#count += 1
    const { fields } = target
    if (this.#targets[slot] !== target) {
      this.#targets[slot] = target
      this.messages.setHead(slot, fields.headOffset, fields.headBytes)
    }
    const sourcePort = this.#sourcePortBase | channel
    const cookie = cookieOf(fields.key0, fields.key1, questionOf(sourcePort, port))
    const { words } = this.messages
    const at = this.#firstWords[slot] ?? 0
    words[at] = swap16(sourcePort) | (swap16(port) << 16)
    words[at + 1] = swap32(cookie)
    // The urgent pointer beside the checksum is zero.
    words[at + 4] = swap16(checksum(fields.segmentSum + sourcePort + port + (cookie >>> 16) + (cookie & 0xffff)))
  }
}

/** What a cookie is the hash of. */
export const questionOf = (sourcePort: number, port: number): number => (sourcePort << 16) | port
