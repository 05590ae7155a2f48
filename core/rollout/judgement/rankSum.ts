import { logChoose } from './fisher.ts'

/** More pairs than this are told by the normal approximation, which is then close enough. */
const EXACT_PAIRS_MAX = 400

/**
 * The rank-sum test of Mann and Whitney, one-sided: how probable it is that values of `changed` stand at least so high among
 * those of `reference` when both come from the same. Ties count for the reference where it is exact, half where it is not.
 */
export function rankSumHigher(changed: Ranked, reference: Ranked): number {
  const [n, m] = [changed.values.length, reference.values.length]
  if (n === 0 || m === 0) return 1
  const { higher, ties, tieTerm } = comparePairs(changed, reference)
  if (n * m <= EXACT_PAIRS_MAX) return exactTail(n, m, higher)
  const statistic = higher + ties / 2
  const size = n + m
  const variance = ((n * m) / 12) * (size + 1 - tieTerm / (size * (size - 1)))
  return variance <= 0 ? 1 : normalTail((statistic - (n * m) / 2 - 0.5) / Math.sqrt(variance))
}

/** Values in order, without what is no number: sorted once, however many others are compared with them. */
export interface Ranked {
  readonly values: Float64Array
  /** Σ(t³ − t) over groups of equal values. */
  readonly tieTerm: number
}

export function rank(values: readonly number[]): Ranked {
  const sorted = Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort()
  return { values: sorted, tieTerm: groupsOf(sorted).reduce((sum, { count }) => sum + tieOf(count), 0) }
}

const tieOf = (count: number): number => count ** 3 - count

function groupsOf(sorted: Float64Array): { readonly value: number; readonly count: number }[] {
  const groups: { value: number; count: number }[] = []
  for (const value of sorted) {
    const last = groups.at(-1)
    if (last?.value === value) last.count += 1
    else groups.push({ value, count: 1 })
  }
  return groups
}

/** In how many pairs the changed one is higher, in how many equal, and Σ(t³ − t) over all. Each value of the smaller side is looked for in the larger one. */
function comparePairs(changed: Ranked, reference: Ranked): { higher: number; ties: number; tieTerm: number } {
  const isFewer = changed.values.length <= reference.values.length
  const [few, many] = isFewer ? [changed, reference] : [reference, changed]
  let [higher, ties, tieTerm] = [0, 0, few.tieTerm + many.tieTerm]
  for (const { value, count } of groupsOf(few.values)) {
    const [from, until] = [firstAt(many.values, (other) => other >= value), firstAt(many.values, (other) => other > value)]
    higher += count * (isFewer ? from : many.values.length - until)
    ties += count * (until - from)
    if (until > from) tieTerm += tieOf(count + until - from) - tieOf(count) - tieOf(until - from)
  }
  return { higher, ties, tieTerm }
}

/** Where in the order it begins to hold. */
function firstAt(sorted: Float64Array, holds: (value: number) => boolean): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(sorted[middle] ?? 0)) high = middle
    else low = middle + 1
  }
  return low
}

/** Counts the orders of n among m by their statistic: each value of the n stands above so many of the m, none above fewer than the one before. */
function exactTail(n: number, m: number, statistic: number): number {
  // ways[k][u]: multisets of k numbers from 0 to the present one that sum to u.
  const ways = Array.from({ length: n + 1 }, () => new Float64Array(n * m + 1))
  for (const row of ways) row[0] = 0
  const first = ways[0]
  if (first) first[0] = 1
  for (let above = 0; above <= m; above += 1) {
    for (let k = 1; k <= n; k += 1) {
      const [to, from] = [ways[k], ways[k - 1]]
      if (!to || !from) continue
      for (let sum = above; sum <= n * m; sum += 1) to[sum] = (to[sum] ?? 0) + (from[sum - above] ?? 0)
    }
  }
  let tail = 0
  for (let sum = statistic; sum <= n * m; sum += 1) tail += ways[n]?.[sum] ?? 0
  return Math.min(1, tail * Math.exp(-logChoose(n + m, n)))
}

/** P(Z ≥ z) of the standard normal: the series of its density near the middle, the continued fraction of Laplace in the tail. */
export function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z)
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
  if (z < 3) {
    let [term, sum] = [z, z]
    for (let k = 1; k < 100; k += 1) sum += term *= (z * z) / (2 * k + 1)
    return 0.5 - density * sum
  }
  let fraction = z
  for (let k = 60; k >= 1; k -= 1) fraction = z + k / fraction
  return density / fraction
}
