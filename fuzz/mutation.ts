/** Bytes drawn from one seed: the same seed draws the same inputs. */
export class Mutation {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** One in 16 is random altogether; the others are real inputs with one to eight wounds. */
  input(seeds: readonly Buffer[]): Buffer {
    const base = seeds[this.upTo(seeds.length)]
    if (!base || this.upTo(16) === 0) return this.bytes(this.upTo(512))
    let bytes: Buffer = Buffer.from(base)
    for (let wounds = 1 + this.upTo(8); wounds > 0; wounds -= 1) bytes = this.#wound(bytes, seeds)
    return bytes.subarray(0, INPUT_BYTES_MAX)
  }

  upTo(end: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end)
  }

  bytes(count: number): Buffer {
    return Buffer.from(Uint8Array.from({ length: count }, () => this.upTo(256)))
  }

  #wound(bytes: Buffer, seeds: readonly Buffer[]): Buffer {
    const at = this.upTo(bytes.length + 1)
    const end = Math.min(bytes.length, at + 1 + this.upTo(this.upTo(4) === 0 ? 256 : 8))
    const [before, middle, after] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)]
    switch (this.upTo(8)) {
      case 0:
        return Buffer.concat([before, after])
      case 1:
        return Buffer.concat([before, this.bytes(middle.length), after])
      case 2:
        return Buffer.concat([before, this.#pick(TOKENS), middle, after])
      case 3:
        return Buffer.concat([before, this.#pick(TOKENS), after])
      case 4:
        return Buffer.concat([before, ...Array.from({ length: 1 + this.upTo(64) }, () => middle), after])
      case 5:
        return before
      case 6:
        return Buffer.concat([before, this.#partOf(seeds), after])
      default:
        return this.#numberChanged(bytes, at)
    }
  }

  #partOf(seeds: readonly Buffer[]): Buffer {
    const other = seeds[this.upTo(seeds.length)] ?? Buffer.alloc(0)
    const from = this.upTo(other.length + 1)
    return other.subarray(from, from + this.upTo(200))
  }

  /** Limits hide behind numbers. */
  #numberChanged(bytes: Buffer, at: number): Buffer {
    const text = bytes.toString('latin1')
    const found = /[0-9]+/.exec(text.slice(at))
    if (!found) return bytes
    const start = at + found.index
    return Buffer.concat([bytes.subarray(0, start), this.#pick(NUMBERS), bytes.subarray(start + found[0].length)])
  }

  #pick(from: readonly Buffer[]): Buffer {
    return from[this.upTo(from.length)] ?? Buffer.alloc(0)
  }
}

export const INPUT_BYTES_MAX = 64 * 1024

const buffers = (...texts: readonly string[]): readonly Buffer[] => texts.map((text) => Buffer.from(text))
const NUMBERS = buffers('0', '-1', '1', '32', '33', '128', '129', '255', '256', '65535', '65536', '2147483648', '4294967295', '4294967296', '18446744073709551616', '1e9', '0x10', '007', `9${'0'.repeat(400)}`)
const TOKENS = buffers(
  '\n', '\r\n', '\0', ' ', '\t', '"', "'", '\\', '\\\n', '{', '}', '[', ']', '(', ')', ',', ':', ';', '#', '/', '-', '!', '!=', '@', '*', '&', '&a', '*a', '|', '<<', '?', '%', '~', 'null', 'true', '[]', '{}', '__proto__', 'constructor',
  '\ufeff', '\u2028', '\ud83d', '𝕏', '::', '::ffff:1.2.3.4', '0.0.0.0/0', '255.255.255.255', '!!binary ', '!!js/function ', '- ', '--- ', '...\n', '[1:65536]', '@section ', '@end\n', '-A ', 'COMMIT\n', '*filter\n', 'jump ', 'goto ', 'vmap ', 'elements = ', 'map ', 'set ', 'and ', 'or ',
  '['.repeat(2_000),
  '{'.repeat(2_000),
  '('.repeat(2_000),
  '{"a":'.repeat(2_000),
  '!'.repeat(2_000),
  'a'.repeat(5_000),
  ' '.repeat(5_000),
)
