import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import type { RolloutEvent } from '@portcullis/engine/rolloutStore.ts'

const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
/** Of Linux on every machine that Node runs on (sysconf(3), _SC_CLK_TCK). */
const TICKS_PER_SECOND = 100
const LOOK_MS = 200

/** Where the command runs, and which files it is given. */
export interface Stand {
  /** Of the network namespace that reaches every host. */
  readonly namespace: string
  readonly folder: string
}

/** What a run of the command took of its machine, without its database. */
export interface Usage {
  readonly cpuSeconds: number
  readonly residentBytesMax: number
}

export interface CommandRun extends Usage {
  /** CPU time up to a moment, every `LOOK_MS`. Milliseconds since 1970, seconds. */
  readonly course: readonly { readonly at: number; readonly cpuSeconds: number }[]
  readonly code: number | null
  readonly out: string
  readonly err: string
  /** From start to end. */
  readonly milliseconds: number
}

export interface RunOptions {
  /** Called with every event of a rollout as it is told. */
  readonly onEvent?: (event: RolloutEvent, kill: () => void) => void
}

/** `portcullis ARGUMENT…` as a user runs it. */
export async function portcullis({ namespace, folder }: Stand, argv: readonly string[], { onEvent }: RunOptions = {}): Promise<CommandRun> {
  const startedMs = performance.now()
  // `nice` and `ip netns exec` become the command, so that its process is this child. It goes first, because a real
  // controller shares its processors with no host: starting a program holds it up until that program has had its turn.
  const child = spawn('nice', ['-n', '-10', 'ip', 'netns', 'exec', namespace, process.execPath, BIN, ...argv, '--state', `${folder}/state`], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  let usage: Usage = { cpuSeconds: 0, residentBytesMax: 0 }
  const course: { at: number; cpuSeconds: number }[] = []
  const timer = setInterval(() => {
    usage = usageOf(child, usage)
    course.push({ at: Date.now(), cpuSeconds: usage.cpuSeconds })
  }, LOOK_MS)
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  const lines = createInterface({ input: child.stderr })
  lines.on('line', (line) => {
    err = `${err}${line}\n`.slice(-4_000)
    const event = onEvent ? readEvent(line) : undefined
    if (event) onEvent?.(event, () => child.kill('SIGKILL'))
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', (exit) => resolve(exit)))
  clearInterval(timer)
  return { code, out, err, milliseconds: performance.now() - startedMs, course, ...usage }
}

/** Of the command's own process. */
export function cpuSecondsBetween({ course }: CommandRun, from: number, until: number): number {
  const upTo = (moment: number): number => course.findLast(({ at }) => at <= moment)?.cpuSeconds ?? 0
  return upTo(until) - upTo(from)
}

export async function must(stand: Stand, argv: readonly string[]): Promise<CommandRun> {
  const run = await portcullis(stand, argv)
  if (run.code !== 0) throw new Error(`portcullis ${argv.join(' ')} ended with ${String(run.code)}: ${run.out.slice(-2_000)}${run.err}`)
  return run
}

export function stateOf({ out, err, code }: CommandRun): RolloutState {
  const read = out === '' ? undefined : (JSON.parse(out) as { rollout?: RolloutState }).rollout
  if (!read) throw new Error(`no rollout (exit code ${String(code)}): ${out.slice(-2_000)}${err}`)
  return read
}

function readEvent(line: string): RolloutEvent | undefined {
  if (!line.startsWith('{')) return undefined
  const read = JSON.parse(line) as Partial<RolloutEvent>
  // What is done to a host step by step is told there too, with a name.
  return 'signal' in read || 'action' in read ? (read as RolloutEvent) : undefined
}

/** What has ended, or is just ending, tells no memory any more. */
function usageOf({ pid }: ChildProcess, before: Usage): Usage {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // proc_pid_stat(5): fields 14 and 15, counted from behind the name.
    const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13).map(Number)
    const kibibytes = Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
    return { cpuSeconds: (user + system) / TICKS_PER_SECOND, residentBytesMax: Math.max(before.residentBytesMax, kibibytes * 1024) }
  } catch {
    return before
  }
}
