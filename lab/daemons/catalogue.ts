import type { LabHost } from '../host.ts'
import { container } from './container.ts'
import type { Daemon, Site } from './daemon.ts'
import { debugHttp } from './debugHttp.ts'
import { dnsmasq } from './dnsmasq.ts'
import { feed } from './feed.ts'
import { inetd } from './inetd.ts'
import { nginx } from './nginx.ts'
import { openssh } from './openssh.ts'
import { postgres } from './postgres.ts'
import { redis } from './redis.ts'
import { rpcbind } from './rpcbind.ts'
import { rtls } from './rtls.ts'
import { sftpDrop } from './sftpDrop.ts'
import type { DaemonName, ServiceSpec } from './spec.ts'
import { storescp } from './storescp.ts'
import { syslog } from './syslog.ts'

type Catalogue = { readonly [Name in DaemonName]: Daemon<Extract<ServiceSpec, { daemon: Name }>> }

const DAEMONS: Catalogue = {
  openssh,
  nginx,
  redis,
  postgres,
  dnsmasq,
  sftpDrop,
  storescp,
  feed,
  rtls,
  syslog,
  inetd,
  rpcbind,
  debugHttp,
  container,
}

/** Starts a service; resolves when it has answered. */
export function startService(host: LabHost, spec: ServiceSpec, site: Site): Promise<void> {
  // The table's type ties each name to its own kind of spec, which indexing by a union forgets.
  const daemon = DAEMONS[spec.daemon] as Daemon
  return daemon(host, spec, site)
}
