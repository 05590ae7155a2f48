import type { Fault } from '@portcullis/core/fault/fault.ts'
import { FaultError } from '@portcullis/core/fault/fault.ts'
import { killGroup, startCommand } from '@portcullis/lab/command.ts'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ControllerNote, ControllerReply, ControllerRequest, ScanWord } from './controllerMessage.ts'

/** The machine that Portcullis runs on. */
export interface Controller {
  /**
   * Runs `portcullis ARGV --json` there and gives what it printed. Throws a FaultError where it ended with another code
   * than the allowed ones.
   */
  command<Answer>(argv: readonly string[], how?: CommandOptions): Promise<Answer>
  /** Adds what scans have found to what the controller knows. */
  note(scans: readonly ScanWord[]): Promise<void>
  close(): Promise<void>
}

export interface CommandOptions {
  /** Exit codes that are no failure of the demo; 0 without it. */
  readonly allowed?: readonly number[]
  /** Beside the command that is at work, as from a second terminal. */
  readonly isBeside?: boolean
  /** Gets each line that the command writes on standard error. */
  readonly onNote?: (line: string) => void
}

export interface ControllerOptions {
  readonly namespace: string
  /** To be made; what the controller remembers lasts as long as it does. */
  readonly stateFolder: string
}

export function startController({ namespace, stateFolder }: ControllerOptions): Controller {
  mkdirSync(stateFolder)
  const argv = ['ip', 'netns', 'exec', namespace, 'sh', '-c', ON_TMPFS, 'sh', stateFolder, process.execPath, PROCESS]
  const child = startCommand(argv, {}, ['pipe', 'pipe', 'inherit'])
  const ask = askOf(child)
  return {
    async command<Answer>(command: readonly string[], { allowed = [0], isBeside = false, onNote }: CommandOptions = {}) {
      const { exitCode, out } = await ask({ kind: 'command', argv: [...command, '--json'], isBeside, isFollowed: onNote !== undefined }, onNote)
      if (!allowed.includes(exitCode)) throw new FaultError(commandFailed(command, exitCode, out))
      return JSON.parse(out) as Answer
    },
    async note(scans) {
      const { exitCode, out } = await ask({ kind: 'scans', scans })
      if (exitCode !== 0) throw new FaultError(commandFailed(['scan'], exitCode, out))
    },
    async close() {
      child.stdin?.end()
      const timer = setTimeout(() => killGroup(child, 'SIGKILL'), CLOSE_MS_MAX)
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      clearTimeout(timer)
    },
  }
}

/** ip-netns(8) gives a command mounts of its own: the file system is seen by the controller alone, and is gone with it. */
const ON_TMPFS = 'mount -t tmpfs -o mode=0755 controller "$1" && exec "$2" "$3" "$1"'
const PROCESS = fileURLToPath(new URL('controllerProcess.ts', import.meta.url))
/** A database that is told to stop needs a moment to write down what it has. */
const CLOSE_MS_MAX = 10_000

type Question = { readonly kind: 'command'; readonly argv: readonly string[]; readonly isBeside: boolean; readonly isFollowed: boolean } | { readonly kind: 'scans'; readonly scans: readonly ScanWord[] }

function askOf(child: ChildProcess): (question: Question, onNote?: (line: string) => void) => Promise<ControllerReply> {
  const waiting = new Map<number, Waiting>()
  let death: Error | undefined
  let next = 0
  child.stdin?.on('error', () => undefined) // Its death is told by `exit`.
  child.once('exit', (code) => {
    death = new Error(`the controller ended with ${code}`)
    for (const { reject } of waiting.values()) reject(death)
    waiting.clear()
  })
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const reply = JSON.parse(line) as ControllerReply | ControllerNote
      if ('note' in reply) return waiting.get(reply.id)?.onNote?.(reply.note)
      waiting.get(reply.id)?.resolve(reply)
      waiting.delete(reply.id)
    })
  }
  return (question, onNote) =>
    new Promise((resolve, reject) => {
      if (death) return reject(death)
      const request: ControllerRequest = { id: next++, ...question }
      waiting.set(request.id, { resolve, reject, ...(onNote ? { onNote } : {}) })
      child.stdin?.write(`${JSON.stringify(request)}\n`)
    })
}

interface Waiting {
  readonly resolve: (answer: ControllerReply) => void
  readonly reject: (error: Error) => void
  readonly onNote?: (line: string) => void
}

/** Says what the command said: the first of its faults where it printed any. */
function commandFailed(argv: readonly string[], exitCode: number, out: string): Fault {
  const said = firstFault(out)
  const command = `portcullis ${argv[0]}`
  return {
    code: 'DEMO_COMMAND_FAILED',
    what: { en: `${command} ended with ${exitCode}: ${said.en}`, zh: `${command} 的退出码为 ${exitCode}：${said.zh}` },
  }
}

function firstFault(out: string): { en: string; zh: string } {
  const found = /"what":\s*\{\s*"en":\s*("(?:[^"\\]|\\.)*"),\s*"zh":\s*("(?:[^"\\]|\\.)*")/.exec(out)
  const text = out.slice(0, 400)
  return found ? { en: JSON.parse(found[1] ?? '""') as string, zh: JSON.parse(found[2] ?? '""') as string } : { en: text, zh: text }
}
