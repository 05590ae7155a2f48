import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checksum, fold, headBytes, pseudoHeaderSum, sumOf, swap16, swap32, synTemplate, writeHead } from './frame.ts'

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}
const MACS = { sourceMac: Buffer.from('020000000001', 'hex'), destinationMac: Buffer.from('020000000002', 'hex') }
const sumOfHex = (hex: string): number => {
  const bytes = Buffer.from(hex, 'hex')
  return sumOf(bytes, 0, bytes.length)
}

test.each([
  ['RFC 1071 section 3, the example', '0001f203f4f5f6f7', 0x220d],
  ['an IPv4 header of a UDP datagram', '450000730000400040110000c0a80001c0a800c7', 0xb861],
  ['an odd byte counts as the high half', '01', 0xfeff],
])('checksum: %s', (_, hex, expected) => {
  expect(checksum(sumOfHex(hex))).toBe(expected)
})

test.each([
  ['192.0.2.1', '198.51.100.7', '02000000000202000000000108004500002c0000400040064e90c0000201c6336407'],
  ['2001:db8::1', '2001:db8::2', '02000000000202000000000186dd600000000018064020010db800000000000000000000000120010db8000000000000000000000002'],
])('head from %s to %s', (source, destination, expected) => {
  const bytes = Buffer.alloc(64)
  const length = writeHead(bytes, 0, { ...MACS, source: address(source), destination: address(destination), protocol: 6, payloadBytes: 24 })
  expect(bytes.subarray(0, length).toString('hex')).toBe(expected)
  expect(length).toBe(headBytes(address(source).family))
})

test('the sum over a segment and its pseudo header, checksum included, is all ones', () => {
  const [source, destination] = [address('10.0.0.1'), address('10.0.0.2')]
  const segment = synTemplate()
  const pseudo = pseudoHeaderSum(source, destination, 6, segment.length)
  segment.writeUInt16BE(checksum(pseudo + sumOf(segment, 0, segment.length)), 16)
  expect(fold(pseudo + sumOf(segment, 0, segment.length))).toBe(0xffff)
})

test('one’s complement sums do not depend on the byte order (RFC 1071 section 1.2 B)', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1 }), (words) => {
      const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
      expect(swap16(fold(sum(words.map(swap16))))).toBe(fold(sum(words)))
    }),
  )
})

test('swap32 turns the bytes round', () => {
  expect(swap32(0x01020304)).toBe(0x04030201)
  expect(swap32(0xfffefdfc)).toBe(0xfcfdfeff)
})
