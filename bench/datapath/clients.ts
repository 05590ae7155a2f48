import { parseAddress } from '@portcullis/core/net/address.ts'
import { HOST_IPV4, UDP_PAYLOAD_BYTES, type Tuple } from '../cable/frames.ts'
import { tupleAt, type Scene } from './scene.ts'
import { Servers } from './servers.ts'
import { forgetFlows, type Contender } from './contender.ts'
import { acceptFrom, beginConnection, closeSocket, discardDatagram, inNamespace, internetAddress, openClient, sendDatagram } from '../cable/thread.ts'
import { undisturbed, type Workload } from './workload.ts'

/** Flows of one chunk: as long as a chunk of frames. */
const CHUNK_FLOWS = 64

/** All that a connection costs both ends, from connect(2) to close(2). */
export const connectionsOfClients = (scene: Scene, outside: string, count: number): Workload =>
  flowsOfClients('TCP connection, with client and server', 'tcp', { targets: scene.targets.tcp, outside, count, exchange: connectAndClose })

/** All that a datagram which begins a flow of its own costs both ends, from sendto(2) to recv(2). */
export const datagramsOfClients = (scene: Scene, outside: string, count: number): Workload =>
  flowsOfClients('UDP packet of a new flow, with client and server', 'udp', { targets: scene.targets.udp, outside, count, exchange: sendAndReceive })

interface Ends {
  readonly client: number
  readonly server: number
  readonly to: Buffer
}

interface Clients {
  readonly targets: Scene['targets']['tcp']
  readonly outside: string
  readonly count: number
  /** Uses one flow from its begin to its end; false where it did not come about. */
  readonly exchange: (ends: Ends) => boolean
}

function flowsOfClients(name: string, protocol: 'tcp' | 'udp', { targets, outside, count, exchange }: Clients): Workload {
  const servers = new Servers(protocol, targets)
  return {
    name,
    async round(contender) {
      const listening = await servers.at(contender)
      await forgetFlows(contender)
      const times: number[] = []
      for (let first = 0; first + CHUNK_FLOWS <= count; first += CHUNK_FLOWS) {
        const tuples = Array.from({ length: CHUNK_FLOWS }, (_, index) => tupleAt(targets, first + index))
        const clients = await inNamespace(outside, () => tuples.map((tuple) => openClient(protocol, contender.device, addressOf(tuple))))
        times.push(timeChunk(contender, tuples.map((tuple, index) => endsOf(tuple, clients[index], listening[servers.indexOf(tuple.port)])), exchange))
        for (const client of protocol === 'udp' ? clients : []) closeSocket(client)
      }
      return undisturbed(times)
    },
    end: (contender) => servers.close(contender),
  }
}

function timeChunk({ variant }: Contender, chunk: readonly Ends[], exchange: Clients['exchange']): number {
  let failed = 0
  const started = process.hrtime.bigint()
  for (const ends of chunk) if (!exchange(ends)) failed += 1
  const ended = process.hrtime.bigint()
  if (failed > 0) throw new Error(`${variant.name}: ${failed} of ${chunk.length} flows did not come about`)
  return Number(ended - started) / chunk.length
}

function connectAndClose({ client, server, to }: Ends): boolean {
  beginConnection(client, to)
  const accepted = acceptFrom(server)
  closeSocket(client)
  if (accepted === undefined) return false
  closeSocket(accepted)
  return true
}

const DATAGRAM = Buffer.alloc(UDP_PAYLOAD_BYTES)

function sendAndReceive({ client, server, to }: Ends): boolean {
  sendDatagram(client, DATAGRAM, to)
  return discardDatagram(server)
}

function endsOf({ port }: Tuple, client: number | undefined, server: number | undefined): Ends {
  if (client === undefined || server === undefined) throw new Error(`nobody serves port ${port}`)
  return { client, server, to: internetAddress(HOST, port) }
}

const addressOf = ({ source, sourcePort }: Tuple): Buffer => internetAddress(Number(source.value), sourcePort)

const HOST = (() => {
  const parsed = parseAddress(HOST_IPV4)
  return parsed.ok ? Number(parsed.value.value) : 0
})()
