import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import type { Packet } from './packet.ts'
import { readPacketObject, writePacketObject } from './packetObject.ts'
import { CT_STATES, CT_STATUS, TCP_FLAGS, type CtState } from './ruleset.ts'

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const ends = { saddr: '198.51.100.7', daddr: '192.0.2.1' }
const addresses = { source: address(ends.saddr), destination: address(ends.daddr) }

describe('what is read', () => {
  test.each<[object, Partial<Packet>]>([
    [{ family: 4, iif: 'eth0', ct: 'new', proto: 'tcp', ...ends, sport: 1, dport: 2, flags: ['syn'] }, { protocol: 6, iif: 'eth0', sourcePort: 1, destinationPort: 2, tcpFlags: 2 }],
    [{ proto: 'tcp', ...ends, dport: 22 }, { protocol: 6, destinationPort: 22, tcpFlags: 2 }],
    [{ proto: 'tcp', ...ends, dport: 22, ct: 'established' }, { protocol: 6, destinationPort: 22, tcpFlags: 16, ct: 'established' }],
    [{ proto: 'tcp', ...ends, flags: [] }, { protocol: 6, tcpFlags: 0 }],
    [{ proto: 'tcp', ...ends, flags: null, sport: null }, { protocol: 6 }],
    [{ proto: 'udp', ...ends, flags: [] }, { protocol: 17 }],
    [{ proto: 'ipv6-icmp', saddr: '2001:db8::7', daddr: '2001:db8::1' }, { source: address('2001:db8::7'), destination: address('2001:db8::1'), protocol: 58, icmpType: 128, icmpCode: 0 }],
    [{ proto: 17, ...ends, fragment: 'later' }, { protocol: 17, fragment: 'later' }],
    [{ proto: 'icmp', ...ends, icmpType: 3, icmpCode: 4 }, { protocol: 1, icmpType: 3, icmpCode: 4 }],
    [{ proto: 'icmp', ...ends }, { protocol: 1, icmpType: 8, icmpCode: 0 }],
    [{ proto: 'udp', ...ends, mac: '02:00:00:00:00:0a', ctStatus: ['dnat'], mark: 7 }, { protocol: 17, macSource: 0x0200_0000_000an, ctStatus: 32, mark: 7 }],
  ])('%j', (object, expected) => {
    expect(readPacketObject(object)).toEqual({ ok: true, value: { ct: 'new', ...addresses, ...expected } })
  })
})

describe('what is refused', () => {
  test.each<[unknown, RegExp]>([
    [null, /is an object/],
    [[], /is an object/],
    ['tcp', /is an object/],
    [{}, /proto, saddr and daddr/],
    [{ proto: 'tcp', ...ends, dprot: 22 }, /"dprot" is none of/],
    [{ proto: 'tcp', ...ends, __proto__: null, constructor: 1 }, /"constructor" is none of/],
    [{ proto: 'quic', ...ends }, /proto must be/],
    [{ proto: 256, ...ends }, /proto must be/],
    [{ proto: 'tcp', ...ends, family: 6 }, /one family/],
    [{ proto: 'tcp', saddr: ends.saddr, daddr: '2001:db8::1' }, /one family/],
    [{ proto: 'tcp', saddr: '198.51.100', daddr: ends.daddr }, /saddr must be an IP address/],
    [{ proto: 'tcp', ...ends, dport: 65_536 }, /dport must be a number from 0 to 65535/],
    [{ proto: 'tcp', ...ends, dport: '22' }, /dport must be a number/],
    [{ proto: 'tcp', ...ends, dport: 1.5 }, /dport must be a number/],
    [{ proto: 'tcp', ...ends, ct: 'open' }, /ct must be one of/],
    [{ proto: 'tcp', ...ends, flags: 'syn' }, /flags must be a list/],
    [{ proto: 'tcp', ...ends, flags: ['toString'] }, /flags must be a list/],
    [{ proto: 'udp', ...ends, flags: ['syn'] }, /only tcp/],
    [{ proto: 'icmp', ...ends, dport: 1 }, /has no ports/],
    [{ proto: 'tcp', ...ends, icmpType: 8 }, /only icmp/],
    [{ proto: 'tcp', ...ends, fragment: 'later', dport: 1 }, /has no ports/],
    [{ proto: 'tcp', ...ends, iif: 7 }, /iif must be/],
    [{ proto: 'tcp', ...ends, mac: '02' }, /mac must be/],
    [{ proto: 'tcp', ...ends, ctReply: 'tcp' }, /ctReply must be an object of proto/],
    [{ proto: 'tcp', ...ends, ctReply: { proto: 'tcp', ...ends, ct: 'new' } }, /ctReply must be/],
  ])('%j', (value, expected) => {
    const read = readPacketObject(value)
    expect(read.ok ? '' : read.faults[0]?.what.en).toMatch(expected)
  })
})

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })

const packet: fc.Arbitrary<Packet> = fc
  .record({
    family: fc.constantFrom<4 | 6>(4, 6),
    ends: fc.tuple(fc.nat(), fc.nat()),
    upper: fc.constantFrom(6, 17, 1, 58, 50),
    ct: fc.constantFrom(...(Object.keys(CT_STATES) as CtState[])),
    flags: maybe(fc.subarray(Object.values(TCP_FLAGS))),
    status: maybe(fc.subarray(Object.values(CT_STATUS))),
    ports: fc.tuple(maybe(fc.nat(65_535)), maybe(fc.nat(65_535))),
    type: maybe(fc.nat(255)),
    flow: maybe(fc.record({ sourcePort: fc.nat(65_535), destinationPort: fc.nat(65_535) })),
    rest: fc.record({ iif: fc.constantFrom('', 'eth0'), mark: fc.nat(), ttl: fc.nat(255), mac: fc.bigInt(0n, (1n << 48n) - 1n) }, { requiredKeys: [] }),
  })
  .map(({ family, ends: [from, to], upper, ct, flags, status, ports: [sourcePort, destinationPort], type, flow, rest: { mac, ...rest } }) => {
    const sum = (bits: readonly number[]): number => bits.reduce((whole, bit) => whole + bit, 0)
    return {
      source: { family, value: BigInt(from) },
      destination: { family, value: BigInt(to) },
      protocol: upper,
      ct,
      ...rest,
      ...(mac === undefined ? {} : { macSource: mac }),
      ...(flow ? { ctOriginal: { protocol: 17, source: { family, value: BigInt(to) }, destination: { family, value: BigInt(from) }, ...flow } } : {}),
      ...(status === undefined ? {} : { ctStatus: sum(status) }),
      ...(upper === 6 && flags !== undefined ? { tcpFlags: sum(flags) } : {}),
      ...([6, 17].includes(upper) && sourcePort !== undefined ? { sourcePort } : {}),
      ...([6, 17].includes(upper) && destinationPort !== undefined ? { destinationPort } : {}),
      ...([1, 58].includes(upper) && type !== undefined ? { icmpType: type, icmpCode: 0 } : {}),
    }
  })

test('every packet reads back as itself', () => {
  fc.assert(
    fc.property(packet, (each) => {
      const read = readPacketObject(JSON.parse(JSON.stringify(writePacketObject(each))))
      expect(read).toEqual({ ok: true, value: each })
    }),
    { numRuns: 300 },
  )
})
