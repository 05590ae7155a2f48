import type { Fault } from '@portcullis/core/fault/fault.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { fanOut } from './fanOut.ts'
import { openJournal } from './journal.ts'
import type { Cancellation } from './ports.ts'
import { readHost, type HostReading } from './readHost.ts'
import type { World } from './world.ts'

export interface ObserveReport {
  readonly run: string
  readonly readings: readonly HostReading[]
  readonly unread: readonly UnreadHost[]
}

/** A host that could not be asked; nothing is concluded about it. */
export interface UnreadHost {
  readonly host: string
  readonly faults: readonly Fault[]
}

export interface FleetOptions {
  /** Hosts at a time. */
  readonly concurrency: number
  readonly signal?: Cancellation
}

/** Reads every host into the store. */
export async function observe(world: World, hosts: readonly Host[], options: FleetOptions): Promise<ObserveReport> {
  const journal = openJournal(world)
  const read = await fanOut(hosts, options.concurrency, async (host) => {
    const about = journal.about({ host: host.name })
    await about.action('observe')
    const reading = await readHost(world, host, options.signal)
    const fault = reading.ok ? undefined : reading.faults[0]
    await about.signal('observe', fault ? { fault } : { detail: reading.ok ? { observations: reading.value.observations.length } : {} })
    return { host, reading }
  })
  return {
    run: journal.run,
    readings: read.flatMap(({ reading }) => (reading.ok ? [reading.value] : [])),
    unread: read.flatMap(({ host, reading }) => (reading.ok ? [] : [{ host: host.name, faults: reading.faults }])),
  }
}
