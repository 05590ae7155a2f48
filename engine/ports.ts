import type { Result } from '@portcullis/core/fault/fault.ts'
import type { Instant } from '@portcullis/core/inventory/observation.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'

/** The doors through which the engine sees the world. Adapters implement them; `app/main.ts` wires them; `sim` fakes them. */

/** What the engine needs of the platform's AbortSignal, which has exactly this shape. */
export interface Cancellation {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export interface Clock {
  /** Goes on evenly, whoever sets the machine's clock. */
  now(): Instant
  /** What is known to have been is past: the clock goes on from there, where it is behind. */
  notBefore(at: Instant): void
  /** Resolves after the given time, or rejects with the signal's reason. */
  sleep(durationMs: number, signal?: Cancellation): Promise<void>
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  uuid(): string
}

/** The closed set of things that can be asked of a managed host; `docs/host-verbs.md` states each one's input, output and exit codes. */
export const HOST_VERBS = [
  'version',
  'facts',
  'stage',
  'arm',
  'swap',
  'confirm',
  'revert',
  'lease',
  'block',
  'counters',
  'holders',
  'cut',
  'boot',
] as const
export type HostVerb = (typeof HOST_VERBS)[number]

export interface HostCall {
  readonly verb: HostVerb
  /** Each of [A-Za-z0-9._:/@,=+-]+, so that no transport ever has to quote. */
  readonly args: readonly string[]
  /** The verb's standard input, UTF-8. */
  readonly input?: string
  readonly timeoutMs: number
  readonly signal?: Cancellation
}

export interface HostReply {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}

/** One open way to one host. Calls on a link are answered in order; links are independent. */
export interface HostLink {
  readonly host: Host
  /** From the start of opening it to the host's greeting, without the time for which it waited for its turn. Absent where nobody waits. */
  readonly openingMs?: number
  /** A fault means that no answer came (unreachable, timed out, script missing); a reply with a non-zero exit code is an answer. */
  call(call: HostCall): Promise<Result<HostReply>>
  close(): Promise<void>
}

export interface Hosts {
  /** A handshake of its own each time, never over a connection that is already up: a new link shows that the way still lets new ones in. */
  connect(host: Host, signal?: Cancellation): Promise<Result<HostLink>>
  /** A link over a connection that may be up already, which closing leaves open for a while. Absent where none are kept. */
  reach?(host: Host, signal?: Cancellation): Promise<Result<HostLink>>
  /** Puts `portcullis-host` of this version on the host, and its boot unit where there is systemd. */
  install(host: Host, signal?: Cancellation): Promise<Result<{ readonly path: string; readonly version: string }>>
  close(): Promise<void>
}

/** One probe of one endpoint from where the controller (or a named vantage) stands. */
export interface Probe {
  connect(target: ProbeTarget, signal?: Cancellation): Promise<ProbeOutcome>
  /** The own address that packets to the target leave with; undefined where there is no route. */
  sourceTowards?(address: string): Promise<string | undefined>
}

export interface ProbeTarget {
  readonly address: string
  readonly port: number
  readonly timeoutMs: number
}

export type ProbeOutcome =
  | { readonly kind: 'answered'; readonly durationMs: number }
  | { readonly kind: 'refused'; readonly durationMs: number }
  | { readonly kind: 'silent'; readonly durationMs: number }
  | { readonly kind: 'unknown'; readonly because: string }
