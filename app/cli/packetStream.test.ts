import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import type { PacketVerdict } from '@portcullis/core/verify/decide.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LINE_CHARACTERS_MAX, streamVerdicts, type StreamTally } from './packetStream.ts'

const packetTo = (dport: number): string => JSON.stringify({ proto: 'tcp', saddr: '198.51.100.7', daddr: '192.0.2.1', dport })

/** Odd ports are accepted. */
const decide = ({ destinationPort = 0 }: Packet): PacketVerdict => ({ kind: destinationPort % 2 === 1 ? 'accepted' : 'dropped' })

async function* chunksOf(text: string, size: number): AsyncIterable<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size)
}

async function answer(chunks: AsyncIterable<string>, aborted = false): Promise<{ readonly tally: StreamTally; readonly lines: readonly string[]; readonly waits: number }> {
  let text = ''
  let waits = 0
  const drained = async (): Promise<void> => void (waits += 1)
  const tally = await streamVerdicts(chunks, { decide, write: (part) => void (text += part), drained, signal: { aborted } })
  return { tally, lines: text.split('\n').slice(0, -1), waits }
}

const words = (lines: readonly string[]): readonly string[] =>
  lines.map((line) => {
    const read = JSON.parse(line) as { readonly verdict?: string; readonly line?: number }
    return read.verdict ?? `fault in ${read.line}`
  })

test('wherever the chunks end, the answers are the same', async () => {
  const text = [packetTo(1), '{', packetTo(2), '', packetTo(3)].join('\n')
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: text.length }), fc.boolean(), async (size, hasEnd) => {
      const { tally, lines } = await answer(chunksOf(hasEnd ? `${text}\n` : text, size))
      expect(words(lines)).toEqual(['accepted', 'fault in 2', 'dropped', 'accepted'])
      expect(tally).toEqual({ accepted: 2, denied: 1, undecided: 0, faulty: 1 })
    }),
    { numRuns: 60 },
  )
})

test('a line without an end is refused once, and nothing of it is kept', async () => {
  const long = `{"a":"${'x'.repeat(3 * LINE_CHARACTERS_MAX)}"}`
  const { lines } = await answer(chunksOf(`${packetTo(1)}\n${long}\n${packetTo(1)}\n`, 1000))
  expect(words(lines)).toEqual(['accepted', 'fault in 2', 'accepted'])
})

test('a line of exactly the limit is read', async () => {
  const line = packetTo(1).replace(/\}$/, ' '.repeat(LINE_CHARACTERS_MAX - packetTo(1).length) + '}')
  expect(words((await answer(chunksOf(`${line}\n`, 4096))).lines)).toEqual(['accepted'])
})

test('waits for its reader after each chunk', async () => {
  const { waits } = await answer(chunksOf(`${packetTo(1)}\n`.repeat(10), packetTo(1).length + 1))
  expect(waits).toBe(10)
})

test('stops when told to', async () => {
  expect((await answer(chunksOf(`${packetTo(1)}\n`, 1000), true)).lines).toEqual([])
})

test('an id comes back, of whatever kind', async () => {
  const { lines } = await answer(chunksOf(`{"id":{"flow":7},"proto":"tcp","saddr":"198.51.100.7","daddr":"192.0.2.1","dport":1}\n{"id":"b"}\n`, 1000))
  expect(lines.map((line) => (JSON.parse(line) as { readonly id: unknown }).id)).toEqual([{ flow: 7 }, 'b'])
})
