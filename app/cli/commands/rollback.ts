import type { Fault } from '@portcullis/core/fault/fault.ts'
import { planRollback, planUndoNeed } from '@portcullis/engine/rollback.ts'
import { applyOptions, applyPlan, policyHosts, type ApplyOptionValues } from '../applying.ts'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { refuse, withFleet } from '../fleet.ts'
import { planJson } from '../planJson.ts'
import { showPlan } from '../show/plan.ts'
import { noSuchPlan } from './apply.ts'
import { planExit } from './plan.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.argument('[plan]', text({ en: 'undo this plan on all of its hosts', zh: '在该计划涉及的所有主机上撤销' }))
  applyOptions(fleetOptions(command, text), text).option('--need <id>', text({ en: 'only what the plan did for this need; later changes stay', zh: '仅撤销该计划对此业务需求的变更，保留之后的变更' }))
  examples(command, text, [
    ['portcullis rollback 3f9a1c20', { en: 'what a plan changed', zh: '撤销一个计划' }],
    ['portcullis rollback 3f9a1c20 --need shop', { en: 'what a plan did for one need', zh: '仅撤销计划中一项业务需求的变更' }],
    ['portcullis rollback --host web-1', { en: 'the newest change of one host', zh: '撤销一台主机的最近变更' }],
  ])
  run((cli, values, [id]) =>
    withFleet(cli, values as unknown as FleetOptionValues, async (fleet) => {
      if (id === undefined && values.host === undefined) return refuse(cli, [NOTHING_NAMED])
      const of = id === undefined ? undefined : await fleet.world.store.plan(id)
      if (id !== undefined && !of) return refuse(cli, [noSuchPlan(id)])
      const hosts = of ? policyHosts({ ...fleet.read.policy, hosts: fleet.hosts }, of) : fleet.hosts
      const { need } = values
      if (typeof need === 'string' && !of) return refuse(cli, [NOTHING_NAMED])
      const report = of && typeof need === 'string' ? await planUndoNeed(fleet.world, hosts, of, need, fleet.options) : await planRollback(fleet.world, hosts, of, fleet.options)
      if (!report.ok) return refuse(cli, report.faults)
      const { plan } = report.value
      if (plan && report.value.unread.length === 0) {
        if (!cli.isJson) cli.err(showPlan({ language: cli.language, paint: cli.errPaint }, report.value, true))
        return applyPlan(cli, fleet, plan, values as unknown as ApplyOptionValues)
      }
      if (cli.isJson) outJson(cli, planJson(report.value))
      else cli.out(showPlan(cli, report.value))
      return planExit(report.value)
    }),
  )
}

const NOTHING_NAMED: Fault = {
  code: 'ROLLBACK_OF_WHAT',
  what: { en: 'roll back what? Name a plan, or hosts', zh: '要回滚什么？请指定计划或主机' },
  next: { en: 'portcullis rollback PLAN, or portcullis rollback --host NAME', zh: 'portcullis rollback 计划编号，或 portcullis rollback --host 主机名' },
}
