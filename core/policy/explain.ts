import type { Text } from '../fault/fault.ts'
import { formatAddress, type Address } from '../net/address.ts'
import { containsPort } from '../net/port.ts'
import { containsAddress } from '../net/prefix.ts'
import type { TransportProtocol } from '../net/protocol.ts'
import type { Mode, Need, Policy } from './policy.ts'
import { formatServicePort } from './service.ts'

/** One new connection, as a person asks about it. */
export interface Question {
  readonly host: string
  readonly protocol: TransportProtocol
  readonly port: number
  readonly source: Address
}

/** Why the policy lets a connection in, or does not. Agrees with the intent that `resolve` gives for the host. */
export type Explanation =
  | { readonly kind: 'allowed'; readonly mode: Mode; readonly management: boolean; readonly needs: readonly Need[] }
  | { readonly kind: 'denied'; readonly mode: Mode; readonly because: readonly NearMiss[] }
  | { readonly kind: 'unknown-host' }

/** The ways in which a policy comes close, nearest first; exactly one `no-need` when it does not. */
export type NearMiss =
  /** The need opens the port on this host, for others. */
  | { readonly kind: 'other-source'; readonly need: Need }
  /** The need opens the port to this source, on other hosts. */
  | { readonly kind: 'other-host'; readonly need: Need }
  /** The need opens the port number on this host, over another protocol. */
  | { readonly kind: 'other-protocol'; readonly need: Need }
  | { readonly kind: 'no-need' }

export function explain(policy: Policy, question: Question): Explanation {
  if (!policy.hosts.some((host) => host.name === question.host)) return { kind: 'unknown-host' }
  const { mode } = policy.defaults
  const management = isManagement(policy, question)
  const needs = policy.needs.filter((need) => isOnHost(need, question) && isForSource(need, question) && opensPort(need, question))
  if (management || needs.length > 0) return { kind: 'allowed', mode, management, needs }
  const misses = policy.needs.flatMap((need) => nearMiss(need, question)).toSorted((a, b) => NEARNESS[a.kind] - NEARNESS[b.kind])
  return { kind: 'denied', mode, because: misses.length > 0 ? misses : [{ kind: 'no-need' }] }
}

/** One sentence for people; the lists in the explanation carry the rest. */
export function describeExplanation(explanation: Explanation, question: Question): Text {
  if (explanation.kind === 'unknown-host') {
    return { en: `${question.host} is not in the fleet`, zh: `${question.host} 不在主机清单中` }
  }
  const endpoint = `${question.host}:${question.port}/${question.protocol}`
  const source = formatAddress(question.source)
  if (explanation.kind === 'allowed') return describeAllowed(explanation, endpoint, source)
  const first = explanation.because[0] ?? { kind: 'no-need' }
  const because = NEAR_MISS[first.kind](first.kind === 'no-need' ? undefined : first.need)
  const observed = explanation.mode === 'observe'
  return {
    en: `${source} may not reach ${endpoint}${observed ? ' (observe mode: counted, still let through)' : ''}: ${because.en}`,
    zh: `${source} 不能访问 ${endpoint}${observed ? '（观察模式：仅计数，仍放行）' : ''}：${because.zh}`,
  }
}

function describeAllowed(explanation: Explanation & { kind: 'allowed' }, endpoint: string, source: string): Text {
  const needs = explanation.needs.map((need) => need.id)
  const by = {
    en: [...(explanation.management ? ['the management path'] : []), ...needs.map((id) => `need ${id}`)].join(', '),
    zh: [...(explanation.management ? ['管理通道'] : []), ...needs.map((id) => `业务需求 ${id}`)].join('、'),
  }
  return { en: `${source} may reach ${endpoint}: ${by.en}`, zh: `${source} 可以访问 ${endpoint}：${by.zh}` }
}

const NEARNESS: Record<NearMiss['kind'], number> = { 'other-source': 0, 'other-protocol': 1, 'other-host': 2, 'no-need': 3 }

const NEAR_MISS: Record<NearMiss['kind'], (need: Need | undefined) => Text> = {
  'other-source': (need) => ({
    en: `need ${need?.id} opens the port only to ${need?.fromText.join(', ')}`,
    zh: `业务需求 ${need?.id} 只对 ${need?.fromText.join('、')} 开放此端口`,
  }),
  'other-protocol': (need) => ({
    en: `need ${need?.id} opens the number only as ${need?.service.ports.map(formatServicePort).join(', ')}`,
    zh: `业务需求 ${need?.id} 只开放 ${need?.service.ports.map(formatServicePort).join('、')}`,
  }),
  'other-host': (need) => ({ en: `need ${need?.id} is about other hosts`, zh: `业务需求 ${need?.id} 针对的是其他主机` }),
  'no-need': () => ({ en: 'no need mentions this port', zh: '没有任何业务需求提到此端口' }),
}

function nearMiss(need: Need, question: Question): NearMiss[] {
  const opens = opensPort(need, question)
  if (opens && isOnHost(need, question)) return [{ kind: 'other-source', need }]
  if (opens && isForSource(need, question)) return [{ kind: 'other-host', need }]
  const sameNumber = need.service.ports.some(({ ports }) => containsPort(ports, question.port))
  return !opens && sameNumber && isOnHost(need, question) ? [{ kind: 'other-protocol', need }] : []
}

const isManagement = ({ defaults }: Policy, { protocol, port, source }: Question): boolean =>
  protocol === 'tcp' &&
  defaults.managementPorts.some((ports) => containsPort(ports, port)) &&
  defaults.managementFrom.some((prefix) => containsAddress(prefix, source))

const isOnHost = (need: Need, { host }: Question): boolean => need.hosts.includes(host)

const isForSource = (need: Need, { source }: Question): boolean => need.from.some((prefix) => containsAddress(prefix, source))

const opensPort = (need: Need, { protocol, port }: Question): boolean =>
  need.service.ports.some((open) => open.protocol === protocol && containsPort(open.ports, port))
