import type { MessageBatch } from '@portcullis/adapters/rawsocket/messageBatch.ts'
import { FLAGS, FRAME_BYTES_MAX, SEGMENT_PAYLOAD_BYTES, writeSegment, writeSyn, type Tuple } from '../cable/frames.ts'
import { answerHandshakes, FIRST_SEQUENCE } from './handshake.ts'
import { tupleAt, type Scene } from './scene.ts'
import { Servers } from './servers.ts'
import { forgetFlows, type Contender } from './contender.ts'
import { acceptFrom, closeSocket, discardReceived, sendBytes } from '../cable/thread.ts'
import { CHUNK_FRAMES, sendChunk, undisturbed, type Workload } from './workload.ts'

/** Connections that the segments of a chunk are spread over. */
const FLOWS = 64
const PER_FLOW = CHUNK_FRAMES / FLOWS

/** Connections that stand, and how far each has come. */
interface Flows {
  /** The server's ends. */
  readonly accepted: readonly number[]
  sequence: number
  readonly acknowledged: number[]
}

/** Each direction by itself: what a client sends to a server, and what a server sends to a client. */
export function segmentsOfConnections(direction: 'in' | 'out', { targets }: Scene, chunks: number): Workload {
  const servers = new Servers('tcp', targets.tcp)
  const tuples = Array.from({ length: CHUNK_FRAMES }, (_, index) => tupleAt(targets.tcp, index % FLOWS))
  const standing = new Map<Contender, Flows>()
  let frames: MessageBatch | undefined
  return {
    name: direction === 'in' ? 'segment to the host' : 'segment from the host',
    async round(contender) {
      frames ??= contender.socket.newSendBatch({ capacity: CHUNK_FRAMES, slotBytes: FRAME_BYTES_MAX })
      const flows = standing.get(contender) ?? (await openFlows(contender, servers, tuples, frames))
      standing.set(contender, flows)
      const chunk = direction === 'in' ? receiveChunk : emitChunk
      const batch = frames
      return undisturbed(Array.from({ length: chunks }, () => chunk({ contender, tuples, batch }, flows)))
    },
    end(contender) {
      for (const socket of standing.get(contender)?.accepted ?? []) closeSocket(socket)
      standing.delete(contender)
      servers.close(contender)
    },
  }
}

async function openFlows(contender: Contender, servers: Servers, tuples: readonly Tuple[], frames: MessageBatch): Promise<Flows> {
  await forgetFlows(contender)
  const listening = await servers.at(contender)
  // The same connection stands in the batch several times: the kernel takes the repeated SYNs and ACKs as sent again.
  for (const [slot, tuple] of tuples.entries()) writeSyn(frames, slot, tuple)
  sendChunk(contender.socket, frames, 0)
  const acknowledged = answerHandshakes(contender, tuples, frames)
  sendChunk(contender.socket, frames, 0)
  const accepted = listening.flatMap(acceptAll)
  if (accepted.length !== FLOWS) throw new Error(`${contender.variant.name}: ${accepted.length} of ${FLOWS} connections stand`)
  return { accepted, sequence: FIRST_SEQUENCE, acknowledged }
}

function acceptAll(server: number): number[] {
  const accepted: number[] = []
  for (let socket = acceptFrom(server); socket !== undefined; socket = acceptFrom(server)) accepted.push(socket)
  return accepted
}

interface Sending {
  readonly contender: Contender
  readonly tuples: readonly Tuple[]
  readonly batch: MessageBatch
}

function receiveChunk({ contender, tuples, batch }: Sending, flows: Flows): number {
  for (const [slot, tuple] of tuples.entries()) {
    const sequence = flows.sequence + Math.floor(slot / FLOWS) * SEGMENT_PAYLOAD_BYTES
    writeSegment(batch, slot, tuple, { flags: FLAGS.ackPush, sequence: sequence >>> 0, acknowledged: flows.acknowledged[slot] ?? 0, payloadBytes: SEGMENT_PAYLOAD_BYTES })
  }
  const time = sendChunk(contender.socket, batch, 0)
  flows.sequence += PER_FLOW * SEGMENT_PAYLOAD_BYTES
  const expected = CHUNK_FRAMES * SEGMENT_PAYLOAD_BYTES
  const received = flows.accepted.reduce((sum, socket) => sum + discardReceived(socket), 0)
  if (received !== expected) throw new Error(`${contender.variant.name}: ${received} of ${expected} bytes arrived`)
  return time
}

const ANSWER = Buffer.alloc(SEGMENT_PAYLOAD_BYTES)

/** One system call a segment: what a small answer costs a server in all. The client's ACKs come after, outside of the time. */
function emitChunk({ contender, tuples, batch }: Sending, flows: Flows): number {
  const started = process.hrtime.bigint()
  for (let turn = 0; turn < PER_FLOW; turn += 1) for (const socket of flows.accepted) sendBytes(socket, ANSWER)
  const time = Number(process.hrtime.bigint() - started) / CHUNK_FRAMES
  for (const [slot, tuple] of tuples.entries()) {
    const acknowledged = ((flows.acknowledged[slot] ?? 0) + PER_FLOW * SEGMENT_PAYLOAD_BYTES) >>> 0
    flows.acknowledged[slot] = acknowledged
    writeSegment(batch, slot, tuple, { flags: FLAGS.ack, sequence: flows.sequence, acknowledged, payloadBytes: 0 })
  }
  sendChunk(contender.socket, batch, 0)
  return time
}
