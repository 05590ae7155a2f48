import { setTimeout as sleep } from 'node:timers/promises'
import type { MessageBatch } from '@portcullis/adapters/rawsocket/messageBatch.ts'
import { FRAME_BYTES_MAX, sourceAt, writeSyn, type Tuple } from '../cable/frames.ts'
import type { Contender } from './contender.ts'
import { CHUNK_FRAMES, sendAll, sendChunk, type Workload } from './workload.ts'

export type Flood = 'scan' | 'spoofed'

const CLOSED_FIRST = 23
const CLOSED_COUNT = 1_000
/** As many as `SOURCES` holds. */
const SPOOFED_SOURCES = 131_072
/** More sources than any firewall here remembers; what is measured comes from others. */
const FILLING_FRAMES = 66_560
/** The second brings in what the first could not. */
const FILLING_PASSES = 2

/** SYNs to closed ports: a scan by one source, or each from another source, when what remembers sources is full already. */
export function synFlood(kind: Flood, frames: number): Workload {
  const filled = new Set<Contender>()
  let batch: MessageBatch | undefined
  let filling: MessageBatch | undefined
  return {
    name: kind === 'scan' ? 'SYN to a closed port, one source' : 'SYN to a closed port, each from another source',
    async round(contender) {
      if (kind === 'spoofed' && !filled.has(contender)) {
        filling ??= write(contender, kind, { first: 0, count: FILLING_FRAMES })
        for (let pass = 0; pass < FILLING_PASSES; pass += 1) await fillUp(contender, filling)
        filled.add(contender)
      }
      batch ??= write(contender, kind, { first: kind === 'spoofed' ? FILLING_FRAMES : 0, count: frames })
      return sendAll(contender.socket, batch, frames)
    },
    end() {},
  }
}

function write({ socket }: Contender, kind: Flood, { first, count }: { readonly first: number; readonly count: number }): MessageBatch {
  const batch = socket.newSendBatch({ capacity: count, slotBytes: FRAME_BYTES_MAX })
  for (let slot = 0; slot < count; slot += 1) writeSyn(batch, slot, floodTuple(kind, first + slot))
  return batch
}

/**
 * With pauses: the kernel prepares memory for counters (pcpu_balance_workfn) on this very processor, and until it does,
 * what should be remembered is not.
 */
async function fillUp({ socket }: Contender, filling: MessageBatch): Promise<void> {
  for (let first = 0; first + CHUNK_FRAMES <= FILLING_FRAMES; first += CHUNK_FRAMES) {
    sendChunk(socket, filling, first)
    await sleep(1)
  }
}

const floodTuple = (kind: Flood, index: number): Tuple => ({
  source: sourceAt(kind === 'scan' ? 1 : (index * 4_093) % SPOOFED_SOURCES),
  sourcePort: 1_024 + (index % 60_000),
  port: CLOSED_FIRST + (index % CLOSED_COUNT),
})
