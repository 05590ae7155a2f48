import { allocateArena, type Arena } from './arena.ts'
import type { Libc } from './libc.ts'

// struct mmsghdr and struct iovec of 64-bit Linux, recvmmsg(2) and iovec(3type).
const MESSAGE_BYTES = 64
const MESSAGE_IOV = 16
const MESSAGE_IOV_COUNT = 24
const MESSAGE_LENGTH = 56
const PART_BYTES = 16
const PART_LENGTH = 8

/**
 * Messages for sendmmsg(2) or recvmmsg(2) over one piece of memory. Each message owns a slot of `slotBytes`; with `headBytes`,
 * a message is a head, which many messages may share, followed by its slot.
 */
export class MessageBatch {
  readonly capacity: number
  readonly slotBytes: number
  /** All memory of the batch; slot i starts at `slotOffset(i)`. */
  readonly bytes: Buffer
  /** Offset of the shared heads in `bytes`. */
  readonly headsOffset: number
  readonly #arena: Arena
  readonly #partsOffset: number
  readonly #slotsOffset: number
  readonly #partsPerMessage: number

  constructor(libc: Libc, layout: { readonly capacity: number; readonly slotBytes: number; readonly headBytes?: number }) {
    this.capacity = layout.capacity
    this.slotBytes = alignUp(layout.slotBytes)
    this.#partsPerMessage = layout.headBytes === undefined ? 1 : 2
    this.#partsOffset = layout.capacity * MESSAGE_BYTES
    this.#slotsOffset = alignUp(this.#partsOffset + layout.capacity * PART_BYTES * this.#partsPerMessage)
    this.headsOffset = this.#slotsOffset + layout.capacity * this.slotBytes
    this.#arena = allocateArena(libc, alignUp(this.headsOffset + (layout.headBytes ?? 0)))
    this.bytes = this.#arena.bytes
    for (let index = 0; index < layout.capacity; index++) this.#wire(index)
  }

  /** Where message `index` stands, for sendmmsg and recvmmsg. */
  messagePointer(index: number): bigint {
    return index === 0 ? this.#arena.pointer : this.#arena.pointer + BigInt(index * MESSAGE_BYTES)
  }

  /** The batch's memory as native-endian 32-bit words, for code that patches millions of messages. */
  get words(): Uint32Array {
    return this.#arena.words
  }

  slotOffset(index: number): number {
    return this.#slotsOffset + index * this.slotBytes
  }

  slot(index: number): Buffer {
    return this.bytes.subarray(this.slotOffset(index), this.slotOffset(index) + this.slotBytes)
  }

  setLength(index: number, length: number): void {
    const part = this.#partsOffset + (index * this.#partsPerMessage + this.#partsPerMessage - 1) * PART_BYTES
    this.words[(part + PART_LENGTH) >>> 2] = length
  }

  /** Lets message `index` begin with the head at `offset` (counted from `headsOffset`). */
  setHead(index: number, offset: number, length: number): void {
    const part = (this.#partsOffset + index * 2 * PART_BYTES) >>> 2
    this.words[part] = this.#arena.addressLow + this.headsOffset + offset
    this.words[part + (PART_LENGTH >>> 2)] = length
  }

  /** Bytes that the kernel put into (or took from) message `index`; with MSG_TRUNC the packet's own length. */
  transferred(index: number): number {
    return this.words[(index * MESSAGE_BYTES + MESSAGE_LENGTH) >>> 2] ?? 0
  }

  /** How many bytes of a received message stand in its slot. */
  receivedBytes(index: number): number {
    return Math.min(this.transferred(index), this.slotBytes)
  }

  /** The bytes of a received message, cut at the slot's size. */
  received(index: number): Buffer {
    const start = this.slotOffset(index)
    return this.bytes.subarray(start, start + this.receivedBytes(index))
  }

  free(): void {
    this.#arena.free()
  }

  #wire(index: number): void {
    const message = index * MESSAGE_BYTES
    const firstPart = this.#partsOffset + index * PART_BYTES * this.#partsPerMessage
    this.#writeAddress(message + MESSAGE_IOV, firstPart)
    this.words[(message + MESSAGE_IOV_COUNT) >>> 2] = this.#partsPerMessage
    const slotPart = firstPart + PART_BYTES * (this.#partsPerMessage - 1)
    this.#writeAddress(slotPart, this.slotOffset(index))
    this.setLength(index, this.slotBytes)
    if (this.#partsPerMessage === 2) this.#writeAddress(firstPart, this.headsOffset)
  }

  #writeAddress(at: number, offset: number): void {
    this.words[at >>> 2] = this.#arena.addressLow + offset
    this.words[(at >>> 2) + 1] = this.#arena.addressHigh
  }
}

const alignUp = (bytes: number): number => (bytes + 7) & ~7
