import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { perform } from './perform.ts'
import type { Use } from './use.ts'

/** A use that a client repeats for as long as the workload runs. */
export interface Task {
  readonly name: string
  readonly use: Use
  /** Pause between the end of one use and the start of the next. */
  readonly everyMs: number
  /** Keeps one connection open instead and expects the server to go on sending: established flows must survive too. */
  readonly isHeld?: boolean
}

/** What one task lived through. */
export interface TaskRecord {
  readonly name: string
  readonly uses: number
  readonly failures: number
  readonly slowestMs: number
  readonly interruptions: readonly Interruption[]
}

/** From the last moment at which the service worked to the first at which it worked again, or to the end. */
export interface Interruption {
  readonly startedAt: number
  readonly endedAt: number
  readonly because: string
}

export interface Workload {
  /** Lets uses that are under way finish, then tells what happened. */
  stop(): Promise<TaskRecord[]>
}

/** A held connection that is silent for longer has been interrupted; the feed sends every 50 ms. */
const HELD_SILENCE_MS_MAX = 1_000

/** Uses each task's service over and over, all tasks side by side. */
export function startWorkload(tasks: readonly Task[]): Workload {
  const stopping = new AbortController()
  const running = tasks.map((task) => runTask(task, stopping.signal))
  return {
    stop() {
      stopping.abort()
      return Promise.all(running)
    },
  }
}

async function runTask(task: Task, stopping: AbortSignal): Promise<TaskRecord> {
  const log = new TaskLog()
  while (!stopping.aborted) {
    if (task.isHeld) await hold(task.use, log, stopping)
    else {
      const { ok, durationMs, detail } = await perform(task.use)
      log.add(ok, durationMs, detail)
    }
    await sleep(task.everyMs, undefined, { signal: stopping }).catch(() => {})
  }
  return log.record(task.name)
}

/** One connection for as long as it lives; every message of the server counts as a use. */
function hold({ address, port }: Use, log: TaskLog, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: HELD_SILENCE_MS_MAX })
    let heardAtMs = performance.now()
    const end = (because: string) => {
      if (!stopping.aborted) log.add(false, performance.now() - heardAtMs, because)
      stopping.removeEventListener('abort', leave)
      socket.removeAllListeners('close')
      socket.destroy()
      resolve()
    }
    const leave = () => end('')
    stopping.addEventListener('abort', leave)
    socket.on('data', () => {
      log.add(true, performance.now() - heardAtMs, '')
      heardAtMs = performance.now()
    })
    // On a busy machine this process stands still too, and then its timers come before what has long arrived.
    const endIfSilent = () => {
      if (performance.now() - heardAtMs >= HELD_SILENCE_MS_MAX) end(`silent for ${HELD_SILENCE_MS_MAX} ms`)
    }
    socket.on('timeout', () => setImmediate(endIfSilent))
    socket.once('error', (error) => end(error.message))
    socket.once('close', () => end('closed by the server'))
  })
}

class TaskLog {
  private uses = 0
  private failures = 0
  private slowestMs = 0
  private workedAt = Date.now()
  private open: { startedAt: number; because: string } | undefined
  private readonly interruptions: Interruption[] = []

  add(ok: boolean, durationMs: number, detail: string): void {
    this.uses += 1
    this.slowestMs = Math.max(this.slowestMs, durationMs)
    if (!ok) {
      this.failures += 1
      this.open ??= { startedAt: this.workedAt, because: detail }
      return
    }
    this.workedAt = Date.now()
    this.closeInterruption()
  }

  record(name: string): TaskRecord {
    this.closeInterruption()
    const { uses, failures, slowestMs, interruptions } = this
    return { name, uses, failures, slowestMs, interruptions }
  }

  private closeInterruption(): void {
    if (this.open === undefined) return
    this.interruptions.push({ ...this.open, endedAt: Date.now() })
    this.open = undefined
  }
}
