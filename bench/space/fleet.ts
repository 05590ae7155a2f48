import { parentPort, Worker, workerData } from 'node:worker_threads'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import { parseNftText } from '@portcullis/core/ruleset/nft/parseText.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { compareRulesets } from '@portcullis/core/verify/compare.ts'
import { compareWithIntent } from '@portcullis/core/verify/intentDiagram.ts'
import { SpaceMemory } from '@portcullis/core/verify/spaceMemory.ts'
import { intentFor, rulesetFor, type Endpoint } from '../peers/endpoint.ts'
import { mixtureOf } from '../peers/mixture.ts'
import { hostRules, nftJsonOf } from './hostRules.ts'

/** `rules`: each host has rules of its own; `needs`: our own table, for each host from other needs. */
export type FleetKind = 'rules' | 'needs'

export interface Fleet {
  readonly kind: FleetKind
  readonly hosts: number
  /** Rules or needs of a host. */
  readonly size: number
}

interface Share extends Fleet {
  readonly first: number
}

/** So many hosts are verified before the clock starts. */
const WARM_HOSTS = 20

/** Milliseconds until all hosts are verified by workers side by side; the slowest decides. */
export async function verifyFleetBy(workers: number, fleet: Fleet): Promise<number> {
  const share = Math.ceil(fleet.hosts / workers)
  const times = await Promise.all(
    Array.from({ length: workers }, (_, index) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { ...fleet, first: index * share, hosts: Math.min(share, fleet.hosts - index * share) } satisfies Share })
      return new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject))
    }),
  )
  return Math.max(...times)
}

/** The making of what the hosts have, and of what was meant, is not counted: the policy was resolved before. */
function verifyShare({ kind, first, hosts, size }: Share): number {
  const verify = VERIFIERS[kind]
  const memory = new SpaceMemory()
  for (let host = 0; host < WARM_HOSTS; host += 1) verify(subjectOf(kind, first + hosts + host, size), memory)
  let total = 0
  for (let host = 0; host < hosts; host += 1) {
    const subject = subjectOf(kind, first + host, size)
    const started = performance.now()
    verify(subject, memory)
    total += performance.now() - started
  }
  return total
}

interface Subject {
  readonly host: string
  readonly text: string
  readonly needs: readonly Endpoint[]
  readonly meant: Ruleset | undefined
}

function subjectOf(kind: FleetKind, host: number, size: number): Subject {
  if (kind === 'rules') {
    const text = nftJsonOf(hostRules({ rules: size, seed: host + 1 }))
    return { host: `host-${host}`, text, needs: [], meant: valueOf(parseNftJson(text, 'meant')) }
  }
  const needs = mixtureOf(size).map((need) => ({ ...need, port: need.port + host }))
  return { host: `host-${host}`, text: rulesetFor(needs).text, needs, meant: undefined }
}

const VERIFIERS: Readonly<Record<FleetKind, (subject: Subject, memory: SpaceMemory) => void>> = {
  rules: ({ host, text, meant }, memory) => {
    const live = valueOf(parseNftJson(text, 'live'))
    mustBeEqual(compareRulesets(live, meant ?? live, { way: 'input', memory, subject: host }))
  },
  needs: ({ host, text, needs }, memory) => mustBeEqual(compareWithIntent({ ...intentFor(needs), host }, valueOf(parseNftText(text, 'live')), { memory })),
}

function valueOf(read: ReturnType<typeof parseNftJson>): Ruleset {
  if (!read.ok) throw new Error(read.faults[0]?.what.en)
  return read.value
}

function mustBeEqual({ kind }: { readonly kind: string }): void {
  if (kind !== 'equal') throw new Error(`must be equal, is ${kind}`)
}

parentPort?.postMessage(verifyShare(workerData as Share), [])
