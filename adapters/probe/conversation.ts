import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { answerOfError, noAnswer, unasked, type ProbeAnswer, type ProbedTarget } from './probe.ts'

/** No server of those that are asked says more than this before it is judged. */
const BYTES_MAX = 64 * 1024

/** One TCP connection, with one deadline for everything said on it. */
export class Conversation {
  readonly startedMs: number
  readonly #socket: Duplex
  #heard: Buffer = Buffer.alloc(0)
  #wake: () => void = () => undefined
  #ended: unknown

  /** `startedMs`: when the connection was begun, by the monotonic clock. */
  constructor(socket: Duplex, startedMs: number) {
    this.#socket = socket
    this.startedMs = startedMs
    socket.on('data', (bytes) => {
      this.#heard = Buffer.concat([this.#heard, bytes])
      if (this.#heard.length > BYTES_MAX) socket.destroy(new Error(`more than ${BYTES_MAX} bytes`))
      this.#wake()
    })
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Error('closed by the other side')))
  }

  get elapsedMs(): number {
    return performance.now() - this.startedMs
  }

  say(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Takes the next bytes as soon as `sizeOf` says how many there are to be; `sizeOf` gets what was heard and says undefined while it cannot know. */
  async hear(sizeOf: (heard: Buffer) => number | undefined): Promise<Buffer> {
    for (;;) {
      const size = sizeOf(this.#heard)
      if (size !== undefined && this.#heard.length >= size) {
        const taken = this.#heard.subarray(0, size)
        this.#heard = this.#heard.subarray(size)
        return taken
      }
      if (this.#ended !== undefined) throw this.#ended
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #end(error: unknown): void {
    this.#ended ??= error
    this.#wake()
  }
}

/** Connects and talks; whatever happens, the socket is gone afterwards and there is an answer by the deadline. */
export async function converse(port: number, target: ProbedTarget, talk: (conversation: Conversation) => Promise<ProbeAnswer>): Promise<ProbeAnswer> {
  if (target.signal.aborted) return unasked('stopped', '已停止')
  const startedMs = performance.now()
  const over = new AbortController()
  const connected = dial(port, { ...target, signal: AbortSignal.any([target.signal, over.signal]) })
  const spoken = connected.then((stream) => talk(new Conversation(stream, startedMs))).catch(answerOfError)
  try {
    return await byDeadline(spoken, target)
  } finally {
    over.abort()
    connected.then((stream) => stream.destroy(), () => undefined)
  }
}

/** One TCP connection to the target, from its vantage; given out when it is open. */
export function dial(port: number, target: ProbedTarget): Promise<Duplex> {
  if (target.vantage) return target.vantage.connect(target.address, port, target)
  const { address: host, signal } = target
  const socket = connect({ host, port })
  return new Promise((resolve, reject) => {
    // Not as an option of the socket, which would hold for all its life: Node 24 crashes where TLS and the socket below it are ended at once.
    const stop = (): void => void socket.destroy(Object.assign(new Error('stopped'), { code: 'ABORT_ERR' }))
    signal.addEventListener('abort', stop, { once: true })
    socket.once('connect', () => {
      signal.removeEventListener('abort', stop)
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

/** The answer, or that there was none in time. */
export async function byDeadline(answer: Promise<ProbeAnswer>, { timeoutMs, signal }: ProbedTarget): Promise<ProbeAnswer> {
  const over = Promise.withResolvers<ProbeAnswer>()
  const timer = setTimeout(() => over.resolve(noAnswer(timeoutMs)), timeoutMs)
  const stop = (): void => over.resolve(unasked('stopped', '已停止'))
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([answer, over.promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}
