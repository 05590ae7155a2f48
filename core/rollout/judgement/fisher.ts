/** So many of so many did not do what was asked of them. */
export interface Failures {
  readonly failed: number
  readonly total: number
}

/**
 * Fisher's exact test, one-sided: how probable it is that at least so many of all the failures fall to `changed` when both
 * sides fail equally often. Exact for any size: no approximation is trusted with the few samples of a canary.
 */
export function fisherWorse(changed: Failures, reference: Failures): number {
  const failed = changed.failed + reference.failed
  const total = changed.total + reference.total
  const most = Math.min(failed, changed.total)
  const whole = logChoose(total, failed)
  let probability = 0
  for (let count = changed.failed; count <= most; count += 1) {
    if (failed - count > reference.total) continue
    probability += Math.exp(logChoose(changed.total, count) + logChoose(reference.total, failed - count) - whole)
  }
  return Math.min(1, probability)
}

export const logChoose = (of: number, many: number): number => logFactorial(of) - logFactorial(many) - logFactorial(of - many)

const LOG_FACTORIALS: number[] = [0]

/** Summed, so that it is exact to rounding; kept, because every look asks for the same ones. */
function logFactorial(n: number): number {
  for (let next = LOG_FACTORIALS.length; next <= n; next += 1) LOG_FACTORIALS.push((LOG_FACTORIALS[next - 1] ?? 0) + Math.log(next))
  return LOG_FACTORIALS[n] ?? 0
}
