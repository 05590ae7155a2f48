import { formatAddress } from '@portcullis/core/net/address.ts'
import { formatPortRange } from '@portcullis/core/net/port.ts'
import { formatPrefix } from '@portcullis/core/net/prefix.ts'
import { deriveNeedId } from '@portcullis/core/policy/needId.ts'
import type { Defaults, Host, Need, Policy, Selector, Service, Transport, Zone } from '@portcullis/core/policy/policy.ts'
import { formatServicePort } from '@portcullis/core/policy/service.ts'
import type { DefaultsEntry, HostEntry, NeedEntry, PolicyFile, ServiceEntry, TransportEntry } from './schema.ts'

/** Some or all sections of a policy file, in the words of the file. */
export type PolicyFragment = Partial<Omit<PolicyFile, 'version'>>

/** The whole policy in the words of its file; what equals its default is left out. */
export function fragmentOf(policy: Policy): PolicyFragment {
  return {
    defaults: defaultsEntry(policy.defaults),
    ...(policy.zones.length > 0 && { zones: Object.fromEntries(policy.zones.map((zone) => [zone.name, zoneEntry(zone)])) }),
    ...(policy.services.length > 0 && { services: Object.fromEntries(policy.services.map((service) => [service.name, serviceEntry(service)])) }),
    fleet: { hosts: Object.fromEntries(policy.hosts.map((host) => [host.name, hostEntry(host)])) },
    needs: policy.needs.map((need) => needEntry(need, policy.hosts.length)),
  }
}

export function hostEntry(host: Host): HostEntry {
  const transport = transportEntry(host.transport, host.name)
  return {
    addresses: host.addresses.map(formatAddress),
    ...(Object.keys(host.labels).length > 0 && { labels: { ...host.labels } }),
    ...(host.tier === 'core' && { tier: host.tier }),
    ...(transport && { transport }),
  }
}

export function needEntry(need: Need, fleetSize: number): NeedEntry {
  const selector = need.selector ?? selectorOf(need.hosts, fleetSize)
  const isDerived = need.id === deriveNeedId(need.service.name, selector, need.fromText)
  return {
    ...(!isDerived && { id: need.id }),
    service: need.service.name,
    to: selectorEntry(selector),
    from: one(need.fromText),
    owner: need.owner,
    because: need.because,
    review: need.review,
    ...(need.schedule !== undefined && { schedule: need.schedule }),
    ...(need.critical && { critical: true }),
    ...(need.flows !== undefined && { flows: need.flows }),
  }
}

const selectorOf = (hosts: readonly string[], fleetSize: number): Selector =>
  hosts.length === fleetSize && fleetSize > 1 ? { kind: 'all' } : { kind: 'names', names: hosts }

function selectorEntry(selector: Selector): NeedEntry['to'] {
  if (selector.kind === 'all') return 'all'
  if (selector.kind === 'names') return one(selector.names)
  return Object.fromEntries(Object.entries(selector.labels).map(([label, values]) => [label, one(values)]))
}

function defaultsEntry(defaults: Defaults): DefaultsEntry {
  return {
    mode: defaults.mode,
    refusal: defaults.refusal,
    ping: defaults.ping,
    ...(defaults.flows === undefined ? {} : { flows: defaults.flows }),
    ...(defaults.warnSeconds === undefined ? {} : { warnSeconds: defaults.warnSeconds }),
    ...(defaults.approvals === undefined ? {} : { approvals: defaults.approvals }),
    management: { from: one(defaults.managementFrom.map(formatPrefix)), ports: defaults.managementPorts.map((range) => (range.first === range.last ? range.first : formatPortRange(range))) },
  }
}

const zoneEntry = (zone: Zone): string | string[] => one(zone.prefixes.map(formatPrefix))

function serviceEntry(service: Service): ServiceEntry {
  const ports = one(service.ports.map(formatServicePort))
  if (service.titles) return { title: { ...service.titles }, ports }
  return service.title === service.name ? ports : { title: service.title, ports }
}

function transportEntry(transport: Transport, name: string): TransportEntry | undefined {
  if (transport.kind === 'local') return 'local'
  if (transport.kind === 'netns') return { netns: transport.namespace }
  const { kind: _, destination, port, sudo, ...rest } = transport
  const isDefaultSudo = sudo === (rest.user !== undefined && rest.user !== 'root')
  const ssh = {
    ...(destination !== name && { destination }),
    ...(port !== 22 && { port }),
    ...rest,
    ...(!isDefaultSudo && { sudo }),
  }
  return Object.keys(ssh).length > 0 ? { ssh } : undefined
}

/** A list of one is written without brackets. */
function one(values: readonly string[]): string | string[] {
  const [first, ...others] = values
  return first !== undefined && others.length === 0 ? first : [...values]
}
