import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameReader } from './frame.ts'

const LIMIT = 1_000_000
const DIGEST = 'a'.repeat(64)

const reading = (...chunks: readonly (string | Buffer)[]): FrameReader => {
  const reader = new FrameReader(LIMIT)
  for (const chunk of chunks) reader.add(Buffer.from(chunk))
  return reader
}

describe('a greeting', () => {
  test.each([
    [`portcullis-session 0.1.0 ${DIGEST}\n`, { kind: 'whole', value: { version: '0.1.0', digest: DIGEST } }],
    [`portcullis-session 0.1.0 ${DIGEST}`, { kind: 'more' }],
    ['', { kind: 'more' }],
    ['Last login: Tue\n', { kind: 'bad' }],
    [`portcullis-session 0.1.0 ${DIGEST.slice(1)}\n`, { kind: 'bad' }],
    ['x'.repeat(300), { kind: 'bad' }],
  ])('%j', (text, expected) => {
    expect(reading(text).takeGreeting()).toEqual(expected)
  })
})

describe('a reply', () => {
  test.each([
    ['reply 0 3 0\nabc', { kind: 'whole', value: { exitCode: 0, stdout: 'abc', stderr: '' } }],
    ['reply 19 0 4\nbusy', { kind: 'whole', value: { exitCode: 19, stdout: '', stderr: 'busy' } }],
    ['reply 0 3 0\nab', { kind: 'more' }],
    ['reply 0 3', { kind: 'more' }],
    ['reply 0 3 -1\nabc', { kind: 'bad' }],
    ['reply 0 3\nabc', { kind: 'bad' }],
    ['bash: warning\nreply 0 0 0\n', { kind: 'bad' }],
    ['reply 0 1000000 1\n', { kind: 'too-much' }],
    ['reply 0 9999999999 0\n', { kind: 'too-much' }],
  ])('%j', (text, expected) => {
    expect(reading(text).takeReply()).toEqual(expected)
  })

  test('what is written comes back, however it is cut into chunks', () => {
    const reply = fc.record({ exitCode: fc.nat(255), stdout: fc.string({ unit: 'grapheme', maxLength: 50 }), stderr: fc.string({ maxLength: 20 }) })
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 5 }), fc.array(fc.nat(200), { maxLength: 20 }), (replies, cuts) => {
        const bytes = Buffer.concat(replies.map(({ exitCode, stdout, stderr }) => Buffer.from(`reply ${exitCode} ${Buffer.byteLength(stdout)} ${Buffer.byteLength(stderr)}\n${stdout}${stderr}`)))
        const reader = new FrameReader(LIMIT)
        const taken: unknown[] = []
        const ends = [...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length]
        let start = 0
        for (const end of ends) {
          reader.add(bytes.subarray(start, end))
          start = end
          for (let read = reader.takeReply(); read.kind !== 'more'; read = reader.takeReply()) {
            if (read.kind !== 'whole') throw new Error(read.kind)
            taken.push(read.value)
          }
        }
        expect(taken).toEqual(replies)
      }),
    )
  })
})
