import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { chooseIptables, run, write, type Tool } from './tool.ts'

/** The chains of a container engine with one published port, as dockerd lays them; eth1 is its bridge. */
const IPTABLES = `*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 10.9.0.77/32 ! -i eth1 -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 10.9.0.0/16 ! -o eth1 -j MASQUERADE
-A DOCKER -i eth1 -j RETURN
-A DOCKER ! -i eth1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.9.0.77:80
-A DOCKER ! -i eth1 -p udp -m udp --dport 53 -j DNAT --to-destination 10.9.4.4:53
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i eth1 -j ACCEPT
-A DOCKER-CT -o eth1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i eth1 ! -o eth1 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o eth0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-BRIDGE -o eth1 -j DOCKER
-A DOCKER -d 10.9.0.77/32 ! -i eth1 -o eth1 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER -d 10.9.4.4/32 ! -i eth1 -o eth1 -p udp -m udp --dport 53 -j ACCEPT
-A DOCKER ! -i eth1 -o eth1 -j DROP
-A DOCKER-USER -s 198.51.100.8/32 -j DROP
-A DOCKER-USER -j RETURN
COMMIT
`

const NFT = `table ip docker-bridges {
  map filter-forward-in-jumps { type ifname : verdict; elements = { "eth1" : jump filter-forward-in__eth1 }; }
  map filter-forward-out-jumps { type ifname : verdict; elements = { "eth1" : jump filter-forward-out__eth1 }; }
  map nat-postrouting-in-jumps { type ifname : verdict; elements = { "eth1" : jump nat-postrouting-in__eth1 }; }
  map nat-postrouting-out-jumps { type ifname : verdict; elements = { "eth1" : jump nat-postrouting-out__eth1 }; }
  chain filter-forward-in__eth1 {
    ct state established,related counter accept
    iifname "eth1" oifname "eth1" counter accept
    counter accept
  }
  chain filter-forward-out__eth1 {
    ct state established,related counter accept
    ip daddr 10.9.0.77 iifname != "eth1" tcp dport 80 counter accept
    iifname "eth0" counter drop
    counter drop
  }
  chain nat-postrouting-in__eth1 { }
  chain nat-postrouting-out__eth1 {
    oifname != "eth1" ip saddr 10.9.0.0/16 counter masquerade
  }
  chain nat-prerouting-and-output {
    iifname != "eth1" tcp dport 8080 counter dnat to 10.9.0.77:80
  }
  chain filter-FORWARD {
    type filter hook forward priority filter; policy accept;
    oifname vmap @filter-forward-out-jumps
    iifname vmap @filter-forward-in-jumps
  }
  chain nat-OUTPUT {
    type nat hook output priority -100; policy accept;
    fib daddr type local counter jump nat-prerouting-and-output
  }
  chain nat-POSTROUTING {
    type nat hook postrouting priority srcnat; policy accept;
    iifname vmap @nat-postrouting-in-jumps
    oifname vmap @nat-postrouting-out-jumps
  }
  chain nat-PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local counter jump nat-prerouting-and-output
  }
  chain raw-PREROUTING {
    type filter hook prerouting priority raw; policy accept;
    ip daddr 10.9.0.77 iifname != "eth1" counter drop
  }
}
`

export const DOCKER: Tool = {
  backends: ['nft', 'iptables-nft', 'iptables-legacy'],
  async load(place) {
    chooseIptables(place)
    if (place.backend === 'nft') run('nft', '-f', write(join(place.folder, 'docker.nft'), NFT))
    else execFileSync('iptables-restore', [], { input: IPTABLES })
    return undefined
  },
}
