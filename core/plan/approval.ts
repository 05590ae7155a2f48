import type { Instant } from '../inventory/observation.ts'
import type { ChangePlan, Finding } from './plan.ts'

/** One person's word for one sealed plan. It stands beside the plan, which never changes. */
export interface Approval {
  readonly plan: string
  /** A name without a machine: the same person at two desks is one person. */
  readonly by: string
  readonly at: Instant
}

/** What a fleet's owners want to hold before a plan is rolled out. */
export interface StartRules {
  /** How many different people must have approved the plan; 2 for four eyes, 0 for none. */
  readonly approvalsMin: number
  /** An approval counts no longer than this. */
  readonly approvalHoursMax: number
  /** Facts that are older know too little of what was started since. */
  readonly factsMinutesMax: number
  readonly freezes: readonly Freeze[]
}

/** A time in which nothing is to be changed. */
export interface Freeze {
  readonly from: Instant
  readonly until: Instant
  readonly because: string
}

export const START_RULES: StartRules = { approvalsMin: 0, approvalHoursMax: 24, factsMinutesMax: 24 * 60, freezes: [] }

export interface StartSituation {
  readonly plan: ChangePlan
  readonly approvals: readonly Approval[]
  readonly rules: StartRules
  readonly now: Instant
  /** A rollout that is not over. */
  readonly running?: string
}

/** Why a sealed plan may not be rolled out now; each finding is a veto with its way out. */
export const guardStart = (situation: StartSituation): Finding[] => [busy, frozen, unapproved, staleFacts].flatMap((guard) => guard(situation))

/** Of two sets of rules whatever is stricter: what the policy file asks for cannot be left out by leaving out a file of gates. */
export const withApprovals = (rules: StartRules, approvalsMin: number | undefined): StartRules => ({ ...rules, approvalsMin: Math.max(rules.approvalsMin, approvalsMin ?? 0) })

function busy({ running }: StartSituation): Finding[] {
  if (running === undefined) return []
  return [
    {
      guard: 'ROLLOUT_RUNNING',
      level: 'veto',
      because: { en: `rollout ${running.slice(0, 8)} is not over yet`, zh: `发布 ${running.slice(0, 8)} 尚未结束` },
      until: { en: 'it is over: portcullis rollout status; resume carries it on, abort or rollback ends it', zh: '该发布结束：查看 portcullis rollout status；resume 继续，abort 或 rollback 结束' },
    },
  ]
}

function frozen({ rules, now }: StartSituation): Finding[] {
  return rules.freezes.filter(({ from, until }) => now >= from && now < until).map(({ until, because }): Finding => ({
    guard: 'CHANGE_FREEZE',
    level: 'veto',
    because: { en: `nothing is to be changed now: ${because}`, zh: `当前为变更冻结期：${because}` },
    until: { en: new Date(until).toISOString(), zh: new Date(until).toISOString() },
  }))
}

const HOUR_MS = 3_600_000

function unapproved({ plan, approvals, rules, now }: StartSituation): Finding[] {
  if (rules.approvalsMin === 0) return []
  const ofPlan = approvals.filter((approval) => approval.plan === plan.id && approval.at <= now)
  const valid = new Set(ofPlan.filter(({ at }) => now - at <= rules.approvalHoursMax * HOUR_MS).map(({ by }) => by))
  if (valid.size >= rules.approvalsMin) return []
  const expired = new Set(ofPlan.map(({ by }) => by).filter((by) => !valid.has(by)))
  const names = [...valid].toSorted().join(', ')
  return [
    {
      guard: expired.size > 0 ? 'APPROVAL_EXPIRED' : 'APPROVAL_MISSING',
      level: 'veto',
      because: {
        en: `${valid.size} of ${rules.approvalsMin} approvals${names === '' ? '' : ` (${names})`}${expired.size > 0 ? `; those of ${[...expired].toSorted().join(', ')} are older than ${rules.approvalHoursMax} h` : ''}`,
        zh: `批准 ${valid.size}/${rules.approvalsMin}${names === '' ? '' : `（${names}）`}${expired.size > 0 ? `；${[...expired].toSorted().join('、')} 的批准已超过 ${rules.approvalHoursMax} 小时` : ''}`,
      },
      until: { en: `portcullis plan approve ${plan.id.slice(0, 12)}, by different people`, zh: `由不同人员运行 portcullis plan approve ${plan.id.slice(0, 12)}` },
    },
  ]
}

function staleFacts({ plan, rules, now }: StartSituation): Finding[] {
  const stale = plan.hosts.filter(({ evidence }) => now - evidence.factsAt > rules.factsMinutesMax * 60_000)
  return stale.map(({ host, evidence }): Finding => {
    const minutes = Math.floor((now - evidence.factsAt) / 60_000)
    return {
      guard: 'FACTS_OLD',
      level: 'veto',
      host,
      because: { en: `what the plan knows of this host is ${minutes} min old`, zh: `计划所依据的主机信息已过去 ${minutes} 分钟` },
      until: { en: 'run portcullis plan again', zh: '重新运行 portcullis plan' },
    }
  })
}
