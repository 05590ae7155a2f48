import { readFacts } from '@portcullis/adapters/facts/reading.ts'
import { sha256 } from '@portcullis/adapters/transport/packagedScript.ts'
import type { Result } from '@portcullis/core/fault/fault.ts'
import type { Comparison } from '@portcullis/core/plan/seal.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import { ownTables, withoutLeases } from '@portcullis/core/ruleset/nft/ownTable.ts'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import { parseNftText } from '@portcullis/core/ruleset/nft/parseText.ts'
import { renderNft } from '@portcullis/core/ruleset/nft/render.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import type { Difference } from '@portcullis/core/verify/compare.ts'
import { writeDifference } from '@portcullis/core/verify/differenceText.ts'
import { compareWithIntent } from '@portcullis/core/verify/intentDiagram.ts'
import { SpaceMemory } from '@portcullis/core/verify/spaceMemory.ts'
import type { Rules } from '@portcullis/engine/world.ts'

/** nftables, compared by the packet-space engine: for every packet, not for samples. */
export const NFT_RULES: Rules = {
  render: (intent) => renderNft(intent, { digestOf: sha256 }).text,
  compare: (intent, text) => compareRead(intent, parseNftText(text, `${intent.host}.nft`)),
  compareLive: (intent, { host, at, text }) => {
    const facts = readFacts(host, at, text)
    if (!facts.ok) return undecided(facts.faults[0]?.what.en ?? 'the facts cannot be read')
    const { nftJson } = facts.value
    return nftJson === undefined ? undecided('the host does not tell its ruleset') : compareRead(intent, parseNftJson(nftJson, `ruleset of ${host}`))
  },
}

const ENGINE = 'packet space'

/** A host is verified again and again while its process lives. */
const MEMORY = new SpaceMemory()

function compareRead(intent: Intent, read: Result<Ruleset>): Comparison {
  if (!read.ok) return undecided(read.faults[0]?.what.en ?? 'the ruleset cannot be read')
  const ours = withoutLeases(ownTables(read.value))
  if (ours.tables.length === 0) return { kind: 'counterexample', packet: 'any', because: 'the table inet portcullis is not there' }
  const compared = compareWithIntent(intent, ours, { memory: MEMORY })
  if (compared.kind === 'equal') return { kind: 'equal', by: ENGINE }
  return compared.kind === 'different' ? counterexample(compared.differences, compared.more) : undecided('the comparison is larger than its budget')
}

/** Two evaluators that contradict each other have decided nothing. */
function counterexample(differences: readonly Difference[], more: number): Comparison {
  const contradicted = differences.find((difference) => difference.replay === 'disagrees')
  const [first] = differences
  if (contradicted || !first) return undecided(`internal error: the two evaluators contradict each other about ${contradicted ? writeDifference(contradicted).packet : 'a packet'}`)
  return { kind: 'counterexample', packet: writeDifference(first).packet, because: describe(first), differences: differences.map(writeDifference), more }
}

const undecided = (because: string): Comparison => ({ kind: 'undecided', because })

const describe = ({ before, after, assuming }: Difference): string =>
  `meant ${before.join(' or ')}, enforced ${after.join(' or ')}${assuming.length === 0 ? '' : `, assuming ${assuming.join(', ')}`}`
