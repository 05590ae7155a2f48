import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import type { Packet } from './packet.ts'
import { formatPacket, parsePacketText } from './packetText.ts'
import { CT_STATES, PORT_PROTOCOLS, type CtState } from './ruleset.ts'

// Properties take seconds on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const from4 = address('198.51.100.7')
const to4 = address('192.0.2.1')
const from6 = address('2001:db8::7')
const to6 = address('2001:db8::1')

describe('what is read', () => {
  const ssh = { source: from4, sourcePort: 40_000, destination: to4, destinationPort: 22, protocol: 6, tcpFlags: 2, ct: 'new' }
  test.each<[string, Partial<Packet>]>([
    ['tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new', { ...ssh, iif: 'eth0' } as Packet],
    ['tcp 198.51.100.7:40000 → 192.0.2.1:22', ssh as Packet],
    ['tcp [2001:db8::7]:40000 -> [2001:db8::1]:22 oif eth1 ct established', { source: from6, sourcePort: 40_000, destination: to6, destinationPort: 22, protocol: 6, tcpFlags: 16, ct: 'established', oif: 'eth1' }],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 flags syn,ack', { source: from4, destination: to4, destinationPort: 22, protocol: 6, tcpFlags: 18, ct: 'new' }],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 flags any', { source: from4, destination: to4, destinationPort: 22, protocol: 6, ct: 'new' }],
    ['icmp 198.51.100.7 -> 192.0.2.1', { source: from4, destination: to4, protocol: 1, icmpType: 8, icmpCode: 0, ct: 'new' }],
    ['icmp 198.51.100.7 -> 192.0.2.1 type destination-unreachable code 4 ct related', { source: from4, destination: to4, protocol: 1, icmpType: 3, icmpCode: 4, ct: 'related' }],
    ['icmpv6 2001:db8::7 -> 2001:db8::1 type nd-neighbor-solicit ttl 255', { source: from6, destination: to6, protocol: 58, icmpType: 135, icmpCode: 0, ct: 'new', ttl: 255 }],
    ['udp 198.51.100.7 -> 192.0.2.1 fragment later', { source: from4, destination: to4, protocol: 17, fragment: 'later', ct: 'new' }],
    ['50 198.51.100.7 -> 192.0.2.1', { source: from4, destination: to4, protocol: 50, ct: 'new' }],
    ['udp 198.51.100.7:1 -> 192.0.2.1:2 mac 02:00:00:00:00:0A status dnat mark 0x10', { source: from4, sourcePort: 1, destination: to4, destinationPort: 2, protocol: 17, ct: 'new', macSource: 0x0200_0000_000an, ctStatus: 32, mark: 16 }],
  ])('%s', (text, expected) => {
    expect(parsePacketText(text)).toEqual({ ok: true, value: expected })
  })
})

describe('what is refused, and where', () => {
  test.each<[string, number]>([
    ['', 1],
    ['quic 198.51.100.7 -> 192.0.2.1', 1],
    ['256 198.51.100.7 -> 192.0.2.1', 1],
    ['tcp', 4],
    ['tcp 198.51.100.256:1 -> 192.0.2.1:22', 5],
    ['tcp 198.51.100.7:65536 -> 192.0.2.1:22', 18],
    ['tcp 198.51.100.7 192.0.2.1:22', 18],
    ['tcp 198.51.100.7 ->', 20],
    ['tcp 198.51.100.7 -> [2001:db8::1]:22', 21],
    ['tcp [2001:db8::7 -> [2001:db8::1]:22', 17],
    ['tcp [2001:db8::7]x -> [2001:db8::1]:22', 18],
    ['tcp [198.51.100.7]:1 -> 192.0.2.1:22', 5],
    ['icmp 198.51.100.7:1 -> 192.0.2.1', 6],
    ['icmp 2001:db8::7 -> 2001:db8::1', 1],
    ['icmpv6 198.51.100.7 -> 192.0.2.1', 1],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 ct open', 37],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 iif', 37],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 iif a-name-that-is-too-long', 38],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 via eth0', 34],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 ct new ct new', 41],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 flags syn,open', 40],
    ['udp 198.51.100.7 -> 192.0.2.1:22 flags syn', 34],
    ['udp 198.51.100.7 -> 192.0.2.1:22 type 8', 34],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 fragment later', 34],
    ['tcp 198.51.100.7 -> 192.0.2.1:22 mark 4294967296', 39],
  ])('%s: column %d', (text, column) => {
    expect(refusedAt(text)).toEqual([['PACKET_TEXT', column]])
  })

  test('more than 2,000 characters', () => {
    expect(refusedAt(`tcp ${'1'.repeat(2000)}`)).toEqual([['PACKET_TEXT', 2000]])
  })

  test('bytes of any kind: a packet or a column within the text', () => {
    const word = fc.constantFrom('tcp', 'icmp', '198.51.100.7:1', '[2001:db8::7]:1', '->', 'iif', 'eth0', 'ct', 'new', 'flags', 'syn', 'original', '0', '4294967295', '')
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.array(fc.oneof(word, fc.string({ maxLength: 6 })), { maxLength: 12 }).map((words) => words.join(' ')))
    fc.assert(
      fc.property(text, (each) => {
        const parsed = parsePacketText(each)
        return parsed.ok || (parsed.faults[0]?.place?.column ?? Infinity) <= each.length + 1
      }),
      { numRuns: 500 },
    )
  })
})

const refusedAt = (text: string): unknown => {
  const parsed = parsePacketText(text)
  return parsed.ok ? [] : parsed.faults.map((fault) => [fault.code, fault.place?.column])
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })
const addressOf = (family: 4 | 6): fc.Arbitrary<Address> => fc.bigInt({ min: 0n, max: (1n << (family === 4 ? 32n : 128n)) - 1n }).map((value) => ({ family, value }))
const port = maybe(fc.integer({ min: 0, max: 65_535 }))
const byte = maybe(fc.integer({ min: 0, max: 255 }))
const word = maybe(fc.integer({ min: 0, max: 0xffff_ffff }))
const interfaceName = maybe(fc.oneof(fc.constantFrom('', 'eth0', 'lo', 'br-0a1b2c', 'any0'), fc.stringMatching(/^[a-z][a-z0-9.-]{0,14}$/).filter((each) => each !== 'any')))

const line = (family: 4 | 6, protocol: number, hasPorts: boolean) =>
  fc.record({ source: addressOf(family), destination: addressOf(family), ...(hasPorts ? { sourcePort: port, destinationPort: port } : {}) }).map((ends) => ({ protocol, ...ends }))

const packet: fc.Arbitrary<Packet> = fc
  .record({ family: fc.constantFrom<4 | 6>(4, 6), protocol: fc.oneof(fc.constantFrom(1, 6, 17, 58, 132), fc.integer({ min: 0, max: 255 })), fragment: maybe(fc.constantFrom('no', 'first', 'later' as const)) })
  .chain(({ family, protocol, fragment }) => {
    const hasHeader = fragment !== 'later'
    const isIcmp = hasHeader && (protocol === 1 || protocol === 58)
    return fc.record({
      line: line(family, protocol, hasHeader && PORT_PROTOCOLS.includes(protocol)),
      tcpFlags: hasHeader && protocol === 6 ? byte : fc.constant(undefined),
      icmpType: isIcmp ? byte : fc.constant(undefined),
      icmpCode: isIcmp ? byte : fc.constant(undefined),
      fragment: fc.constant(fragment),
      ct: fc.constantFrom(...(Object.keys(CT_STATES) as CtState[])),
      ctDirection: maybe(fc.constantFrom('original', 'reply' as const)),
      ctOriginal: maybe(line(family, 6, true)),
      ctReply: maybe(line(family, 17, true)),
      iif: interfaceName,
      oif: interfaceName,
      macSource: maybe(fc.bigInt({ min: 0n, max: (1n << 48n) - 1n })),
      pkttype: maybe(fc.integer({ min: 0, max: 3 })),
      dscp: maybe(fc.integer({ min: 0, max: 63 })),
      length: port,
      extension: byte,
      ttl: byte,
      mark: word,
      ctMark: word,
      ctStatus: word,
    })
  })
  .map(({ line, ...rest }) => withoutUndefined({ ...line, ...rest }) as unknown as Packet)

const withoutUndefined = (value: object): object =>
  Object.fromEntries(Object.entries(value).flatMap(([key, each]) => (each === undefined ? [] : [[key, isPlain(each) ? withoutUndefined(each) : each]])))

const isPlain = (value: unknown): value is object => typeof value === 'object' && value !== null

test('every packet reads back as itself', () => {
  fc.assert(
    fc.property(packet, (each) => {
      expect(parsePacketText(formatPacket(each))).toEqual({ ok: true, value: each })
    }),
    { numRuns: 500 },
  )
})

test('the text is as short as it can be', () => {
  const parsed = parsePacketText('tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new flags syn')
  expect(parsed.ok && formatPacket(parsed.value)).toBe('tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new')
})
