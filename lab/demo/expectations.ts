import type { Family } from '@portcullis/core/net/address.ts'
import { containsPort } from '@portcullis/core/net/port.ts'
import { CATALOGUE } from '@portcullis/core/policy/catalogue.ts'
import { parseServicePorts } from '@portcullis/core/policy/service.ts'
import type { ServicePort } from '@portcullis/core/policy/policy.ts'
import { listensOf, type Listen } from '../daemons/spec.ts'
import { addressOf, hostNamed, type World, type WorldHost } from '../world.ts'
import { DEMO_SERVICES, MANAGEMENT_ZONE, type DemoNeed } from './needs.ts'

/** What a scan of one address from one place must find open, no more and no less. */
export interface ExpectedOpen {
  readonly vantage: string
  readonly host: string
  readonly family: Family
  readonly address: string
  /** Sorted by protocol, then port. */
  readonly open: readonly Port[]
}

export interface Port {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

/** Before Portcullis: whatever listens on the network and is let in by the firewall that stands there already. The same from everywhere. */
export function openBefore(world: World): ExpectedOpen[] {
  return expected(world, (host, listen) => passesOldFirewall(host, listen))
}

/** After it: of that, what a need or the management of the fleet grants to the vantage's network. */
export function openAfter(world: World, needs: readonly DemoNeed[]): ExpectedOpen[] {
  return expected(world, (host, listen, vantage) => passesOldFirewall(host, listen) && isGranted(needs, host, listen, vantage))
}

type Judge = (host: WorldHost, listen: Listen, vantage: WorldHost) => boolean

/** One line for each vantage (every host of the world), server and family. */
function expected(world: World, isOpen: Judge): ExpectedOpen[] {
  const servers = world.hosts.filter((host) => host.role === 'server')
  return world.hosts.flatMap((vantage) =>
    servers
      .filter((host) => host !== vantage)
      .flatMap((host) => ([4, 6] as const).map((family) => expectedAt(vantage, host, family, isOpen))),
  )
}

function expectedAt(vantage: WorldHost, host: WorldHost, family: Family, isOpen: Judge): ExpectedOpen {
  const open = host.services
    .flatMap(listensOf)
    .filter((listen) => listen.scope === 'network' && listen.families.includes(family) && isOpen(host, listen, vantage))
    .map(({ protocol, port }): Port => ({ protocol, port }))
    .toSorted((a, b) => a.protocol.localeCompare(b.protocol) || a.port - b.port)
  return { vantage: vantage.name, host: host.name, family, address: addressOf(host, family), open }
}

function passesOldFirewall(host: WorldHost, listen: Listen): boolean {
  return host.firewall?.allow.some(({ protocol, port }) => protocol === listen.protocol && port === listen.port) ?? true
}

const isGranted = (needs: readonly DemoNeed[], host: WorldHost, { protocol, port }: Port, vantage: WorldHost): boolean =>
  isManagement(vantage, { protocol, port }) || needsOf(needs, host, { protocol, port }, vantage).length > 0

/** Whether the policy lets the vantage come to a port, whether or not anything listens there. */
export const isLetIn = (world: World, needs: readonly DemoNeed[], host: string, port: Port, vantage: string): boolean =>
  isGranted(needs, hostNamed(world, host), port, hostNamed(world, vantage))

/** Needs that let the vantage's network in. */
export function needsOf(needs: readonly DemoNeed[], host: WorldHost, { protocol, port }: Port, vantage: WorldHost): readonly DemoNeed[] {
  const zones = zonesOf(vantage)
  return needs.filter(
    (need) =>
      need.hosts.includes(host.name) &&
      need.from.some((zone) => zones.includes(zone)) &&
      portsOf(need.service).some((granted) => protocol === granted.protocol && containsPort(granted.ports, port)),
  )
}

const isManagement = (vantage: WorldHost, { protocol, port }: Port): boolean => protocol === 'tcp' && port === 22 && zonesOf(vantage).includes(MANAGEMENT_ZONE)

const zonesOf = (host: WorldHost): readonly string[] => host.interfaces.map((face) => face.network)

/** The ports that a service's name stands for. */
export function portsOf(service: string): readonly ServicePort[] {
  const known = CATALOGUE.get(service)
  if (known !== undefined) return known.ports
  const own = DEMO_SERVICES.find((candidate) => candidate.name === service)
  if (own === undefined) throw new Error(`no service is called ${service}`)
  return own.ports.flatMap((written) => {
    const ports = parseServicePorts(written)
    return ports.ok ? ports.value : []
  })
}
