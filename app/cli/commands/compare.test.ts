import { parseNftText } from '@portcullis/core/ruleset/nft/parseText.ts'
import { compareRulesets, type Comparison, type Difference } from '@portcullis/core/verify/compare.ts'
import { expect, test } from 'vitest'
import { contradictionsOf } from './compare.ts'

const input = (rules: string) => {
  const parsed = parseNftText(`table inet t {\nchain in {\ntype filter hook input priority 0; policy drop;\n${rules}\n}\n}`, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

const compared = compareRulesets(input('tcp dport 22 accept'), input('tcp dport { 22, 80 } accept'), { way: 'input' })

const replayedAs = (replay: Difference['replay']): Comparison =>
  compared.kind === 'different' ? { ...compared, differences: compared.differences.map((each) => ({ ...each, replay })) } : compared

test('where the two evaluators agree there is nothing to refuse', () => {
  expect(compared.kind).toBe('different')
  expect(contradictionsOf(compared)).toEqual([])
})

test('where they contradict each other, the packet is named and neither is trusted', () => {
  expect(contradictionsOf(replayedAs('disagrees'))).toMatchObject([
    { code: 'EVALUATORS_DISAGREE', what: { en: expect.stringContaining('tcp 198.51.100.7:40000 -> 192.0.2.1:80') as string } },
  ])
})
