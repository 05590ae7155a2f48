import { addressOf } from '../world.ts'
import { untilReady, type Daemon } from './daemon.ts'

/** Answers for `HOST.lab`, A and AAAA, over UDP and TCP. */
export const dnsmasq: Daemon = async (host, _spec, site) => {
  const records = site.world.hosts.map((each) => `host-record=${each.name}.lab,${addressOf(each, 4)},${addressOf(each, 6)}`)
  host.writeFile('/etc/lab/dnsmasq.conf', ['no-resolv', 'no-hosts', 'local=/lab/', 'user=dnsmasq', 'pid-file=/run/dnsmasq.pid', ...records, ''].join('\n'))
  host.start('dnsmasq', ['dnsmasq', '--keep-in-foreground', '--conf-file=/etc/lab/dnsmasq.conf'])
  await untilReady(host, 'dnsmasq', () => site.connects(host, 53))
}
