import type { Host, Selector } from './policy.ts'

/** Hosts by label, so that a selection costs what it selects. */
export interface HostIndex {
  /** Sorted. */
  readonly names: readonly string[]
  readonly known: ReadonlySet<string>
  /** Label, then value, then sorted names. */
  readonly byLabel: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>
}

export function indexHosts(hosts: readonly Host[]): HostIndex {
  const byLabel = new Map<string, Map<string, string[]>>()
  const sorted = hosts.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  for (const host of sorted) {
    for (const [label, value] of Object.entries(host.labels)) {
      const values = byLabel.get(label) ?? new Map<string, string[]>()
      byLabel.set(label, values)
      const names = values.get(value) ?? []
      values.set(value, names)
      names.push(host.name)
    }
  }
  const names = sorted.map((host) => host.name)
  return { names, known: new Set(names), byLabel }
}

/** Names of the selected hosts, sorted. Names that no host has are left out; the reader of the file reports them. */
export function selectHosts(selector: Selector, index: HostIndex): readonly string[] {
  if (selector.kind === 'all') return index.names
  if (selector.kind === 'names') return [...new Set(selector.names)].filter((name) => index.known.has(name)).toSorted()
  const conditions = Object.entries(selector.labels).map(([label, values]) => withLabel(index, label, values))
  const [smallest, ...others] = conditions.toSorted((a, b) => a.length - b.length)
  const sets = others.map((names) => new Set(names))
  return (smallest ?? []).filter((name) => sets.every((set) => set.has(name)))
}

function withLabel(index: HostIndex, label: string, values: readonly string[]): readonly string[] {
  const lists = [...new Set(values)].map((value) => index.byLabel.get(label)?.get(value) ?? [])
  // A host has one value a label, so the lists are disjoint.
  return lists.length === 1 ? (lists[0] ?? []) : lists.flat().toSorted()
}

/** `all`, `db-1+db-2` or `role=db,site=east|west`: the same for the same hosts in any order of writing. */
export function formatSelector(selector: Selector): string {
  if (selector.kind === 'all') return 'all'
  if (selector.kind === 'names') return selector.names.toSorted().join('+')
  return Object.entries(selector.labels)
    .map(([label, values]) => `${label}=${values.toSorted().join('|')}`)
    .toSorted()
    .join(',')
}
