import { containsPrefix, type Prefix } from '../net/prefix.ts'
import { PROTOCOL_NUMBERS } from '../net/protocol.ts'
import type { Grant, Intent } from '../policy/intent.ts'
import type { Difference } from './compare.ts'
import type { Sources } from './sources.ts'

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
