import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chooseIptables, coverWithNothing, run, until, write, type Tool } from './tool.ts'

const PUBLIC = `<?xml version="1.0" encoding="utf-8"?>
<zone>
  <interface name="wan0"/>
  <service name="ssh"/>
  <port protocol="tcp" port="8080-8081"/>
  <icmp-block name="timestamp-request"/>
  <masquerade/>
  <forward-port port="80" protocol="tcp" to-port="8080" to-addr="10.9.0.77"/>
  <rule family="ipv4"><source address="198.51.100.0/24"/><port port="443" protocol="tcp"/><accept/></rule>
  <rule family="ipv6"><source address="2001:db8:7::7"/><reject/></rule>
  <rule priority="-5"><source address="8.8.8.8"/><drop/></rule>
  <rule><port port="53" protocol="udp"/><log prefix="dns "/><accept><limit value="5/s"/></accept></rule>
</zone>
`
const INTERNAL = `<?xml version="1.0" encoding="utf-8"?>
<zone target="ACCEPT">
  <interface name="eth1"/>
  <source address="10.1.2.0/24"/>
</zone>
`
const DROP = `<?xml version="1.0" encoding="utf-8"?>
<zone target="DROP">
  <interface name="eth0"/>
  <service name="https"/>
  <forward/>
</zone>
`
const POLICY = `<?xml version="1.0" encoding="utf-8"?>
<policy target="CONTINUE">
  <ingress-zone name="public"/>
  <egress-zone name="internal"/>
  <port protocol="tcp" port="22"/>
</policy>
`

export const FIREWALLD: Tool = {
  backends: ['nft', 'iptables-nft', 'iptables-legacy'],
  async load(place) {
    chooseIptables(place)
    coverWithNothing('/run')
    mkdirSync('/run/dbus')
    const folder = join(place.folder, 'firewalld')
    const backend = place.backend === 'nft' ? 'nftables' : 'iptables'
    write(join(folder, 'firewalld.conf'), `DefaultZone=public\nFirewallBackend=${backend}\nIPv6_rpfilter=yes\nFlushAllOnReload=yes\nLogDenied=unicast\nRFC3964_IPv4=yes\n`)
    for (const [name, text] of Object.entries({ public: PUBLIC, internal: INTERNAL, drop: DROP })) write(join(folder, `zones/${name}.xml`), text)
    write(join(folder, 'policies/inwards.xml'), POLICY)
    const bus = spawn('dbus-daemon', ['--system', '--nofork', '--nopidfile'], { stdio: 'ignore' })
    await until(() => existsSync('/run/dbus/system_bus_socket'), 'the bus')
    const daemon = spawn('/usr/bin/python3', ['/usr/sbin/firewalld', '--nofork', '--nopid', '--system-config', folder], { stdio: 'ignore' })
    await until(() => isRunning(), 'firewalld')
    return () => {
      daemon.kill()
      bus.kill()
    }
  },
}

function isRunning(): boolean {
  try {
    return run('firewall-cmd', '--state').trim() === 'running'
  } catch {
    return false
  }
}
