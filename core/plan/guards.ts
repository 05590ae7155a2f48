import type { Instant } from '../inventory/observation.ts'
import { formatAddress } from '../net/address.ts'
import { formatPortRange } from '../net/port.ts'
import type { Intent } from '../policy/intent.ts'
import type { Host } from '../policy/policy.ts'
import type { HostDraft, LiveHost } from './draft.ts'
import type { Finding } from './plan.ts'
import { grantedTo, hasSource } from './sources.ts'

/** All that a guard may look at. Guards decide before a change; what they find is data, with the reason and the way out. */
export interface Situation {
  readonly host: Host
  readonly intent: Intent
  readonly live: LiveHost
  readonly draft: HostDraft
  readonly now: Instant
  /** The newest generation that the store knows of the host; 0 for none. */
  readonly knownGeneration: number
  readonly limits: GuardLimits
}

export interface GuardLimits {
  readonly factsAgeSecondsMax: number
  readonly clockSkewSecondsWarn: number
  readonly clockSkewSecondsMax: number
  readonly watchedDaysMin: number
}

/** What is used once a week is seen within one. Facts of a quarter of an hour ago miss the daemon that was started since; five minutes of skew make Kerberos and TLS fail anyway. */
export const GUARD_LIMITS: GuardLimits = { factsAgeSecondsMax: 900, clockSkewSecondsWarn: 30, clockSkewSecondsMax: 300, watchedDaysMin: 7 }

export const guardHost = (situation: Situation): Finding[] => GUARDS.flatMap((guard) => guard(situation))

/** Over all hosts: a policy that grants nothing anywhere was hardly meant. Where nothing is enforced, it is how one begins. */
export function guardFleet(intents: readonly Intent[]): Finding[] {
  if (intents.some((intent) => intent.grants.length > 0)) return []
  if (intents.length > 0 && intents.every((intent) => intent.mode === 'observe')) return []
  return [
    {
      guard: 'POLICY_SELECTS_NOTHING',
      level: 'veto',
      because: { en: 'the policy grants nothing on any host: every service would be closed', zh: '策略未在任何主机上放行任何端口：所有业务都会被关闭' },
      until: { en: 'a need selects at least one host', zh: '至少有一条业务需求选中了主机' },
    },
  ]
}

type Guard = (situation: Situation) => Finding[]

const noWayBack: Guard = ({ intent, live, host }) => {
  if (host.transport.kind !== 'ssh') return []
  if (!live.controller) return [wayBackUnknown(intent.host)]
  const { source, port } = live.controller
  const covering = intent.management.filter((grant) => grant.protocol === 'tcp')
  if (hasSource(grantedTo({ ...intent, management: covering, grants: [] }, 'tcp', port), source)) return []
  const from = formatAddress(source)
  return [
    {
      guard: 'NO_WAY_BACK',
      level: 'veto',
      host: intent.host,
      because: {
        en: `the controller reaches this host from ${from} on tcp/${port}, which the management path does not cover`,
        zh: `控制端从 ${from} 经 tcp/${port} 管理该主机，而管理通道未包含它`,
      },
      until: {
        en: `defaults.management covers ${from} and port ${port}`,
        zh: `defaults.management 包含 ${from} 与端口 ${port}`,
      },
    },
  ]
}

const wayBackUnknown = (host: string): Finding => ({
  guard: 'WAY_BACK_UNKNOWN',
  level: 'warn',
  host,
  because: {
    en: 'the host does not say where the controller connects from; only the probe after the swap will tell',
    zh: '主机未报告控制端的来源地址，只能在切换后的探测中确认',
  },
})

const staleFacts: Guard = ({ live, now, limits, intent }) => {
  const ageSeconds = Math.floor((now - live.factsAt) / 1000)
  if (ageSeconds <= limits.factsAgeSecondsMax) return []
  return [
    {
      guard: 'FACTS_OLD',
      level: 'veto',
      host: intent.host,
      because: { en: `what is known of this host is ${ageSeconds} s old`, zh: `该主机的信息已过去 ${ageSeconds} 秒` },
      until: { en: 'run portcullis observe again', zh: '重新运行 portcullis observe' },
    },
  ]
}

const clockSkew: Guard = ({ live, limits, intent }) => {
  const skewSeconds = Math.round(Math.abs(live.clockSkewMs ?? 0) / 1000)
  if (skewSeconds <= limits.clockSkewSecondsWarn) return []
  const side = (live.clockSkewMs ?? 0) > 0 ? { en: 'ahead of', zh: '快' } : { en: 'behind', zh: '慢' }
  return [
    {
      guard: 'CLOCK_SKEW',
      level: skewSeconds > limits.clockSkewSecondsMax ? 'veto' : 'warn',
      host: intent.host,
      because: {
        en: `the host's clock is ${skewSeconds} s ${side.en} ours, so that its evidence carries wrong times`,
        zh: `主机时钟比控制端${side.zh} ${skewSeconds} 秒，其证据的时间不可信`,
      },
      until: { en: 'set the clock of the host (or of the controller)', zh: '校正主机（或控制端）的时钟' },
    },
  ]
}

const otherController: Guard = ({ live, knownGeneration, intent }) => {
  if (live.confirmedGeneration === knownGeneration) return []
  const isAhead = live.confirmedGeneration > knownGeneration
  return [
    {
      guard: isAhead ? 'GENERATION_UNKNOWN' : 'GENERATION_LOST',
      level: 'warn',
      host: intent.host,
      because: isAhead
        ? {
            en: `the host has generation ${live.confirmedGeneration}, which this state folder never made: another controller wrote it`,
            zh: `主机处于第 ${live.confirmedGeneration} 代，本机状态中没有记录：由其他控制端写入`,
          }
        : {
            en: `the host has generation ${live.confirmedGeneration} though ${knownGeneration} was confirmed: it was reinstalled or reset`,
            zh: `已确认过第 ${knownGeneration} 代，而主机处于第 ${live.confirmedGeneration} 代：主机被重装或重置`,
          },
    },
  ]
}

const unservedNeeds: Guard = ({ draft }) =>
  draft.needs
    .filter((report) => report.state !== 'served')
    .map((report) => ({
      guard: 'NEED_UNSERVED',
      level: 'warn',
      host: draft.host,
      because: {
        en: `need ${report.need}: nothing listens on ${report.silentPorts.join(', ')}`,
        zh: `业务需求 ${report.need}：${report.silentPorts.join('、')} 上没有监听`,
      },
    }))

const noNeeds: Guard = ({ intent }) => {
  if (intent.grants.length > 0) return []
  return [
    {
      guard: 'HOST_WITHOUT_NEEDS',
      level: 'warn',
      host: intent.host,
      because: { en: 'no need selects this host: only the management path stays open', zh: '没有业务需求选中该主机：只保留管理通道' },
    },
  ]
}

const liveFlows: Guard = ({ draft, intent }) => {
  const live = draft.flows.filter((flow) => flow.isLive)
  if (live.length === 0 || intent.mode === 'observe') return []
  const sources = new Set(live.map((flow) => flow.source)).size
  return [
    {
      guard: 'LIVE_FLOWS',
      level: 'warn',
      host: draft.host,
      because: {
        en: `${plural(sources, 'client')} ${sources === 1 ? 'is' : 'are'} connected to endpoints that close to them`,
        zh: `有 ${sources} 个客户端正在使用将对其关闭的端点`,
      },
    },
  ]
}

const lostEvidence: Guard = ({ draft }) => {
  if (draft.evidence.lost === 0) return []
  return [
    {
      guard: 'EVIDENCE_LOST',
      level: 'warn',
      host: draft.host,
      because: {
        en: `${plural(draft.evidence.lost, 'observation')} lost (${draft.evidence.because.join('; ')}): who uses what is not fully known`,
        zh: `丢失 ${draft.evidence.lost} 条观测（${draft.evidence.because.join('；')}）：使用情况不完整`,
      },
    },
  ]
}

const DAY_MS = 86_400_000
const CLOSING: ReadonlySet<string> = new Set(['closes', 'narrows', 'moves'])

/** Nobody seen is not nobody there. */
const thinEvidence: Guard = ({ draft, live, now, limits, intent }) => {
  if (intent.mode === 'observe' || !draft.changes.some(({ kind }) => CLOSING.has(kind))) return []
  const days = live.watchedSince === undefined ? 0 : Math.floor((now - live.watchedSince) / DAY_MS)
  if (days >= limits.watchedDaysMin) return []
  return [
    {
      guard: 'EVIDENCE_THIN',
      level: 'warn',
      host: draft.host,
      because: {
        en: `its flows were watched for ${days === 0 ? 'less than a day' : plural(days, 'day')}: a client that comes once a week is not seen in that time`,
        zh: `流量仅观察了${days === 0 ? '不足一天' : ` ${days} 天`}：每周才来一次的客户端还未出现`,
      },
      until: { en: `${limits.watchedDaysMin} days in observe mode`, zh: `观察模式运行满 ${limits.watchedDaysMin} 天` },
    },
  ]
}

const foreignTables: Guard = ({ live, draft }) =>
  live.foreignRefusals.map((refusal) => ({
    guard: 'FOREIGN_REFUSES',
    level: 'warn',
    host: draft.host,
    because: {
      en: `${refusal.table} refuses ${refusal.protocol}/${formatPortRange(refusal.ports)}, which ${refusal.needs.join(', ')} needs; Portcullis never opens what another firewall closes`,
      zh: `${refusal.table} 拒绝 ${refusal.protocol}/${formatPortRange(refusal.ports)}，而 ${refusal.needs.join('、')} 需要它；Portcullis 不会打开其他防火墙关闭的端口`,
    },
  }))

const GUARDS: readonly Guard[] = [
  noWayBack,
  staleFacts,
  clockSkew,
  otherController,
  unservedNeeds,
  noNeeds,
  liveFlows,
  lostEvidence,
  thinEvidence,
  foreignTables,
]

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
