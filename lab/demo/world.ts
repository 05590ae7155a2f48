import { client, interfaceIn, network, server, type World } from '../world.ts'

/** A clinic with a trading desk: enough kinds of service, and enough that nobody needs, to show what closing ports means. */

const core = network('core', '10.77.10.0/24', 'fd77:10::/64')
const floor = network('floor', '10.77.11.0/24', 'fd77:11::/64')
const office = network('office', '10.77.20.0/24', 'fd77:20::/64')
const ops = network('ops', '10.77.30.0/24', 'fd77:30::/64')
const field = network('field', '10.77.40.0/24', 'fd77:40::/64')
const partner = network('partner', '10.77.50.0/24', 'fd77:50::/64')
/** Documentation prefixes (RFC 5737, RFC 3849): they can be nobody's real network. */
const outside = network('outside', '203.0.113.0/24', '2001:db8:bad::/64')

export const DEMO_WORLD: World = {
  networks: [core, floor, office, ops, field, partner, outside],
  hosts: [
    server('portal-1', interfaceIn(core, 11), {
      tier: 'core',
      labels: { app: 'portal', site: 'main' },
      services: [{ daemon: 'nginx' }, { daemon: 'redis', scope: 'network' }],
    }),
    server('portal-2', interfaceIn(core, 12), {
      tier: 'core',
      labels: { app: 'portal', site: 'main' },
      services: [{ daemon: 'nginx' }, { daemon: 'redis', scope: 'loopback' }, { daemon: 'debugHttp', port: 9999 }],
    }),
    server('db-1', interfaceIn(core, 13), {
      tier: 'core',
      labels: { app: 'records', site: 'main' },
      services: [{ daemon: 'postgres' }, { daemon: 'rpcbind' }],
    }),
    server('cache-1', interfaceIn(core, 14), {
      tier: 'core',
      labels: { app: 'portal', site: 'main' },
      services: [{ daemon: 'redis', scope: 'network' }],
    }),
    server('dns-1', interfaceIn(core, 15), {
      tier: 'core',
      labels: { app: 'names', site: 'main' },
      services: [{ daemon: 'dnsmasq' }],
    }),
    server('pacs-1', interfaceIn(core, 16), {
      tier: 'core',
      labels: { app: 'imaging', site: 'main' },
      services: [{ daemon: 'storescp' }, { daemon: 'inetd' }],
    }),
    server('feed-1', interfaceIn(core, 17), {
      tier: 'core',
      labels: { app: 'market', site: 'main' },
      services: [{ daemon: 'feed' }, { daemon: 'debugHttp', port: 6060 }],
    }),
    server('rtls-1', interfaceIn(floor, 11), {
      labels: { app: 'location', site: 'main' },
      services: [{ daemon: 'rtls' }, { daemon: 'rpcbind' }],
    }),
    server('files-1', interfaceIn(floor, 12), {
      labels: { app: 'exchange', site: 'main' },
      services: [{ daemon: 'sftpDrop' }, { daemon: 'redis', scope: 'network' }],
    }),
    server('logs-1', interfaceIn(floor, 13), {
      labels: { app: 'logs', site: 'main' },
      services: [{ daemon: 'syslog' }, { daemon: 'debugHttp', port: 9999 }],
    }),
    server('viewer-1', interfaceIn(floor, 14), {
      labels: { app: 'imaging', site: 'main' },
      services: [
        { daemon: 'container', published: 8080, target: 80 },
        { daemon: 'redis', scope: 'network' },
      ],
    }),
    server('legacy-1', interfaceIn(floor, 15), {
      labels: { app: 'none', site: 'main' },
      services: [{ daemon: 'inetd' }, { daemon: 'rpcbind' }],
    }),
    server('intranet-1', interfaceIn(floor, 16), {
      labels: { app: 'intranet', site: 'main' },
      services: [{ daemon: 'nginx' }, { daemon: 'redis', scope: 'network' }],
      firewall: { kind: 'ufw', allow: tcp(22, 80, 443) },
    }),
    server('report-1', interfaceIn(floor, 17), {
      labels: { app: 'reports', site: 'main' },
      services: [{ daemon: 'postgres' }, { daemon: 'rpcbind' }],
      firewall: { kind: 'firewalld', allow: tcp(22, 5432, 111) },
    }),
    client('office-1', interfaceIn(office, 11)),
    client('monitor-1', interfaceIn(ops, 11)),
    client('control-1', interfaceIn(ops, 12)),
    client('tag-1', interfaceIn(field, 11)),
    client('batch-1', interfaceIn(partner, 11)),
    client('attacker-1', interfaceIn(outside, 66)),
  ],
}

/** Where the controller stands. */
export const CONTROLLER = 'control-1'
export const ATTACKER = 'attacker-1'

function tcp(...ports: number[]): { protocol: 'tcp'; port: number }[] {
  return ports.map((port) => ({ protocol: 'tcp', port }))
}
