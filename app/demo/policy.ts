import { renderPolicyFile } from '@portcullis/adapters/policyfile/render.ts'
import type { PolicyFragment } from '@portcullis/adapters/policyfile/fragment.ts'
import { FaultError } from '@portcullis/core/fault/fault.ts'
import type { Instant } from '@portcullis/core/inventory/observation.ts'
import type { Mode } from '@portcullis/core/policy/policy.ts'
import { DEMO_SERVICES, MANAGEMENT_ZONE, type DemoNeed } from '@portcullis/lab/demo/needs.ts'
import type { SshAccess } from '@portcullis/lab/machine.ts'
import { addressOf, type World, type WorldHost } from '@portcullis/lab/world.ts'

export interface PolicyInput {
  readonly world: World
  readonly ssh: Pick<SshAccess, 'identityFile' | 'knownHostsFile'>
  readonly needs: readonly DemoNeed[]
  readonly mode: Mode
  readonly now: Instant
}

/** `portcullis.yaml` of the demo: its hosts, its networks as zones, its needs. */
export function policyText(input: PolicyInput): string {
  const rendered = renderPolicyFile(fragmentFor(input))
  if (rendered.ok) return rendered.value
  throw rendered.faults[0] ? new FaultError(rendered.faults[0]) : new Error('the policy cannot be rendered')
}

const fragmentFor = ({ world, ssh, needs, mode, now }: PolicyInput): PolicyFragment => ({
  defaults: { mode, management: { from: MANAGEMENT_ZONE, ports: 22 } },
  zones: Object.fromEntries(world.networks.map(({ name, ipv4, ipv6 }) => [name, [ipv4, ipv6]])),
  services: Object.fromEntries(DEMO_SERVICES.map(({ name, title, ports }) => [name, { title: { ...title }, ports: [...ports] }])),
  fleet: {
    ssh: { user: 'root', identityFile: ssh.identityFile, knownHostsFile: ssh.knownHostsFile },
    hosts: Object.fromEntries(serversOf(world).map((host) => [host.name, hostEntry(host)])),
  },
  needs: needs.map((need) => ({
    id: need.id,
    service: need.service,
    to: [...need.hosts],
    from: [...need.from],
    owner: need.owner,
    because: need.because,
    review: reviewDay(now),
    ...(need.critical ? { critical: true } : {}),
  })),
})

export const serversOf = (world: World): readonly WorldHost[] => world.hosts.filter((host) => host.role === 'server')

const hostEntry = (host: WorldHost) => ({
  addresses: [addressOf(host, 4), addressOf(host, 6)],
  labels: { ...host.labels },
  ...(host.tier === 'core' ? { tier: host.tier } : {}),
  // The lab has no name service that the controller asks.
  transport: { ssh: { destination: addressOf(host, 4) } },
})

const HALF_A_YEAR_MS = 182 * 86_400_000

const reviewDay = (now: Instant): string => new Date(now + HALF_A_YEAR_MS).toISOString().slice(0, 10)
