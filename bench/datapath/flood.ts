import type { MessageBatch } from '@portcullis/adapters/rawsocket/messageBatch.ts'
import { FRAME_BYTES_MAX, sourceAt, writeSyn, type Tuple } from '../cable/frames.ts'
import type { Contender } from './contender.ts'
import { sendAll, type Workload } from './workload.ts'

export type Flood = 'scan' | 'spoofed'

const CLOSED_FIRST = 23
const CLOSED_COUNT = 1_000
/** As many as `SOURCES` holds. */
const SPOOFED_SOURCES = 131_072
/** More sources than any firewall here remembers; what is measured comes from others. */
const FILLING_FRAMES = 66_560

/** SYNs to closed ports: a scan by one source, or each from another source, when what remembers sources is full already. */
export function synFlood(kind: Flood, frames: number): Workload {
  const filled = new Set<Contender>()
  let batch: MessageBatch | undefined
  let filling: MessageBatch | undefined
  return {
    name: kind === 'scan' ? 'SYN to a closed port, one source' : 'SYN to a closed port, each from another source',
    round(contender) {
      if (kind === 'spoofed' && !filled.has(contender)) {
        filling ??= fill(contender, kind, { first: 0, count: FILLING_FRAMES })
        sendAll(contender.socket, filling, FILLING_FRAMES)
        filled.add(contender)
      }
      batch ??= fill(contender, kind, { first: kind === 'spoofed' ? FILLING_FRAMES : 0, count: frames })
      return Promise.resolve(sendAll(contender.socket, batch, frames))
    },
    end() {},
  }
}

function fill({ socket }: Contender, kind: Flood, { first, count }: { readonly first: number; readonly count: number }): MessageBatch {
  const batch = socket.newSendBatch({ capacity: count, slotBytes: FRAME_BYTES_MAX })
  for (let slot = 0; slot < count; slot += 1) writeSyn(batch, slot, floodTuple(kind, first + slot))
  return batch
}

const floodTuple = (kind: Flood, index: number): Tuple => ({
  source: sourceAt(kind === 'scan' ? 1 : (index * 4_093) % SPOOFED_SOURCES),
  sourcePort: 1_024 + (index % 60_000),
  port: CLOSED_FIRST + (index % CLOSED_COUNT),
})
