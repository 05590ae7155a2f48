import type { BusinessCalendar, Day } from '@portcullis/core/inventory/businessCalendar.ts'
import type { Instant } from '@portcullis/core/inventory/observation.ts'
import type { Scanners } from '@portcullis/core/inventory/scanner.ts'
import { isVacant, type EndpointDays, type HostUsage, type SourceDays } from '@portcullis/core/inventory/usageDays.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import { containsPort } from '@portcullis/core/net/port.ts'
import { containsAddress } from '@portcullis/core/net/prefix.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import type { Host, Policy } from '@portcullis/core/policy/policy.ts'
import { judgeHost } from '@portcullis/core/policy/recommend/judge.ts'
import type { Profile } from '@portcullis/core/policy/recommend/profile.ts'
import type { Recommendation } from '@portcullis/core/policy/recommend/recommendation.ts'
import type { Grant } from '@portcullis/core/policy/intent.ts'
import { resolveAll } from '@portcullis/core/policy/resolve.ts'
import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { readRecordedUses } from './recordedUses.ts'
import type { Store } from './store.ts'

/** What a policy would have denied of the flows that were recorded. */
export interface ReplayReport {
  readonly denied: readonly DeniedUse[]
  readonly allowedConnections: number
  readonly allowedSources: number
  readonly firstDay?: Day
  readonly lastDay?: Day
  /** Hosts of which nothing was counted: the policy could not be scored on them. */
  readonly unwatched: readonly string[]
  /** Connections of unknown source; whether they would have been denied cannot be said. */
  readonly lost: number
}

export interface DeniedUse {
  readonly host: string
  readonly protocol: TransportProtocol
  readonly port: number
  readonly listener?: string
  /** `wanted`: in use, or not known to have ended; `ended`: the use stopped, or another source took over; `vacant`: nothing stands there; `scanner`: tried by one. */
  readonly kind: 'wanted' | 'ended' | 'vacant' | 'scanner'
  readonly source: string
  readonly connections: number
  readonly days: number
  readonly firstDay?: Day
  readonly lastDay?: Day
}

export interface ReplayOptions {
  readonly since: Instant
  readonly calendar: BusinessCalendar
  readonly profiles: readonly Profile[]
}

/** Host after host; refused where the policy cannot be resolved. */
export async function replay(store: Pick<Store, 'usage'>, policy: Policy, hosts: readonly Host[], options: ReplayOptions): Promise<Result<ReplayReport>> {
  const intents = resolveAll(policy, () => 1)
  if (!intents.ok) return intents
  const { usages, scanners } = await readRecordedUses(store, hosts, options)
  const scored = usages.map((usage, index) => {
    const intent = intents.value.get(usage.host)
    const judged = judgeHost({ name: usage.host, tier: hosts[index]?.tier ?? 'core' }, usage, { calendar: options.calendar, zones: [], services: [], unseenShare: 0, profiles: options.profiles, isNoise: ({ source }) => scanners.has(source) })
    return scoreHost(usage, intent ? [...intent.management, ...intent.grants] : [], scanners, judged)
  })
  const days = usages.flatMap(({ watch }) => (watch.watched.isEmpty ? [] : [watch.firstDay, watch.lastDay]))
  return succeed({
    denied: scored.flatMap(({ denied }) => denied),
    allowedConnections: scored.reduce((sum, { connections }) => sum + connections, 0),
    allowedSources: scored.reduce((sum, { sources }) => sum + sources, 0),
    ...(days.length === 0 ? {} : { firstDay: days.reduce((a, b) => Math.min(a, b)), lastDay: days.reduce((a, b) => Math.max(a, b)) }),
    unwatched: usages.filter(({ watch, endpoints }) => watch.watched.isEmpty && endpoints.every(({ sources }) => sources.length === 0)).map(({ host }) => host),
    lost: usages.reduce((sum, { endpoints }) => sum + endpoints.reduce((of, { lost, moreSources }) => of + lost + moreSources, 0), 0),
  })
}

interface HostScore {
  readonly denied: DeniedUse[]
  connections: number
  sources: number
}

function scoreHost(usage: HostUsage, grants: readonly Grant[], scanners: Scanners, judged: readonly Recommendation[]): HostScore {
  const score: HostScore = { denied: [], connections: 0, sources: 0 }
  for (const endpoint of usage.endpoints) {
    const verdict = judged.find(({ protocol, ports }) => protocol === endpoint.protocol && containsPort(ports, endpoint.port))
    const open = grants.filter(({ protocol, ports }) => protocol === endpoint.protocol && containsPort(ports, endpoint.port))
    for (const source of endpoint.sources) {
      if (source.days.isEmpty) continue
      if (open.some(({ from }) => containsAddress(from, source.source))) {
        score.connections += source.connections
        score.sources += 1
      } else score.denied.push(deniedUse(usage.host, endpoint, source, kindOf(endpoint, source, verdict, scanners.has(source.source))))
    }
  }
  return score
}

/** As `recommend` judges: what it would close, or whose source it knows to be replaced, has ended. */
function kindOf(endpoint: EndpointDays, { source }: SourceDays, judged: Recommendation | undefined, isNoise: boolean): DeniedUse['kind'] {
  if (isNoise) return 'scanner'
  if (judged?.verdict === 'close') return 'ended'
  if (judged?.verdict === 'keep' && !judged.from.prefixes.some((prefix) => containsAddress(prefix, source))) return 'ended'
  const isGrouped = judged !== undefined && judged.ports.first < judged.ports.last
  return isVacant(endpoint.listening.state, endpoint.published) && !isGrouped ? 'vacant' : 'wanted'
}

function deniedUse(host: string, endpoint: EndpointDays, { source, connections, days }: SourceDays, kind: DeniedUse['kind']): DeniedUse {
  const used = days.days()
  const [first, last] = [used[0], used.at(-1)]
  const listener = endpoint.listening.unit ?? endpoint.listening.process ?? endpoint.published
  return {
    host,
    protocol: endpoint.protocol,
    port: endpoint.port,
    ...(listener === undefined ? {} : { listener }),
    kind,
    source: formatAddress(source),
    connections,
    days: used.length,
    ...(first === undefined ? {} : { firstDay: first }),
    ...(last === undefined ? {} : { lastDay: last }),
  }
}
