const LENGTH_WORD = 4 << 24
const state = new Int32Array(4)

/**
 * The sequence number of a probe is a keyed hash of what it asks, so an answer proves by itself that it answers one of our
 * probes, and nothing needs to be remembered for each probe. Each target has its own key (derived from one secret), so what
 * a target sees of our sequence numbers does not help it to forge the answers of another.
 * HalfSipHash-2-4 of one 32-bit little-endian word (https://github.com/veorq/SipHash): 32-bit arithmetic, which JavaScript is fast at.
 */
export function cookieOf(key0: number, key1: number, message: number): number {
  state[0] = key0
  state[1] = key1
  state[2] = 0x6c796765 ^ key0
  state[3] = 0x74656462 ^ key1
  absorb(message)
  absorb(LENGTH_WORD)
  state[2] = (state[2] ?? 0) ^ 0xff
  mix(4)
  return ((state[1] ?? 0) ^ (state[3] ?? 0)) >>> 0
}

function absorb(word: number): void {
  state[3] = (state[3] ?? 0) ^ word
  mix(2)
  state[0] = (state[0] ?? 0) ^ word
}

function mix(rounds: number): void {
  let v0 = state[0] ?? 0
  let v1 = state[1] ?? 0
  let v2 = state[2] ?? 0
  let v3 = state[3] ?? 0
  for (let round = 0; round < rounds; round++) {
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
  }
  state[0] = v0
  state[1] = v1
  state[2] = v2
  state[3] = v3
}
