import { planChange, type PlanReport } from '@portcullis/engine/planChange.ts'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse, withFleet } from '../fleet.ts'
import { planJson } from '../planJson.ts'
import { showPlan } from '../show/plan.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  fleetOptions(command, text)
  examples(command, text, [
    ['portcullis plan', { en: 'what would close and open, and who would be hurt', zh: '列出将关闭、放行的端口及受影响者' }],
    ['portcullis plan --json | jq -r .plan.id', { en: 'the id, for apply', zh: '取得计划编号，供 apply 使用' }],
  ])
  run((cli, values) =>
    withFleet(cli, values as unknown as FleetOptionValues, async ({ world, read, hosts, options }) => {
      const report = await planChange(world, read.policy, read.seen, hosts, options)
      if (!report.ok) return refuse(cli, report.faults)
      if (cli.isJson) outJson(cli, planJson(report.value))
      else cli.out(showPlan(cli, report.value))
      return planExit(report.value)
    }),
  )
}

/** A refusal outweighs a host that did not answer, because it is the surer "no". */
export function planExit(report: PlanReport): ExitCode {
  if (report.faults.some((fault) => fault.code === 'PLAN_VETO' || fault.code === 'PLAN_NOT_EQUAL')) return EXIT.differs
  if (report.kind === 'refused' || report.unread.length > 0) return EXIT.incomplete
  return EXIT.ok
}
