import { fail, succeed, type Fault, type Result } from '../fault/fault.ts'
import { comparePrefixes, formatPrefix, type Prefix } from '../net/prefix.ts'
import type { PortRange } from '../net/port.ts'
import { TRANSPORT_PROTOCOLS, type TransportProtocol } from '../net/protocol.ts'
import type { Endings, Grant, Intent } from './intent.ts'
import { nearest } from './nearest.ts'
import { WARN_SECONDS, type Defaults, type Need, type Policy } from './policy.ts'

/** What the policy means for one host; for many, `resolveAll`. The order of needs and zones in the policy makes no difference. O(selected hosts + grants log grants). */
export function resolve(policy: Policy, host: string, generation: number): Result<Intent> {
  const faults = [...unknownHost(policy, host), ...noWayBack(policy.defaults)]
  if (faults.length > 0) return fail(...faults)
  const needs = policy.needs.filter((need) => need.hosts.includes(host))
  return succeed(intentOf(policy.defaults, host, generation, grantsOf(needs), endingsOf(policy.defaults, needs)))
}

/**
 * Intents of all hosts, by name. Hosts that the same needs select share one array of grants, so the cost is that of the
 * selections plus that of the distinct sets of needs, not hosts × needs × sources.
 */
export function resolveAll(policy: Policy, generationOf: (host: string) => number): Result<ReadonlyMap<string, Intent>> {
  const faults = noWayBack(policy.defaults)
  if (faults.length > 0) return fail(...faults)
  const intents = new Map<string, Intent>()
  for (const group of groupHosts(policy)) {
    const grants = grantsOf(group.needs)
    const endings = endingsOf(policy.defaults, group.needs)
    for (const host of group.hosts) intents.set(host, intentOf(policy.defaults, host, generationOf(host), grants, endings))
  }
  return succeed(intents)
}

/** Hosts that exactly the same needs select. */
export interface HostGroup {
  readonly hosts: readonly string[]
  readonly needs: readonly Need[]
}

/** Every host in exactly one group. Groups in the order of their first host. */
export function groupHosts(policy: Policy): HostGroup[] {
  // Needs with the same selection split the fleet the same way, so each distinct selection is walked once: a class is
  // refined to (class, selected) pairs. Linear in the sizes of the distinct selections.
  const classOf = new Map(policy.hosts.map((host) => [host.name, 0]))
  let classes = 1
  for (const selection of distinctSelections(policy.needs)) {
    const moved = new Map<number, number>()
    for (const host of selection) {
      const before = classOf.get(host)
      if (before === undefined) continue
      if (!moved.has(before)) moved.set(before, classes++)
      classOf.set(host, moved.get(before) ?? before)
    }
  }
  const hostsOf = Map.groupBy(policy.hosts.map((host) => host.name), (host) => classOf.get(host))
  const needsOf = needsByFirstHost(policy.needs, [...hostsOf.values()].flatMap((hosts) => hosts.slice(0, 1)))
  return [...hostsOf.values()].map((hosts) => ({ hosts, needs: needsOf.get(hosts[0] ?? '') ?? [] }))
}

const distinctSelections = (needs: readonly Need[]): ReadonlySet<readonly string[]> => new Set(needs.map((need) => need.hosts))

function needsByFirstHost(needs: readonly Need[], firstHosts: readonly string[]): ReadonlyMap<string, readonly Need[]> {
  const byHost = new Map<string, Need[]>(firstHosts.map((host) => [host, []]))
  for (const [selection, selecting] of Map.groupBy(needs, (need) => need.hosts)) {
    for (const host of selection) byHost.get(host)?.push(...selecting)
  }
  return byHost
}

/** Sorted by protocol, port, source; those with the same three are one grant that names every need it serves. */
export function grantsOf(needs: readonly Need[]): Grant[] {
  const open = new Map<string, { protocol: TransportProtocol; ports: PortRange; from: Prefix; needs: Set<string> }>()
  for (const need of needs) {
    for (const { protocol, ports } of need.service.ports) {
      for (const from of need.from) {
        const key = `${protocol} ${ports.first}-${ports.last} ${from.family} ${from.value} ${from.length}`
        const grant = open.get(key)
        if (grant) grant.needs.add(need.id)
        else open.set(key, { protocol, ports, from, needs: new Set([need.id]) })
      }
    }
  }
  return [...open.values()].map((grant) => ({ ...grant, needs: [...grant.needs].toSorted() })).toSorted(compareGrants)
}

export function compareGrants(a: Grant, b: Grant): number {
  return (
    TRANSPORT_PROTOCOLS.indexOf(a.protocol) - TRANSPORT_PROTOCOLS.indexOf(b.protocol) ||
    a.ports.first - b.ports.first ||
    a.ports.last - b.ports.last ||
    comparePrefixes(a.from, b.from)
  )
}

/** `tcp 443 from 10.0.0.0/8`. */
export const formatGrant = (grant: Grant): string => {
  const { first, last } = grant.ports
  return `${grant.protocol} ${first === last ? first : `${first}-${last}`} from ${formatPrefix(grant.from)}`
}

function intentOf(defaults: Defaults, host: string, generation: number, grants: readonly Grant[], endings: Endings | undefined): Intent {
  const { mode, refusal, ping } = defaults
  return { host, generation, mode, refusal, ping, management: managementGrants(defaults), grants, ...(endings ? { endings } : {}) }
}

/** Undefined where all is as without a word about flows. The time of a warning is for needs that are gone, too. */
function endingsOf({ flows = 'drain', warnSeconds = WARN_SECONDS }: Defaults, needs: readonly Need[]): Endings | undefined {
  const own = needs.flatMap((need) => (need.flows === undefined || need.flows === flows ? [] : [[need.id, need.flows] as const]))
  if (flows === 'drain' && own.length === 0 && warnSeconds === WARN_SECONDS) return undefined
  return { otherwise: flows, needs: Object.fromEntries(own.toSorted(([a], [b]) => (a < b ? -1 : 1))), warnSeconds }
}

function managementGrants(defaults: Defaults): Grant[] {
  return defaults.managementPorts
    .flatMap((ports) => defaults.managementFrom.map((from): Grant => ({ protocol: 'tcp', ports, from, needs: [] })))
    .toSorted(compareGrants)
}

function unknownHost(policy: Policy, host: string): Fault[] {
  if (policy.hosts.some((known) => known.name === host)) return []
  const guess = nearest(host, policy.hosts.map((known) => known.name))
  return [
    {
      code: 'POLICY_UNKNOWN_HOST',
      what: { en: `there is no host "${host}" in the fleet`, zh: `主机清单中没有“${host}”` },
      ...(guess && { next: { en: `did you mean "${guess}"?`, zh: `是否想写“${guess}”？` } }),
    },
  ]
}

function noWayBack(defaults: Defaults): Fault[] {
  return defaults.managementFrom.length > 0 && defaults.managementPorts.length > 0 ? [] : [MANAGEMENT_MISSING]
}

/** Applying such a policy would lock its author out, so nothing is resolved from it. */
export const MANAGEMENT_MISSING: Fault = {
  code: 'POLICY_NO_MANAGEMENT',
  what: {
    en: 'the policy states no management path: after closing there would be no way back in',
    zh: '策略没有写明管理通道：收敛端口之后将无法再登录',
  },
  next: {
    en: 'write defaults.management.from: the addresses or zones that the controller and the administrators come from',
    zh: '请填写 defaults.management.from，即控制端和管理员的来源地址或区域',
  },
}
