import { connect, type Socket } from 'node:net'
import { answerOfError, noAnswer, unasked, type ProbeAnswer, type ProbedTarget } from './probe.ts'

/** No server of those that are asked says more than this before it is judged. */
const BYTES_MAX = 64 * 1024

/** One TCP connection, with one deadline for everything said on it. */
export class Conversation {
  readonly startedMs = performance.now()
  readonly #socket: Socket
  #heard: Buffer = Buffer.alloc(0)
  #wake: () => void = () => undefined
  #ended: unknown

  constructor(socket: Socket) {
    this.#socket = socket
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
  const socket = connect({ host: target.address, port })
  const conversation = new Conversation(socket)
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const spoken = connected.then(() => talk(conversation)).catch(answerOfError)
  try {
    return await byDeadline(spoken, target)
  } finally {
    socket.destroy()
  }
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
