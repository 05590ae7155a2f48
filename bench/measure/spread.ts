/** What several rounds of one measurement say: the middle, and how far the middle half of the rounds lies apart. */
export interface Spread {
  readonly median: number
  /** Of the rounds: a quarter lie below `low`, a quarter above `high`. */
  readonly low: number
  readonly high: number
}

export const spreadOf = (values: readonly number[]): Spread => ({
  median: quantile(values, 0.5),
  low: quantile(values, 0.25),
  high: quantile(values, 0.75),
})

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** Between two values that are there, in proportion; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  if (below === undefined || above === undefined) return Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}
