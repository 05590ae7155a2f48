import { listensOf } from '@portcullis/lab/daemons/spec.ts'
import { DEMO_WORLD } from '@portcullis/lab/demo/world.ts'
import type { DrillSpec, Vantage } from './drill.ts'
import { availableParallelism } from 'node:os'
import { serversOf } from './policy.ts'

/** One place in each zone: an outsider, the clients', and two servers, as an intruder on one of them would see its neighbours. */
export const VANTAGES: readonly Vantage[] = [
  { zone: 'outside', host: 'attacker-1', isServer: false },
  { zone: 'partner', host: 'batch-1', isServer: false },
  { zone: 'field', host: 'tag-1', isServer: false },
  { zone: 'office', host: 'office-1', isServer: false },
  { zone: 'ops', host: 'monitor-1', isServer: false },
  { zone: 'core', host: 'portal-2', isServer: true },
  { zone: 'floor', host: 'legacy-1', isServer: true },
]

const listens = serversOf(DEMO_WORLD).flatMap((host) => host.services.flatMap(listensOf))
const portsOf = (protocol: 'tcp' | 'udp'): number[] =>
  [...new Set(listens.filter((listen) => listen.protocol === protocol).map(({ port }) => port))].toSorted((a, b) => a - b)

/** The well-known ports and all that any server listens on. */
export const TCP_KNOWN = ['1-1024', ...portsOf('tcp').filter((port) => port > 1024)].join(',')
export const TCP_ALL = '1-65535'

/** Not every port: an open fleet answers each probe, and limits its answers on UDP, for which all scans wait most of their time. */
export const BEFORE: DrillSpec = {
  vantages: VANTAGES,
  atOnce: VANTAGES.length,
  tcp: () => TCP_KNOWN,
  udp: portsOf('udp').join(','),
  usual: 'closed',
}

/** Ports of services that are often left open: time, names, file transfer, management, discovery, tunnels, amplifiers. */
const UDP_PORTS = [7, 13, 17, 19, 53, 67, 69, 111, 123, 137, 138, 161, 389, 443, 500, 514, 623, 1194, 1434, 1701, 1812, 1900, 2049, 3478, 4500, 5060, 5353, 5683, 11211, 51820]

/** One more scan than there are processors: while it waits for late answers, the others have them. */
export const AFTER: DrillSpec = {
  vantages: VANTAGES,
  atOnce: availableParallelism() + 1,
  tcp: ({ isServer }) => (isServer ? TCP_KNOWN : TCP_ALL),
  udp: [...new Set([...UDP_PORTS, ...portsOf('udp')])].toSorted((a, b) => a - b).join(','),
  usual: 'filtered',
}
