import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'

/** What a finished command said. `exitCode` is 128 + the signal's number where a signal ended it, as shells have it. */
export interface CommandResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}

export interface CommandOptions {
  readonly input?: string | Uint8Array
  /** The command's process group is killed after this time. Default 60 s: nothing in a lab may hang for ever. */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

/** Runs an argv to its end. Never throws for a non-zero exit; rejects only where the program cannot be started. */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const startedMs = performance.now()
  const child = startCommand(argv, options, 'pipe')
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  const timer = setTimeout(() => {
    killGroup(child, 'SIGKILL')
    // What left the group (setsid) may hold the other ends open.
    child.stdout?.destroy()
    child.stderr?.destroy()
  }, options.timeoutMs ?? 60_000)
  child.stdin?.on('error', () => {}) // A command that does not read its input closes the pipe early (EPIPE).
  child.stdin?.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      const exitCode = code ?? 128 + (signal === 'SIGKILL' ? 9 : 15)
      resolve({ exitCode, stdout: stdout(), stderr: stderr(), durationMs: performance.now() - startedMs })
    })
  })
}

/** As `runCommand`, but a non-zero exit is an error that shows the command and what it said. */
export async function mustRun(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await runCommand(argv, options)
  if (result.exitCode === 0) return result.stdout
  throw new Error(`${argv.join(' ')} ended with ${result.exitCode}: ${result.stderr.trim() || result.stdout.trim()}`)
}

/** Starts an argv in a process group of its own, so that `killGroup` reaches whatever it starts in turn. */
export function startCommand(argv: readonly string[], options: CommandOptions, stdio: StdioOptions): ChildProcess {
  const [program, ...args] = argv
  if (program === undefined) throw new Error('an empty argv names no program')
  return spawn(program, args, {
    stdio,
    detached: true,
    cwd: options.cwd ?? '/',
    env: { ...process.env, PATH: LAB_PATH, LC_ALL: 'C.UTF-8', ...options.env },
  })
}

/** The tools live in sbin, which the PATH of an ordinary user lacks. */
export const LAB_PATH = `/usr/sbin:/sbin:${process.env['PATH'] ?? '/usr/bin:/bin'}`

export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // It ended between the look and the kill.
  }
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = []
  let bytes = 0
  stream?.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= OUTPUT_BYTES_MAX) chunks.push(chunk)
  })
  return () => Buffer.concat(chunks).toString('utf8')
}
