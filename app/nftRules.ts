import { readFacts } from '@portcullis/adapters/facts/reading.ts'
import { sha256 } from '@portcullis/adapters/transport/packagedScript.ts'
import type { Result } from '@portcullis/core/fault/fault.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import { protocolName } from '@portcullis/core/net/protocol.ts'
import type { Comparison } from '@portcullis/core/plan/seal.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import { parseNftText } from '@portcullis/core/ruleset/nft/parseText.ts'
import { renderNft } from '@portcullis/core/ruleset/nft/render.ts'
import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import type { Ruleset, Table } from '@portcullis/core/ruleset/ruleset.ts'
import { compareWithIntent } from '@portcullis/core/verify/intentDiagram.ts'
import type { Difference } from '@portcullis/core/verify/compare.ts'
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

function compareRead(intent: Intent, read: Result<Ruleset>): Comparison {
  if (!read.ok) return undecided(read.faults[0]?.what.en ?? 'the ruleset cannot be read')
  const ours = { ...read.value, tables: read.value.tables.filter((table) => table.family === 'inet' && table.name === 'portcullis').map(withoutLeases) }
  if (ours.tables.length === 0) return { kind: 'counterexample', packet: 'any', because: 'the table inet portcullis is not there' }
  const compared = compareWithIntent(intent, ours)
  if (compared.kind === 'equal') return { kind: 'equal', by: ENGINE }
  const [first] = compared.kind === 'different' ? compared.differences : []
  return first ? { kind: 'counterexample', packet: describePacket(first.packet), because: describeDifference(first) } : undecided('the comparison is larger than its budget')
}

/** Sets that `lease` and `block` of the host script fill; they outlive a replacement of the rules. */
const LEASE_SETS: ReadonlySet<string> = new Set(['lease4', 'lease6', 'lease_any', 'block4', 'block6'])

/** A lease or a block ends by itself and is no part of any intent. An element without an end was put there by someone else, and stays. */
const withoutLeases = (table: Table): Table => ({
  ...table,
  sets: table.sets.map((set) => (LEASE_SETS.has(set.name) ? { ...set, elements: set.elements.filter((element) => element.expiresSeconds === undefined) } : set)),
})

const undecided = (because: string): Comparison => ({ kind: 'undecided', because })

const describeDifference = ({ before, after, assuming }: Difference): string =>
  `meant ${before.join(' or ')}, enforced ${after.join(' or ')}${assuming.length === 0 ? '' : `, assuming ${assuming.join(', ')}`}`

/** `tcp 198.51.100.7 → 192.0.2.1:23 new`. */
function describePacket({ source, destination, protocol, destinationPort, ct, iif }: Packet): string {
  const to = destination.family === 6 && destinationPort !== undefined ? `[${formatAddress(destination)}]` : formatAddress(destination)
  const port = destinationPort === undefined ? '' : `:${destinationPort}`
  return `${protocolName(protocol) ?? protocol} ${formatAddress(source)} → ${to}${port} ${ct}${iif === undefined ? '' : ` by ${iif}`}`
}
