import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Result } from '@portcullis/core/fault/fault.ts'
import type { Host, Transport } from '@portcullis/core/policy/policy.ts'
import type { HostReply, HostVerb } from '@portcullis/engine/ports.ts'
import type { Lab } from '@portcullis/lab/start.ts'
import type { Spawned } from '@portcullis/lab/netns.ts'
import type { HostsOptions } from '../hosts.ts'
import type { FlowEnd } from './flow.ts'
import type { Order } from './relay.ts'

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export interface Ruleset {
  readonly text: string
  readonly digest: string
}

export const rulesetOf = (text: string): Ruleset => ({ text, digest: createHash('sha256').update(text).digest('hex') })
export const GATE = rulesetOf(readFileSync(path('../../../host/testdata/gate.nft'), 'utf8'))

/** Transports read no address, and a bigint would not pass through JSON. */
export const hostWith = (name: string, transport: Transport): Host => ({ name, addresses: [], labels: {}, tier: 'standard', transport })

/** A controller process; `at` is the argv that starts it where it is to stand. */
export class Controller {
  readonly #relay: Spawned
  readonly #lines: AsyncIterator<string>

  constructor(start: (argv: readonly string[]) => Spawned, host: Host, options: HostsOptions = {}) {
    this.#relay = start([process.execPath, path('relay.ts'), JSON.stringify(host), JSON.stringify(options)])
    const { stdout } = this.#relay.process
    if (!stdout) throw new Error('the relay has no output')
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
    this.#relay.process.stdin?.on('error', () => {})
  }

  async order<T>(order: Order): Promise<Result<T>> {
    this.#relay.process.stdin?.write(`${JSON.stringify(order)}\n`)
    const line = await this.#lines.next()
    if (line.done) throw new Error('the controller has ended')
    return JSON.parse(line.value) as Result<T>
  }

  /** Where the script was put. A fault is an error here. */
  async install(): Promise<string> {
    const result = await this.order<{ readonly path: string }>({ kind: 'install' })
    if (!result.ok) throw new Error(result.faults.map((fault) => fault.what.en).join('; '))
    return result.value.path
  }

  /** `lease add tcp 80 any 60`. A fault is an error here. */
  async call(words: string, input?: string, timeoutMs = 60_000): Promise<HostReply> {
    const [verb = '', ...args] = words.split(' ')
    const call = { verb: verb as HostVerb, args, timeoutMs, ...(input === undefined ? {} : { input }) }
    const result = await this.order<HostReply>({ kind: 'call', call })
    if (!result.ok) throw new Error(result.faults.map((fault) => `${fault.code} ${fault.what.en}`).join('; '))
    return result.value
  }

  /** What it printed, or `EXIT-CODE reason`. */
  async say(words: string, input?: string): Promise<string> {
    const reply = await this.call(words, input)
    return reply.exitCode === 0 ? reply.stdout.trimEnd() : `${reply.exitCode} ${reply.stderr.trimEnd()}`
  }

  async apply(generation: number, ruleset: Ruleset, seconds = 60): Promise<void> {
    for (const [words, input] of [
      [`stage ${generation} ${ruleset.digest}`, ruleset.text],
      [`arm ${seconds}`],
      [`swap ${generation} ${ruleset.digest}`],
    ] as const) {
      const reply = await this.call(words, input)
      if (reply.exitCode !== 0) throw new Error(`${words}: ${reply.exitCode} ${reply.stderr}`)
    }
  }

  async confirm(generation: number, ruleset: Ruleset): Promise<void> {
    await this.apply(generation, ruleset)
    const reply = await this.call(`confirm ${generation}`)
    if (reply.exitCode !== 0) throw new Error(reply.stderr)
  }

  /** As if the machine under it had lost power. */
  async die(): Promise<void> {
    this.#relay.process.stdin?.write('{"kind":"die"}\n')
    await this.#relay.ended
  }

  async close(): Promise<void> {
    this.#relay.process.stdin?.end()
    await this.#relay.ended
  }
}

/** Starts one end of a flow and waits until it listens or is connected. */
export async function startFlow(lab: Lab, host: string, words: string): Promise<() => Promise<FlowEnd>> {
  const { process: child } = lab.host(host).spawn([process.execPath, path('flow.ts'), ...words.split(' ')])
  if (!child.stdout) throw new Error('a flow has no output')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ready = await lines.next()
  if (ready.value !== 'ready') throw new Error(`${host}: ${words}: ${String(ready.value)}`)
  return async () => JSON.parse(String((await lines.next()).value)) as FlowEnd
}
