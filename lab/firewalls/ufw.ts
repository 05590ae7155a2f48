import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
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

/** Debian's pristine rules, laid under the host before it boots: those of this machine may say anything, and only root reads them. */
export function layUfwRules(upper: string): void {
  const [pristine, there] = ['/usr/share/ufw', join(upper, 'etc/ufw')]
  mkdirSync(there, { recursive: true })
  for (const file of readdirSync(pristine).filter((name) => /\.(rules|init|conf)$/.test(name))) {
    copyFileSync(join(pristine, file), join(there, file))
  }
}
