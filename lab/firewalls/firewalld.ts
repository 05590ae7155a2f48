import type { FirewallSpec } from '../daemons/spec.ts'
import { untilReady } from '../daemons/daemon.ts'
import type { LabHost } from '../host.ts'

/** Real firewalld on a D-Bus of the host's own. */
export async function startFirewalld(host: LabHost, spec: FirewallSpec): Promise<void> {
  host.writeFile('/etc/lab/firewalld/zones/public.xml', zone(spec))
  host.writeFile('/run/dbus/placeholder', '')
  host.start('dbus', ['dbus-daemon', '--system', '--nofork', '--nopidfile'])
  await untilReady(host, 'dbus', async () => host.exists('/run/dbus/system_bus_socket'))
  host.start('firewalld', ['/usr/bin/python3', '/usr/sbin/firewalld', '--nofork', '--nopid', '--system-config', '/etc/lab/firewalld'])
  await untilReady(host, 'firewalld', async () => (await host.run(['nft', 'list', 'chain', 'inet', 'firewalld', 'filter_IN_public_allow'])).exitCode === 0)
}

const zone = (spec: FirewallSpec): string => `<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>Public</short>
${spec.allow.map(({ protocol, port }) => `  <port protocol="${protocol}" port="${port}"/>`).join('\n')}
  <forward/>
</zone>
`
