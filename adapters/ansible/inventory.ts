import { fail, succeed, type Fault, type Place, type Result } from '@portcullis/core/fault/fault.ts'

export type Variables = ReadonlyMap<string, string>

/** An Ansible inventory as written, before variables are handed down from groups to hosts. */
export interface Inventory {
  readonly hosts: ReadonlyMap<string, InventoryHost>
  readonly groups: ReadonlyMap<string, InventoryGroup>
}

export interface InventoryHost {
  readonly name: string
  readonly variables: Map<string, string>
  /** Where the host is first written. */
  readonly place: Place
}

export interface InventoryGroup {
  readonly name: string
  readonly hosts: Set<string>
  readonly children: Set<string>
  readonly variables: Map<string, string>
}

/** A host with everything that it has from its groups. */
export interface FlatHost {
  readonly name: string
  /** All groups that it is in, children of children included, less `all` and `ungrouped`; sorted. */
  readonly groups: readonly string[]
  readonly variables: Variables
  readonly place: Place
}

export const INVENTORY_HOSTS_MAX = 100_000

/** Collects hosts and groups; both readers write into one. */
export class InventoryDraft implements Inventory {
  readonly hosts = new Map<string, InventoryHost>()
  readonly groups = new Map<string, InventoryGroup>()

  /** Also makes it, so that groups may be named before they are written. */
  group(name: string): InventoryGroup {
    const group = this.groups.get(name) ?? { name, hosts: new Set(), children: new Set(), variables: new Map() }
    this.groups.set(name, group)
    return group
  }

  addHost(group: string, name: string, variables: Variables, place: Place): void {
    const host = this.hosts.get(name) ?? { name, variables: new Map(), place }
    this.hosts.set(name, host)
    for (const [key, value] of variables) host.variables.set(key, value)
    this.group(group).hosts.add(name)
  }
}

/**
 * Hands variables down: `all` first, then groups from the outermost to the innermost (of one depth, by name), then the host's own, the
 * later over the earlier (Ansible's documentation, "How variables are merged"). Fault: ANSIBLE_GROUP_CIRCLE.
 */
export function flattenInventory(inventory: Inventory, file: string): Result<FlatHost[]> {
  const parents = parentsOf(inventory)
  const depths = new Map<string, number>()
  for (const name of inventory.groups.keys()) {
    if (depthOf(name, parents, depths, new Set()) === undefined) return fail(groupCircle(name, file))
  }
  const groupsOf = new Map<string, Set<string>>()
  for (const group of inventory.groups.values()) {
    const around = [group.name, ...ancestorsOf(group.name, parents)]
    for (const host of group.hosts) groupsOf.set(host, new Set([...(groupsOf.get(host) ?? []), ...around]))
  }
  const hosts = [...inventory.hosts.values()].map((host) => flatten(host, groupsOf.get(host.name) ?? new Set(), inventory, depths))
  return succeed(hosts)
}

function flatten(host: InventoryHost, groups: ReadonlySet<string>, inventory: Inventory, depths: ReadonlyMap<string, number>): FlatHost {
  const inOrder = ['all', ...[...groups].filter((name) => name !== 'all').toSorted((a, b) => (depths.get(a) ?? 0) - (depths.get(b) ?? 0) || (a < b ? -1 : 1))]
  const variables = new Map<string, string>()
  for (const name of inOrder) for (const [key, value] of inventory.groups.get(name)?.variables ?? []) variables.set(key, value)
  for (const [key, value] of host.variables) variables.set(key, value)
  const named = [...groups].filter((name) => name !== 'all' && name !== 'ungrouped').toSorted()
  return { name: host.name, groups: named, variables, place: host.place }
}

function parentsOf(inventory: Inventory): Map<string, string[]> {
  const parents = new Map<string, string[]>()
  for (const group of inventory.groups.values()) {
    for (const child of group.children) parents.set(child, [...(parents.get(child) ?? []), group.name])
  }
  return parents
}

/** Longest way up; nothing where the way up comes round to where it began. */
function depthOf(name: string, parents: ReadonlyMap<string, readonly string[]>, depths: Map<string, number>, below: ReadonlySet<string>): number | undefined {
  const before = depths.get(name)
  if (before !== undefined) return before
  if (below.has(name)) return undefined
  let depth = 0
  for (const parent of parents.get(name) ?? []) {
    const above = depthOf(parent, parents, depths, new Set([...below, name]))
    if (above === undefined) return undefined
    depth = Math.max(depth, above + 1)
  }
  depths.set(name, depth)
  return depth
}

function ancestorsOf(name: string, parents: ReadonlyMap<string, readonly string[]>): Set<string> {
  const ancestors = new Set<string>()
  const waiting = [...(parents.get(name) ?? [])]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (ancestors.has(next)) continue
    ancestors.add(next)
    waiting.push(...(parents.get(next) ?? []))
  }
  return ancestors
}

const groupCircle = (name: string, file: string): Fault => ({
  code: 'ANSIBLE_GROUP_CIRCLE',
  place: { file, line: 1, column: 1 },
  what: { en: `group "${name}" is a child of itself`, zh: `组“${name}”是自身的子组` },
  next: { en: 'take one group out of the circle', zh: '请打破组之间的循环' },
})
