import type { MessageBatch } from '@portcullis/adapters/rawsocket/messageBatch.ts'
import { FRAME_BYTES_MAX, writeDatagram } from '../cable/frames.ts'
import { tupleAt, type Scene } from './scene.ts'
import { Servers } from './servers.ts'
import { forgetFlows, type Contender } from './contender.ts'
import { discardDatagram } from '../cable/thread.ts'
import { CHUNK_FRAMES, sendChunk, undisturbed, type Workload } from './workload.ts'

/** A datagram that begins a flow of its own, from the cable to the receive queue of a socket. */
export function datagramsOfNewFlows({ targets }: Scene, frames: number): Workload {
  const servers = new Servers('udp', targets.udp)
  let batch: MessageBatch | undefined
  return {
    name: 'UDP packet of a new flow',
    async round(contender) {
      batch ??= fill(contender, targets.udp, frames)
      const sockets = await servers.at(contender)
      await forgetFlows(contender)
      const times: number[] = []
      for (let first = 0; first + CHUNK_FRAMES <= frames; first += CHUNK_FRAMES) {
        times.push(sendChunk(contender.socket, batch, first))
        expectArrived(contender, sockets)
      }
      return undisturbed(times)
    },
    end: (contender) => servers.close(contender),
  }
}

function fill({ socket }: Contender, targets: Scene['targets']['udp'], frames: number): MessageBatch {
  const batch = socket.newSendBatch({ capacity: frames, slotBytes: FRAME_BYTES_MAX })
  for (let index = 0; index < frames; index += 1) writeDatagram(batch, index, tupleAt(targets, index))
  return batch
}

/** Empties the queues; a firewall that loses what it is said to let through would look fast. */
function expectArrived({ variant }: Contender, sockets: readonly number[]): void {
  let arrived = 0
  for (const socket of sockets) while (discardDatagram(socket)) arrived += 1
  if (arrived !== CHUNK_FRAMES) throw new Error(`${variant.name}: ${arrived} of ${CHUNK_FRAMES} datagrams arrived`)
}
