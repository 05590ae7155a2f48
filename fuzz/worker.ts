import { workerData } from 'node:worker_threads'
import { keptInputs } from './corpus.ts'
import { INPUT_BYTES_MAX, Mutation } from './mutation.ts'
import { PARSERS } from './parsers.ts'

export interface FuzzTask {
  readonly parser: string
  readonly seed: number
  /** Number of inputs tried, length of the present one. */
  readonly state: SharedArrayBuffer
  /** The present input, so that one that hangs or takes all memory is not lost. */
  readonly input: SharedArrayBuffer
}

const { parser: name, seed, state, input } = workerData as FuzzTask
const parser = PARSERS[name]
if (!parser) throw new Error(name)
const [tally, present] = [new Int32Array(state), new Uint8Array(input)]
const mutation = new Mutation(seed)
const seeds = [...parser.seeds(), ...keptInputs(name).map(({ bytes }) => bytes)]

for (;;) {
  const bytes = mutation.input(seeds).subarray(0, INPUT_BYTES_MAX)
  present.set(bytes)
  Atomics.store(tally, 1, bytes.length)
  Atomics.add(tally, 0, 1)
  // Thrown is found: the main thread has the input.
  await parser.check(bytes)
}
