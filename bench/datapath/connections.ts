import type { MessageBatch } from '@portcullis/adapters/rawsocket/messageBatch.ts'
import { FRAME_BYTES_MAX, writeSyn, type Tuple } from '../cable/frames.ts'
import { answerHandshakes } from './handshake.ts'
import { tupleAt, type Scene } from './scene.ts'
import { Servers } from './servers.ts'
import { forgetFlows, type Contender } from './contender.ts'
import { CHUNK_FRAMES, sendChunk, undisturbed, type Workload } from './workload.ts'

/** A TCP connection until the server may accept it: SYN in, SYN-ACK out, ACK in. */
export function newConnections({ targets }: Scene, count: number): Workload {
  const servers = new Servers('tcp', targets.tcp)
  const tuples = Array.from({ length: count }, (_, index) => tupleAt(targets.tcp, index))
  let syns: MessageBatch | undefined
  let acks: MessageBatch | undefined
  return {
    name: 'new TCP connection',
    async round(contender) {
      syns ??= fill(contender, tuples)
      acks ??= contender.socket.newSendBatch({ capacity: CHUNK_FRAMES, slotBytes: FRAME_BYTES_MAX })
      await servers.at(contender)
      await forgetFlows(contender)
      const times: number[] = []
      for (let first = 0; first + CHUNK_FRAMES <= count; first += CHUNK_FRAMES) {
        const opening = sendChunk(contender.socket, syns, first)
        answerHandshakes(contender, tuples.slice(first, first + CHUNK_FRAMES), acks)
        times.push(opening + sendChunk(contender.socket, acks, 0))
      }
      // Resets all of them, so that the next round finds the host as this one did.
      servers.close(contender)
      return undisturbed(times)
    },
    end: (contender) => servers.close(contender),
  }
}

function fill({ socket }: Contender, tuples: readonly Tuple[]): MessageBatch {
  const batch = socket.newSendBatch({ capacity: tuples.length, slotBytes: FRAME_BYTES_MAX })
  for (const [slot, tuple] of tuples.entries()) writeSyn(batch, slot, tuple)
  return batch
}
