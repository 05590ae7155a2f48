import { join } from 'node:path'
import type { Family } from '@portcullis/core/net/address.ts'
import { listensOf } from '../daemons/spec.ts'
import { SYSLOG_FILE } from '../daemons/syslog.ts'
import type { Use } from '../clients/use.ts'
import type { Lab } from '../start.ts'
import { addressOf } from '../world.ts'
import type { Port } from './expectations.ts'

/** A UDP service that gives no scanner an answer: whether it can be reached is told by using it. */
export interface SilentService {
  readonly host: string
  readonly family: Family
  readonly address: string
  readonly port: Port
  readonly use: Use
}

/** Services that answer only what they understand (tag locations), or nobody at all (log lines, whose file shows what arrived). */
export function silentServices(lab: Lab): SilentService[] {
  return lab.hosts.flatMap((host) =>
    host.spec.services
      .filter(({ daemon }) => daemon === 'rtls' || daemon === 'syslog')
      .flatMap((service) => listensOf(service).map(({ port }) => ({ daemon: service.daemon, port })))
      .flatMap(({ daemon, port }) =>
        ([4, 6] as const).map((family): SilentService => {
          const address = addressOf(host.spec, family)
          const use: Use =
            daemon === 'rtls'
              ? { kind: 'datagram', address, port, text: 'TAG drill', reply: 'ACK TAG drill' }
              : { kind: 'syslog', address, port, arrivesIn: join(host.folder, SYSLOG_FILE) }
          return { host: host.name, family, address, port: { protocol: 'udp', port }, use }
        }),
      ),
  )
}
