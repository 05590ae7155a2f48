import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { canonicalJson, type Json } from '@portcullis/core/plan/canonicalJson.ts'
import { readIntent, writeIntent, type IntentText } from '@portcullis/core/plan/intentText.ts'
import { succeed } from '@portcullis/core/fault/fault.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { HostFacts as Topology } from '@portcullis/core/ruleset/hostfacts.ts'
import { parseNftText } from '@portcullis/core/ruleset/nft/parseText.ts'
import { renderNft } from '@portcullis/core/ruleset/nft/render.ts'
import type { FactsReader, Rules } from '@portcullis/engine/world.ts'
import { sha256, type SimFacts } from './host.ts'

/** A dialect whose text is the intent itself, so that comparing is comparing texts. */
export const SIM_RULES: Rules = {
  render,
  compare: (intent, text) =>
    text === render(intent) ? { kind: 'equal', by: 'sim' } : { kind: 'counterexample', packet: 'any', because: 'another text' },
  compareLive: (intent, { text }) =>
    factsOf(text).live === render(intent) ? { kind: 'equal', by: 'sim' } : { kind: 'counterexample', packet: 'any', because: 'another text is live' },
}

// 10.0.1.1
const FIRST_HOST = 0x0a00_0101n

export const SIM_FACTS: FactsReader = {
  readFacts: ({ text }) => {
    const { observations, clock } = factsOf(text)
    return succeed({ observations, clock })
  },
  readCounters: () => succeed<readonly Observation[]>([]),
  readRuleset: ({ text }) => {
    const { live, others = '' } = factsOf(text)
    const intent = live === undefined ? undefined : readIntent(JSON.parse(live) as IntentText)
    const ours = intent?.ok ? renderNft(intent.value, { digestOf: sha256 }).text : ''
    const read = [parseNftText(ours, 'portcullis.nft'), parseNftText(others, 'others.nft')]
    const tables = read.flatMap((each) => (each.ok ? each.value.tables : []))
    return succeed({ ruleset: { tables, unmodelled: [] }, topology: SIM_TOPOLOGY })
  },
  foreignRefusals: () => [],
}

/** Every simulated host holds all of 10.0.1.0/24, and reaches everyone else by eth0. */
const SIM_TOPOLOGY: Topology = {
  interfaces: [
    { index: 1, name: 'lo', type: 772, addresses: [] },
    { index: 2, name: 'eth0', type: 1, addresses: Array.from({ length: 254 }, (_, index) => ({ address: { family: 4, value: FIRST_HOST + BigInt(index) }, prefixLength: 24 })) },
  ],
  routes: [
    { type: 'local', table: 'local', metric: 0, oif: 'eth0', destination: { family: 4, value: FIRST_HOST - 1n, length: 24 } },
    { type: 'unicast', table: 'main', metric: 0, oif: 'eth0', destination: { family: 4, value: 0n, length: 0 } },
  ],
  isForwarding: { 4: false, 6: false },
  unmodelled: [],
}

function render(intent: Intent): string {
  return `${canonicalJson(writeIntent(intent) as unknown as Json)}\n`
}

function factsOf(text: string): SimFacts {
  const body = text.slice(text.indexOf('\n') + 1, text.lastIndexOf('\n@end\n'))
  return JSON.parse(body, readBigInt) as SimFacts
}

const readBigInt = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'bigint' in value ? BigInt(String(value.bigint)) : value
