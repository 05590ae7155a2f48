import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Instruction } from '../rawsocket/packetFilter.ts'
import { answerFilter } from './answerFilter.ts'
import { CLOSED, newAnswer, OPEN, readAnswer, REFUSED } from './answer.ts'
import { writeHead, writeEthernet } from './frame.ts'

const BASE = 0xf100
const MACS = { sourceMac: Buffer.from('0200000000aa', 'hex'), destinationMac: Buffer.from('020000000001', 'hex') }
const HOST = { 4: '10.0.0.9', 6: 'fd00::9' } as const
const US = { 4: '10.0.0.1', 6: 'fd00::1' } as const

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

function packet(family: 4 | 6, protocol: number, payload: Buffer, link = true): Buffer {
  const bytes = Buffer.alloc(200)
  const head = writeHead(bytes, 0, { ...MACS, source: address(HOST[family]), destination: address(US[family]), protocol, payloadBytes: payload.length })
  payload.copy(bytes, head)
  return bytes.subarray(link ? 0 : 14, head + payload.length)
}

function tcp(flags: number, fields: { from?: number; to?: number; acknowledged?: number } = {}): Buffer {
  const bytes = Buffer.alloc(20)
  bytes.writeUInt16BE(fields.from ?? 443, 0)
  bytes.writeUInt16BE(fields.to ?? BASE + 3, 2)
  bytes.writeUInt32BE(fields.acknowledged ?? 0x12345679, 8)
  bytes.writeUInt8(0x50, 12)
  bytes.writeUInt8(flags, 13)
  return bytes
}

/** An ICMP error from a router, quoting our own SYN to the host. */
function icmpError(family: 4 | 6, type: number, quotedTcpBytes = 8): Buffer {
  const probe = Buffer.alloc(quotedTcpBytes)
  if (quotedTcpBytes >= 8) {
    probe.writeUInt16BE(BASE + 3, 0)
    probe.writeUInt16BE(443, 2)
    probe.writeUInt32BE(0x12345678, 4)
  }
  const quoted = Buffer.alloc(100)
  const length = writeHead(quoted, 0, { ...MACS, source: address(US[family]), destination: address(HOST[family]), protocol: 6, payloadBytes: 24 })
  probe.copy(quoted, length)
  const header = Buffer.from([type, 13, 0, 0, 0, 0, 0, 0])
  return packet(family, family === 4 ? 1 : 58, Buffer.concat([header, quoted.subarray(14, length + probe.length)]))
}

function arpReply(operation: number): Buffer {
  const bytes = Buffer.alloc(42)
  writeEthernet(bytes, 0, MACS, 0x0806)
  Buffer.from(`00010800060400${operation.toString(16).padStart(2, '0')}0200000000aa0a000009`, 'hex').copy(bytes, 14)
  return bytes
}

const advertisement = (): Buffer =>
  packet(6, 58, Buffer.from('8800000060000000fd00000000000000000000000000000902010200000000aa', 'hex'))

const CASES: readonly [name: string, frame: Buffer, expected: { kind: string; state?: number }, passesFilter: boolean][] = [
  ['SYN+ACK is open', packet(4, 6, tcp(0x12)), { kind: 'tcp', state: OPEN }, true],
  ['SYN+ACK with ECN is open', packet(4, 6, tcp(0x52)), { kind: 'tcp', state: OPEN }, true],
  ['RST+ACK is closed', packet(4, 6, tcp(0x14)), { kind: 'tcp', state: CLOSED }, true],
  ['IPv6 SYN+ACK is open', packet(6, 6, tcp(0x12)), { kind: 'tcp', state: OPEN }, true],
  ['IPv6 RST+ACK is closed', packet(6, 6, tcp(0x14)), { kind: 'tcp', state: CLOSED }, true],
  ['RST without ACK acknowledges nothing', packet(4, 6, tcp(0x04)), { kind: 'none' }, true],
  ['a bare SYN is no answer', packet(4, 6, tcp(0x02)), { kind: 'none' }, true],
  ['data of another connection', packet(4, 6, tcp(0x10)), { kind: 'none' }, true],
  ['TCP to a port that is not ours', packet(4, 6, tcp(0x12, { to: 0x8000 })), { kind: 'tcp', state: OPEN }, false],
  ['ICMP prohibited', icmpError(4, 3), { kind: 'tcp', state: REFUSED }, true],
  ['ICMP time exceeded', icmpError(4, 11), { kind: 'tcp', state: REFUSED }, true],
  ['ICMP error that quotes too little', icmpError(4, 3, 4), { kind: 'none' }, true],
  ['ICMPv6 prohibited', icmpError(6, 1), { kind: 'tcp', state: REFUSED }, true],
  ['ARP reply', arpReply(2), { kind: 'neighbour' }, true],
  ['ARP request', arpReply(1), { kind: 'none' }, false],
  ['neighbour advertisement', advertisement(), { kind: 'neighbour' }, true],
  ['UDP', packet(4, 17, tcp(0)), { kind: 'none' }, false],
]

test.each(CASES)('%s', (_, frame, expected, passesFilter) => {
  const answer = newAnswer()
  readAnswer(frame, 0, frame.length, answer)
  expect(answer).toMatchObject(expected)
  if (answer.kind === 'tcp') expect(answer).toMatchObject({ port: 443, sequence: 0x12345678 })
  if (answer.kind === 'tcp') expect(frame.subarray(answer.addressOffset).toString('hex')).toMatch(/^(0a000009|fd0000000000000000000000000000(00)?09)/)
  if (answer.kind === 'neighbour') expect(frame.subarray(answer.macOffset, answer.macOffset + 6).toString('hex')).toBe('0200000000aa')
  expect(runFilter(answerFilter(BASE), frame) > 0).toBe(passesFilter)
})

test('IPv4 options move the TCP header, and fragments are refused', () => {
  const plain = packet(4, 6, tcp(0x12))
  const withOptions = Buffer.concat([plain.subarray(0, 34), Buffer.alloc(4, 1), plain.subarray(34)])
  withOptions.writeUInt8(0x46, 14)
  const answer = newAnswer()
  readAnswer(withOptions, 0, withOptions.length, answer)
  expect(answer).toMatchObject({ kind: 'tcp', state: OPEN, port: 443 })
  expect(runFilter(answerFilter(BASE), withOptions)).toBeGreaterThan(0)
  plain.writeUInt16BE(0x0001, 20)
  expect(runFilter(answerFilter(BASE), plain)).toBe(0)
})

test('what stands behind the frame in the same memory is not read as part of it', () => {
  const frame = packet(4, 6, tcp(0x12))
  const answer = newAnswer()
  for (let length = 0; length < frame.length; length++) {
    readAnswer(Buffer.concat([Buffer.alloc(7), frame]), 7, length, answer)
    expect(answer.kind).toBe('none')
  }
  readAnswer(Buffer.concat([Buffer.alloc(7), frame, Buffer.alloc(9)]), 7, frame.length, answer)
  expect(answer).toMatchObject({ kind: 'tcp', state: OPEN, port: 443, addressOffset: 33 })
})

test('frames cut anywhere, or of random bytes, never throw', () => {
  const frames = fc.oneof(
    fc.uint8Array({ maxLength: 192 }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(fc.constantFrom(...CASES.map(([, frame]) => frame)), fc.nat(120), fc.nat(255), fc.nat(120)).map(([frame, cut, byte, at]) => {
      const copy = Buffer.from(frame.subarray(0, cut))
      if (at < copy.length) copy[at] = byte
      return copy
    }),
  )
  fc.assert(fc.property(frames, (frame) => readAnswer(frame, 0, frame.length, newAnswer()) === undefined), { numRuns: 3000 })
})

/** Classic BPF as the kernel runs it, for the instructions that the assembler knows; a load outside the packet ends with 0. */
function runFilter(program: readonly Instruction[], frame: Buffer): number {
  let a = 0
  let x = 0
  for (let at = 0; ; at++) {
    const { code, value, ifTrue, ifFalse } = program[at] ?? { code: -1, value: 0, ifTrue: 0, ifFalse: 0 }
    const from = code === 0x48 || code === 0x50 ? x + value : value
    const size = code === 0x28 || code === 0x48 ? 2 : code === 0x30 || code === 0x50 || code === 0xb1 ? 1 : 0
    if (size > 0 && from + size > frame.length) return 0
    if (code === 0x28 || code === 0x48) a = frame.readUInt16BE(from)
    else if (code === 0x30 || code === 0x50) a = frame.readUInt8(from)
    else if (code === 0xb1) x = (frame.readUInt8(from) & 0x0f) * 4
    else if (code === 0x54) a &= value
    else if (code === 0x15) at += a === value ? ifTrue : ifFalse
    else if (code === 0x45) at += (a & value) !== 0 ? ifTrue : ifFalse
    else if (code === 0x06) return value
    else throw new Error(`no instruction ${code} at ${at}`)
  }
}
