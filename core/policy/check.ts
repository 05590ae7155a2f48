import type { Fault, Place, Text } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'
import { bitsOf, formatAddress, type Family } from '../net/address.ts'
import { containsPort } from '../net/port.ts'
import { isOver, parseDay } from './day.ts'
import { findOverlaps, type Overlap } from './overlap.ts'
import type { Host, Need, Policy, Transport } from './policy.ts'
import { MANAGEMENT_MISSING } from './resolve.ts'
import { parseSchedule } from './schedule.ts'

/** What a finding is about, so that the reader of the file can say where it is written. */
export type PolicyItem =
  | { readonly of: 'management' }
  | { readonly of: 'host'; readonly host: string; readonly part: 'name' | 'addresses' | 'transport' }
  | { readonly of: 'need'; readonly need: Need; readonly part: 'id' | 'to' | 'from' | 'review' | 'schedule' }

export type PlaceOf = (item: PolicyItem) => Place | undefined

/** Errors make the policy unusable; warnings are told and it is used all the same. */
export interface Findings {
  readonly errors: readonly Fault[]
  readonly warnings: readonly Fault[]
}

/** A policy where everything overlaps has millions of pairs; the first ones make the point. */
const OVERLAPS_MAX = 200

/**
 * What is wrong with a policy whose every name is known. Codes: POLICY_NO_MANAGEMENT, POLICY_MANAGEMENT_PORT,
 * POLICY_MANAGEMENT_FAMILY, POLICY_ADDRESS_SHARED, POLICY_TRANSPORT_SHARED,
 * POLICY_NEED_DUPLICATE_ID, POLICY_SELECTS_NOTHING, POLICY_SOURCE_UNREACHABLE, POLICY_SOURCE_IS_HOST; warnings:
 * POLICY_MANAGEMENT_OPEN, POLICY_REVIEW_EXPIRED, POLICY_SCHEDULE_NOT_ENFORCED, POLICY_NEED_DUPLICATE, POLICY_NEED_COVERED, POLICY_NEED_OVERLAP.
 */
export function checkPolicy(policy: Policy, now: Instant, placeOf: PlaceOf = () => undefined): Findings {
  const reach = reachOf(policy)
  const errors = [
    ...checkManagement(policy),
    ...checkAddresses(policy),
    ...checkTransports(policy),
    ...checkIds(policy),
    ...policy.needs.flatMap((need) => [...checkSelection(need), ...checkSources(need, reach)]),
  ]
  const warnings = [
    ...warnManagement(policy),
    ...policy.needs.flatMap((need) => [...checkReview(need, now), ...checkSchedule(need), ...warnSources(need, reach)]),
    ...findOverlaps(policy, OVERLAPS_MAX).map(describeOverlap),
  ]
  const placed = ({ item, fault }: Finding): Fault => {
    const place = placeOf(item)
    return place ? { ...fault, place } : fault
  }
  return { errors: errors.map(placed), warnings: warnings.map(placed) }
}

interface Finding {
  readonly item: PolicyItem
  readonly fault: Fault
}

const found = (item: PolicyItem, code: string, what: Text, next?: Text): Finding => ({
  item,
  fault: next ? { code, what, next } : { code, what },
})

function checkManagement(policy: Policy): Finding[] {
  const { managementFrom, managementPorts } = policy.defaults
  if (managementFrom.length === 0 || managementPorts.length === 0) return [{ item: { of: 'management' }, fault: MANAGEMENT_MISSING }]
  const families = new Set(managementFrom.map((prefix) => prefix.family))
  return policy.hosts.flatMap((host) => [...checkManagementPort(host, policy), ...checkManagementFamily(host, families)])
}

function warnManagement({ defaults }: Policy): Finding[] {
  if (!defaults.managementFrom.some((prefix) => prefix.length === 0)) return []
  const what = { en: 'the management path is open to everyone', zh: '管理通道对所有来源开放' }
  const next = { en: 'name the addresses that the controller and the administrators come from', zh: '请写明控制端和管理员的来源地址' }
  return [found({ of: 'management' }, 'POLICY_MANAGEMENT_OPEN', what, next)]
}

function checkManagementPort(host: Host, policy: Policy): Finding[] {
  const { transport } = host
  // A jump host changes where the connection comes from, not the port it arrives at.
  if (transport.kind !== 'ssh' || policy.defaults.managementPorts.some((ports) => containsPort(ports, transport.port))) return []
  return [
    found(
      { of: 'host', host: host.name, part: 'transport' },
      'POLICY_MANAGEMENT_PORT',
      {
        en: `${host.name} is managed over SSH on port ${transport.port}, which the management path does not hold: closing would cut the way back`,
        zh: `${host.name} 通过 SSH 端口 ${transport.port} 管理，但管理通道不含此端口：收敛后将失去返回通道`,
      },
      { en: `add ${transport.port} to defaults.management.ports`, zh: `请将 ${transport.port} 加入 defaults.management.ports` },
    ),
  ]
}

function checkManagementFamily(host: Host, families: ReadonlySet<Family>): Finding[] {
  if (host.transport.kind !== 'ssh' || host.addresses.length === 0 || host.addresses.some((address) => families.has(address.family))) return []
  const only = host.addresses[0]?.family ?? 4
  return [
    found(
      { of: 'host', host: host.name, part: 'addresses' },
      'POLICY_MANAGEMENT_FAMILY',
      {
        en: `${host.name} has only IPv${only} addresses and the management path names no IPv${only} source: there would be no way back in`,
        zh: `${host.name} 只有 IPv${only} 地址，而管理通道没有 IPv${only} 来源：收敛后将无法再登录`,
      },
      { en: `add an IPv${only} source to defaults.management.from`, zh: `请在 defaults.management.from 中加入 IPv${only} 来源` },
    ),
  ]
}

function checkAddresses(policy: Policy): Finding[] {
  const owners = new Map<string, string>()
  return policy.hosts.flatMap((host) =>
    host.addresses.flatMap((address) => {
      const key = `${address.family} ${address.value}`
      const owner = owners.get(key)
      owners.set(key, owner ?? host.name)
      return owner === undefined ? [] : [addressShared(host.name, owner, formatAddress(address))]
    }),
  )
}

const addressShared = (host: string, owner: string, address: string): Finding =>
  found(
    { of: 'host', host, part: 'addresses' },
    'POLICY_ADDRESS_SHARED',
    host === owner
      ? { en: `${host} lists ${address} twice`, zh: `${host} 重复列出了 ${address}` }
      : { en: `${host} and ${owner} both claim ${address}`, zh: `${host} 与 ${owner} 都声明了地址 ${address}` },
    host === owner
      ? { en: 'remove one of them', zh: '请删除其中之一' }
      : {
          en: 'give each host its own addresses; leave out a floating one, needs select hosts and not addresses',
          zh: '每台主机只写自己的地址；浮动地址请勿列出，业务需求选择的是主机而不是地址',
        },
  )

// Two hosts behind one transport are one machine: each apply would undo the other's.
function checkTransports(policy: Policy): Finding[] {
  const owners = new Map<string, string>()
  return policy.hosts.flatMap((host) => {
    const key = transportKey(host.transport)
    const owner = owners.get(key)
    owners.set(key, owner ?? host.name)
    if (owner === undefined) return []
    const what = { en: `${host.name} and ${owner} are reached in the same way, so they are one machine`, zh: `${host.name} 与 ${owner} 的连接方式相同，实为同一台机器` }
    const next = { en: 'keep one of them, with the addresses of both', zh: '请只保留一台，并写上两者的地址' }
    return [found({ of: 'host', host: host.name, part: 'transport' }, 'POLICY_TRANSPORT_SHARED', what, next)]
  })
}

function transportKey(transport: Transport): string {
  if (transport.kind === 'local') return 'local'
  if (transport.kind === 'netns') return `netns ${transport.namespace}`
  return `ssh ${transport.destination} ${transport.port} ${transport.jump ?? ''}`
}

function checkIds(policy: Policy): Finding[] {
  const seen = new Set<string>()
  return policy.needs.flatMap((need) => {
    const isNew = !seen.has(need.id)
    seen.add(need.id)
    if (isNew) return []
    const what = { en: `two needs have the id ${need.id}`, zh: `有两条业务需求使用了标识 ${need.id}` }
    const next = {
      en: 'give one of them another id; if both say the same, remove one',
      zh: '请为其中一条换一个 id；若两条内容相同，请删除一条',
    }
    return [found({ of: 'need', need, part: 'id' }, 'POLICY_NEED_DUPLICATE_ID', what, next)]
  })
}

function checkSelection(need: Need): Finding[] {
  if (need.hosts.length > 0) return []
  const what = { en: `need ${need.id} selects nothing`, zh: `业务需求 ${need.id} 没有选中任何主机` }
  const next = {
    en: 'no host has these labels: correct them here or in the fleet, or remove the need',
    zh: '没有主机带有这些标签：请改正此处或主机清单中的标签，或删除此需求',
  }
  return [found({ of: 'need', need, part: 'to' }, 'POLICY_SELECTS_NOTHING', what, next)]
}

/** Which families the hosts of each selection have, counted once however many needs share it; and whose each address is. */
interface Reach {
  readonly without: ReadonlyMap<readonly string[], Readonly<Record<Family, readonly string[]>>>
  readonly ownerOf: ReadonlyMap<string, string>
}

function reachOf(policy: Policy): Reach {
  const families = new Map(policy.hosts.map((host) => [host.name, new Set(host.addresses.map((address) => address.family))]))
  const without = new Map<readonly string[], Record<Family, string[]>>()
  for (const { hosts } of policy.needs) {
    if (without.has(hosts)) continue
    // A host without any address has a fault of its own.
    const lacking = (family: Family): string[] => hosts.filter((host) => families.get(host)?.size === 1 && !families.get(host)?.has(family))
    without.set(hosts, { 4: lacking(4), 6: lacking(6) })
  }
  const owned = policy.hosts.flatMap((host) => host.addresses.map((address) => [`${address.family} ${address.value}`, host.name] as const))
  return { without, ownerOf: new Map(owned) }
}

function checkSources(need: Need, reach: Reach): Finding[] {
  const outOfReach = hostsOutOfReach(need, reach)
  if (need.hosts.length > 0 && outOfReach.length === need.hosts.length) return [wrongFamily(need, outOfReach)]
  return isOnlyItself(need, reach) ? [onlyItself(need)] : []
}

function warnSources(need: Need, reach: Reach): Finding[] {
  const outOfReach = hostsOutOfReach(need, reach)
  return outOfReach.length > 0 && outOfReach.length < need.hosts.length ? [wrongFamily(need, outOfReach)] : []
}

function hostsOutOfReach(need: Need, reach: Reach): readonly string[] {
  const families = new Set(need.from.map((prefix) => prefix.family))
  if (families.size !== 1) return []
  const family: Family = families.has(4) ? 4 : 6
  return reach.without.get(need.hosts)?.[family] ?? []
}

function wrongFamily(need: Need, hosts: readonly string[]): Finding {
  const family = need.from[0]?.family ?? 4
  const names = hosts.length > 3 ? `${hosts.slice(0, 3).join(', ')} … (${hosts.length})` : hosts.join(', ')
  return found(
    { of: 'need', need, part: 'from' },
    'POLICY_SOURCE_UNREACHABLE',
    {
      en: `need ${need.id} comes from IPv${family} only, and ${names} ${hosts.length === 1 ? 'has' : 'have'} no IPv${family} address: these sources cannot reach it`,
      zh: `业务需求 ${need.id} 的来源只有 IPv${family}，而 ${names} 没有 IPv${family} 地址：这些来源无法到达`,
    },
    {
      en: `add the host's IPv${family} address to the fleet, or a source of the other family to the need`,
      zh: `请在主机清单中补充 IPv${family} 地址，或为此需求增加另一协议族的来源`,
    },
  )
}

// A host reaches itself over loopback, which is always open.
function isOnlyItself(need: Need, { ownerOf }: Reach): boolean {
  return (
    need.hosts.length === 1 &&
    need.from.length > 0 &&
    need.from.every((prefix) => prefix.length === bitsOf(prefix.family) && ownerOf.get(`${prefix.family} ${prefix.value}`) === need.hosts[0])
  )
}

const onlyItself = (need: Need): Finding =>
  found(
    { of: 'need', need, part: 'from' },
    'POLICY_SOURCE_IS_HOST',
    {
      en: `need ${need.id} lets ${need.hosts[0]} reach itself, which is always possible: from outside nobody would be let in`,
      zh: `业务需求 ${need.id} 只允许 ${need.hosts[0]} 访问自身，而这始终可行：外部来源一个也不会放行`,
    },
    { en: 'write where the clients are, or remove the need', zh: '请写明客户端所在的来源，或删除此需求' },
  )

function checkReview(need: Need, now: Instant): Finding[] {
  const day = parseDay(need.review)
  if (day === undefined || !isOver(day, now)) return []
  const what = {
    en: `the review of need ${need.id} was due on ${need.review}; its port stays open`,
    zh: `业务需求 ${need.id} 的复核日期 ${need.review} 已过；端口仍保持开放`,
  }
  const next = {
    en: `ask ${need.owner} whether it is still needed, then set a new review date or remove it`,
    zh: `请向 ${need.owner} 确认是否仍需要，然后填写新的复核日期或删除此需求`,
  }
  return [found({ of: 'need', need, part: 'review' }, 'POLICY_REVIEW_EXPIRED', what, next)]
}

function checkSchedule(need: Need): Finding[] {
  if (need.schedule === undefined || !parseSchedule(need.schedule).ok) return []
  const what = {
    en: `the schedule of need ${need.id} is recorded but not yet enforced; the port is open at all times`,
    zh: `业务需求 ${need.id} 的时间表已记录但尚未执行；端口全天开放`,
  }
  return [found({ of: 'need', need, part: 'schedule' }, 'POLICY_SCHEDULE_NOT_ENFORCED', what)]
}

function describeOverlap({ need, other, kind, host }: Overlap): Finding {
  const item: PolicyItem = { of: 'need', need, part: 'id' }
  if (kind === 'duplicate') {
    const what = { en: `need ${need.id} opens exactly what need ${other.id} opens`, zh: `业务需求 ${need.id} 与 ${other.id} 开放的内容完全相同` }
    return found(item, 'POLICY_NEED_DUPLICATE', what, { en: 'remove one of them, or keep both if two owners must agree', zh: '请删除其中之一；若两位负责人都须确认，可同时保留' })
  }
  if (kind === 'covered') {
    const what = {
      en: `everything that need ${need.id} opens is open by need ${other.id} already`,
      zh: `业务需求 ${need.id} 开放的内容已全部包含在 ${other.id} 中`,
    }
    return found(item, 'POLICY_NEED_COVERED', what, { en: `narrow ${other.id}, or remove ${need.id}`, zh: `请收窄 ${other.id}，或删除 ${need.id}` })
  }
  const what = {
    en: `needs ${other.id} and ${need.id} open some of the same, for instance on ${host}: removing one does not close it`,
    zh: `业务需求 ${other.id} 与 ${need.id} 有部分重叠，例如在 ${host} 上：删除其中一条不会关闭重叠部分`,
  }
  return found(item, 'POLICY_NEED_OVERLAP', what)
}
