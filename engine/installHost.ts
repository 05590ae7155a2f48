import type { Fault } from '@portcullis/core/fault/fault.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { writtenFault } from './applyFault.ts'
import { fanOut } from './fanOut.ts'
import { openJournal } from './journal.ts'
import type { FleetOptions } from './observe.ts'
import type { World } from './world.ts'

export interface HostInstall {
  readonly host: string
  readonly kind: 'installed' | 'failed'
  readonly path?: string
  readonly version?: string
  readonly faults: readonly Fault[]
}

/** Puts `portcullis-host` on every host; nothing that a host enforces changes. */
export async function installHosts(world: World, hosts: readonly Host[], options: FleetOptions): Promise<readonly HostInstall[]> {
  const journal = openJournal(world)
  return fanOut(hosts, options.concurrency, async (host): Promise<HostInstall> => {
    const about = journal.about({ host: host.name })
    await about.action('install')
    const installed = await world.hosts.install(host, options.signal).catch((error: unknown) => ({ ok: false as const, faults: [writtenFault(host.name, 'connect', error)] }))
    const fault = installed.ok ? undefined : installed.faults[0]
    await about.signal('install', fault ? { fault } : {})
    return installed.ok
      ? { host: host.name, kind: 'installed', ...installed.value, faults: [] }
      : { host: host.name, kind: 'failed', faults: installed.faults }
  })
}
