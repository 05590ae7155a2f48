/**
 * What `portcullis-host session` says: a greeting, then for every request a line `reply EXIT-CODE BYTES BYTES`
 * and that many bytes of standard output and standard error. `docs/host-verbs.md` states it.
 */
export interface Greeting {
  readonly version: string
  readonly digest: string
}

export interface ReplyFrame {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export type Read<T> = { readonly kind: 'whole'; readonly value: T } | { readonly kind: 'more' } | { readonly kind: 'bad' | 'too-much' }

/** Longer than any greeting or reply line. */
const LINE_BYTES_MAX = 256

/** Collects the bytes of a session and takes whole things off the front. */
export class FrameReader {
  #chunks: Buffer[] = []
  #bytes = 0
  #bytesNeeded = 1
  readonly #bytesMax: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }

  get isEmpty(): boolean {
    return this.#bytes === 0
  }

  takeGreeting(): Read<Greeting> {
    const line = this.#line()
    if (line.kind !== 'whole') return line
    const match = /^portcullis-session ([0-9.]{1,20}) ([0-9a-f]{64})$/.exec(line.value)
    if (!match) return { kind: 'bad' }
    this.#drop(line.value.length + 1)
    return { kind: 'whole', value: { version: match[1] ?? '', digest: match[2] ?? '' } }
  }

  takeReply(): Read<ReplyFrame> {
    const line = this.#line()
    if (line.kind !== 'whole') return line
    const match = /^reply ([0-9]{1,3}) ([0-9]{1,10}) ([0-9]{1,10})$/.exec(line.value)
    if (!match) return { kind: 'bad' }
    const [exitCode = 0, out = 0, err = 0] = match.slice(1).map(Number)
    if (out + err > this.#bytesMax) return { kind: 'too-much' }
    const start = line.value.length + 1
    this.#bytesNeeded = start + out + err
    if (this.#bytes < this.#bytesNeeded) return { kind: 'more' }
    const all = this.#joined()
    const value = { exitCode, stdout: all.toString('utf8', start, start + out), stderr: all.toString('utf8', start + out, start + out + err) }
    this.#drop(this.#bytesNeeded)
    return { kind: 'whole', value }
  }

  #line(): Read<string> {
    // The body of a large reply comes in many chunks: joined once, when all are there.
    if (this.#bytes < this.#bytesNeeded) return { kind: 'more' }
    const all = this.#joined()
    const end = all.indexOf(0x0a)
    if (end >= 0 && end <= LINE_BYTES_MAX) return { kind: 'whole', value: all.toString('latin1', 0, end) }
    return all.length > LINE_BYTES_MAX ? { kind: 'bad' } : { kind: 'more' }
  }

  #joined(): Buffer {
    const all = this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all
  }

  #drop(bytes: number): void {
    const rest = this.#joined().subarray(bytes)
    this.#chunks = rest.length > 0 ? [rest] : []
    this.#bytes = rest.length
    this.#bytesNeeded = 1
  }
}
