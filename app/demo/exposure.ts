import type { DrillLine } from './drill.ts'

/** An endpoint counts once for each place that reaches it. */
export const exposures = (lines: readonly Pick<DrillLine, 'open'>[]): number => lines.reduce((sum, { open }) => sum + open.length, 0)

export interface ZoneExposure {
  readonly zone: string
  /** The host that scanned from there. */
  readonly vantage: string
  readonly before: number
  readonly after: number
}

/** In the order of the lines. */
export function zoneExposures(before: readonly DrillLine[], after: readonly DrillLine[]): ZoneExposure[] {
  const of = (lines: readonly DrillLine[], vantage: string): number => exposures(lines.filter((line) => line.vantage === vantage))
  const vantages = new Map(after.map(({ vantage, zone }) => [vantage, zone]))
  return [...vantages].map(([vantage, zone]) => ({ zone, vantage, before: of(before, vantage), after: of(after, vantage) }))
}
