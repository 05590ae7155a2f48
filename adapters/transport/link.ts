import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { HostCall, HostLink, HostReply } from '@portcullis/engine/ports.ts'
import { run, start, type Ended, type Limits, type Start } from './child.ts'
import { endedFault } from './endedFault.ts'
import type { Greeting } from './frame.ts'
import { badArgument, cancelled, inputTooLarge, outputTooLarge, scriptOld, scriptTampered, timedOut } from './linkFault.ts'
import type { PackagedScript } from './packagedScript.ts'
import { openSession, type Session } from './session.ts'
import { isPlainWord, type Way } from './way.ts'

/** As the script's own limit for a ruleset; no other verb reads input. */
export const INPUT_BYTES_MAX = 16 * 1024 * 1024
/** A ruleset of 16 MiB read back as JSON, its counters and the routes beside it. */
export const OUTPUT_BYTES_MAX = 256 * 1024 * 1024

export interface LinkOptions {
  /** `session`: one process for all calls. `call`: one process each, for a host whose sshd ends long ones. */
  readonly mode: 'session' | 'call'
  readonly connectMs: number
  readonly signal?: Cancellation
  readonly onClose?: (link: HostLink) => void
  /** Default: by this process. */
  readonly start?: Start
}

type Cancellation = NonNullable<HostCall['signal']>

/** Opens a way to a host and makes sure that the script there is ours. */
export async function openLink(way: Way, script: PackagedScript, options: LinkOptions): Promise<Result<HostLink>> {
  const link = new Link(way, script, options)
  const startedMs = performance.now()
  const opened = await link.open()
  link.openingMs = performance.now() - startedMs
  return opened.ok ? succeed(link) : opened
}

/** Less is no time to die in. */
const IDLE_MS = 1_000

class Link implements HostLink {
  openingMs = 0
  readonly #way: Way
  readonly #script: PackagedScript
  readonly #options: LinkOptions
  #session: Session | undefined
  #answeredMs = performance.now()
  #last: Promise<unknown> = Promise.resolve()

  constructor(way: Way, script: PackagedScript, options: LinkOptions) {
    this.#way = way
    this.#script = script
    this.#options = options
  }

  get host() {
    return this.#way.host
  }

  open(): Promise<Result<unknown>> {
    const limits = limitsOf(this.#options.connectMs, this.#options.signal)
    return this.#options.mode === 'session' ? this.#openSession(limits) : this.#greetByCall(limits)
  }

  call(call: HostCall): Promise<Result<HostReply>> {
    const answer = this.#last.then(() => this.#answer(call))
    this.#last = answer
    return answer
  }

  async close(): Promise<void> {
    await this.#last
    await this.#session?.close()
    this.#session = undefined
    this.#options.onClose?.(this)
  }

  async #answer(call: HostCall): Promise<Result<HostReply>> {
    const refusal = refuse(this.host.name, call)
    if (refusal) return fail(refusal)
    const startedMs = performance.now()
    const limits = limitsOf(call.timeoutMs, call.signal)
    const reply = this.#options.mode === 'session' ? await this.#askSession(call, limits) : await this.#askByCall(call, limits)
    return reply.ok ? succeed({ ...reply.value, durationMs: performance.now() - startedMs }) : reply
  }

  async #askSession(call: HostCall, limits: Limits) {
    const old = this.#session?.isOpen ? this.#session : undefined
    const session: Result<Session> = old ? succeed(old) : await this.#openSession(limits)
    if (!session.ok) return session
    const request = { verb: call.verb, args: call.args, input: call.input ?? '' }
    const wasIdle = old !== undefined && performance.now() - this.#answeredMs > IDLE_MS
    const answer = await session.value.ask(request, limits)
    this.#answeredMs = performance.now()
    // A connection that nobody used may have died meanwhile without a word. Every verb gives the same when repeated.
    if (answer.ok || !wasIdle || !answer.faults.some(({ code }) => code === 'HOST_LINK_LOST')) return answer
    const again = await this.#openSession(limits)
    return again.ok ? again.value.ask(request, limits) : again
  }

  async #openSession(limits: Limits): Promise<Result<Session>> {
    const opened = await openSession(this.#way, this.#options.start ?? start, limits)
    if (!opened.ok) return opened
    const fault = this.#judge(opened.value.greeting)
    if (fault) {
      await opened.value.close()
      return fail(fault)
    }
    this.#session = opened.value
    return opened
  }

  async #askByCall(call: HostCall, limits: Limits): Promise<Result<Omit<HostReply, 'durationMs'>>> {
    const ended = await run(this.#way.script([call.verb, ...call.args], false), call.input ?? '', limits, this.#options.start)
    if (ended.kind !== 'exited') return fail(limitFault(this.host.name, call.verb, limits, ended.kind))
    const fault = this.#way.explain(ended.exitCode, ended.stderr)
    if (fault) return fail(fault)
    if (ended.exitCode > 125) return fail(endedFault(this.#way, call.verb, ended.exitCode, ended.stderr))
    return succeed(ended)
  }

  async #greetByCall(limits: Limits): Promise<Result<unknown>> {
    const ended = await run(this.#way.script(['version'], false), '', limits, this.#options.start)
    if (ended.kind !== 'exited') return fail(limitFault(this.host.name, 'version', limits, ended.kind))
    const version = /^portcullis-host (\S+)$/m.exec(ended.stdout)?.[1]
    const digest = /^script (\S+)$/m.exec(ended.stdout)?.[1]
    if (version === undefined || digest === undefined) return fail(endedFault(this.#way, 'version', ended.exitCode, ended.stderr))
    const fault = this.#judge({ version, digest })
    return fault ? fail(fault) : succeed(undefined)
  }

  #judge(greeting: Greeting): Fault | undefined {
    const { version, digest } = this.#script
    if (greeting.version !== version) return scriptOld(this.host.name, greeting.version, version)
    if (greeting.digest !== digest) return scriptTampered(this.host.name, this.#way.scriptPath, greeting.digest, digest)
    return undefined
  }
}

const limitsOf = (timeoutMs: number, signal: Cancellation | undefined): Limits => ({
  timeoutMs,
  outputBytesMax: OUTPUT_BYTES_MAX,
  ...(signal ? { signal } : {}),
})

function refuse(host: string, call: HostCall): Fault | undefined {
  const bytes = Buffer.byteLength(call.input ?? '')
  if (bytes > INPUT_BYTES_MAX) return inputTooLarge(host, call.verb, bytes, INPUT_BYTES_MAX)
  if (!call.args.every(isPlainWord)) return badArgument(host, call.verb)
  return undefined
}

function limitFault(host: string, verb: string, limits: Limits, kind: Exclude<Ended['kind'], 'exited'>): Fault {
  if (kind === 'timed-out') return timedOut(host, verb, limits.timeoutMs)
  return kind === 'cancelled' ? cancelled(host, verb) : outputTooLarge(host, verb, limits.outputBytesMax)
}
