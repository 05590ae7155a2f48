import type { PortRange } from '../net/port.ts'
import type { DocumentedObservation, Instant } from './observation.ts'

/** What an inventory of services says of an endpoint. */
export interface Documentation {
  readonly name: string
  readonly ports: PortRange
  readonly sensor: string
  readonly lastSeen: Instant
}

/** Undefined where no inventory speaks of the host: then nothing is undocumented. `newestBySensor`: when each was last read. */
export function foldDocumented(observations: readonly DocumentedObservation[], newestBySensor: ReadonlyMap<string, Instant>): readonly Documentation[] | undefined {
  if (observations.length === 0) return newestBySensor.size > 0 ? NOTHING : undefined
  const newest = new Map<string, Documentation>()
  for (const { name, ports, sensor, at } of observations) {
    if (at < (newestBySensor.get(sensor) ?? at)) continue
    const key = `${name}\0${ports.first}-${ports.last}\0${sensor}`
    const before = newest.get(key)
    if (before === undefined || before.lastSeen < at) newest.set(key, { name, ports, sensor, lastSeen: at })
  }
  return [...newest.keys()].toSorted().flatMap((key) => newest.get(key) ?? [])
}

const NOTHING: readonly Documentation[] = []
