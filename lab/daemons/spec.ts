import type { Family } from '@portcullis/core/net/address.ts'

/** What runs on a host, as a value. Each kind is one real program; `listensOf` says which endpoints it takes. */
export type ServiceSpec =
  | { readonly daemon: 'openssh' }
  | { readonly daemon: 'nginx' }
  | { readonly daemon: 'redis'; readonly scope: Scope }
  | { readonly daemon: 'postgres' }
  | { readonly daemon: 'dnsmasq' }
  | { readonly daemon: 'sftpDrop' }
  | { readonly daemon: 'storescp' }
  | { readonly daemon: 'feed' }
  | { readonly daemon: 'rtls' }
  | { readonly daemon: 'syslog' }
  | { readonly daemon: 'inetd' }
  | { readonly daemon: 'rpcbind' }
  | { readonly daemon: 'debugHttp'; readonly port: number }
  | { readonly daemon: 'container'; readonly published: number; readonly target: number }

export type DaemonName = ServiceSpec['daemon']

/** Whether the world outside of the host can reach the socket at all. */
export type Scope = 'network' | 'loopback'

export interface Listen {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  readonly families: readonly Family[]
  readonly scope: Scope
  readonly title: string
}

/** A firewall that stands on the host before Portcullis comes, with what it lets in. */
export interface FirewallSpec {
  readonly kind: 'ufw' | 'firewalld'
  readonly allow: readonly { readonly protocol: 'tcp' | 'udp'; readonly port: number }[]
}

/** The endpoints that a service takes on its host. */
export function listensOf(service: ServiceSpec): readonly Listen[] {
  switch (service.daemon) {
    case 'openssh':
      return [onBoth('tcp', 22, 'remote login')]
    case 'nginx':
      return [onBoth('tcp', 80, 'web, plain'), onBoth('tcp', 443, 'web, TLS')]
    case 'redis':
      return [{ ...onBoth('tcp', 6379, 'cache'), scope: service.scope }]
    case 'postgres':
      return [onBoth('tcp', 5432, 'database')]
    case 'dnsmasq':
      return [onBoth('udp', 53, 'names'), onBoth('tcp', 53, 'names')]
    case 'sftpDrop':
      return [] // A user of the host's OpenSSH.
    case 'storescp':
      return [{ ...onBoth('tcp', 11112, 'DICOM images'), families: [4] }] // DCMTK 3.6.7 speaks IPv4 only.
    case 'feed':
      return [onBoth('tcp', 5133, 'market data')]
    case 'rtls':
      return [onBoth('udp', 12_091, 'locations of tags')]
    case 'syslog':
      return [onBoth('udp', 514, 'log lines')]
    case 'inetd':
      return [
        onBoth('tcp', 23, 'telnet'),
        onBoth('tcp', 21, 'ftp'),
        onBoth('tcp', 13, 'daytime'),
        onBoth('udp', 7, 'echo'),
      ]
    case 'rpcbind':
      return [onBoth('tcp', 111, 'RPC port mapper'), onBoth('udp', 111, 'RPC port mapper')]
    case 'debugHttp':
      return [onBoth('tcp', service.port, 'debug pages')]
    case 'container':
      return [onBoth('tcp', service.published, 'published by a container')]
  }
}

const onBoth = (protocol: 'tcp' | 'udp', port: number, title: string): Listen => ({
  protocol,
  port,
  families: [4, 6],
  scope: 'network',
  title,
})
