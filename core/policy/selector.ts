import type { Host, Selector } from './policy.ts'

/** Names of the selected hosts, sorted. Names that no host has are left out; the reader of the file reports them. O(hosts). */
export function selectHosts(selector: Selector, hosts: readonly Host[]): string[] {
  return hosts
    .filter((host) => selects(selector, host))
    .map((host) => host.name)
    .toSorted()
}

export function selects(selector: Selector, host: Host): boolean {
  if (selector.kind === 'all') return true
  if (selector.kind === 'names') return selector.names.includes(host.name)
  return Object.entries(selector.labels).every(([label, values]) => {
    const value = Object.hasOwn(host.labels, label) ? host.labels[label] : undefined
    return value !== undefined && values.includes(value)
  })
}

/** `all`, `db-1+db-2` or `role=db,site=east|west`: short enough for a table, the same for the same hosts in any order of writing. */
export function formatSelector(selector: Selector): string {
  if (selector.kind === 'all') return 'all'
  if (selector.kind === 'names') return selector.names.toSorted().join('+')
  return Object.entries(selector.labels)
    .map(([label, values]) => `${label}=${values.toSorted().join('|')}`)
    .toSorted()
    .join(',')
}
