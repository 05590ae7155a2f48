import { parentPort, Worker, workerData } from 'node:worker_threads'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import { composeWay } from '@portcullis/core/verify/compose.ts'
import { PacketSpace } from '@portcullis/core/verify/packetSpace.ts'
import { hostRules, nftJsonOf } from './hostRules.ts'

/** Hosts with rules of their own, from `first` on: what the kernel lists is parsed, built, and compared with what was meant. */
interface Share {
  readonly first: number
  readonly hosts: number
  readonly rules: number
}

/** Milliseconds until all hosts are verified, the making of their texts not counted. */
export function verifyFleet({ first, hosts, rules }: Share): number {
  const texts = Array.from({ length: hosts }, (_, host) => nftJsonOf(hostRules({ rules, seed: first + host + 1 })))
  const started = performance.now()
  for (const text of texts) {
    const live = parseNftJson(text, 'live')
    const meant = parseNftJson(text, 'meant')
    if (!live.ok || !meant.ok) throw new Error('does not parse')
    const space = new PacketSpace([live.value, meant.value])
    if (composeWay(space, live.value, 'input') !== composeWay(space, meant.value, 'input')) throw new Error('must be equal')
  }
  return performance.now() - started
}

/** The same by workers side by side; the slowest decides. */
export async function verifyFleetBy(workers: number, hosts: number, rules: number): Promise<number> {
  const share = Math.ceil(hosts / workers)
  const times = await Promise.all(
    Array.from({ length: workers }, (_, index) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { first: index * share, hosts: Math.min(share, hosts - index * share), rules } satisfies Share })
      return new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject))
    }),
  )
  return Math.max(...times)
}

parentPort?.postMessage(verifyFleet(workerData as Share), [])
