import { logChoose } from './fisher.ts'

/** More pairs than this are told by the normal approximation, which is then close enough. */
const EXACT_PAIRS_MAX = 400

/**
 * The rank-sum test of Mann and Whitney, one-sided: how probable it is that values of `changed` stand at least so high among
 * those of `reference` when both come from the same. Ties count for the reference where it is exact, half where it is not.
 */
export function rankSumHigher(changed: readonly number[], reference: readonly number[]): number {
  const [n, m] = [changed.length, reference.length]
  if (n === 0 || m === 0) return 1
  const { higher, ties, tieTerm } = comparePairs(changed, reference)
  if (n * m <= EXACT_PAIRS_MAX) return exactTail(n, m, higher)
  const statistic = higher + ties / 2
  const size = n + m
  const variance = ((n * m) / 12) * (size + 1 - tieTerm / (size * (size - 1)))
  return variance <= 0 ? 1 : normalTail((statistic - (n * m) / 2 - 0.5) / Math.sqrt(variance))
}

/** In how many pairs the changed one is higher, in how many equal, and Σ(t³ − t) over groups of equal values. */
function comparePairs(changed: readonly number[], reference: readonly number[]): { higher: number; ties: number; tieTerm: number } {
  const [ours, theirs] = [Float64Array.from(changed).sort(), Float64Array.from(reference).sort()]
  let [higher, ties, tieTerm, our, their] = [0, 0, 0, 0, 0]
  while (our < ours.length || their < theirs.length) {
    const value = Math.min(ours[our] ?? Number.POSITIVE_INFINITY, theirs[their] ?? Number.POSITIVE_INFINITY)
    const [ourFirst, theirFirst] = [our, their]
    // Not "is equal": what is no number stands last, and ends this too.
    while (our < ours.length && !((ours[our] ?? 0) > value)) our += 1
    while (their < theirs.length && !((theirs[their] ?? 0) > value)) their += 1
    const [ourCount, theirCount] = [our - ourFirst, their - theirFirst]
    higher += ourCount * theirFirst
    ties += ourCount * theirCount
    tieTerm += (ourCount + theirCount) ** 3 - (ourCount + theirCount)
  }
  return { higher, ties, tieTerm }
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
