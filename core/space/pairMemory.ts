import type { Diagram } from './arena.ts'

const SLOTS_MIN = 1 << 10
/** Four numbers a slot: operation, a, b, result. No operation is 0. */
const SLOT = 4

/** What was made of two diagrams, by operation. Nothing is lost; at most half full, 32 to 64 bytes a pair. */
export class PairMemory {
  #slots = new Int32Array(SLOTS_MIN * SLOT)
  #count = 0

  get(code: number, a: Diagram, b: Diagram): Diagram | undefined {
    const at = this.#find(code, a, b)
    return this.#slots[at] === 0 ? undefined : this.#slots[at + 3]
  }

  /** Of a pair that is not known yet. */
  set(code: number, a: Diagram, b: Diagram, result: Diagram): void {
    if ((this.#count + 1) * 2 * SLOT > this.#slots.length) this.#grow()
    this.#put(code, a, b, result)
    this.#count += 1
  }

  clear(): void {
    if (this.#count === 0) return
    this.#slots = new Int32Array(SLOTS_MIN * SLOT)
    this.#count = 0
  }

  /** Where the pair stands, or would stand. */
  #find(code: number, a: Diagram, b: Diagram): number {
    const slots = this.#slots
    const mask = slots.length / SLOT - 1
    let at = hashOf(code, a, b) & mask
    for (;;) {
      const start = at * SLOT
      if (slots[start] === 0 || (slots[start] === code && slots[start + 1] === a && slots[start + 2] === b)) return start
      at = (at + 1) & mask
    }
  }

  #put(code: number, a: Diagram, b: Diagram, result: Diagram): void {
    const start = this.#find(code, a, b)
    this.#slots[start] = code
    this.#slots[start + 1] = a
    this.#slots[start + 2] = b
    this.#slots[start + 3] = result
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Int32Array(old.length * 2)
    for (let at = 0; at < old.length; at += SLOT) {
      if (old[at] !== 0) this.#put(old[at] ?? 0, old[at + 1] ?? 0, old[at + 2] ?? 0, old[at + 3] ?? 0)
    }
  }
}

/** 31 bits: what V8 keeps without a box. */
export function hashOf(code: number, a: Diagram, b: Diagram): number {
  const key = Math.imul(a, 0x9e37_79b1) ^ Math.imul(b, 0x85eb_ca6b) ^ Math.imul(code, 0xc2b2_ae35)
  return (key ^ (key >>> 15)) >>> 1
}
