import type { Text } from '@portcullis/core/fault/fault.ts'
import type { DemoRollouts } from '../demo/rollouts.ts'

/** The second act as it is told in the terminal and in the report. */
export interface RolloutStory {
  readonly title: Text
  readonly parts: readonly StoryPart[]
}

export interface StoryPart {
  readonly mark: '✗' | '↶' | '✉' | '✓'
  /** Whether it went as it has to. */
  readonly isGood: boolean
  readonly text: Text
  readonly note: readonly Text[]
}

export function rolloutStory({ forgotten, first, alert, second }: DemoRollouts): RolloutStory {
  return {
    title: { en: 'Then somebody forgets the monthly SFTP batch', zh: '随后，有人在策略里漏掉了每月的 SFTP 批处理' },
    parts: [tripped(first, forgotten), wentBack(first), told(alert), amended(second)],
  }
}

function tripped({ canary, because, tripSeconds, outcome }: DemoRollouts['first'], forgotten: string): StoryPart {
  const hosts = canary.join(' ')
  const isGood = because.length > 0 && outcome === 'reverted'
  return {
    mark: '✗',
    isGood,
    text: isGood
      ? { en: `${hosts}, the canary, trips ${tripSeconds} s after its change began: the policy lacks ${forgotten}`, zh: `金丝雀 ${hosts} 在变更开始 ${tripSeconds} 秒后触发：策略缺少 ${forgotten}` }
      : { en: `${hosts}, the canary, should have tripped: the policy lacks ${forgotten}`, zh: `金丝雀 ${hosts} 本应触发：策略缺少 ${forgotten}` },
    note: because,
  }
}

function wentBack({ hostsPutBack, canary, putBackSeconds, interruptedSeconds }: DemoRollouts['first']): StoryPart {
  return {
    mark: '↶',
    isGood: hostsPutBack === canary.length,
    text: { en: `${hostsPutBack} of ${canary.length} changed hosts put back by itself in ${putBackSeconds} s; no other host was touched`, zh: `${canary.length} 台已变更主机中 ${hostsPutBack} 台在 ${putBackSeconds} 秒内自动回退，其他主机未受影响` },
    note: [{ en: `the batch could not be delivered for ${interruptedSeconds} s, then it could again`, zh: `批处理中断 ${interruptedSeconds} 秒后恢复` }],
  }
}

function told({ receiver, title, isSigned, times, seconds }: DemoRollouts['alert']): StoryPart {
  const isGood = isSigned && times === 1
  return {
    mark: '✉',
    isGood,
    text: isGood
      ? { en: `${receiver} is told once, ${seconds} s later, by a webhook whose signature is right`, zh: `${seconds} 秒后，${receiver} 收到一次告警，webhook 签名有效` }
      : { en: `${receiver} was told ${times} times${isSigned ? '' : ', not signed'}`, zh: `${receiver} 收到 ${times} 次${isSigned ? '' : '，签名无效'}` },
    note: [title],
  }
}

function amended({ outcome, waves, coreApprovedBy, hostsChanged, seconds }: DemoRollouts['second']): StoryPart {
  const steps = waves.map(({ name, hosts }) => `${name} ${hosts.join(' ')}`).join(' → ')
  return {
    mark: '✓',
    isGood: outcome === 'completed',
    text: { en: `the policy put right: ${hostsChanged} hosts in ${waves.length} waves, ${seconds} s, core hosts last`, zh: `修正策略后：${hostsChanged} 台主机分 ${waves.length} 批完成，用时 ${seconds} 秒，核心主机最后` },
    note: [{ en: `${steps}${coreApprovedBy === undefined ? '' : `, approved by ${coreApprovedBy}`}`, zh: `${steps}${coreApprovedBy === undefined ? '' : `，由 ${coreApprovedBy} 批准`}` }],
  }
}
