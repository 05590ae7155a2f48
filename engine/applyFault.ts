import { FaultError, type Fault } from '@portcullis/core/fault/fault.ts'
import type { Comparison } from '@portcullis/core/plan/seal.ts'
import type { ApplyStep } from './store.ts'

/** Why a confirmed apply stopped, apart from what the host itself refuses. */

export const moved = (host: string, planned: number, found: number): Fault => ({
  code: 'HOST_MOVED',
  what: {
    en: `${host} has generation ${found}, the plan was made for ${planned}: another controller was faster`,
    zh: `${host} 处于第 ${found} 代，计划针对第 ${planned} 代：其他控制端已先行变更`,
  },
  next: { en: 'nothing was changed; run portcullis plan again', zh: '未做任何改动；请重新运行 portcullis plan' },
})

export const otherApply = (host: string, seconds: number): Fault => ({
  code: 'HOST_OTHER_APPLY',
  what: {
    en: `${host} waits for another controller's confirmation; it reverts in ${seconds} s otherwise`,
    zh: `${host} 正等待另一控制端确认，否则将在 ${seconds} 秒后回退`,
  },
  next: { en: 'nothing was changed; try again when that is over', zh: '未做任何改动；请待其结束后重试' },
})

export const otherRuleset = (host: string): Fault => ({
  code: 'HOST_OTHER_RULESET',
  what: { en: `${host} holds another ruleset than the one we staged: two controllers at once`, zh: `${host} 上的规则集不是我们暂存的那份：有两个控制端同时操作` },
  next: { en: 'we leave the host to the other one; run portcullis plan again afterwards', zh: '本控制端让出该主机；请稍后重新运行 portcullis plan' },
})

export const rendersOtherwise = (host: string): Fault => ({
  code: 'PLAN_RENDERS_OTHERWISE',
  what: { en: `${host}: this version of Portcullis renders the plan's intent to another text than was sealed`, zh: `${host}：当前版本生成的规则文本与已封存的计划不同` },
  next: { en: 'run portcullis plan again', zh: '请重新运行 portcullis plan' },
})

export const unequalLive = (host: string, comparison: Exclude<Comparison, { kind: 'equal' }>): Fault =>
  comparison.kind === 'counterexample'
    ? {
        code: 'LIVE_NOT_EQUAL',
        what: {
          en: `${host}: what the kernel enforces is not the intent: ${comparison.packet} (${comparison.because})`,
          zh: `${host}：内核生效的规则与意图不一致：${comparison.packet}（${comparison.because}）`,
        },
      }
    : {
        code: 'LIVE_UNDECIDED',
        what: {
          en: `${host}: whether the kernel enforces the intent could not be decided: ${comparison.because}`,
          zh: `${host}：无法判定内核生效的规则是否符合意图：${comparison.because}`,
        },
      }

export const lateConfirm = (host: string, withinSeconds: number): Fault => ({
  code: 'CONFIRM_LATE',
  what: { en: `${host}: the checks took longer than the ${withinSeconds} s that were left for confirming`, zh: `${host}：检查超过了 ${withinSeconds} 秒的确认期限` },
  next: { en: 'retry with a longer --confirm-within', zh: '请用更长的 --confirm-within 重试' },
})

export const unreverted = (host: string, seconds: number): Fault => ({
  code: 'HOST_REVERTS_ALONE',
  what: {
    en: `${host} cannot be told to revert; it puts its old ruleset back by itself within ${seconds} s`,
    zh: `无法通知 ${host} 回退；它会在 ${seconds} 秒内自动恢复旧规则集`,
  },
  next: { en: 'see portcullis status afterwards', zh: '稍后请查看 portcullis status' },
})

export const unknownOutcome = (host: string, seconds: number): Fault => ({
  code: 'CONFIRM_UNANSWERED',
  what: {
    en: `${host} did not answer the confirmation: it has the new ruleset, or puts the old one back by itself within ${seconds} s`,
    zh: `${host} 未应答确认：它已处于新规则集，或将在 ${seconds} 秒内自动恢复旧规则集`,
  },
  next: { en: 'portcullis status tells which', zh: '请用 portcullis status 查看结果' },
})

export const stopped = (host: string, step: ApplyStep): Fault => ({
  code: 'STOPPED',
  what: { en: `${host}: stopped before ${step}, as asked`, zh: `${host}：按要求在 ${step} 之前停止` },
})

/** Something threw that is to return faults: a store that is gone, most often. */
export const writtenFault = (host: string, step: ApplyStep | 'cut', error: unknown): Fault => {
  if (error instanceof FaultError) return error.fault
  const because = error instanceof Error ? error.message : String(error)
  return { code: 'APPLY_FAILED', what: { en: `${host}: ${step} failed: ${because}`, zh: `${host}：${step} 失败：${because}` } }
}
