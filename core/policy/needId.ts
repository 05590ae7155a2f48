import type { Selector } from './policy.ts'
import { formatSelector } from './selector.ts'

const PART_MAX = 60

/**
 * The id of a need that was written without one: `postgresql/role=db/office+10.0.0.0/8`. The same however its lists are ordered,
 * so that reordering a file changes no id. Two needs may get the same one; then the policy is refused until one has its own.
 */
export function deriveNeedId(service: string, selector: Selector, from: readonly string[]): string {
  return [service, formatSelector(selector), from.toSorted().join('+')].map(shorten).join('/')
}

/** Only characters that an id may hold. */
const shorten = (text: string): string => text.replaceAll('|', '+').replaceAll(/[^A-Za-z0-9._:/@,=+-]/g, '_').slice(0, PART_MAX)
