import type { FleetIndex } from '@portcullis/adapters/import/fleetIndex.ts'
import type { Instant, Observation } from '@portcullis/core/inventory/observation.ts'
import { containsPort, type PortRange } from '@portcullis/core/net/port.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import type { Store } from '@portcullis/engine/store.ts'

/** Readings come once a day; what was down for a week is seen in the one before. */
const LISTENERS_MS = 8 * 86_400_000

/** Which endpoints of the fleet are known to serve: by a need of the policy, or by what the hosts said of late. Host after host, so that what is held is small. */
export async function knownServers(policy: Policy, store: Pick<Store, 'observations'>, now: Instant): Promise<NonNullable<FleetIndex['isServer']>> {
  const needed = neededPorts(policy)
  const listening = new Set<string>()
  for (const { name } of policy.hosts) {
    for (const observation of await store.observations({ host: name, kinds: ['listener', 'published'], since: now - LISTENERS_MS })) {
      for (const key of serverKeys(observation)) listening.add(key)
    }
  }
  return (host, protocol, port) => listening.has(`${host} ${protocol} ${port}`) || (needed.get(`${host} ${protocol}`)?.some((ports) => containsPort(ports, port)) ?? false)
}

function neededPorts({ hosts, needs, defaults }: Policy): Map<string, PortRange[]> {
  const needed = new Map<string, PortRange[]>()
  const add = (host: string, protocol: TransportProtocol, ports: PortRange): void => {
    const known = needed.get(`${host} ${protocol}`)
    if (known) known.push(ports)
    else needed.set(`${host} ${protocol}`, [ports])
  }
  for (const { name } of hosts) for (const ports of defaults.managementPorts) add(name, 'tcp', ports)
  for (const need of needs) for (const host of need.hosts) for (const { protocol, ports } of need.service.ports) add(host, protocol, ports)
  return needed
}

function serverKeys(observation: Observation): string[] {
  if (observation.kind === 'published') return [`${observation.host} ${observation.protocol} ${observation.ports.first}`]
  if (observation.kind !== 'listener' || observation.isLoopback) return []
  // A UDP socket on a port that the kernel chose may be a client's; a TCP socket that listens is none.
  if (observation.protocol === 'udp' && observation.isEphemeral) return []
  return [`${observation.host} ${observation.protocol} ${observation.port}`]
}
