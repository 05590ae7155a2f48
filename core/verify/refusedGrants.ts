import type { Address } from '../net/address.ts'
import { containsPrefix, lastOf, type Prefix } from '../net/prefix.ts'
import { PROTOCOL_NUMBERS } from '../net/protocol.ts'
import type { Grant, Intent } from '../policy/intent.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import { CT_STATES, TCP_FLAGS, type Ruleset } from '../ruleset/ruleset.ts'
import { boxesDiagram, type Box, type Constraint } from '../space/box.ts'
import { ACCEPT, DROP, EITHER, MASK, NO, NOWHERE, REJECT_AS_DROP, YES } from '../space/outcome.ts'
import { mergeRanges, type Range } from '../space/ranges.ts'
import { mapTerminals } from '../space/transform.ts'
import { arrivingFromOthers } from './arrivals.ts'
import { compareDiagrams, withinBudget, type Comparison, type Difference, type Means } from './compare.ts'
import { CT_CLASSES } from './fieldValues.ts'
import { composeWay } from './compose.ts'
import type { LevelField } from './levels.ts'
import { PacketSpace } from './packetSpace.ts'
import { replayed } from './replay.ts'
import type { Sources } from './sources.ts'

/**
 * Compares what an intent grants with what becomes of it on its whole way through a host: every table, destination NAT and the routes included.
 * Only what is surely refused differs (`closes`); what an unknown match may refuse does not. `addresses`: those of the host that clients use.
 */
export function compareGrants(intent: Intent, ruleset: Ruleset, facts: HostFacts, addresses: readonly Address[], { budget, memory }: Means = {}): Comparison {
  return withinBudget(() => {
    const space = new PacketSpace([ruleset], facts, budget, { memory, subject: intent.host })
    const { combiner, arena } = space
    const boxes = [...intent.management, ...intent.grants].flatMap((grant) => grantBoxes(space, grant, addresses))
    const granted = combiner.combine(MASK, space.surely(arrivingFromOthers(space, facts)), space.surely(boxesDiagram(combiner, boxes, YES, NO, EITHER)))
    const done = combiner.change(REJECT_AS_DROP, composeWay(space, ruleset, 'arrival'))
    const refused = combiner.combine(MASK, mapTerminals(arena, done, (outcomes) => (outcomes === DROP ? 1 : 0)), granted)
    const before = mapTerminals(arena, refused, (bit) => (bit === 1 ? ACCEPT : NOWHERE))
    return replayed(compareDiagrams(space, before, combiner.combine(MASK, refused, done)), [{ side: 'after', ruleset, isRejectDrop: true }], 'arrival', facts)
  })
}

/** New connections: a SYN where the protocol has one. */
function grantBoxes(space: PacketSpace, { protocol, ports, from }: Grant, addresses: readonly Address[]): Box[] {
  const { family } = from
  const own = addresses.filter((address) => address.family === family).map(({ value }) => ({ first: value, last: value }))
  if (own.length === 0) return []
  const number = (value: number): Range[] => [{ first: BigInt(value), last: BigInt(value) }]
  const constraints: readonly (readonly [LevelField, readonly Range[]])[] = [
    ['isLaterFragment', number(0)],
    ['ctState', number(CT_CLASSES.indexOf(CT_STATES.new))],
    ['l4proto', number(PROTOCOL_NUMBERS[protocol])],
    ['dport', [{ first: BigInt(ports.first), last: BigInt(ports.last) }]],
    ['family', number(family === 4 ? 0 : 1)],
    ...(from.length === 0 ? [] : ([[`saddr${family}`, [{ first: from.value, last: lastOf(from) }]]] as const)),
    [`daddr${family}`, mergeRanges(own)],
    ...(protocol === 'tcp' ? ([['tcpFlags', number(TCP_FLAGS.syn)]] as const) : []),
  ]
  const box = constraints.map(([field, ranges]): Constraint => ({ chunks: space.chunks(field), ranges }))
  return [box.toSorted((a, b) => a.chunks.firstLevel - b.chunks.firstLevel)]
}

/** Ids of the needs that lose something to differences of kind `closes`, sorted; `management` for the controller's own way in. */
export function refusedNeeds(intent: Intent, differences: readonly Difference[]): string[] {
  const closing = differences.filter((difference) => difference.change === 'closes')
  const lost = (grants: readonly Grant[]): readonly Grant[] => grants.filter((grant) => closing.some((difference) => meets(grant, difference)))
  const needs = lost(intent.grants).flatMap((grant) => grant.needs)
  return [...new Set([...needs, ...(lost(intent.management).length > 0 ? ['management'] : [])])].toSorted()
}

const meets = ({ protocol, ports, from }: Grant, difference: Difference): boolean =>
  (difference.protocols.length === 0 || difference.protocols.some((range) => range.first <= PROTOCOL_NUMBERS[protocol] && PROTOCOL_NUMBERS[protocol] <= range.last)) &&
  (difference.ports.length === 0 || difference.ports.some((range) => range.first <= ports.last && ports.first <= range.last)) &&
  meetsSources(from, difference.sources)

function meetsSources(from: Prefix, sources: Sources): boolean {
  if (sources.kind === 'any') return true
  if (sources.kind === 'family') return from.family === sources.family
  return sources.more > 0 || sources.prefixes.some((prefix) => containsPrefix(prefix, from) || containsPrefix(from, prefix))
}
