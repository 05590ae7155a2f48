import type { LabHost } from '@portcullis/lab/host.ts'
import { MANAGEMENT_PORT, type Endpoint } from './endpoint.ts'

/**
 * Writes what `ufw allow …` would have written, one call each, and which takes half a second a call.
 * The host must have been started with ufw enabled; nothing changes until `reloadUfw`.
 */
export function writeUfwRules(host: LabHost, endpoints: readonly Endpoint[]): void {
  const management: Endpoint = { protocol: 'tcp', port: MANAGEMENT_PORT, from: 'any' }
  host.writeFile('/etc/ufw/user.rules', `${HEAD}${[management, ...endpoints].map(ruleOf).join('')}${TAIL}`, 0o640)
}

export const reloadUfw = (host: LabHost): Promise<string> => host.must(['ufw', 'reload'], { timeoutMs: 600_000 })

function ruleOf({ protocol, port, from }: Endpoint): string {
  const source = from === 'any' ? '' : ` -s ${from}`
  return `\n### tuple ### allow ${protocol} ${port} 0.0.0.0/0 any ${from === 'any' ? '0.0.0.0/0' : from} in
-A ufw-user-input -p ${protocol} --dport ${port}${source} -j ACCEPT
`
}

const HEAD = `*filter
:ufw-user-input - [0:0]
:ufw-user-output - [0:0]
:ufw-user-forward - [0:0]
:ufw-before-logging-input - [0:0]
:ufw-before-logging-output - [0:0]
:ufw-before-logging-forward - [0:0]
:ufw-user-logging-input - [0:0]
:ufw-user-logging-output - [0:0]
:ufw-user-logging-forward - [0:0]
:ufw-after-logging-input - [0:0]
:ufw-after-logging-output - [0:0]
:ufw-after-logging-forward - [0:0]
:ufw-logging-deny - [0:0]
:ufw-logging-allow - [0:0]
:ufw-user-limit - [0:0]
:ufw-user-limit-accept - [0:0]
### RULES ###
`

const TAIL = `
### END RULES ###

### LOGGING ###
-A ufw-after-logging-input -j LOG --log-prefix "[UFW BLOCK] " -m limit --limit 3/min --limit-burst 10
-A ufw-after-logging-forward -j LOG --log-prefix "[UFW BLOCK] " -m limit --limit 3/min --limit-burst 10
-I ufw-logging-deny -m conntrack --ctstate INVALID -j RETURN -m limit --limit 3/min --limit-burst 10
-A ufw-logging-deny -j LOG --log-prefix "[UFW BLOCK] " -m limit --limit 3/min --limit-burst 10
-A ufw-logging-allow -j LOG --log-prefix "[UFW ALLOW] " -m limit --limit 3/min --limit-burst 10
### END LOGGING ###

### RATE LIMITING ###
-A ufw-user-limit -m limit --limit 3/minute -j LOG --log-prefix "[UFW LIMIT BLOCK] "
-A ufw-user-limit -j REJECT
-A ufw-user-limit-accept -j ACCEPT
### END RATE LIMITING ###
COMMIT
`
