import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { chooseIptables, coverWithNothing, run, write, type Tool, type ToolPlace } from './tool.ts'

const FILES: Readonly<Record<4 | 6, Readonly<Record<string, string>>>> = {
  4: {
    zones: 'fw firewall\nnet ipv4\nloc ipv4\ndmz ipv4\n',
    interfaces: '?FORMAT 2\nnet wan0 tcpflags\nloc eth1 bridge\ndmz eth0\n',
    policy: 'loc net ACCEPT\nloc $FW REJECT\n$FW all ACCEPT\nnet all DROP $LOG_LEVEL\nall all REJECT\n',
    rules: `?SECTION ALL\n?SECTION ESTABLISHED\n?SECTION RELATED\n?SECTION INVALID\n?SECTION UNTRACKED\n?SECTION NEW
SSH(ACCEPT) net $FW
ACCEPT net:198.51.100.0/24 $FW tcp 443,8080:8081
ACCEPT loc $FW udp 53
Ping(ACCEPT) all $FW
DNAT net loc:10.9.0.77:8080 tcp 80 - 203.0.113.1
ACCEPT dmz loc:10.9.4.4 tcp 22
DROP net:8.8.8.8 all
`,
    snat: 'MASQUERADE 10.9.0.0/16 wan0\n',
    stoppedrules: 'ACCEPT eth1 -\n',
  },
  6: {
    zones: 'fw firewall\nnet ipv6\nloc ipv6\n',
    interfaces: '?FORMAT 2\nnet wan0 tcpflags\nloc eth1 -\n',
    policy: 'loc net ACCEPT\n$FW all ACCEPT\nnet all DROP\nall all REJECT\n',
    rules: '?SECTION NEW\nSSH(ACCEPT) net $FW\nACCEPT net:[2001:db8:7::/64] $FW tcp 443\nPing(ACCEPT) all $FW\n',
  },
}

/** Compiled as an administrator would for another host; the script that comes of it is run here. */
export const SHOREWALL: Tool = {
  backends: ['iptables-nft', 'iptables-legacy'],
  async load(place) {
    chooseIptables(place)
    for (const state of ['/var/lib/shorewall', '/var/lib/shorewall6', '/run']) coverWithNothing(state)
    compile(place, 4, 'shorewall')
    compile(place, 6, 'shorewall6')
    return undefined
  },
}

function compile(place: ToolPlace, family: 4 | 6, name: string): void {
  const folder = join(place.folder, name)
  const settings = readFileSync(`/etc/${name}/${name}.conf`, 'utf8')
    .replace(/^STARTUP_ENABLED=.*$/m, 'STARTUP_ENABLED=Yes')
    .replace(/^(ROUTE_FILTER|LOG_MARTIANS|IP_FORWARDING)=.*$/gm, '$1=Keep')
    .replace(/^(IP6?TABLES)=.*$/m, `$1=/usr/sbin/${family === 4 ? 'iptables' : 'ip6tables'}`)
  write(join(folder, `${name}.conf`), settings)
  for (const [file, text] of Object.entries(FILES[family])) write(join(folder, file), text)
  const script = join(folder, 'firewall')
  run(name, 'compile', folder, script)
  run('sh', script, 'start')
}
