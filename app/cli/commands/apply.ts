import type { Fault } from '@portcullis/core/fault/fault.ts'
import { applyOptions, applyPlan, type ApplyOptionValues } from '../applying.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { refuse, withFleet } from '../fleet.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.argument('[plan]', text({ en: 'the id of a sealed plan, or the start of it; the newest without it', zh: '已封存计划的编号或其开头；缺省为最新计划' }))
  applyOptions(fleetOptions(command, text), text)
  examples(command, text, [
    ['portcullis apply', { en: 'the newest plan, after asking', zh: '询问后执行最新计划' }],
    ['portcullis apply 3f9a1c20 --yes --confirm-within 120', { en: 'in a pipeline, for slow hosts', zh: '在流水线中执行，适合较慢的主机' }],
  ])
  run((cli, values, [id]) =>
    withFleet(cli, values as unknown as FleetOptionValues, async (fleet) => {
      const plan = id === undefined ? (await fleet.world.store.plans(1))[0] : await fleet.world.store.plan(id)
      if (!plan) return refuse(cli, [id === undefined ? NO_PLAN : noSuchPlan(id)])
      return applyPlan(cli, fleet, plan, values as unknown as ApplyOptionValues)
    }),
  )
}

export const NO_PLAN: Fault = {
  code: 'PLAN_NONE',
  what: { en: 'there is no change plan yet', zh: '还没有变更计划' },
  next: { en: 'run portcullis plan', zh: '请运行 portcullis plan' },
}

export const noSuchPlan = (id: string): Fault => ({
  code: 'PLAN_UNKNOWN',
  what: { en: `no plan begins with ${id}, or several do`, zh: `没有以 ${id} 开头的计划，或有多个` },
  next: { en: 'write more of the id, at least 6 characters; portcullis status shows the plans that hosts have', zh: '请写出更长的编号（至少 6 位）；portcullis status 显示各主机的计划' },
})
