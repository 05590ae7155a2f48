import { formatPortRange, type PortRange } from '../../net/port.ts'
import type { TransportProtocol } from '../../net/protocol.ts'
import { CATALOGUE } from '../catalogue.ts'
import type { Service } from '../policy.ts'
import type { ServiceGuess } from './recommendation.ts'

/** What listens for a service of the catalogue, as its process or a probe names it. A port number alone names nothing. */
const LISTENERS: readonly (readonly [services: readonly string[], listeners: RegExp])[] = [
  [['https', 'http', 'http-alt'], /nginx|apache|httpd|caddy|haproxy|envoy|traefik|varnish|lighttpd|http/],
  [['ssh'], /ssh|dropbear/],
  [['dns'], /named|unbound|dnsmasq|knot|pdns|dns/],
  [['ntp'], /ntp|chrony/],
  [['postgresql'], /postgres/],
  [['mysql'], /mysql|mariadb/],
  [['redis'], /redis|valkey/],
  [['smb'], /smbd|ksmbd/],
  [['nfs'], /nfs/],
  [['snmp'], /snmp/],
  [['syslog'], /syslog/],
  [['smtp', 'submission'], /master|exim|postfix|sendmail|smtp/],
  [['dicom'], /dicom|orthanc|storescp|dcm/],
  [['node-exporter'], /node_exporter|node-exporter/],
]

/** A service that opens exactly these ports: one of the policy, else one of the catalogue that fits what listens, else a new one named after it. */
export function guessService(protocol: TransportProtocol, ports: PortRange, listener: string | undefined, own: readonly Service[]): ServiceGuess {
  const opensExactly = (service: Service): boolean => {
    const [only, ...others] = service.ports
    return others.length === 0 && only?.protocol === protocol && only.ports.first === ports.first && only.ports.last === ports.last
  }
  const written = own.find(opensExactly)
  if (written) return { name: written.name, isKnown: true }
  const catalogued = [...CATALOGUE.values()].filter((service) => opensExactly(service) && !own.some(({ name }) => name === service.name)).find(({ name }) => isListenerOf(name, listener))
  return catalogued ? { name: catalogued.name, isKnown: true } : { name: newName(protocol, ports, listener), isKnown: false }
}

function isListenerOf(service: string, listener: string | undefined): boolean {
  if (listener === undefined) return false
  const text = listener.toLowerCase()
  return text.includes(service) || LISTENERS.some(([services, listeners]) => services.includes(service) && listeners.test(text))
}

const NAME_MAX = 40

function newName(protocol: TransportProtocol, ports: PortRange, listener: string | undefined): string {
  const word = (listener ?? '').replace(/\.service$/, '').replaceAll(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z]+/, '').slice(0, NAME_MAX)
  return `${word === '' ? 'port' : word}-${formatPortRange(ports)}-${protocol}`
}
