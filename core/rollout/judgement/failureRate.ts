import { logChoose, type Failures } from './fisher.ts'

/** The lower limit of Clopper and Pearson: a rate below it would bring so many failures with less than the given probability. */
export function lowestRate({ failed, total }: Failures, probability: number): number {
  if (failed === 0) return 0
  let [low, high] = [0, failed / total]
  for (let step = 0; step < 50; step += 1) {
    const middle = (low + high) / 2
    if (atLeast(failed, total, middle) < probability) low = middle
    else high = middle
  }
  return low
}

/** The binomial tail, by whichever of its two sides has fewer terms; the other is one less it. */
function atLeast(failed: number, total: number, rate: number): number {
  const isShortBelow = failed <= total / 2
  const [from, to] = isShortBelow ? [0, failed - 1] : [failed, total]
  const [logBad, logGood] = [Math.log(rate), Math.log1p(-rate)]
  let sum = 0
  for (let count = from; count <= to; count += 1) sum += Math.exp(logChoose(total, count) + count * logBad + (total - count) * logGood)
  return isShortBelow ? 1 - sum : sum
}

/** What is weighed against the limit: as shares of it, with the share of belief in each. */
const ALTERNATIVES = [[0, 0.5], [0.25, 0.25], [0.5, 0.25]] as const

/**
 * How strongly the samples speak against "it fails at `limit` or more often": the mean likelihood ratio of lower rates to the
 * limit. It is a supermartingale when that is true, so that by Ville's inequality it ever reaches 1/q, at any of as many
 * looks as one likes, with probability q at most.
 */
export function evidenceBelow(limit: number, { failed, total }: Failures): number {
  const good = total - failed
  return ALTERNATIVES.reduce((sum, [share, belief]) => {
    const rate = limit * share
    if (rate === 0 && failed > 0) return sum
    const failures = failed === 0 ? 0 : failed * Math.log(share)
    return sum + belief * Math.exp(failures + good * (Math.log1p(-rate) - Math.log1p(-limit)))
  }, 0)
}
