import type { MessageBatch } from '@portcullis/adapters/rawsocket/messageBatch.ts'
import { FLAGS, readAnswer, writeSegment, type Tuple } from '../cable/frames.ts'
import type { Contender } from './contender.ts'

/** Where the client's numbers stand once its SYN is counted: SYNs are sent with sequence number 0. */
export const FIRST_SEQUENCE = 1

/**
 * Reads the SYN-ACKs that have come for the tuples and writes the ACK of each into its tuple's slot.
 * Answers the host's sequence number of each; one that is missing is an error, because it means that the connection was refused.
 */
export function answerHandshakes({ socket, variant }: Contender, tuples: readonly Tuple[], acks: MessageBatch): number[] {
  const sequences = readSequences(socket)
  return tuples.map((tuple, slot) => {
    const sequence = sequences.get(keyOf(Number(tuple.source.value), tuple.sourcePort, tuple.port))
    if (sequence === undefined) throw new Error(`${variant.name}: only ${sequences.size} of ${tuples.length} connections were answered`)
    const acknowledged = (sequence + 1) >>> 0
    writeSegment(acks, slot, tuple, { flags: FLAGS.ack, sequence: FIRST_SEQUENCE, acknowledged, payloadBytes: 0 })
    return acknowledged
  })
}

function readSequences(socket: Contender['socket']): Map<string, number> {
  const sequences = new Map<string, number>()
  for (let count = socket.receiveFrames(); count > 0; count = socket.receiveFrames()) {
    for (let index = 0; index < count; index += 1) {
      const { source, sourcePort, port, sequence } = readAnswer(socket.inbox.received(index))
      sequences.set(keyOf(source, sourcePort, port), sequence)
    }
  }
  return sequences
}

const keyOf = (source: number, sourcePort: number, port: number): string => `${source} ${sourcePort} ${port}`
