import type { MessageBatch } from '@portcullis/adapters/rawsocket/messageBatch.ts'
import type { PacketSocket } from '@portcullis/adapters/rawsocket/packetSocket.ts'
import { quantile } from '../measure/spread.ts'
import type { Contender } from './contender.ts'

/** One kind of traffic. */
export interface Workload {
  readonly name: string
  /** One measurement on one host: nanoseconds for one of what the name says. */
  round(contender: Contender): Promise<number>
  /** Lets go of what was opened for this contender. */
  end(contender: Contender): void
}

/** Frames of one call of sendmmsg(2): short enough that most calls are not interrupted, long enough that the call itself does not count. */
export const CHUNK_FRAMES = 256

/**
 * The kernel takes a frame that leaves into a veth cable through the peer's whole receive path before the call returns, so that
 * the time of the call is the time of all that. Answers nanoseconds a frame.
 */
export function sendChunk(socket: PacketSocket, batch: MessageBatch, first: number): number {
  const last = first + CHUNK_FRAMES
  const started = process.hrtime.bigint()
  const sent = socket.sendFrames(batch, last, first)
  const ended = process.hrtime.bigint()
  if (sent !== CHUNK_FRAMES) throw new Error(`only ${sent} of ${CHUNK_FRAMES} frames were taken`)
  return Number(ended - started) / CHUNK_FRAMES
}

/** What a chunk takes when nothing else of the machine comes between: interruptions only ever add. */
export const undisturbed = (chunks: readonly number[]): number => quantile(chunks, 0.25)

/** Sends all chunks of a batch. */
export function sendAll(socket: PacketSocket, batch: MessageBatch, count: number): number {
  const times: number[] = []
  for (let first = 0; first + CHUNK_FRAMES <= count; first += CHUNK_FRAMES) times.push(sendChunk(socket, batch, first))
  return undisturbed(times)
}
