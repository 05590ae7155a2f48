import type { Fault } from '@portcullis/core/fault/fault.ts'
import { applyOptions, applyPlan, type ApplyOptionValues } from '../applying.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { guardStart, START_RULES, withApprovals } from '@portcullis/core/plan/approval.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { vetoed } from '@portcullis/core/plan/seal.ts'
import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import type { Cli } from '../cli.ts'
import { reportFaults } from '../cli.ts'
import { EXIT } from '../exitCode.ts'
import { refuse, withFleet, type Fleet } from '../fleet.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.argument('[plan]', text({ en: 'the id of a sealed plan, or the start of it; the newest without it', zh: '已封存计划的编号或其开头；缺省为最新计划' }))
  applyOptions(fleetOptions(command, text), text).option('--gates <file>', text({ en: 'the file with the rules of who approves and when nothing is changed', zh: '批准与冻结规则文件' }), process.env.PORTCULLIS_GATES)
  examples(command, text, [
    ['portcullis apply', { en: 'the newest plan, after asking', zh: '询问后执行最新计划' }],
    ['portcullis apply 3f9a1c20 --yes --confirm-within 120', { en: 'in a pipeline, for slow hosts', zh: '在流水线中执行，适合较慢的主机' }],
  ])
  run((cli, values, [id]) =>
    withFleet(cli, values as unknown as FleetOptionValues, async (fleet) => {
      const plan = id === undefined ? (await fleet.world.store.plans(1))[0] : await fleet.world.store.plan(id)
      if (!plan) return refuse(cli, [id === undefined ? NO_PLAN : noSuchPlan(id)])
      const vetoes = await whatForbids(cli, fleet, plan, typeof values.gates === 'string' ? values.gates : undefined)
      if (!vetoes.ok) return refuse(cli, vetoes.faults)
      if (vetoes.value.length > 0) {
        reportFaults(cli, vetoes.value)
        return EXIT.differs
      }
      return applyPlan(cli, fleet, plan, values as unknown as ApplyOptionValues)
    }),
  )
}

/** What forbids a rollout forbids an apply too: a missing approval, a freeze, old facts, a rollout that is going on. */
async function whatForbids(cli: Cli, { openRollouts, read }: Fleet, plan: ChangePlan, gatesFile: string | undefined): Promise<Result<readonly Fault[]>> {
  const opened = openRollouts ? await openRollouts({ report: () => undefined, hosts: read.policy.hosts, ...(gatesFile === undefined ? {} : { gatesFile }) }) : undefined
  if (opened && !opened.ok) return opened
  const rollouts = opened?.value.world.rollouts
  const approvals = (await rollouts?.approvals(plan.id)) ?? []
  const running = (await rollouts?.active())?.id
  const rules = withApprovals(opened?.value.rules ?? START_RULES, read.policy.defaults.approvals)
  return succeed(guardStart({ plan, approvals, rules, now: cli.now(), ...(running === undefined ? {} : { running }) }).map(vetoed))
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
