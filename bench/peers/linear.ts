import { MANAGEMENT_PORT, type Endpoint } from './endpoint.ts'

/** How most hand-written firewalls look: loopback, established flows, one rule for each endpoint, and a default that drops. */
export const nftLinear = (endpoints: readonly Endpoint[]): string => `table inet linear
delete table inet linear
table inet linear {
	chain input {
		type filter hook input priority 0; policy drop;
		iif "lo" accept
		ct state established,related accept
		tcp dport ${MANAGEMENT_PORT} accept
${endpoints.map(({ protocol, port, from }) => `\t\t${from === 'any' ? '' : `ip saddr ${from} `}${protocol} dport ${port} accept\n`).join('')}	}
}
`

/** The same for iptables-restore, which replaces the whole table. */
export const iptablesLinear = (endpoints: readonly Endpoint[]): string => `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport ${MANAGEMENT_PORT} -j ACCEPT
${endpoints.map(({ protocol, port, from }) => `-A INPUT ${from === 'any' ? '' : `-s ${from} `}-p ${protocol} -m ${protocol} --dport ${port} -j ACCEPT\n`).join('')}COMMIT
`
