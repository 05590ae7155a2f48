import { expect, test } from 'vitest'
import { isTransportProtocol, PROTOCOL_NUMBERS, protocolName, protocolNumber } from './protocol.ts'

test('names and numbers are one to one', () => {
  for (const [name, number] of Object.entries(PROTOCOL_NUMBERS)) expect(protocolName(number)).toBe(name)
  expect(protocolName(255)).toBeUndefined()
})

test.each([['tcp', true], ['udp', true], ['sctp', true], ['icmp', false], ['TCP', false], ['', false]])('%j is a transport protocol: %s', (name, expected) => {
  expect(isTransportProtocol(name)).toBe(expected)
})

test.each([
  ['tcp', 6],
  ['icmpv6', 58],
  ['ipv6-icmp', 58],
  ['quic', undefined],
  ['toString', undefined],
])('%s is %s', (name, number) => {
  expect(protocolNumber(name)).toBe(number)
})
