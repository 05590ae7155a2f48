import { Duplex } from 'node:stream'
import { start } from '../transport/child.ts'
import { VantageError, type DialLimits } from './vantage.ts'

export interface Tunnel {
  readonly argv: readonly string[]
  /** On standard error, a line that says that the other end has answered. */
  readonly isOpen: (line: string) => boolean
  /** Why it ended without; undefined where only the target is to blame. */
  readonly ownFault: (stderr: string) => Promise<string | undefined>
}

const STDERR_BYTES_MAX = 16 * 1024

/** Runs a program whose standard input and output are one TCP connection from elsewhere. */
export function openTunnel({ argv, isOpen, ownFault }: Tunnel, { timeoutMs, signal }: DialLimits): Promise<Duplex> {
  const child = start(argv)
  const stream = duplexOf(child.stdin, child.stdout)
  const end = (): void => void child.kill('SIGKILL')
  stream.once('close', end)
  // Whoever waits has given up by then, and does not always say so.
  AbortSignal.any([signal, AbortSignal.timeout(timeoutMs * 2)]).addEventListener('abort', end, { once: true })
  let stderr = ''
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new VantageError(error.message)))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < STDERR_BYTES_MAX) stderr += text
      if (stderr.split('\n').slice(0, -1).some(isOpen)) resolve(stream)
    })
    child.once('close', () => void ownFault(stderr).then((own) => reject(own === undefined ? refused() : new VantageError(own)), reject))
  })
}

const refused = (): Error => Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })

/** Looks enough like a socket for clients that set options on theirs. */
function duplexOf(input: NodeJS.WritableStream, output: NodeJS.ReadableStream): Duplex {
  const stream = Duplex.from({ readable: output, writable: input })
  const same = (): Duplex => stream
  stream.on('error', () => undefined)
  return Object.assign(stream, { setNoDelay: same, setKeepAlive: same, setTimeout: same, ref: same, unref: same })
}
