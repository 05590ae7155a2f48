import type { FirewallSpec } from '../daemons/spec.ts'
import type { LabHost } from '../host.ts'

/** Real ufw with real rules: what it allows is added as an administrator would, then it is enabled. */
export async function startUfw(host: LabHost, spec: FirewallSpec): Promise<void> {
  for (const protocol of ['tcp', 'udp'] as const) {
    const ports = spec.allow.filter((allowed) => allowed.protocol === protocol).map((allowed) => allowed.port)
    if (ports.length > 0) await host.must(['ufw', 'allow', `${ports.join(',')}/${protocol}`])
  }
  await host.must(['ufw', '--force', 'enable'])
}
