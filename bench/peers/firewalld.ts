import type { LabHost } from '@portcullis/lab/host.ts'
import { MANAGEMENT_PORT, type Endpoint } from './endpoint.ts'

/** Writes the default zone of a host that was started with firewalld; nothing changes until `reloadFirewalld`. */
export function writeFirewalldZone(host: LabHost, endpoints: readonly Endpoint[]): void {
  const management: Endpoint = { protocol: 'tcp', port: MANAGEMENT_PORT, from: 'any' }
  host.writeFile(
    '/etc/lab/firewalld/zones/public.xml',
    `<?xml version="1.0" encoding="utf-8"?>\n<zone>\n  <short>Public</short>\n${[management, ...endpoints].map(lineOf).join('')}  <forward/>\n</zone>\n`,
  )
}

export const reloadFirewalld = (host: LabHost): Promise<string> => host.must(['firewall-cmd', '--reload'], { timeoutMs: 600_000 })

function lineOf({ protocol, port, from }: Endpoint): string {
  const opening = `<port protocol="${protocol}" port="${port}"/>`
  return from === 'any' ? `  ${opening}\n` : `  <rule family="ipv4"><source address="${from}"/>${opening}<accept/></rule>\n`
}
