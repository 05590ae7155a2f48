import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { chooseIptables, coverWithCopy, run, write, type Tool } from './tool.ts'

const RULES: readonly string[] = [
  'allow 22/tcp',
  'limit 443/tcp',
  'allow from 10.9.0.0/16 to any port 8080 proto tcp',
  'deny from 198.51.100.0/24',
  'reject 53/udp',
  'allow in on eth1 proto udp to any port 53',
  'allow proto tcp from any to 192.0.2.1 port 80,81:89',
  'allow from 2001:db8:7::/64 to any port 22 proto tcp',
  'route allow in on wan0 out on eth1 to 10.9.0.77 port 80 proto tcp',
  'route deny in on eth1 out on wan0',
  'logging medium',
]

/** With Debian's pristine files below: those of this machine may say anything. */
export const UFW: Tool = {
  backends: ['iptables-nft', 'iptables-legacy'],
  async load(place) {
    chooseIptables(place)
    coverWithCopy('/etc/ufw', place)
    coverWithCopy('/etc/default', place)
    for (const file of readdirSync('/usr/share/ufw').filter((name) => /\.(?:rules|init|conf)$/.test(name))) copyFileSync(join('/usr/share/ufw', file), join('/etc/ufw', file))
    // Its kernel settings would drop the test's packets before any rule.
    write('/etc/ufw/sysctl.conf', '')
    write('/etc/default/ufw', 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\nDEFAULT_FORWARD_POLICY="DROP"\nDEFAULT_APPLICATION_POLICY="SKIP"\nMANAGE_BUILTINS=no\nIPT_SYSCTL=/etc/ufw/sysctl.conf\nIPT_MODULES=""\n')
    for (const rule of RULES) run('ufw', ...rule.split(' '))
    run('ufw', '--force', 'enable')
    return undefined
  },
}
