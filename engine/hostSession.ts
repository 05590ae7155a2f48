import { fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import type { LiveFlow } from '@portcullis/core/plan/flowEnds.ts'
import { hostFault, unreadableReply } from './hostFault.ts'
import type { Cancellation, HostCall, HostLink, HostVerb } from './ports.ts'

/** The generation that a ruleset on a host carries, with the SHA-256 of its text. */
export interface HeldGeneration {
  readonly generation: number
  readonly digest: string
}

export interface HostVersion {
  readonly script: string
  readonly nft: string
  readonly confirmed?: HeldGeneration
  readonly staged?: HeldGeneration
  /** What the kernel enforces, by the table's own word. */
  readonly live?: HeldGeneration
  /** Seconds until the armed revert fires. */
  readonly armedSeconds?: number
}

export interface Swapped extends HeldGeneration {
  /** In steps of 10,000. */
  readonly durationUs: number
}

/** One verb of `portcullis-host` each, its answer read. A fault is the host's refusal, no answer, or an answer that is none. */
export interface HostSession {
  version(signal?: Cancellation): Promise<Result<HostVersion>>
  facts(signal?: Cancellation): Promise<Result<string>>
  counters(signal?: Cancellation): Promise<Result<string>>
  holders(signal?: Cancellation): Promise<Result<string>>
  stage(staged: HeldGeneration, text: string, signal?: Cancellation): Promise<Result<HeldGeneration>>
  arm(seconds: number): Promise<Result<void>>
  /** Refused when another ruleset than this one is staged, and where no revert is armed; with `armSeconds`, it arms it itself. */
  swap(staged: HeldGeneration, armSeconds?: number): Promise<Result<Swapped>>
  confirm(generation: number): Promise<Result<HeldGeneration>>
  revert(): Promise<Result<HeldGeneration | undefined>>
  /** Ends the connections of these clients to these ports, both directions; waits until none of them is left, or for 5 s. */
  cut(flows: readonly Pick<LiveFlow, 'protocol' | 'port' | 'source'>[]): Promise<Result<CutCount>>
}

/** In connections, by the host's connection tracking. */
export interface CutCount {
  readonly before: number
  readonly left: number
  /** Forwarded ones that said nothing meanwhile: forgotten, but their ends were not told. */
  readonly silent: number
  /** Not touched: a lease lets them in. */
  readonly leased: number
}

/** Twice the 10 s that a call may wait for the host's lock, and the time of a 16 MiB ruleset for the large ones. */
const CALL_MS_MAX = 20_000
const LARGE_CALL_MS_MAX = 60_000

export function hostSession(link: HostLink): HostSession {
  const ask = async <T>(call: Omit<HostCall, 'timeoutMs'>, timeoutMs: number, read: Reader<T>): Promise<Result<T>> => {
    const answered = await link.call({ ...call, timeoutMs })
    if (!answered.ok) return answered
    if (answered.value.exitCode !== 0) return fail(hostFault(link.host.name, call.verb, answered.value))
    const value = read(answered.value.stdout)
    return value === undefined ? fail(unreadableReply(link.host.name, call.verb, answered.value.stdout)) : succeed(value.read)
  }
  const plain = (verb: HostVerb, args: readonly string[] = [], signal?: Cancellation): Omit<HostCall, 'timeoutMs'> =>
    signal ? { verb, args, signal } : { verb, args }
  return {
    version: (signal) => ask(plain('version', [], signal), CALL_MS_MAX, readVersion),
    facts: (signal) => ask(plain('facts', [], signal), LARGE_CALL_MS_MAX, readSections),
    counters: (signal) => ask(plain('counters', [], signal), LARGE_CALL_MS_MAX, readSections),
    holders: (signal) => ask(plain('holders', [], signal), LARGE_CALL_MS_MAX, readSections),
    stage: (held, input, signal) =>
      ask({ ...plain('stage', [String(held.generation), held.digest], signal), input }, LARGE_CALL_MS_MAX, (text) => readHeld('staged', text)),
    arm: (seconds) => ask(plain('arm', [String(seconds)]), CALL_MS_MAX, (text) => (text.startsWith('armed ') ? { read: undefined } : undefined)),
    swap: (held, armSeconds) => {
      const args = [String(held.generation), held.digest, ...(armSeconds === undefined ? [] : [String(armSeconds)])]
      return ask(plain('swap', args), LARGE_CALL_MS_MAX, readSwapped)
    },
    confirm: (generation) => ask(plain('confirm', [String(generation)]), CALL_MS_MAX, (text) => readHeld('confirmed', text)),
    revert: () => ask(plain('revert'), LARGE_CALL_MS_MAX, readReverted),
    cut: (flows) => ask({ ...plain('cut'), input: flows.map(({ protocol, port, source }) => `${protocol} ${port} ${formatAddress(source)}\n`).join('') }, LARGE_CALL_MS_MAX, readCut),
  }
}

/** Wrapped, so that nothing-there can be told from not understood. */
type Reader<T> = (stdout: string) => { readonly read: T } | undefined

const readSections: Reader<string> = (stdout) => (stdout.startsWith('@section ') && stdout.endsWith('@end\n') ? { read: stdout } : undefined)

function readHeld(word: string, stdout: string): { readonly read: HeldGeneration } | undefined {
  const match = new RegExp(`^${word} ([0-9]{1,15}) ([0-9a-f]{64})\\n?$`).exec(stdout)
  return match ? { read: { generation: Number(match[1]), digest: match[2] ?? '' } } : undefined
}

const readSwapped: Reader<Swapped> = (stdout) => {
  const match = /^swapped ([0-9]{1,15}) ([0-9a-f]{64}) ([0-9]+)\n?$/.exec(stdout)
  return match ? { read: { generation: Number(match[1]), digest: match[2] ?? '', durationUs: Number(match[3]) } } : undefined
}

const readCut: Reader<CutCount> = (stdout) => {
  const match = /^cut ([0-9]{1,9}) ([0-9]{1,9}) ([0-9]{1,9}) ([0-9]{1,9})\n?$/.exec(stdout)
  if (!match) return undefined
  const [before = 0, left = 0, silent = 0, leased = 0] = match.slice(1).map(Number)
  return { read: { before, left, silent, leased } }
}

const readReverted: Reader<HeldGeneration | undefined> = (stdout) => {
  if (/^reverted (0|-)( -)?\n?$/.test(stdout)) return { read: undefined }
  return readHeld('reverted', stdout)
}

const readVersion: Reader<HostVersion> = (stdout) => {
  const lines = new Map(stdout.split('\n').map((line) => [line.split(' ', 1)[0] ?? '', line.split(' ').slice(1)]))
  const script = lines.get('portcullis-host')?.[0]
  const nft = lines.get('nft')?.[0]
  if (script === undefined || nft === undefined || !lines.has('confirmed') || !lines.has('armed')) return undefined
  const confirmed = heldOf(lines.get('confirmed'))
  const staged = heldOf(lines.get('staged'))
  const live = heldOf(lines.get('live'))
  const armed = lines.get('armed')?.[0] ?? '-'
  return {
    read: {
      script,
      nft,
      ...(confirmed ? { confirmed } : {}),
      ...(staged ? { staged } : {}),
      ...(live ? { live } : {}),
      ...(/^[0-9]+$/.test(armed) ? { armedSeconds: Number(armed) } : {}),
    },
  }
}

function heldOf(words: readonly string[] | undefined): HeldGeneration | undefined {
  const [generation = '', digest = ''] = words ?? []
  return /^[0-9]{1,15}$/.test(generation) && /^[0-9a-f]{64}$/.test(digest) ? { generation: Number(generation), digest } : undefined
}
