/** Finds the number of a target by the address in a received packet, without allocation: open addressing over the four address words. */
export class AddressIndex {
  readonly #words: Uint32Array
  readonly #numbers: Int32Array
  readonly #mask: number

  constructor(capacity: number) {
    let slots = 16
    while (slots < capacity * 2) slots *= 2
    this.#words = new Uint32Array(slots * 4)
    this.#numbers = new Int32Array(slots).fill(-1)
    this.#mask = slots - 1
  }

  /** `bytes` holds 4 or 16 bytes of address at `offset`. Adding an address again changes its number. */
  add(bytes: Buffer, offset: number, family: 4 | 6, number: number): void {
    const slot = this.#slotOf(bytes, offset, family)
    this.#numbers[slot] = number
    for (let word = 0; word < 4; word++) this.#words[slot * 4 + word] = wordAt(bytes, offset, family, word)
  }

  /** The number, or −1. */
  find(bytes: Buffer, offset: number, family: 4 | 6): number {
    return this.#numbers[this.#slotOf(bytes, offset, family)] ?? -1
  }

  #slotOf(bytes: Buffer, offset: number, family: 4 | 6): number {
    let hash = 0
    for (let word = 0; word < 4; word++) hash = Math.imul(hash ^ wordAt(bytes, offset, family, word), 0x9e3779b1) ^ (hash >>> 15)
    for (let slot = (hash ^ (hash >>> 16)) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      if (this.#numbers[slot] === -1 || this.#holds(slot, bytes, offset, family)) return slot
    }
  }

  #holds(slot: number, bytes: Buffer, offset: number, family: 4 | 6): boolean {
    for (let word = 0; word < 4; word++) {
      if (this.#words[slot * 4 + word] !== wordAt(bytes, offset, family, word)) return false
    }
    return true
  }
}

/** IPv4 as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), which never stands in a packet, so the families cannot meet. */
function wordAt(bytes: Buffer, offset: number, family: 4 | 6, word: number): number {
  if (family === 6) return bytes.readUInt32BE(offset + word * 4)
  return word === 3 ? bytes.readUInt32BE(offset) : word === 2 ? 0xffff : 0
}
