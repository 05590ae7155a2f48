import type { Grant, Intent } from '../policy/intent.ts'
import { compareGrants, formatGrant } from '../policy/resolve.ts'

/**
 * The present intent without what one change did for one need: grants that the change gave to the need are taken away,
 * those that it took away come back. Everything that later changes did stays, also for the same ports.
 */
export function undoNeed(current: Intent, before: Intent, after: Intent, need: string): Intent {
  const given = minus(grantsOf(after, need), grantsOf(before, need))
  const taken = minus(grantsOf(before, need), grantsOf(after, need))
  const kept = current.grants.flatMap((grant) => (given.has(formatGrant(grant)) ? without(grant, need) : [grant]))
  const grants = [...taken.values()].reduce<readonly Grant[]>((all, grant) => withNeed(all, grant, need), kept)
  return { ...current, grants: grants.toSorted(compareGrants) }
}

type Grants = ReadonlyMap<string, Grant>

const grantsOf = ({ grants }: Intent, need: string): Grants => new Map(grants.filter(({ needs }) => needs.includes(need)).map((grant) => [formatGrant(grant), grant]))
const minus = (a: Grants, b: Grants): Grants => new Map([...a].filter(([key]) => !b.has(key)))

/** A grant that other needs have too stays for them. */
function without(grant: Grant, need: string): Grant[] {
  const needs = grant.needs.filter((one) => one !== need)
  return needs.length === 0 && grant.needs.includes(need) ? [] : [{ ...grant, needs }]
}

function withNeed(grants: readonly Grant[], grant: Grant, need: string): readonly Grant[] {
  const known = grants.find((one) => formatGrant(one) === formatGrant(grant))
  if (!known) return [...grants, { ...grant, needs: [need] }]
  const needs = [...new Set([...known.needs, need])].toSorted()
  return grants.map((one) => (one === known ? { ...known, needs } : one))
}
