import { untilReady, type Daemon } from './daemon.ts'

/** What was once installed and never removed: telnet, ftp, daytime and echo by the Internet super-server. */
export const inetd: Daemon = async (host, _spec, site) => {
  host.writeFile('/etc/lab/inetd.conf', CONFIG)
  host.writeFile('/etc/lab/inetd.d/none', '')
  host.start('inetd', ['inetutils-inetd', '--debug', '/etc/lab/inetd.conf', '/etc/lab/inetd.d'])
  await untilReady(host, 'inetd', () => site.connects(host, 13))
}

/** A tcp6 or udp6 socket takes IPv4 as well. */
const CONFIG = `telnet stream tcp6 nowait root /usr/sbin/telnetd telnetd
ftp stream tcp6 nowait root /usr/sbin/ftpd ftpd
daytime stream tcp6 nowait root internal
echo dgram udp6 wait root internal
`
