import { expect, test } from 'vitest'
import { integer } from './ber.ts'
import { questionFor, UDP_QUESTIONS } from './udpQuestion.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

test.each<[string, number, Buffer, boolean]>([
  ['a DNS refusal', 53, hex('504381050001000000000000'), true],
  ['a DNS question sent back', 53, hex('504301000001000000000000'), false],
  ['an NTP server', 123, Buffer.concat([hex('24'), Buffer.alloc(47)]), true],
  ['an NTP client', 123, Buffer.concat([hex('23'), Buffer.alloc(47)]), false],
  ['an SNMPv3 report', 161, hex('300e020103300900000000000000000000'), true],
  ['a TFTP error', 69, hex('000500010000'), true],
  ['something on the TFTP port', 69, hex('ffff'), false],
  ['a SIP answer', 5060, Buffer.from('SIP/2.0 200 OK\r\n\r\n'), true],
  ['HTTP on the SIP port', 5060, Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), false],
  ['an SSDP answer', 1900, Buffer.from('HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n'), true],
  ['an IKE notification', 500, Buffer.concat([Buffer.alloc(16), hex('29202220000000000000001c')]), true],
  ['noise of the right length', 500, Buffer.alloc(28, 0xff), false],
  ['QUIC version negotiation', 443, hex('80000000000000000001'), true],
  ['a RADIUS reject', 1812, Buffer.concat([hex('032a0014'), Buffer.alloc(16)]), true],
  ['memcached', 11211, Buffer.from('PC\0\0\0\u0001\0\0VERSION 1.6\r\n', 'latin1'), true],
  ['a port mapper', 111, Buffer.concat([hex('5043504300000001'), Buffer.alloc(16)]), true],
  ['a STUN answer', 3478, Buffer.concat([hex('010100002112a442'), Buffer.alloc(12)]), true],
  ['OpenVPN', 1194, Buffer.concat([hex('40'), Buffer.alloc(8, 7), hex('0100000000'), Buffer.from('PORTCULL'), Buffer.alloc(4)]), true],
  ['an OpenVPN answer to somebody else', 1194, Buffer.concat([hex('40'), Buffer.alloc(8, 7), hex('0100000000'), Buffer.from('SOMEBODY'), Buffer.alloc(4)]), false],
  ['an NTP server of an impossible stratum', 123, Buffer.concat([hex('2480'), Buffer.alloc(46)]), false],
  ['connectionless LDAP on the SNMP port', 161, hex('300c02010161070a010004000400'), false],
  ['TFTP data of a file that does exist', 69, hex('0003000161'), true],
  ['anything on a port of no known use', 9999, hex('00'), false],
])('%s', (_, port, answer, isRecognised) => {
  expect(questionFor(port).recognises(answer)).toBe(isRecognised)
})

test.each(UDP_QUESTIONS.map((question) => [question.service, question] as const))('%s: no answer makes its recogniser throw, and it does not recognise its own question', (service, question) => {
  const answers = [0x00, 0x30, 0xff].flatMap((byte) => Array.from({ length: 64 }, (_, length) => Buffer.alloc(length, byte)))
  expect(() => answers.map((answer) => question.recognises(answer))).not.toThrow()
  // A manager's and an agent's messages only differ further inside.
  if (service !== 'snmp') expect(question.datagrams().filter((datagram) => question.recognises(datagram))).toEqual([])
})

test('a question is not taken for another one: each answer names at most one service', () => {
  const [dns, netbios, mdns] = [53, 137, 5353].map((port) => questionFor(port).datagrams()[0] ?? Buffer.alloc(0))
  for (const sent of [dns, netbios, mdns]) {
    const answer = Buffer.from(sent ?? Buffer.alloc(0))
    answer[2] = 0x84
    expect(UDP_QUESTIONS.filter((question) => question.recognises(answer))).toHaveLength(1)
  }
})

test.each([
  [0, '020100'],
  [127, '02017f'],
  [128, '02020080'],
  [65_507, '020300ffe3'],
])('integer %i', (value, expected) => {
  expect(integer(value).toString('hex')).toBe(expected)
})

test('an SNMPv3 discovery is one well-formed sequence', () => {
  const [discovery] = questionFor(161).datagrams()
  expect(discovery?.readUInt8(1)).toBe((discovery?.length ?? 0) - 2)
})

test('a QUIC question fills a datagram of 1200 bytes (RFC 9000 section 14.1)', () => {
  expect(questionFor(443).datagrams()[0]?.length).toBe(1200)
})
