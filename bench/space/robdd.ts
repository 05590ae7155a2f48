import { BITS, type RuleSpec } from './hostRules.ts'

/**
 * The reference: a reduced ordered binary decision diagram with the three outcomes as terminals (Bryant, "Graph-Based Algorithms for Boolean
 * Function Manipulation", 1986), rules merged in a balanced tree as our own engine does. One variable a bit: interface, protocol, port, source.
 */
const ACCEPT = 0
const DROP = 1
const NEXT = 2
const TERMINALS = 3

const LEVELS = { interface: 0, protocol: 3, port: 4, source: 20 } as const
const WIDTHS = { interface: 3, protocol: 1, port: 16, source: BITS[4] } as const
const PROTOCOLS = { tcp: 0n, udp: 1n } as const
type Range = readonly [first: bigint, last: bigint]

export class Robdd {
  #level = new Uint8Array(1 << 16)
  #low = new Int32Array(1 << 16)
  #high = new Int32Array(1 << 16)
  #count = TERMINALS
  #table = new Int32Array(1 << 18)
  #cacheKeys = new Float64Array(1 << 20)
  #cacheResults = new Int32Array(1 << 20)

  get nodes(): number {
    return this.#count
  }

  /** The whole chain; what no rule decides is dropped. */
  build(rules: readonly RuleSpec[]): number {
    const parts = rules.map((rule) => this.#rule(rule))
    const merged = this.#mergeAll(parts, 0, parts.length)
    return this.#firstMatch(merged, DROP)
  }

  decide(root: number, values: { readonly interface: bigint; readonly protocol: bigint; readonly port: bigint; readonly source: bigint }): 'accept' | 'drop' {
    let node = root
    while (node >= TERMINALS) {
      const level = this.#level[node] ?? 0
      const field = level >= LEVELS.source ? 'source' : level >= LEVELS.port ? 'port' : level >= LEVELS.protocol ? 'protocol' : 'interface'
      const bit = (values[field] >> BigInt(WIDTHS[field] - 1 - (level - LEVELS[field]))) & 1n
      node = (bit === 1n ? this.#high[node] : this.#low[node]) ?? DROP
    }
    return node === ACCEPT ? 'accept' : 'drop'
  }

  #rule({ interface: index, protocol, ports, sources, verdict }: RuleSpec): number {
    const outcome = verdict === 'accept' ? ACCEPT : DROP
    const source = sources ? this.#field('source', sources.map(({ value, length }): Range => [value, value | ((1n << BigInt(BITS[4] - length)) - 1n)]), outcome) : outcome
    const port = ports ? this.#field('port', ports.map(([first, last]): Range => [BigInt(first), BigInt(last)]), source) : source
    const ofProtocol = protocol ? this.#field('protocol', [[PROTOCOLS[protocol], PROTOCOLS[protocol]]], port) : port
    return index === undefined ? ofProtocol : this.#field('interface', [[BigInt(index), BigInt(index)]], ofProtocol)
  }

  /** Where the field is in the ranges: the given node; `next` elsewhere. */
  #field(field: keyof typeof LEVELS, ranges: readonly Range[], inside: number): number {
    const width = WIDTHS[field]
    const split = (bit: number, first: bigint): number => {
      const last = first + (1n << BigInt(width - bit)) - 1n
      const touching = ranges.filter((range) => range[0] <= last && range[1] >= first)
      if (touching.length === 0) return NEXT
      if (touching.some((range) => range[0] <= first && range[1] >= last)) return inside
      const middle = first + (1n << BigInt(width - bit - 1))
      return this.#node(LEVELS[field] + bit, split(bit + 1, first), split(bit + 1, middle))
    }
    return split(0, 0n)
  }

  #mergeAll(parts: readonly number[], from: number, to: number): number {
    if (to - from <= 1) return parts[from] ?? NEXT
    const middle = (from + to) >> 1
    return this.#firstMatch(this.#mergeAll(parts, from, middle), this.#mergeAll(parts, middle, to))
  }

  #firstMatch(a: number, b: number): number {
    if (a === NEXT || a === b) return b
    if (b === NEXT || a < TERMINALS) return a
    const key = a * 2 ** 26 + b
    const slot = (Math.imul(a, 0x9e37_79b1) ^ Math.imul(b, 0x85eb_ca6b)) & (this.#cacheKeys.length - 1)
    if (this.#cacheKeys[slot] === key) return this.#cacheResults[slot] ?? 0
    const [levelA, levelB] = [this.#level[a] ?? 255, b < TERMINALS ? 255 : (this.#level[b] ?? 255)]
    const level = Math.min(levelA, levelB)
    const side = (node: number, own: number, of: Int32Array): number => (own === level ? (of[node] ?? 0) : node)
    const result = this.#node(level, this.#firstMatch(side(a, levelA, this.#low), side(b, levelB, this.#low)), this.#firstMatch(side(a, levelA, this.#high), side(b, levelB, this.#high)))
    this.#cacheKeys[slot] = key
    this.#cacheResults[slot] = result
    return result
  }

  #node(level: number, low: number, high: number): number {
    if (low === high) return low
    const mask = this.#table.length - 1
    for (let slot = this.#hash(level, low, high) & mask; ; slot = (slot + 1) & mask) {
      const known = this.#table[slot] ?? 0
      if (known === 0) return this.#add(slot, level, low, high)
      if (this.#level[known] === level && this.#low[known] === low && this.#high[known] === high) return known
    }
  }

  #add(slot: number, level: number, low: number, high: number): number {
    if (this.#count === this.#level.length) this.#grow()
    const node = this.#count++
    this.#level[node] = level
    this.#low[node] = low
    this.#high[node] = high
    this.#table[slot] = node
    if (this.#count * 2 > this.#table.length) this.#rehash()
    return node
  }

  #grow(): void {
    const copy = <T extends Uint8Array | Int32Array>(from: T, to: T): T => (to.set(from), to)
    const length = this.#level.length * 2
    this.#level = copy(this.#level, new Uint8Array(length))
    this.#low = copy(this.#low, new Int32Array(length))
    this.#high = copy(this.#high, new Int32Array(length))
  }

  #rehash(): void {
    this.#table = new Int32Array(this.#table.length * 2)
    const mask = this.#table.length - 1
    for (let node = TERMINALS; node < this.#count; node += 1) {
      let slot = this.#hash(this.#level[node] ?? 0, this.#low[node] ?? 0, this.#high[node] ?? 0) & mask
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask
      this.#table[slot] = node
    }
  }

  #hash(level: number, low: number, high: number): number {
    const mixed = Math.imul(low, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca6b) ^ Math.imul(level, 0xc2b2_ae35)
    return mixed ^ (mixed >>> 15)
  }
}
