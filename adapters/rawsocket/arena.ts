import type { Libc, NativePointer } from './libc.ts'

const FOUR_GIB = 1n << 32n
const ALIGNMENT = 64
const ATTEMPTS_MAX = 4

/** One piece of native memory that C and JavaScript both see, and that never crosses a 4 GiB line, so that offsets and addresses differ by one 32-bit addition. */
export interface Arena {
  readonly bytes: Buffer
  readonly words: Uint32Array
  /** The handle for C, of the first byte. */
  readonly pointer: bigint
  readonly addressHigh: number
  readonly addressLow: number
  /** Afterwards every use of `bytes` throws; it can never reach freed memory. */
  free(): void
}

export function allocateArena(libc: Libc, size: number): Arena {
  const rejected: NativePointer[] = []
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const memory = libc.allocate(size + ALIGNMENT)
    const start = alignUp(libc.addressOf(memory))
    if (start / FOUR_GIB === (start + BigInt(size)) / FOUR_GIB) {
      for (const other of rejected) libc.free(other)
      return arenaAt(libc, memory, start, size)
    }
    rejected.push(memory)
  }
  throw new Error('no memory without a 4 GiB boundary')
}

const alignUp = (address: bigint): bigint => (address + BigInt(ALIGNMENT - 1)) & ~BigInt(ALIGNMENT - 1)

function arenaAt(libc: Libc, memory: NativePointer, start: bigint, size: number): Arena {
  const view = libc.view(start, size)
  return {
    bytes: Buffer.from(view),
    words: new Uint32Array(view, 0, size >>> 2),
    pointer: start,
    addressHigh: Number(start / FOUR_GIB),
    addressLow: Number(start % FOUR_GIB),
    free: () => {
      view.transfer(0)
      libc.free(memory)
    },
  }
}
