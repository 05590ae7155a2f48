import { bitsOf, parseAddress, type Address, type Family } from '../net/address.ts'
import type { FlowEnds, Packet } from '../ruleset/packet.ts'
import { CT_STATES, PORT_PROTOCOLS, TCP_FLAGS, type CtState } from '../ruleset/ruleset.ts'
import { TERMINALS, type Diagram } from '../space/arena.ts'
import { CT_CLASSES } from './fieldValues.ts'
import { NO_EXTENSION, type LevelField } from './levels.ts'
import { exampleOf } from './names.ts'
import type { PacketSpace } from './packetSpace.ts'

/** A packet of the diagram's non-zero part, chosen to be read by people, and the answers to unknown questions that it takes. */
export interface Witness {
  readonly packet: Packet
  /** Deterministic unknown matches that must answer yes for the packet to be an example, and what the routes must say of its source. */
  readonly assuming: readonly string[]
}

/**
 * One packet of the diagram's non-zero part: new, a TCP SYN, from a public source, to the lowest well-known port, where the diagram leaves a choice.
 * Undefined where the diagram is zero everywhere.
 */
export function witnessOf(space: PacketSpace, diagram: Diagram): Witness | undefined {
  if (diagram === 0) return undefined
  const chooser = new Chooser(space)
  chooser.follow(diagram)
  return { packet: packetFrom(space, chooser.values), assuming: [...chooser.assuming, ...routesAssumed(chooser.values)] }
}

/** What only facts tell, and a packet cannot state of itself. */
const routesAssumed = (values: ReadonlyMap<LevelField, bigint>): string[] => [
  ...(values.has('saddrRoute') ? [values.get('saddrRoute') === 1n ? 'a route back to the source' : 'no route back to the source'] : []),
  ...(values.has('saddrRouteIif') ? [values.get('saddrRouteIif') === 1n ? 'a route back by the incoming interface' : 'no route back by the incoming interface'] : []),
]

const addresses = (...texts: string[]): bigint[] =>
  texts.map((text) => {
    const parsed = parseAddress(text)
    return parsed.ok ? parsed.value.value : 0n
  })

/** What people read easily, best first: documentation prefixes (RFC 5737, RFC 3849) stand for the public internet. */
const PREFERRED: Partial<Record<LevelField, readonly bigint[]>> = {
  isLaterFragment: [0n],
  ctState: ([CT_STATES.new, CT_STATES.established, CT_STATES.related, CT_STATES.untracked] as number[]).map((bit) => BigInt(CT_CLASSES.indexOf(bit))),
  extension: [BigInt(NO_EXTENSION)],
  l4proto: [6n, 17n, 1n, 58n, 132n],
  dport: [22n, 443n, 80n, 53n],
  saddr4: addresses('198.51.100.7', '203.0.113.7', '8.8.8.8', '10.0.0.7', '192.168.0.7'),
  saddr6: addresses('2001:db8::7', '2600::7', 'fd00::7', 'fe80::7'),
  daddr4: addresses('192.0.2.1'),
  daddr6: addresses('2001:db8::1'),
  sport: [40_000n],
  tcpFlags: [BigInt(TCP_FLAGS.syn), BigInt(TCP_FLAGS.ack)],
  icmpType: [8n, 128n],
  icmpCode: [0n],
  ctStatus: [0n, 14n, 46n],
  ctOriginalSaddr4: addresses('198.51.100.7'),
  ctOriginalSaddr6: addresses('2001:db8::7'),
  ctOriginalDaddr4: addresses('192.0.2.1'),
  ctOriginalDaddr6: addresses('2001:db8::1'),
  newDaddr4: addresses('192.0.2.1', '10.0.0.7'),
  newDaddr6: addresses('2001:db8::1', 'fd00::7'),
  newDport: [22n, 443n, 80n, 53n],
  ttl: [64n],
  length: [60n],
}

class Chooser {
  readonly values = new Map<LevelField, bigint>()
  readonly assuming: string[] = []
  readonly #space: PacketSpace

  constructor(space: PacketSpace) {
    this.#space = space
  }

  follow(diagram: Diagram): void {
    let at = diagram
    for (const field of this.#space.levels.fields) {
      if (at < TERMINALS) return
      const { firstLevel, count } = this.#space.chunks(field)
      if (this.#space.arena.levelOf(at) >= firstLevel + count) continue
      at = field === 'boolean' ? this.#booleans(at, firstLevel) : this.#choose(at, field)
    }
  }

  #choose(diagram: Diagram, field: LevelField): Diagram {
    for (const value of this.#preferred(field)) {
      const end = this.#walk(diagram, field, value)
      if (end !== 0) return this.#take(field, value, end)
    }
    const value = this.#lowest(diagram, field)
    return this.#take(field, value, this.#walk(diagram, field, value))
  }

  /** An interface that has no meaning of its own reads best; loopback worst. */
  #preferred(field: LevelField): readonly bigint[] {
    if (field !== 'iif' && field !== 'oif') return PREFERRED[field] ?? []
    const rank = (index: number): number => {
      const each = this.#space.names[index]
      if (!each || each.kind === 'none') return 3
      return each.kind === 'name' ? (each.name === 'lo' ? 2 : 0) : 1
    }
    return [...this.#space.names.keys()].toSorted((a, b) => rank(a) - rank(b)).map(BigInt)
  }

  #take(field: LevelField, value: bigint, end: Diagram): Diagram {
    this.values.set(field, value)
    return end
  }

  #walk(diagram: Diagram, field: LevelField, value: bigint): Diagram {
    const { arena } = this.#space
    const { firstLevel, count, bits } = this.#space.chunks(field)
    let at = diagram
    for (let chunk = 0; chunk < count; chunk += 1) {
      if (at < TERMINALS || arena.levelOf(at) !== firstLevel + chunk) continue
      const digit = count === 1 ? Number(value) : Number((value >> BigInt((count - 1 - chunk) * bits)) & ((1n << BigInt(bits)) - 1n))
      at = arena.childAt(at, digit)
    }
    return at
  }

  /** The lowest value that leads on; chunks that do not matter are those of the first preference. */
  #lowest(diagram: Diagram, field: LevelField): bigint {
    const { arena } = this.#space
    const { firstLevel, count, bits } = this.#space.chunks(field)
    const wish = this.#preferred(field)[0] ?? 1n
    let at = diagram
    let value = 0n
    for (let chunk = 0; chunk < count; chunk += 1) {
      const tests = at >= TERMINALS && arena.levelOf(at) === firstLevel + chunk
      const wished = (wish >> BigInt((count - 1 - chunk) * bits)) & ((1n << BigInt(bits)) - 1n)
      const digit = tests ? lowestDigit(this.#space, at, field) : wished
      if (tests) at = arena.childAt(at, Number(digit))
      value = count === 1 ? digit : (value << BigInt(bits)) | digit
    }
    return value
  }

  #booleans(diagram: Diagram, firstLevel: number): Diagram {
    const { arena } = this.#space
    let at = diagram
    while (at >= TERMINALS) {
      const no = arena.childAt(at, 0)
      if (no === 0) this.assuming.push(this.#space.booleans[arena.levelOf(at) - firstLevel] ?? '')
      at = no === 0 ? arena.childAt(at, 1) : no
    }
    return at
  }
}

function lowestDigit(space: PacketSpace, node: Diagram, field: LevelField): bigint {
  const { arena } = space
  let first = 0
  for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) {
    // Port 0 is legal on the wire and unreadable in a report.
    const isPort = field === 'dport' || field === 'sport'
    if (arena.childOf(edge) !== 0) return BigInt(isPort && first === 0 && arena.lastOf(edge) > 0 ? 1 : first)
    first = arena.lastOf(edge) + 1
  }
  return 0n
}

// ───────────────────────────── to a packet ─────────────────────────────

function packetFrom(space: PacketSpace, values: ReadonlyMap<LevelField, bigint>): Packet {
  const get = (field: LevelField): bigint | undefined => values.get(field)
  const family = familyOf(values)
  const protocol = Number(get('l4proto') ?? (get('icmpType') === undefined ? 6n : family === 4 ? 1n : 58n))
  const ct = CT_CLASSES[Number(get('ctState') ?? PREFERRED.ctState?.[0] ?? 0n)] ?? CT_STATES.new
  return {
    source: addressFrom(family, get(`saddr${family}`) ?? PREFERRED[`saddr${family}`]?.[0]),
    destination: addressFrom(family, get(`daddr${family}`) ?? PREFERRED[`daddr${family}`]?.[0]),
    protocol,
    ct: (Object.keys(CT_STATES) as CtState[]).find((name) => CT_STATES[name] === ct) ?? 'new',
    ...(get('extension') === undefined || get('extension') === BigInt(NO_EXTENSION) ? {} : { extension: Number(get('extension')) }),
    ...(get('isLaterFragment') === 1n ? { fragment: 'later' as const } : {}),
    ...transportOf(protocol, values, get('isLaterFragment') === 1n),
    ...interfacesOf(space, values),
    ...trackingOf(values),
    ...flowOf(family, protocol, values),
    ...restOf(values),
  }
}

function familyOf(values: ReadonlyMap<LevelField, bigint>): Family {
  const stated = values.get('family')
  if (stated !== undefined) return stated === 0n ? 4 : 6
  return values.has('saddr6') || values.has('daddr6') || values.get('l4proto') === 58n ? 6 : 4
}

const addressFrom = (family: Family, value = 0n): Address => ({ family, value: value & ((1n << BigInt(bitsOf(family))) - 1n) })

function transportOf(protocol: number, values: ReadonlyMap<LevelField, bigint>, isLater: boolean): Partial<Packet> {
  if (isLater) return {}
  const number = (field: LevelField): number => Number(values.get(field) ?? PREFERRED[field]?.[0] ?? 0n)
  if (protocol === 1 || protocol === 58) {
    const type = values.has('icmpType') || protocol === 1 ? number('icmpType') : 128
    return { icmpType: type, icmpCode: number('icmpCode') }
  }
  if (!PORT_PROTOCOLS.includes(protocol)) return {}
  const ports = { sourcePort: number('sport'), destinationPort: number('dport') }
  return protocol === 6 ? { ...ports, tcpFlags: number('tcpFlags') } : ports
}

function interfacesOf(space: PacketSpace, values: ReadonlyMap<LevelField, bigint>): Partial<Packet> {
  const nameOf = (field: 'iif' | 'oif'): string | undefined => {
    const index = values.get(field)
    const each = index === undefined ? undefined : space.names[Number(index)]
    return each && exampleOf(each, space.names)
  }
  const iif = nameOf('iif')
  const oif = nameOf('oif')
  return { ...(iif === undefined ? {} : { iif }), ...(oif === undefined ? {} : { oif }) }
}

function trackingOf(values: ReadonlyMap<LevelField, bigint>): Partial<Packet> {
  const status = values.get('ctStatus')
  const mark = values.get('ctMark')
  return {
    ...(status === undefined ? {} : { ctStatus: Number(status) }),
    ...(values.get('ctDirection') === 1n ? { ctDirection: 'reply' as const } : {}),
    ...(mark === undefined ? {} : { ctMark: Number(mark) }),
  }
}

/** The ends of a known flow, where something is asked of them. */
function flowOf(family: Family, protocol: number, values: ReadonlyMap<LevelField, bigint>): Partial<Packet> {
  const ends = (source: LevelField, port: LevelField): FlowEnds => ({
    source: addressFrom(family, values.get(source) ?? values.get(`ctOriginalSaddr${family}`) ?? PREFERRED[`saddr${family}`]?.[0]),
    destination: addressFrom(family, values.get(`ctOriginalDaddr${family}`) ?? PREFERRED[`daddr${family}`]?.[0]),
    protocol: Number(values.get('ctOriginalProtocol') ?? BigInt(protocol)),
    ...portsOf(values.get(port) ?? values.get('ctOriginalSport'), values.get('ctOriginalDport')),
  })
  const isReply = values.get('ctDirection') === 1n
  const asks = (fields: readonly LevelField[]): boolean => fields.some((field) => values.has(field))
  const isMapped = asks([`newDaddr${family}`, 'newDport'])
  return {
    ...(asks(ORIGINAL_FIELDS) || (isMapped && isReply) ? { ctOriginal: ends(isReply ? `newDaddr${family}` : `ctOriginalSaddr${family}`, isReply ? 'newDport' : 'ctOriginalSport') } : {}),
    ...(isMapped && !isReply ? { ctReply: ends(`newDaddr${family}`, 'newDport') } : {}),
  }
}

const portsOf = (source: bigint | undefined, destination: bigint | undefined): { sourcePort: number; destinationPort: number } => ({
  sourcePort: Number(source ?? PREFERRED.sport?.[0] ?? 0n),
  destinationPort: Number(destination ?? PREFERRED.dport?.[0] ?? 0n),
})

const ORIGINAL_FIELDS: readonly LevelField[] = ['ctOriginalProtocol', 'ctOriginalSaddr4', 'ctOriginalSaddr6', 'ctOriginalDaddr4', 'ctOriginalDaddr6', 'ctOriginalSport', 'ctOriginalDport']

function restOf(values: ReadonlyMap<LevelField, bigint>): Partial<Packet> {
  const rest: { -readonly [K in keyof Packet]?: Packet[K] } = {}
  for (const field of ['mark', 'pkttype', 'ttl', 'dscp', 'length'] as const) {
    const value = values.get(field)
    if (value !== undefined) rest[field] = Number(value)
  }
  const mac = values.get('macSaddr')
  if (mac !== undefined) rest.macSource = mac
  return rest
}
