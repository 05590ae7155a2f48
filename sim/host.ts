import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import type { Clock, HostCall, HostReply, HostVerb } from '@portcullis/engine/ports.ts'
import { createHash } from 'node:crypto'

/** A managed host that keeps to `docs/host-verbs.md`, in memory: what it holds, and what it would boot into. */
export interface SimHost {
  readonly name: string
  confirmed?: SimRuleset
  staged?: SimRuleset
  /** What the kernel enforces. */
  live?: SimRuleset
  armedUntilMs?: number
  /** Tables that others keep there, as nft writes them. */
  others?: string
  /** What its sensors see; part of the facts. */
  observations: readonly Observation[]
  clockSkewMs: number
  answer: (call: HostCall) => HostReply
  /** The time has passed: fires the armed revert when it is due. */
  tick: () => void
}

export interface SimRuleset {
  readonly generation: number
  readonly digest: string
  readonly text: string
}

/** What the simulated `facts` says; the simulated reader reads it back. */
export interface SimFacts {
  readonly live?: string
  readonly others?: string
  readonly observations: readonly Observation[]
  readonly clock: number
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

export function simHost(name: string, clock: Pick<Clock, 'now'>): SimHost {
  const host: SimHost = {
    name,
    observations: [],
    clockSkewMs: 0,
    tick: () => {
      if (host.armedUntilMs !== undefined && clock.now() >= host.armedUntilMs) revert(host)
    },
    answer: (call) => {
      host.tick()
      const answered = VERBS[call.verb](host, call, clock)
      return { stderr: '', durationMs: 1, ...(typeof answered === 'number' ? { exitCode: answered, stdout: '' } : { exitCode: 0, stdout: answered }) }
    },
  }
  return host
}

/** Standard output, or the exit code of a refusal. */
type Verb = (host: SimHost, call: HostCall, clock: Pick<Clock, 'now'>) => string | number

const VERBS: Readonly<Record<HostVerb, Verb>> = {
  version: (host, _, clock) =>
    [
      'portcullis-host 0.1.0',
      'nft 1.0.6',
      `confirmed ${held(host.confirmed)}`,
      `staged ${held(host.staged)}`,
      `armed ${host.armedUntilMs === undefined ? '-' : Math.ceil((host.armedUntilMs - clock.now()) / 1000)}`,
      '',
    ].join('\n'),
  facts: (host, _, clock) => {
    const facts: SimFacts = {
      ...(host.live ? { live: host.live.text } : {}),
      ...(host.others === undefined ? {} : { others: host.others }),
      observations: host.observations.map((seen) => ({ ...seen, at: clock.now() })),
      clock: clock.now() + host.clockSkewMs,
    }
    return section('sim', JSON.stringify(facts, writeBigInt))
  },
  counters: () => section('sim', '[]'),
  holders: () => section('sim', '[]'),
  stage: (host, { args, input = '' }) => {
    const [generation = '0', digest = ''] = args
    if (Number(generation) <= (host.confirmed?.generation ?? 0)) return 11
    if (host.staged && host.armedUntilMs !== undefined && host.staged.digest !== digest) return 19
    if (sha256(input) !== digest) return 14
    host.staged = { generation: Number(generation), digest, text: input }
    return `staged ${held(host.staged)}\n`
  },
  arm: (host, { args }, clock) => {
    host.armedUntilMs = clock.now() + Number(args[0]) * 1000
    return `armed ${args[0]}\n`
  },
  swap: (host, { args }, clock) => {
    const [generation, digest, seconds] = args
    if (host.armedUntilMs === undefined && seconds === undefined) return 16
    if (!host.staged) return 17
    if (generation !== undefined && `${generation} ${digest}` !== held(host.staged)) return 21
    if (seconds !== undefined) host.armedUntilMs = clock.now() + Number(seconds) * 1000
    host.live = host.staged
    return `swapped ${held(host.live)} 20000\n`
  },
  confirm: (host, { args }) => {
    if (host.confirmed?.generation === Number(args[0])) return `confirmed ${held(host.confirmed)}\n`
    if (host.armedUntilMs === undefined || host.live?.generation !== Number(args[0])) return 21
    host.confirmed = host.live
    delete host.armedUntilMs
    delete host.staged
    return `confirmed ${held(host.confirmed)}\n`
  },
  revert: (host) => {
    revert(host)
    return `reverted ${held(host.confirmed)}\n`
  },
  lease: () => 2,
  block: () => 2,
  cut: (host, { input = '' }) => {
    const wanted = new Set(input.split('\n'))
    const isCut = (seen: Observation): boolean => seen.kind === 'flow' && wanted.has(`${seen.protocol} ${seen.port} ${formatAddress(seen.source)}`)
    const count = host.observations.filter(isCut).length
    host.observations = host.observations.filter((seen) => !isCut(seen))
    return `cut ${count} 0 0 0\n`
  },
  boot: (host) => {
    revert(host)
    return `booted ${held(host.confirmed)}\n`
  },
}

function revert(host: SimHost): void {
  if (host.confirmed) host.live = host.confirmed
  else delete host.live
  delete host.staged
  delete host.armedUntilMs
}

const held = (ruleset: SimRuleset | undefined): string => (ruleset ? `${ruleset.generation} ${ruleset.digest}` : '-')

const section = (name: string, text: string): string => `@section ${name} ${Buffer.byteLength(text)}\n${text}\n@end\n`

const writeBigInt = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? { bigint: String(value) } : value)
