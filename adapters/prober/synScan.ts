import { createHmac, randomBytes, randomInt } from 'node:crypto'
import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { formatAddress, sameAddress, type Address } from '@portcullis/core/net/address.ts'
import type { MessageBatch } from '../rawsocket/messageBatch.ts'
import { openPacketSocket, type PacketSocket } from '../rawsocket/packetSocket.ts'
import { answerFilter, PORTS_PER_SCAN } from './answerFilter.ts'
import { addressBytes, headBytes, PROTOCOL_TCP, pseudoHeaderSum, sumOf, SYN_BYTES, synTemplate, writeHead } from './frame.ts'
import { resolveNeighbours, type NeighbourTable } from './neighbour.ts'
import { portOrder } from './portOrder.ts'
import type { Route } from './route.ts'
import { Sweep, type SweepLimits } from './sweep.ts'
import { SweepTarget, type Path } from './sweepTarget.ts'
import { HEAD_STRIDE_BYTES, SynBatch } from './synBatch.ts'

const BATCH_FRAMES = 512
/** Above the usual ephemeral range (32768–60999), so that no connection of this machine uses these ports. */
const SOURCE_PORT_BLOCKS = { first: 0xef, last: 0xfe } as const

export interface SynRequest {
  readonly address: Address
  readonly route: Route
  /** One byte a port; what is already told is not asked again. */
  readonly cells: Uint8Array
}

export interface SynScan {
  readonly targets: readonly SweepTarget[]
  readonly unreachable: readonly { readonly address: Address; readonly fault: Fault }[]
}

/**
 * Asks all requests of one interface by raw SYN frames. Nothing answers our kernel's side of an opened connection but its own
 * RST, which it sends because it knows no such socket.
 * Faults: those of openPacketSocket.
 */
export async function synScan(
  interfaceName: string,
  requests: readonly SynRequest[],
  ports: Uint16Array,
  limits: SweepLimits,
  options: { readonly signal: AbortSignal | undefined; readonly onTurn: (targets: readonly SweepTarget[]) => void },
): Promise<Result<SynScan>> {
  const opened = await openPacketSocket(interfaceName)
  if (!opened.ok) return fail(...opened.faults)
  const socket = opened.value
  try {
    const sourcePortBase = randomInt(SOURCE_PORT_BLOCKS.first, SOURCE_PORT_BLOCKS.last + 1) * PORTS_PER_SCAN
    socket.attachFilter(answerFilter(sourcePortBase))
    const questions = requests.map(({ route }) => ({ nextHop: route.nextHop, source: route.source }))
    const neighbours = await resolveNeighbours(socket, questions, options.signal)
    const reached = requests.filter(({ route }) => neighbours.macs.has(formatAddress(route.nextHop)))
    const newMessages = (): MessageBatch => socket.newSendBatch({ capacity: BATCH_FRAMES, slotBytes: SYN_BYTES, headBytes: reached.length * HEAD_STRIDE_BYTES })
    const [messages, spare] = [newMessages(), newMessages()]
    const targets = targetsOf(socket, messages.bytes, messages.headsOffset, reached, neighbours, limits.passesMin)
    messages.bytes.copy(spare.bytes, spare.headsOffset, messages.headsOffset)
    const sweep = new Sweep(socket, [new SynBatch(messages, sourcePortBase), new SynBatch(spare, sourcePortBase)], ports, targets, limits)
    await sweep.run(options.signal, () => options.onTurn(targets))
    return succeed({ targets, unreachable: options.signal?.aborted ? [] : unreachableOf(requests, neighbours) })
  } finally {
    socket.close()
  }
}

function targetsOf(
  socket: PacketSocket,
  bytes: Buffer,
  headsOffset: number,
  requests: readonly SynRequest[],
  neighbours: NeighbourTable,
  passesMin: number,
): SweepTarget[] {
  const secret = randomBytes(32)
  const paths = new Map<string, Path>()
  const templateSum = sumOf(synTemplate(), 0, SYN_BYTES)
  const nowMs = performance.now()
  return requests.map(({ address, route, cells }, index) => {
    const nextHop = formatAddress(route.nextHop)
    const headOffset = index * HEAD_STRIDE_BYTES
    writeHead(bytes, headsOffset + headOffset, {
      sourceMac: socket.hardwareAddress,
      destinationMac: neighbours.macs.get(nextHop) ?? Buffer.alloc(6),
      source: route.source,
      destination: address,
      protocol: PROTOCOL_TCP,
      payloadBytes: SYN_BYTES,
    })
    const key = createHmac('sha256', secret).update(addressBytes(address)).digest()
    const fields = {
      address,
      order: portOrder(cells.length, random),
      path: pathTo(paths, nextHop, sameAddress(address, route.nextHop) ? neighbours.answeredWithinMs : undefined),
      key0: key.readUInt32LE(0),
      key1: key.readUInt32LE(4),
      segmentSum: pseudoHeaderSum(route.source, address, PROTOCOL_TCP, SYN_BYTES) + templateSum,
      headOffset,
      headBytes: headBytes(address.family),
      passesMin,
      cells,
    }
    return new SweepTarget(fields, nowMs)
  })
}

/** Behind a router the way goes on for an unknown time; a host on our own link answers about as fast as it did for its hardware address. */
function pathTo(paths: Map<string, Path>, nextHop: string, roundTripMs: number | undefined): Path {
  const known = paths.get(nextHop)
  if (known) return known
  const path: Path = { roundTripMs }
  paths.set(nextHop, path)
  return path
}

const random = (): number => randomInt(2 ** 47) / 2 ** 47

const unreachableOf = (requests: readonly SynRequest[], neighbours: NeighbourTable): SynScan['unreachable'] =>
  requests
    .filter(({ route }) => !neighbours.macs.has(formatAddress(route.nextHop)))
    .map(({ address, route }) => ({ address, fault: noNeighbour(address, route) }))

function noNeighbour(address: Address, route: Route): Fault {
  const [target, hop] = [formatAddress(address), formatAddress(route.nextHop)]
  const isRouter = target !== hop
  return {
    code: 'PROBER_NO_NEIGHBOUR',
    what: {
      en: isRouter ? `${target}: its router ${hop} does not answer on ${route.interfaceName}` : `${target}: nobody has this address on ${route.interfaceName}`,
      zh: isRouter ? `${target}：路由器 ${hop} 在 ${route.interfaceName} 上没有应答` : `${target}：${route.interfaceName} 上无人使用此地址`,
    },
  }
}
