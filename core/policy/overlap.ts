import { containsPrefix, type Prefix } from '../net/prefix.ts'
import type { Need, Policy, ServicePort } from './policy.ts'
import { groupHosts } from './resolve.ts'

/** Two needs that open something in common. */
export interface Overlap {
  /** The later of the two in the policy, or the one that adds nothing. */
  readonly need: Need
  readonly other: Need
  /**
   * `duplicate`: both open exactly the same. `covered`: all that `need` opens, `other` opens too. `partial`: neither.
   */
  readonly kind: 'duplicate' | 'covered' | 'partial'
  /** Of the hosts on which both open the same, the first. */
  readonly host: string
}

/**
 * Overlaps, each pair once, in the order of the policy, at most `limit` of them: a policy in which everything overlaps is told
 * so without listing every pair.
 */
export function findOverlaps(policy: Policy, limit: number): Overlap[] {
  const order = new Map(policy.needs.map((need, index) => [need, index]))
  const compared = new Set<number>()
  const isFirstTime = (a: Need, b: Need): boolean => {
    const pair = (order.get(a) ?? 0) * policy.needs.length + (order.get(b) ?? 0)
    return !compared.has(pair) && compared.add(pair) !== undefined
  }
  const overlaps: Overlap[] = []
  for (const group of groupHosts(policy)) {
    const needs = group.needs.toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
    for (const [a, b] of portSharers(needs)) {
      if (!isFirstTime(a, b) || !sourcesMeet(a.from, b.from)) continue
      overlaps.push(compareNeeds(a, b, group.hosts[0] ?? ''))
      if (overlaps.length >= limit) return overlaps
    }
  }
  return overlaps.toSorted((x, y) => (order.get(x.need) ?? 0) - (order.get(y.need) ?? 0))
}

// Sorted by first port, only those still open at a start can meet it; in real policies that leaves the needs of one service.
function* portSharers(needs: readonly Need[]): Generator<readonly [Need, Need]> {
  const spans = needs
    .flatMap((need, index) => need.service.ports.map((port) => ({ need, index, port })))
    .toSorted((a, b) => a.port.ports.first - b.port.ports.first || a.index - b.index)
  let open: typeof spans = []
  for (const span of spans) {
    const isOver = (earlier: typeof span): boolean => earlier.port.ports.last < span.port.ports.first
    if (open.some(isOver)) open = open.filter((earlier) => !isOver(earlier))
    for (const earlier of open) {
      if (earlier.need === span.need || earlier.port.protocol !== span.port.protocol) continue
      yield earlier.index < span.index ? [earlier.need, span.need] : [span.need, earlier.need]
    }
    open.push(span)
  }
}

function compareNeeds(a: Need, b: Need, host: string): Overlap {
  const aInB = isWithin(a, b)
  const bInA = isWithin(b, a)
  if (aInB && bInA) return { need: b, other: a, kind: 'duplicate', host }
  if (aInB) return { need: a, other: b, kind: 'covered', host }
  return { need: b, other: a, kind: bInA ? 'covered' : 'partial', host }
}

function isWithin(inner: Need, outer: Need): boolean {
  return (
    inner.service.ports.every((port) => outer.service.ports.some((wider) => holdsPorts(wider, port))) &&
    inner.from.every((prefix) => outer.from.some((wider) => containsPrefix(wider, prefix))) &&
    holdsHosts(outer.hosts, inner.hosts)
  )
}

// Both are merged (ports) or aggregated (sources), so what a union holds, one member holds.
const holdsPorts = (outer: ServicePort, inner: ServicePort): boolean =>
  outer.protocol === inner.protocol && outer.ports.first <= inner.ports.first && inner.ports.last <= outer.ports.last

function holdsHosts(outer: readonly string[], inner: readonly string[]): boolean {
  if (outer === inner) return true
  if (inner.length > outer.length) return false
  const names = new Set(outer)
  return inner.every((host) => names.has(host))
}

const sourcesMeet = (a: readonly Prefix[], b: readonly Prefix[]): boolean =>
  a.some((x) => b.some((y) => containsPrefix(x, y) || containsPrefix(y, x)))
