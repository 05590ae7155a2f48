import { join } from 'node:path'
import { untilReady, type Daemon } from './daemon.ts'
import { NGINX_FOLDERS } from './nginx.ts'
import type { ServiceSpec } from './spec.ts'

/** A web server in a namespace behind the host, published as Docker does it: by destination NAT, so that INPUT never sees it. */
export const container: Daemon<Extract<ServiceSpec, { daemon: 'container' }>> = async (host, { published, target }, site) => {
  host.writeFile('/etc/lab/container.conf', config(target))
  host.writeFile('/etc/lab/container.nft', rules(published, target))
  await host.must(['/bin/sh', join(import.meta.dirname, 'container.sh')])
  host.start('container', ['ip', 'netns', 'exec', 'container', 'nginx', '-c', '/etc/lab/container.conf'])
  await untilReady(host, 'container', () => site.connects(host, published))
}

const config = (port: number): string => `daemon off;
pid /run/container.pid;
error_log stderr warn;
worker_processes 1;
events {}
http {
  access_log off;
  ${NGINX_FOLDERS}
  server {
    listen ${port};
    listen [::]:${port};
    return 200 "viewer\\n";
  }
}
`

/** The shape of Docker's own tables: NAT by `fib daddr type local`, a forward chain that lets the published port through. */
const rules = (published: number, target: number): string =>
  (['ip', 'ip6'] as const).map((family) => familyRules(family, published, target)).join('')

function familyRules(family: 'ip' | 'ip6', published: number, target: number): string {
  const [subnet, address] = family === 'ip' ? ['172.17.0.0/16', '172.17.0.2'] : ['fd00:172:17::/64', '[fd00:172:17::2]']
  return `table ${family} nat {
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump DOCKER
  }
  chain POSTROUTING {
    type nat hook postrouting priority srcnat; policy accept;
    oifname != "docker0" ${family} saddr ${subnet} masquerade
  }
  chain DOCKER {
    iifname != "docker0" tcp dport ${published} dnat to ${address}:${target}
  }
}
table ${family} filter {
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname != "docker0" oifname "docker0" ${family} daddr ${address.replace(/[[\]]/g, '')} tcp dport ${target} accept
    iifname "docker0" accept
  }
}
`
}
