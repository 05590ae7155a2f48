import type { Text } from '../../fault/fault.ts'
import { formatDay, type Day } from '../../inventory/businessCalendar.ts'
import { containsPrefix, formatPrefix, type Prefix } from '../../net/prefix.ts'
import type { PortRange } from '../../net/port.ts'
import type { Host, Need, Policy, Selector, ServicePort } from '../policy.ts'
import { RHYTHM_WORDS } from './judge.ts'
import type { Recommendation } from './recommendation.ts'

/** A need as it would be written into the policy file. */
export interface DraftNeed {
  readonly service: string
  /** Absent where the catalogue or the policy defines the service. */
  readonly ports?: ServicePort
  readonly selector: Selector
  readonly hosts: readonly string[]
  readonly from: readonly string[]
  /** Absent where nothing tells; a person must say. */
  readonly owner?: string
  readonly because: Text
  /** ISO day. */
  readonly review: string
  /** The lowest of its endpoints. */
  readonly confidence: number
}

export interface DraftOptions {
  readonly today: Day
  readonly reviewDays: number
}

/** Needs for what is kept and not yet let in, one for all hosts that share service and sources. */
export function draftNeeds(recommendations: readonly Recommendation[], policy: Policy, options: DraftOptions): DraftNeed[] {
  const open = recommendations.flatMap((each) => {
    if (each.verdict !== 'keep') return []
    const from = uncoveredText(each, policy)
    return from.length === 0 ? [] : [{ each, from }]
  })
  const groups = Map.groupBy(open, ({ each, from }) => [each.service.name, each.protocol, each.ports.first, each.ports.last, ...from].join(' '))
  const index = { hosts: new Map(policy.hosts.map((host) => [host.name, host])), labels: labelSets(policy.hosts), size: policy.hosts.length }
  return [...groups.values()].map((group) => draftNeed(group.map(({ each }) => each), group[0]?.from ?? [], policy, index, options))
}

interface FleetIndex {
  readonly hosts: ReadonlyMap<string, Host>
  /** Label and value by the sorted names of the hosts that have it. */
  readonly labels: ReadonlyMap<string, readonly [label: string, value: string]>
  readonly size: number
}

function draftNeed(group: readonly Recommendation[], from: readonly string[], policy: Policy, index: FleetIndex, { today, reviewDays }: DraftOptions): DraftNeed {
  const hosts = [...new Set(group.map(({ host }) => host))].toSorted()
  const [first] = group as readonly [Recommendation, ...Recommendation[]]
  const owner = ownerOf(hosts, first, policy, index)
  return {
    service: first.service.name,
    ...(first.service.isKnown ? {} : { ports: { protocol: first.protocol, ports: first.ports } }),
    selector: selectorFor(hosts, index),
    hosts,
    from,
    ...(owner === undefined ? {} : { owner }),
    because: becauseOf(group),
    review: formatDay(today + reviewDays),
    confidence: Math.min(...group.map(({ confidence }) => confidence)),
  }
}

/** The evidence in one sentence. */
function becauseOf(group: readonly Recommendation[]): Text {
  const [first] = group as readonly [Recommendation, ...Recommendation[]]
  const last = group.reduce((newest, { rhythm }) => Math.max(newest, rhythm.lastDay ?? 0), 0)
  const days = Math.max(...group.map(({ rhythm }) => rhythm.days))
  const sources = Math.max(...group.map(({ from }) => from.seen))
  const who = first.unit ?? first.process ?? first.service.name
  const rhythm = RHYTHM_WORDS[first.rhythm.kind]
  return {
    en: `observed: ${who} used ${rhythm.en}, on ${days} days by ${sources} source${sources === 1 ? '' : 's'}, last on ${formatDay(last)}`,
    zh: `观测：${who} 的使用周期为${rhythm.zh}，共 ${days} 天、${sources} 个来源，最近 ${formatDay(last)}`,
  }
}

/** As people label hosts. */
const OWNER_LABELS = ['owner', 'team', 'contact']

function ownerOf(hosts: readonly string[], { service }: Recommendation, policy: Policy, index: FleetIndex): string | undefined {
  for (const label of OWNER_LABELS) {
    const owners = new Set(hosts.map((host) => index.hosts.get(host)?.labels[label]))
    const [owner] = owners
    if (owners.size === 1 && owner !== undefined) return owner
  }
  const ofService = new Set(policy.needs.filter((need) => need.service.name === service.name).map((need) => need.owner))
  const [only] = ofService
  return ofService.size === 1 ? only : undefined
}

function labelSets(hosts: readonly Host[]): Map<string, readonly [string, string]> {
  const byLabel = new Map<string, { pair: readonly [string, string]; names: string[] }>()
  for (const host of hosts) {
    for (const [label, value] of Object.entries(host.labels)) {
      const entry = byLabel.get(`${label}\0${value}`)
      if (entry) entry.names.push(host.name)
      else byLabel.set(`${label}\0${value}`, { pair: [label, value], names: [host.name] })
    }
  }
  const sets = new Map<string, readonly [string, string]>()
  for (const { pair, names } of byLabel.values()) {
    const key = names.toSorted().join('\0')
    if (!sets.has(key) || pair[0] === 'role') sets.set(key, pair)
  }
  return sets
}

function selectorFor(hosts: readonly string[], { labels, size }: FleetIndex): Selector {
  const pair = hosts.length > 1 ? labels.get(hosts.join('\0')) : undefined
  if (pair && !OWNER_LABELS.includes(pair[0])) return { kind: 'labels', labels: { [pair[0]]: [pair[1]] } }
  if (hosts.length === size && size > 1) return { kind: 'all' }
  return { kind: 'names', names: hosts }
}

/** Sources that no need and no management path lets in yet, as a policy file writes them. */
function uncoveredText({ host, protocol, ports, from }: Recommendation, policy: Policy): readonly string[] {
  const open = openPrefixes(host, protocol, ports, policy)
  const rest = from.prefixes.filter((prefix) => !open.some((outer) => outer.family === prefix.family && containsPrefix(outer, prefix)))
  if (rest.length === 0) return []
  if (from.kind === 'any') return ['any']
  return from.kind === 'zone' && from.zone !== undefined ? [from.zone] : rest.map(formatPrefix)
}

function openPrefixes(host: string, protocol: ServicePort['protocol'], ports: PortRange, policy: Policy): Prefix[] {
  const holds = (range: PortRange): boolean => range.first <= ports.first && ports.last <= range.last
  const needs = policy.needs.filter((need) => need.hosts.includes(host) && need.service.ports.some((port) => port.protocol === protocol && holds(port.ports)))
  const isManagement = protocol === 'tcp' && policy.defaults.managementPorts.some(holds)
  return [...needs.flatMap((need) => need.from), ...(isManagement ? policy.defaults.managementFrom : [])]
}

/** Needs of the policy that open the endpoint to anyone. */
export const needsOpening = ({ host, protocol, ports }: Recommendation, needs: readonly Need[]): string[] =>
  needs
    .filter((need) => need.hosts.includes(host) && need.service.ports.some((port) => port.protocol === protocol && port.ports.first <= ports.last && ports.first <= port.ports.last))
    .map((need) => need.id)
