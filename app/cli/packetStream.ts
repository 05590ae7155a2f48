import type { Fault } from '@portcullis/core/fault/fault.ts'
import { readPacketObject } from '@portcullis/core/ruleset/packetObject.ts'
import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import type { PacketVerdict } from '@portcullis/core/verify/decide.ts'
import { verdictJson } from './rulesetJson.ts'

export interface StreamDoors {
  readonly decide: (packet: Packet) => PacketVerdict
  readonly write: (text: string) => void
  /** Resolves when the reader has taken what was written. */
  readonly drained: () => Promise<void>
  readonly signal: { readonly aborted: boolean }
}

export interface StreamTally {
  readonly accepted: number
  readonly denied: number
  readonly undecided: number
  /** Lines that are no packet. */
  readonly faulty: number
}

/** Longer than any packet; a file that is none has no lines. */
export const LINE_CHARACTERS_MAX = 16 * 1024

/**
 * Answers a stream of packets, one JSON object a line, with one a line in the same order. A line that is no packet is answered
 * `{"line": N, "error": FAULT}` in its place, and the stream goes on; empty lines are passed over. An `id` comes back as it is.
 */
export async function streamVerdicts(chunks: AsyncIterable<string>, doors: StreamDoors): Promise<StreamTally> {
  const answers = new Answers(doors.decide)
  let rest = ''
  for await (const chunk of chunks) {
    if (doors.signal.aborted) break
    const text = rest + chunk
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      answers.line(text, start, end)
      start = end + 1
    }
    // What is beyond the limit is as wrong as what is at it, and need not be kept.
    rest = text.slice(start, start + LINE_CHARACTERS_MAX + 1)
    doors.write(answers.take())
    await doors.drained()
  }
  if (!doors.signal.aborted) answers.line(rest, 0, rest.length)
  doors.write(answers.take())
  return answers.tally
}

class Answers {
  readonly tally = { accepted: 0, denied: 0, undecided: 0, faulty: 0 }
  readonly #decide: StreamDoors['decide']
  readonly #written = new WeakMap<object, string>()
  #line = 0
  #text = ''

  constructor(decide: StreamDoors['decide']) {
    this.#decide = decide
  }

  take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  line(text: string, start: number, end: number): void {
    this.#line += 1
    if (end - start > LINE_CHARACTERS_MAX) return this.#refuse(tooLong)
    const line = text.slice(start, end)
    if (BLANK.test(line)) return
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      return this.#refuse(notJson)
    }
    this.#packet(value)
  }

  #packet(value: unknown): void {
    const { id, packet } = withoutId(value)
    const read = readPacketObject(packet)
    const [fault] = read.ok ? [] : read.faults
    if (fault) return this.#refuse(fault, id)
    if (read.ok) this.#answer(this.#decide(read.value), id)
  }

  #answer(verdict: PacketVerdict, id: unknown): void {
    this.tally[verdict.kind === 'accepted' || verdict.kind === 'undecided' ? verdict.kind : 'denied'] += 1
    const answer = SURE_ANSWERS[verdict.kind] ?? this.#undecided(verdict)
    this.#text += id === undefined ? `{${answer}}\n` : `{"id":${JSON.stringify(id)},${answer}}\n`
  }

  /** Many packets have the same reasons, and reasons are long. */
  #undecided(verdict: PacketVerdict): string {
    const reasons = verdict.kind === 'undecided' && typeof verdict.because === 'object' ? verdict.because : undefined
    const known = reasons && this.#written.get(reasons)
    if (known !== undefined) return known
    const answer = JSON.stringify(verdictJson(verdict)).slice(1, -1)
    if (reasons) this.#written.set(reasons, answer)
    return answer
  }

  #refuse(fault: Fault, id?: unknown): void {
    this.tally.faulty += 1
    this.#text += `${JSON.stringify({ ...(id === undefined ? {} : { id }), line: this.#line, error: fault })}\n`
  }
}

const BLANK = /^\s*$/

/** Written as they are: most answers are of these. */
const SURE_ANSWERS: Readonly<Partial<Record<PacketVerdict['kind'], string>>> = {
  accepted: '"verdict":"accepted"',
  dropped: '"verdict":"dropped"',
  rejected: '"verdict":"rejected"',
}

/** Whatever the sender calls a packet by. */
function withoutId(value: unknown): { readonly id?: unknown; readonly packet: unknown } {
  if (typeof value !== 'object' || value === null || !('id' in value)) return { packet: value }
  const { id, ...packet } = value
  return { id, packet }
}

const tooLong: Fault = {
  code: 'PACKET_LINE',
  what: { en: `the line is longer than ${LINE_CHARACTERS_MAX} characters`, zh: `该行超过 ${LINE_CHARACTERS_MAX} 个字符` },
}

const notJson: Fault = {
  code: 'PACKET_LINE',
  what: { en: 'the line is not JSON', zh: '该行不是 JSON' },
  next: { en: 'one object a line: {"proto":"tcp","saddr":"198.51.100.7","daddr":"192.0.2.1","dport":22}', zh: '每行一个对象：{"proto":"tcp","saddr":"198.51.100.7","daddr":"192.0.2.1","dport":22}' },
}
