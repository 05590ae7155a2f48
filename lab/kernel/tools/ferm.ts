import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { chooseIptables, run, write, type Tool } from './tool.ts'

const CONFIG = `@def $OFFICE = (10.9.0.0/16 198.51.100.7);
domain (ip ip6) table filter {
  chain INPUT {
    policy DROP;
    mod state state INVALID DROP;
    mod state state (ESTABLISHED RELATED) ACCEPT;
    interface lo ACCEPT;
    @if @eq($DOMAIN, ip) proto icmp ACCEPT; @else proto ipv6-icmp ACCEPT;
    proto tcp dport (22 443) ACCEPT;
    @if @eq($DOMAIN, ip) saddr $OFFICE proto tcp mod multiport destination-ports (80 8080:8081) ACCEPT;
    proto udp dport 53 mod limit limit 10/second limit-burst 20 ACCEPT;
    mod pkttype pkt-type (broadcast multicast) DROP;
    proto tcp syn @subchain "synful" { dport !80 RETURN; proto tcp REJECT reject-with tcp-reset; }
  }
  chain FORWARD {
    policy DROP;
    mod conntrack ctstate (ESTABLISHED RELATED) ACCEPT;
    interface (eth0 eth1) outerface wan0 ACCEPT;
    mod conntrack ctstate DNAT ACCEPT;
  }
}
domain ip table nat {
  chain PREROUTING interface wan0 proto tcp dport (80 8081) DNAT to 10.9.0.77:8080;
  chain POSTROUTING outerface wan0 saddr 10.9.0.0/16 MASQUERADE;
}
`

export const FERM: Tool = {
  backends: ['iptables-nft', 'iptables-legacy'],
  async load(place) {
    chooseIptables(place)
    const config = write(join(place.folder, 'ferm.conf'), CONFIG)
    // By itself it takes the legacy tools wherever there are such.
    for (const [domain, restore] of [['ip', 'iptables-restore'], ['ip6', 'ip6tables-restore']] as const) {
      execFileSync(restore, [], { input: run('ferm', '--noexec', '--lines', '--domain', domain, config) })
    }
    return undefined
  },
}
