import { spawn } from 'node:child_process'
import { answerOfError, noAnswer, unasked, type ProbeAnswer, type ProbedTarget } from './probe.ts'

const OUTPUT_BYTES_MAX = 64 * 1024
/** Between SIGTERM and SIGKILL. */
const PATIENCE_MS = 500

export interface ChildEnd {
  readonly exitCode: number | null
  readonly stdout: Buffer
  readonly stderr: string
  readonly durationMs: number
}

/** Runs argv, no shell, with the input, until `isEnough` or its end; past the deadline it is killed, and its whole group with it. */
export function runChild(argv: readonly string[], target: ProbedTarget, options: { input?: Uint8Array; isEnough?: (stdout: Buffer) => boolean }, judge: (end: ChildEnd) => ProbeAnswer): Promise<ProbeAnswer> {
  if (target.signal.aborted) return Promise.resolve(unasked('stopped', '已停止'))
  const startedMs = performance.now()
  const [program = '', ...args] = argv
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...(process.env['HOME'] ? { HOME: process.env['HOME'] } : {}) } })
  let [stdout, stderr]: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)]
  const { promise, resolve } = Promise.withResolvers<ProbeAnswer>()
  const end = (exitCode: number | null): void => resolve(judge({ exitCode, stdout, stderr: stderr.toString('utf8'), durationMs: performance.now() - startedMs }))
  child.stdout.on('data', (bytes: Buffer) => {
    if (stdout.length < OUTPUT_BYTES_MAX) stdout = Buffer.concat([stdout, bytes])
    if (options.isEnough?.(stdout)) end(null)
  })
  child.stderr.on('data', (bytes: Buffer) => {
    if (stderr.length < OUTPUT_BYTES_MAX) stderr = Buffer.concat([stderr, bytes])
  })
  child.stdin.on('error', () => undefined)
  child.once('error', (error) => resolve(answerOfError(error)))
  child.once('close', end)
  // Left open where something more is awaited: a client that reads the end of its input hangs up.
  if (options.isEnough) child.stdin.write(options.input ?? '')
  else child.stdin.end(options.input)
  const timer = setTimeout(() => resolve(noAnswer(target.timeoutMs)), target.timeoutMs)
  const stop = (): void => resolve(unasked('stopped', '已停止'))
  target.signal.addEventListener('abort', stop, { once: true })
  return promise.finally(() => {
    clearTimeout(timer)
    target.signal.removeEventListener('abort', stop)
    killGroup(child.pid, () => child.exitCode === null && child.signalCode === null)
  })
}

function killGroup(pid: number | undefined, isAlive: () => boolean): void {
  if (pid === undefined || !isAlive()) return
  const kill = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal)
    } catch {
      // It has ended by itself.
    }
  }
  kill('SIGTERM')
  setTimeout(() => isAlive() && kill('SIGKILL'), PATIENCE_MS).unref()
}
