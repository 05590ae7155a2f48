import { makeHosts } from '@portcullis/adapters/transport/hosts.ts'
import type { Namespace } from '@portcullis/lab/netns.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { HostReply, HostVerb } from '@portcullis/engine/ports.ts'
import { rulesetFor, type Endpoint } from '../peers/endpoint.ts'

/** Milliseconds as the caller sees them; `nftMs` is what the script says of nft alone. */
export interface HostSwap {
  readonly stageMs: number
  readonly swapMs: number
  readonly nftMs: number
}

/** A namespace under `portcullis-host`, reached over one session. */
export interface ManagedHost extends AsyncDisposable {
  /** Stages, arms, swaps and confirms a ruleset of the next generation. */
  swap(endpoints: readonly Endpoint[]): Promise<HostSwap>
}

const TIMEOUT_MS = 600_000
const REVERT_SECONDS = 600

export async function openManagedHost({ netns }: Namespace): Promise<ManagedHost> {
  const host: Host = { name: netns, addresses: [], labels: {}, tier: 'standard', transport: { kind: 'netns', namespace: netns } }
  const hosts = makeHosts()
  const link = await hosts.connect(host)
  if (!link.ok) throw new Error(link.faults[0]?.what.en)
  const call = async (verb: HostVerb, args: readonly string[], input?: string): Promise<HostReply> => {
    const reply = await link.value.call({ verb, args, timeoutMs: TIMEOUT_MS, ...(input === undefined ? {} : { input }) })
    if (!reply.ok) throw new Error(reply.faults[0]?.what.en)
    if (reply.value.exitCode !== 0) throw new Error(`${verb}: ${reply.value.exitCode} ${reply.value.stderr}`)
    return reply.value
  }
  let generation = 0
  return {
    async swap(endpoints) {
      generation += 1
      const { text, digest } = rulesetFor(endpoints, generation)
      const staged = await call('stage', [String(generation), digest], text)
      await call('arm', [String(REVERT_SECONDS)])
      const swapped = await call('swap', [String(generation), digest])
      await call('confirm', [String(generation)])
      return { stageMs: staged.durationMs, swapMs: swapped.durationMs, nftMs: microsecondsOf(swapped) / 1_000 }
    },
    [Symbol.asyncDispose]: () => hosts.close(),
  }
}

/** `swapped GENERATION DIGEST MICROSECONDS` */
const microsecondsOf = ({ stdout }: HostReply): number => Number(stdout.trim().split(' ').at(-1))
