import type { Text } from '@portcullis/core/fault/fault.ts'

/** What the demo's business needs: the zones are the world's networks, under their names. */
export interface DemoNeed {
  readonly id: string
  /** A service of the catalogue, or one of `DEMO_SERVICES`. */
  readonly service: string
  readonly hosts: readonly string[]
  /** Zones. */
  readonly from: readonly string[]
  /** Clients in those zones that use it all the time. */
  readonly usedBy: readonly string[]
  readonly owner: string
  readonly because: string
  readonly critical: boolean
}

/** Zone from which every host is managed, on TCP 22. */
export const MANAGEMENT_ZONE = 'ops'

export const DEMO_SERVICES: readonly { readonly name: string; readonly title: Text; readonly ports: readonly string[] }[] = [
  { name: 'market-data', title: { en: 'Market data feed', zh: '行情推送' }, ports: ['5133/tcp'] },
  { name: 'rtls-location', title: { en: 'Tag locations (RTLS)', zh: '定位标签上报（RTLS）' }, ports: ['12091/udp'] },
]

const need = (service: string, hosts: string[], from: string[], usedBy: string[], owner: string, because: string, critical = false): DemoNeed => ({
  id: `${service}-${hosts.join('-')}`,
  service,
  hosts,
  from,
  usedBy,
  owner,
  because,
  critical,
})

/** Asked for later, for these hosts: what the second act of the demo rolls out. Nobody uses it yet. */
export const LATER_NEED: DemoNeed = need('node-exporter', ['files-1', 'logs-1', 'db-1'], ['ops'], [], 'operations', 'metrics of hosts that keep data')

/** What the first policy of the second act forgets: it comes in batches, and nobody thinks of it in between. */
export const FORGOTTEN_NEED = 'sftp-files-1'

export const DEMO_NEEDS: readonly DemoNeed[] = [
  need('https', ['portal-1', 'portal-2'], ['office', 'ops'], ['office-1', 'monitor-1'], 'portal team', 'staff work in the portal', true),
  need('postgresql', ['db-1'], ['core'], ['portal-1'], 'records team', 'the portal reads patient records', true),
  need('redis', ['cache-1'], ['core'], ['portal-2'], 'portal team', 'sessions of the portal', true),
  need('dns', ['dns-1'], ['core', 'floor', 'office', 'ops'], ['office-1', 'portal-1'], 'network team', 'names of all hosts', true),
  need('dicom', ['pacs-1'], ['office', 'floor'], ['office-1'], 'radiology', 'workstations send images', true),
  need('market-data', ['feed-1'], ['office'], ['office-1'], 'trading desk', 'quotes are pushed to the desk', true),
  need('rtls-location', ['rtls-1'], ['field'], ['tag-1'], 'facilities', 'tags of beds and pumps report where they are'),
  need('sftp', ['files-1'], ['partner'], ['batch-1'], 'billing', 'the partner delivers files in batches'),
  need('syslog', ['logs-1'], ['core', 'floor'], ['portal-1'], 'operations', 'all servers log here'),
  need('http-alt', ['viewer-1'], ['office'], ['office-1'], 'radiology', 'the image viewer, run in a container'),
  need('https', ['intranet-1'], ['office'], ['office-1'], 'works council', 'the intranet'),
  need('postgresql', ['report-1'], ['ops'], ['monitor-1'], 'controlling', 'reports are drawn from here'),
]
