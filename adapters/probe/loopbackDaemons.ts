import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Real daemons on ports of the loopback that nobody has, for lab tests; all end with this. */
export class LoopbackDaemons implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'portcullis-daemons-'))
  readonly #running: ChildProcess[] = []

  /** Starts one; resolves when `isReady` says so. */
  async start(argv: readonly string[], isReady: () => Promise<boolean>): Promise<ChildProcess> {
    const [program = '', ...args] = argv
    const child = spawn(program, args, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let log = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-2000)))
    let error: Error | undefined
    child.once('error', (cause) => (error = cause))
    this.#running.push(child)
    const deadline = performance.now() + READY_MS_MAX
    while (!(await isReady())) {
      if (error || child.exitCode !== null || performance.now() > deadline) throw new Error(`${argv.join(' ')}: ${error?.message ?? log}`)
      await sleep(50)
    }
    return child
  }

  /** To the one that runs this program. */
  signal(program: string, signal: NodeJS.Signals): void {
    for (const child of this.#running) if (child.spawnfile === program && child.pid !== undefined) process.kill(child.pid, signal)
  }

  /** Ends it and waits until it has. */
  async stop(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    const ended = new Promise((resolve) => {
      child.once('exit', resolve)
    })
    process.kill(-child.pid, 'SIGTERM')
    await Promise.race([ended, sleep(3000)])
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((child) => this.stop(child)))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const READY_MS_MAX = 20_000

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => {
    server.close(resolve)
  })
  return port
}
