import type { Text } from '@portcullis/core/fault/fault.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import type { HostDrift } from '@portcullis/engine/drift.ts'
import type { Lab } from '@portcullis/lab/start.ts'
import type { Drill } from './drill.ts'
import { exposures } from './exposure.ts'
import { serversOf } from './policy.ts'
import type { Step } from './progress.ts'

/** What the demo does, and what it says when each is done. */
export const STEPS = {
  lab: {
    ...step('lab', 'Start a fleet: real daemons in namespaces', '启动一组服务器：真实服务，运行于网络命名空间'),
    told: ({ hosts, world }: Lab): Text => {
      const servers = serversOf(world).length
      return { en: `${servers} servers, ${hosts.length - servers} clients`, zh: `${servers} 台服务器，${hosts.length - servers} 台客户端` }
    },
  },
  before: {
    ...step('before', 'Scan it as it stands', '收敛前扫描'),
    told: ({ lines }: Drill): Text => ({ en: `${exposures(lines)} exposures`, zh: `暴露面 ${exposures(lines)} 处` }),
  },
  install: {
    ...step('install', 'Install portcullis-host over ssh', '通过 ssh 安装 portcullis-host'),
    told: (hosts: number): Text => ({ en: `${hosts} hosts`, zh: `${hosts} 台主机` }),
  },
  observe: {
    ...step('observe', 'Observe mode: count, deny nothing', '观察模式：只计数，不拒绝'),
    told: (hosts: number): Text => ({ en: `${hosts} hosts confirmed`, zh: `${hosts} 台主机已确认` }),
  },
  watch: {
    ...step('watch', 'Watch who uses what', '观测各端点的使用情况'),
    told: (ms: number): Text => ({ en: `${ms / 1000} s of kernel counters`, zh: `内核计数 ${ms / 1000} 秒` }),
  },
  plan: {
    ...step('plan', 'Write the policy, plan the change', '编写策略，生成变更计划'),
    told: (plan: ChangePlan): Text => {
      const { closes, narrows } = planned(plan)
      return { en: `${closes} endpoints close, ${narrows} narrow`, zh: `关闭 ${closes} 个端点，收窄 ${narrows} 个` }
    },
  },
  apply: {
    ...step('apply', 'Close, with the way back armed on each host', '下发：每台主机均已设置自动回退'),
    told: (hosts: number): Text => ({ en: `${hosts} hosts confirmed`, zh: `${hosts} 台主机已确认` }),
  },
  compare: {
    ...step('compare', 'Compare what each kernel enforces', '比较每台内核的生效规则'),
    told: (drifts: readonly HostDrift[]): Text => {
      const equal = drifts.filter(({ kind }) => kind === 'same').length
      return { en: `${equal} of ${drifts.length} equal the intent for every packet`, zh: `${drifts.length} 台中 ${equal} 台对所有报文与意图等价` }
    },
  },
  forgetful: {
    ...step('forgetful', 'Roll out a policy that forgets the SFTP batch', '发布一个遗漏了 SFTP 批处理的策略'),
    told: ({ outcome, waves, trip }: RolloutState): Text => {
      const canary = waves[0]?.hosts.join(' ') ?? ''
      if (outcome !== 'reverted' || !trip) return { en: `ended ${outcome ?? 'early'}, and should have been put back`, zh: `结果为 ${outcome ?? '中断'}，本应回退` }
      return { en: `canary ${canary} trips, put back by itself`, zh: `金丝雀 ${canary} 触发，已自动回退` }
    },
  },
  amended: {
    ...step('amended', 'Put the policy right, roll it out, core last', '修正策略后重新发布，核心主机最后'),
    told: ({ outcome, waves }: RolloutState): Text => {
      const sizes = waves.map(({ name, hosts }) => `${name} ${hosts.length}`).join(', ')
      return outcome === 'completed' ? { en: sizes, zh: sizes } : { en: `ended ${outcome ?? 'early'}`, zh: `结果为 ${outcome ?? '中断'}` }
    },
  },
  uses: {
    ...step('uses', 'Use every needed service for real', '真实使用每项所需业务'),
    told: ({ uses, failed }: { uses: number; failed: number }): Text => ({ en: `${uses - failed} of ${uses} uses work`, zh: `${uses} 次使用中 ${uses - failed} 次成功` }),
  },
  after: {
    ...step('after', 'Scan every TCP port, IPv4 and IPv6', '扫描全部 TCP 端口（IPv4 与 IPv6）'),
    told: ({ lines, probes }: Drill): Text => ({
      en: `${exposures(lines)} exposures left, ${(probes / 1e6).toFixed(1)} million probes`,
      zh: `剩余暴露面 ${exposures(lines)} 处，探测包 ${(probes / 1e4).toFixed(0)} 万个`,
    }),
  },
} as const

function step(name: string, en: string, zh: string): Step {
  return { name, title: { en, zh } }
}

/** How many endpoints of all hosts lose all their sources, and how many some. */
export function planned(plan: ChangePlan): { readonly closes: number; readonly narrows: number } {
  const kinds = plan.hosts.flatMap((host) => host.changes.map(({ kind }) => kind))
  return { closes: kinds.filter((kind) => kind === 'closes').length, narrows: kinds.filter((kind) => kind === 'narrows').length }
}
