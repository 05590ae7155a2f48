import { fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { collect, STDERR_BYTES_MAX, type Limits, type Program, type Start } from './child.ts'
import { FrameReader, type Greeting, type Read, type ReplyFrame } from './frame.ts'
import { cancelled, linkLost, outputTooLarge, timedOut } from './linkFault.ts'
import { endedFault } from './endedFault.ts'
import type { Way } from './way.ts'

/** One `portcullis-host session`: a long-lived process that answers calls in turn. After a fault it is over and a new one is needed. */
export interface Session {
  readonly greeting: Greeting
  readonly isOpen: boolean
  ask(request: Request, limits: Limits): Promise<Result<ReplyFrame>>
  close(): Promise<void>
}

export interface Request {
  readonly verb: string
  readonly args: readonly string[]
  readonly input: string
}

/** How long a session may take to notice that its input has ended. */
const CLOSE_MS_MAX = 2_000

export async function openSession(way: Way, start: Start, limits: Limits): Promise<Result<Session>> {
  const process = new SessionProcess(way, start, limits.outputBytesMax)
  const greeting = await process.expect('session', (reader) => reader.takeGreeting(), limits)
  if (!greeting.ok) return greeting
  return succeed({
    greeting: greeting.value,
    get isOpen() {
      return process.isOpen
    },
    ask(request, asked) {
      process.send(request)
      return process.expect(request.verb, (reader) => reader.takeReply(), asked)
    },
    close: () => process.close(),
  })
}

class SessionProcess {
  readonly #way: Way
  readonly #child: Program
  readonly #reader: FrameReader
  readonly #stderr: ReturnType<typeof collect>
  readonly #ended: Promise<void>
  #exitCode: number | undefined
  #isKilled = false
  #onChange = () => {}

  constructor(way: Way, start: Start, outputBytesMax: number) {
    this.#way = way
    this.#reader = new FrameReader(outputBytesMax)
    this.#child = start(way.script(['session'], true))
    this.#stderr = collect(this.#child.stderr, STDERR_BYTES_MAX)
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#reader.add(chunk)
      this.#onChange()
    })
    this.#ended = new Promise((resolve) => {
      const end = (exitCode: number) => {
        this.#exitCode = exitCode
        this.#onChange()
        resolve()
      }
      this.#child.once('error', () => end(127))
      this.#child.once('close', (code) => end(code ?? 255))
    })
  }

  get isOpen(): boolean {
    return this.#exitCode === undefined && !this.#isKilled
  }

  send(request: Request): void {
    const input = Buffer.from(request.input, 'utf8')
    this.#child.stdin.write(`${[input.length, request.verb, ...request.args].join(' ')}\n`)
    if (input.length > 0) this.#child.stdin.write(input)
  }

  /** Waits for one whole thing, the end of the process, or a limit. */
  expect<T>(verb: string, take: (reader: FrameReader) => Read<T>, limits: Limits): Promise<Result<T>> {
    const host = this.#way.host.name
    return new Promise((resolve) => {
      const settle = (result: Result<T>) => {
        clearTimeout(timer)
        limits.signal?.removeEventListener('abort', cancel)
        this.#onChange = () => {}
        if (!result.ok) this.#kill()
        resolve(result)
      }
      const cancel = () => settle(fail(cancelled(host, verb)))
      const timer = setTimeout(() => settle(fail(timedOut(host, verb, limits.timeoutMs))), limits.timeoutMs)
      this.#onChange = () => {
        const read = take(this.#reader)
        if (read.kind === 'whole') settle(succeed(read.value))
        else if (read.kind === 'bad') settle(fail(linkLost(host, verb, 'not an answer of portcullis-host')))
        else if (read.kind === 'too-much') settle(fail(outputTooLarge(host, verb, limits.outputBytesMax)))
        else if (this.#exitCode !== undefined) settle(fail(endedFault(this.#way, verb, this.#exitCode, this.#stderr.text())))
      }
      limits.signal?.addEventListener('abort', cancel, { once: true })
      if (limits.signal?.aborted) cancel()
      else this.#onChange()
    })
  }

  async close(): Promise<void> {
    if (this.#exitCode !== undefined) return
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#kill(), CLOSE_MS_MAX)
    await this.#ended
    clearTimeout(timer)
  }

  #kill(): void {
    this.#isKilled = true
    this.#child.kill('SIGKILL')
  }
}
