/** What the verb `facts` reads, as somebody would ask for it by hand: one command each. */
export const COMMANDS: readonly string[] = [
  'nft -j list ruleset',
  'ip -j addr',
  'ip -4 -j route show table all',
  'ip -6 -j route show table all',
  'ip -4 -j rule',
  'ip -6 -j rule',
  'ss -H -lntup -e',
  'cat /proc/net/snmp',
  'conntrack -L -o extended',
  'sysctl net.ipv4.ip_forward net.ipv4.ip_local_port_range net.ipv6.conf.all.forwarding net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max',
  'cat /etc/os-release',
  'nft --version',
  'cat /proc/uptime /proc/sys/kernel/random/boot_id',
]
