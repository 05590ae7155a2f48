import type { FirewallSpec } from '../daemons/spec.ts'
import type { LabHost } from '../host.ts'
import { startFirewalld } from './firewalld.ts'
import { startUfw } from './ufw.ts'

const FIREWALLS: Readonly<Record<FirewallSpec['kind'], (host: LabHost, spec: FirewallSpec) => Promise<void>>> = {
  ufw: startUfw,
  firewalld: startFirewalld,
}

export const startFirewall = (host: LabHost, spec: FirewallSpec): Promise<void> => FIREWALLS[spec.kind](host, spec)
