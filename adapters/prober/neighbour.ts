import { formatAddress, type Address } from '@portcullis/core/net/address.ts'
import type { PacketSocket } from '../rawsocket/packetSocket.ts'
import { newAnswer, readAnswer } from './answer.ts'
import {
  addressBytes,
  checksum,
  ETHERNET_BYTES,
  ETHERTYPE_ARP,
  IPV6_BYTES,
  pseudoHeaderSum,
  sumOf,
  writeEthernet,
  writeHead,
} from './frame.ts'

const ARP_BYTES = 28
const SOLICITATION_BYTES = 32
const PROTOCOL_ICMPV6 = 58
const FRAME_BYTES = ETHERNET_BYTES + IPV6_BYTES + SOLICITATION_BYTES
const BATCH = 128
/** Waits after each round of questions. A neighbour that is there answers within a millisecond or two, on Wi-Fi within tens. */
const ROUND_WAITS_MS = [150, 350, 600]

export interface NeighbourQuestion {
  /** Who to ask for: the target itself, or the router towards it. */
  readonly nextHop: Address
  /** Our own address on that link. */
  readonly source: Address
}

export interface NeighbourTable {
  /** Hardware addresses by the text of the next hop; who did not answer is missing. */
  readonly macs: ReadonlyMap<string, Buffer>
  /** The slowest answer, at least the time until the first one was seen. */
  readonly answeredWithinMs: number
}

/**
 * Asks by our own ARP and neighbour solicitation frames (RFC 826, RFC 4861): all questions at once, without filling the
 * kernel's neighbour table with absent hosts.
 */
export async function resolveNeighbours(
  socket: PacketSocket,
  questions: readonly NeighbourQuestion[],
  signal?: AbortSignal,
): Promise<NeighbourTable> {
  const open = new Map(questions.map((question) => [formatAddress(question.nextHop), question]))
  const macs = new Map<string, Buffer>()
  let answeredWithinMs = 0
  const batch = socket.newSendBatch({ capacity: BATCH, slotBytes: FRAME_BYTES })
  for (const waitMs of ROUND_WAITS_MS) {
    const started = performance.now()
    await ask(socket, batch, [...open.values()])
    for (let left = waitMs; open.size > 0 && left > 0; left = started + waitMs - performance.now()) {
      if (!(await socket.waitReadable(left)) || signal?.aborted) break
      if (takeAnswers(socket, open, macs) > 0) answeredWithinMs = Math.max(answeredWithinMs, performance.now() - started)
    }
    if (open.size === 0 || signal?.aborted) break
  }
  return { macs, answeredWithinMs }
}

async function ask(
  socket: PacketSocket,
  batch: ReturnType<PacketSocket['newSendBatch']>,
  questions: readonly NeighbourQuestion[],
): Promise<void> {
  for (let start = 0; start < questions.length; start += BATCH) {
    const some = questions.slice(start, start + BATCH)
    for (const [index, question] of some.entries()) {
      const offset = batch.slotOffset(index)
      const length =
        question.nextHop.family === 4
          ? writeArpRequest(batch.bytes, offset, socket.hardwareAddress, question)
          : writeSolicitation(batch.bytes, offset, socket.hardwareAddress, question)
      batch.setLength(index, length)
    }
    for (let sent = 0; sent < some.length; ) {
      const taken = socket.sendFrames(batch, some.length, sent)
      sent += taken
      if (taken === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
}

function takeAnswers(socket: PacketSocket, open: Map<string, NeighbourQuestion>, macs: Map<string, Buffer>): number {
  const answer = newAnswer()
  const before = macs.size
  for (let count = socket.receiveFrames(); count > 0; count = socket.receiveFrames()) {
    for (let index = 0; index < count; index++) {
      const { bytes: frames } = socket.inbox
      readAnswer(frames, socket.inbox.slotOffset(index), socket.inbox.receivedBytes(index), answer)
      if (answer.kind !== 'neighbour') continue
      const bytes = frames.subarray(answer.addressOffset, answer.addressOffset + (answer.family === 4 ? 4 : 16))
      const key = formatAddress({ family: answer.family, value: BigInt(`0x${bytes.toString('hex')}`) })
      if (open.delete(key)) macs.set(key, Buffer.from(frames.subarray(answer.macOffset, answer.macOffset + 6)))
    }
  }
  return macs.size - before
}

/** Answers the number of bytes. */
export function writeArpRequest(bytes: Buffer, offset: number, mac: Uint8Array, question: NeighbourQuestion): number {
  writeEthernet(bytes, offset, { destinationMac: Buffer.alloc(6, 0xff), sourceMac: mac }, ETHERTYPE_ARP)
  const at = offset + ETHERNET_BYTES
  // Ethernet, IPv4, address lengths 6 and 4, operation 1 = request.
  bytes.set(Buffer.from('0001080006040001', 'hex'), at)
  bytes.set(mac, at + 8)
  bytes.set(addressBytes(question.source), at + 14)
  bytes.fill(0, at + 18, at + 24)
  bytes.set(addressBytes(question.nextHop), at + 24)
  return ETHERNET_BYTES + ARP_BYTES
}

/** To the solicited-node multicast address of the target (RFC 4291 section 2.7.1), hop limit 255 (RFC 4861 section 7.1.1). */
export function writeSolicitation(bytes: Buffer, offset: number, mac: Uint8Array, question: NeighbourQuestion): number {
  const target = addressBytes(question.nextHop)
  const group: Address = { family: 6, value: (0xff0200000000000000000001ffn << 24n) | (question.nextHop.value & 0xffffffn) }
  const destinationMac = Buffer.from([0x33, 0x33, 0xff, ...target.subarray(13)])
  const head = writeHead(bytes, offset, {
    sourceMac: mac,
    destinationMac,
    source: question.source,
    destination: group,
    protocol: PROTOCOL_ICMPV6,
    payloadBytes: SOLICITATION_BYTES,
    hopLimit: 255,
  })
  const at = offset + head
  bytes.fill(0, at, at + SOLICITATION_BYTES)
  bytes.writeUInt8(135, at)
  bytes.set(target, at + 8)
  // Option 1, one unit of 8 bytes: source link-layer address.
  bytes.writeUInt16BE(0x0101, at + 24)
  bytes.set(mac, at + 26)
  const pseudo = pseudoHeaderSum(question.source, group, PROTOCOL_ICMPV6, SOLICITATION_BYTES)
  bytes.writeUInt16BE(checksum(pseudo + sumOf(bytes, at, SOLICITATION_BYTES)), at + 2)
  return head + SOLICITATION_BYTES
}
