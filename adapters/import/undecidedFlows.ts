import type { Place } from '@portcullis/core/fault/fault.ts'
import type { Instant } from '@portcullis/core/inventory/observation.ts'
import type { Address } from '@portcullis/core/net/address.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import type { FlowRecord } from './flowFold.ts'

/** A record, or several of one direction that were added up, and what is thought of its direction. */
export interface SettledFlow {
  readonly record: FlowRecord
  /** Where the first of them stands, and how many they are. */
  readonly place: Place
  readonly records: number
  /** Whether it goes from the server to its client; undefined where nothing tells. */
  readonly isReply: boolean | undefined
}

/** One side of a connection. */
export interface Socket {
  readonly protocol: TransportProtocol
  readonly address: Address
  readonly port: number
}

/** Another connection to the same port makes it more likely a server's: a client takes a port for one. Few may be chance. */
const SHARED_MIN = 3
const BUCKET_MS = 3_600_000

interface Conversation {
  readonly protocol: TransportProtocol
  /** By each side, first that of the smaller key: when it was first heard, and what it said. */
  readonly sides: readonly [Side, Side]
}

interface Side {
  readonly socket: Socket
  readonly key: string
  first: Instant
  readonly said: Map<number, { record: FlowRecord; readonly place: Place; records: number }>
}

/** Accepted records whose direction neither the log nor their ports tell, kept until their company does; what they say then does not depend on their order. */
export class UndecidedFlows {
  readonly #conversations = new Map<string, Conversation>()
  #size = 0

  /** Of records that are held; those of one connection, direction and hour are one. */
  get size(): number {
    return this.#size
  }

  add(record: FlowRecord, place: Place): void {
    const source = keyOf(record.source, record.sourcePort)
    const destination = keyOf(record.destination, record.destinationPort)
    const isFirst = source <= destination
    const key = `${record.protocol} ${isFirst ? `${source} ${destination}` : `${destination} ${source}`}`
    let conversation = this.#conversations.get(key)
    if (!conversation) this.#conversations.set(key, (conversation = conversationOf(record, source, destination, isFirst)))
    this.#hear(conversation.sides[isFirst ? 0 : 1], record, place)
  }

  /** Gives all of them back. `isServer`: whether a socket is known to be a server's. */
  settle(isServer: (socket: Socket) => boolean): SettledFlow[] {
    const conversations = [...this.#conversations.values()]
    this.#conversations.clear()
    this.#size = 0
    const company = companyOf(conversations)
    return conversations.flatMap((conversation) => {
      const { sides } = conversation
      const server = only(sides, ({ socket }) => isServer(socket)) ?? sharedSide(conversation, company) ?? answeringSide(sides)
      return sides.flatMap((side) => [...side.said.values()].map((said) => ({ ...said, isReply: server && server === side })))
    })
  }

  #hear(side: Side, record: FlowRecord, place: Place): void {
    side.first = Math.min(side.first, record.first)
    const key = Math.floor(record.last / BUCKET_MS)
    const before = side.said.get(key)
    if (before) {
      before.record = joined(before.record, record)
      before.records += 1
    } else {
      side.said.set(key, { record, place, records: 1 })
      this.#size += 1
    }
  }
}

const keyOf = ({ family, value }: Address, port: number): string => `${family} ${value} ${port}`

function conversationOf({ protocol, source, sourcePort, destination, destinationPort }: FlowRecord, sourceKey: string, destinationKey: string, isFirst: boolean): Conversation {
  const sides: readonly [Side, Side] = [
    { socket: { protocol, address: source, port: sourcePort }, key: sourceKey, first: Infinity, said: new Map() },
    { socket: { protocol, address: destination, port: destinationPort }, key: destinationKey, first: Infinity, said: new Map() },
  ]
  return { protocol, sides: isFirst ? sides : [sides[1], sides[0]] }
}

const joined = (a: FlowRecord, b: FlowRecord): FlowRecord => ({
  ...a,
  connections: a.connections + b.connections,
  ...(a.bytes === undefined && b.bytes === undefined ? {} : { bytes: (a.bytes ?? 0) + (b.bytes ?? 0) }),
  first: Math.min(a.first, b.first),
  last: Math.max(a.last, b.last),
  ...(a.isAnswered === true || b.isAnswered === true ? { isAnswered: true } : {}),
})

/** What all conversations of a socket say of it. */
interface Company {
  peers: number
  /** Conversations of which both sides were heard, and in which it was heard second, or first. */
  answers: number
  opens: number
}

function companyOf(conversations: readonly Conversation[]): Map<string, Company> {
  const company = new Map<string, Company>()
  for (const { protocol, sides } of conversations) {
    const answering = answeringSide(sides)
    for (const side of sides) {
      const key = `${protocol} ${side.key}`
      const known = company.get(key) ?? { peers: 0, answers: 0, opens: 0 }
      known.peers += 1
      if (answering) known[answering === side ? 'answers' : 'opens'] += 1
      company.set(key, known)
    }
  }
  return company
}

/**
 * Who was heard second answers. One exporter wrote both times, but of a connection that was there before the log begins they say nothing, so what
 * many conversations of a port say together goes before.
 */
function answeringSide([a, b]: Conversation['sides']): Side | undefined {
  if (!Number.isFinite(a.first) || !Number.isFinite(b.first) || a.first === b.first) return undefined
  return a.first > b.first ? a : b
}

/**
 * A port with many peers, each of which has few, is a server's, unless it mostly speaks first. A sender of datagrams may use one port to all whom
 * it sends to, so there it must be seen to answer.
 */
function sharedSide({ protocol, sides }: Conversation, company: ReadonlyMap<string, Company>): Side | undefined {
  const [a, b] = sides.map(({ key }) => company.get(`${protocol} ${key}`) ?? NO_COMPANY)
  if (!a || !b) return undefined
  const isShared = (mine: Company, other: Company): boolean => mine.peers >= SHARED_MIN && mine.peers >= SHARED_MIN * other.peers && (protocol === 'tcp' ? mine.answers >= mine.opens : mine.answers > mine.opens)
  if (isShared(a, b)) return sides[0]
  return isShared(b, a) ? sides[1] : undefined
}

const NO_COMPANY: Company = { peers: 0, answers: 0, opens: 0 }

function only([a, b]: Conversation['sides'], isIt: (side: Side) => boolean): Side | undefined {
  const [isA, isB] = [isIt(a), isIt(b)]
  return isA === isB ? undefined : isA ? a : b
}
