import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { canonicalJson, type Json } from '@portcullis/core/plan/canonicalJson.ts'
import { writeIntent } from '@portcullis/core/plan/intentText.ts'
import { succeed } from '@portcullis/core/fault/fault.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { FactsReader, Rules } from '@portcullis/engine/world.ts'
import type { SimFacts } from './host.ts'

/** A dialect whose text is the intent itself, so that comparing is comparing texts. */
export const SIM_RULES: Rules = {
  render,
  compare: (intent, text) =>
    text === render(intent) ? { kind: 'equal', by: 'sim' } : { kind: 'counterexample', packet: 'any', because: 'another text' },
  compareLive: (intent, { text }) =>
    factsOf(text).live === render(intent) ? { kind: 'equal', by: 'sim' } : { kind: 'counterexample', packet: 'any', because: 'another text is live' },
}

export const SIM_FACTS: FactsReader = {
  readFacts: ({ text }) => {
    const { observations, clock } = factsOf(text)
    return succeed({ observations, clock })
  },
  readCounters: () => succeed<readonly Observation[]>([]),
  foreignRefusals: () => [],
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
