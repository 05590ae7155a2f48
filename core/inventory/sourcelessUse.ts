import type { FlowObservation, Instant, UseObservation } from './observation.ts'
import { isUse } from './usage.ts'

/** Use of an endpoint by sources that nobody knows. */
export interface SourcelessUse {
  readonly firstSeen: Instant
  readonly lastSeen: Instant
  /** The mappings that say so, sorted. */
  readonly because: readonly string[]
  readonly sensor: string
}

/** Undefined where nothing says so. */
export function foldSourcelessUse(uses: readonly UseObservation[]): SourcelessUse | undefined {
  const newest = uses.reduce<UseObservation | undefined>((best, use) => (best === undefined || use.lastSeen > best.lastSeen ? use : best), undefined)
  if (!newest) return undefined
  return {
    firstSeen: uses.reduce((first, use) => Math.min(first, use.firstSeen), newest.firstSeen),
    lastSeen: newest.lastSeen,
    because: [...new Set(uses.map((use) => use.because))].toSorted(),
    sensor: newest.sensor,
  }
}

/** Whether flows with sources may be that use: some were seen since it began. Then silence of the other zones says what it always says. */
export const isExplained = (use: SourcelessUse, flows: readonly FlowObservation[]): boolean => flows.some((flow) => isUse(flow) && flow.lastSeen >= use.firstSeen)
