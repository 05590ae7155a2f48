import type { MessageBatch } from '@portcullis/adapters/rawsocket/messageBatch.ts'
import { FRAME_BYTES_MAX, sourceAt, writeSyn, type Tuple } from '../cable/frames.ts'
import type { Contender } from './contender.ts'
import { sendAll, type Workload } from './workload.ts'

export type Flood = 'scan' | 'spoofed'

const CLOSED_FIRST = 23
const CLOSED_COUNT = 1_000
/** As many as SOURCES holds. */
const SPOOFED_SOURCES = 131_072

/** SYNs to closed ports: a scan by one source, or every SYN from another source, which fills whatever remembers sources. */
export function synFlood(kind: Flood, frames: number): Workload {
  let batch: MessageBatch | undefined
  return {
    name: kind === 'scan' ? 'SYN to a closed port, one source' : 'SYN to a closed port, spoofed sources',
    round(contender) {
      batch ??= fill(contender, kind, frames)
      return Promise.resolve(sendAll(contender.socket, batch, frames))
    },
    end() {},
  }
}

function fill({ socket }: Contender, kind: Flood, frames: number): MessageBatch {
  const batch = socket.newSendBatch({ capacity: frames, slotBytes: FRAME_BYTES_MAX })
  for (let index = 0; index < frames; index += 1) writeSyn(batch, index, floodTuple(kind, index))
  return batch
}

const floodTuple = (kind: Flood, index: number): Tuple => ({
  source: sourceAt(kind === 'scan' ? 1 : (index * 4_093) % SPOOFED_SOURCES),
  sourcePort: 1_024 + (index % 60_000),
  port: CLOSED_FIRST + (index % CLOSED_COUNT),
})
