import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Cancellation } from '@portcullis/engine/ports.ts'

/** How a process that was started here came to its end. `exitCode` is 127 where the program itself is not there. */
export type Ended =
  | { readonly kind: 'exited'; readonly exitCode: number; readonly stdout: string; readonly stderr: string }
  | { readonly kind: 'timed-out' | 'cancelled' | 'too-much' }

export interface Limits {
  readonly timeoutMs: number
  readonly outputBytesMax: number
  readonly signal?: Cancellation
}

/** Whatever else a process says to standard error is forgotten. */
export const STDERR_BYTES_MAX = 64 * 1024

/** A program that runs: what is asked of a `ChildProcess` here. `close` gives its exit code, null where a signal ended it or nobody knows. */
export interface Program {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  kill(signal: NodeJS.Signals): boolean
  once(event: 'error', listener: (error: Error) => void): unknown
  once(event: 'close', listener: (code: number | null) => void): unknown
}

export type Start = (argv: readonly string[]) => Program

/** Runs an argv with `input` on its standard input, to its end or a limit. */
export function run(argv: readonly string[], input: string, limits: Limits, begin: Start = start): Promise<Ended> {
  const child = begin(argv)
  const stdout = collect(child.stdout, limits.outputBytesMax)
  const stderr = collect(child.stderr, STDERR_BYTES_MAX)
  child.stdin.end(input)
  return new Promise((resolve) => {
    const stop = (kind: 'timed-out' | 'cancelled' | 'too-much') => {
      child.kill('SIGKILL')
      settle({ kind })
    }
    const timer = setTimeout(() => stop('timed-out'), limits.timeoutMs)
    const cancel = () => stop('cancelled')
    const settle = (ended: Ended) => {
      clearTimeout(timer)
      limits.signal?.removeEventListener('abort', cancel)
      resolve(ended)
    }
    limits.signal?.addEventListener('abort', cancel, { once: true })
    stdout.onOverflow(() => stop('too-much'))
    child.once('error', (error) => settle({ kind: 'exited', exitCode: 127, stdout: '', stderr: error.message }))
    child.once('close', (code) => settle({ kind: 'exited', exitCode: code ?? 255, stdout: stdout.text(), stderr: stderr.text() }))
    if (limits.signal?.aborted) cancel()
  })
}

/** The tools live in sbin, which an ordinary user's PATH lacks; messages in English, because some are read. */
export const environment = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: `/usr/sbin:/sbin:${process.env['PATH'] ?? '/usr/bin:/bin'}`, LC_ALL: 'C' })

export function start(argv: readonly string[]) {
  const [program = '', ...words] = argv
  const child = spawn(program, words, { stdio: 'pipe', env: environment() })
  // A process that ends early breaks its pipe; that it ended is told by `close`.
  child.stdin.on('error', () => {})
  return child
}

/** Keeps the first `bytesMax` bytes of a stream. */
export function collect(stream: NodeJS.ReadableStream, bytesMax: number) {
  const chunks: Buffer[] = []
  let bytes = 0
  let overflow = () => {}
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= bytesMax) chunks.push(chunk)
    else overflow()
  })
  return {
    text: () => Buffer.concat(chunks).toString('utf8'),
    onOverflow(listener: () => void) {
      overflow = listener
    },
  }
}
