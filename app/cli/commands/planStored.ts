import { canonicalJson, type Json } from '@portcullis/core/plan/canonicalJson.ts'
import { guardStart } from '@portcullis/core/plan/approval.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { isSealed } from '@portcullis/core/plan/seal.ts'
import { outJson, say, type Cli } from '../cli.ts'
import { examples, fleetOptions, type CommandModule } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse } from '../fleet.ts'
import { whoApproves, withRollouts, type RolloutFleet, type RolloutOptionValues } from '../rolling.ts'
import { showPlanDiff, showStoredPlan } from '../show/planStored.ts'
import { shortId } from '../show/words.ts'
import { NO_PLAN, noSuchPlan } from './apply.ts'

/** Commands about plans that are sealed already. */

export const show = about('[plan]', [['portcullis plan show 3f9a1c20', { en: 'blast radius of every host, approvals, what forbids a rollout', zh: '每台主机的影响范围、批准情况与禁止原因' }]], async (cli, fleet, [plan]) => {
  if (!plan) return EXIT.usage
  const approvals = await fleet.rollouts.world.rollouts.approvals(plan.id)
  const running = (await fleet.rollouts.world.rollouts.active())?.id
  const findings = guardStart({ plan, approvals, rules: fleet.rollouts.rules, now: cli.now(), ...(running === undefined ? {} : { running }) })
  const isWhole = isSealed(plan, fleet.world.digest)
  if (cli.isJson) outJson(cli, { format: 'portcullis-stored-plan', version: 1, plan, isSealed: isWhole, approvals, findings })
  else cli.out(showStoredPlan(cli, { plan, isSealed: isWhole, approvals, findings }))
  return isWhole && findings.length === 0 ? EXIT.ok : EXIT.differs
})

export const approve = about('<plan>', [['portcullis plan approve 3f9a1c20', { en: 'your word for this very plan; it counts for as long as the rules say', zh: '批准该计划；在规定时间内有效' }]], async (cli, fleet, [plan]) => {
  if (!plan) return EXIT.usage
  if (!isSealed(plan, fleet.world.digest)) return refuse(cli, [{ code: 'PLAN_BROKEN_SEAL', what: { en: `plan ${shortId(plan.id)} is not what was sealed`, zh: `计划 ${shortId(plan.id)} 与封存时不一致` } }])
  const approval = { plan: plan.id, by: whoApproves(), at: cli.now() }
  await fleet.rollouts.world.rollouts.approve(approval)
  if (cli.isJson) outJson(cli, { format: 'portcullis-approval', version: 1, ...approval })
  else cli.out(`${say(cli, { en: `${approval.by} approves plan ${shortId(plan.id)}: ${plan.hosts.length} hosts`, zh: `${approval.by} 批准计划 ${shortId(plan.id)}：${plan.hosts.length} 台主机` })}\n`)
  return EXIT.ok
})

export const diff = about('<plan> <other>', [['portcullis plan diff 3f9a1c20 77ab01d2', { en: 'what the second does otherwise than the first', zh: '第二个计划与第一个的差异' }]], async (cli, _, [plan, other]) => {
  if (!plan || !other) return EXIT.usage
  const shown = showPlanDiff(cli, plan, other)
  if (cli.isJson) outJson(cli, { format: 'portcullis-plan-diff', version: 1, plan: plan.id, other: other.id, isEqual: shown.isEqual, hosts: shown.hosts })
  else cli.out(shown.text)
  return shown.isEqual ? EXIT.ok : EXIT.differs
})

/** The very bytes that the id is the SHA-256 of, but for the id itself. */
export const exported = about('[plan]', [['portcullis plan export 3f9a1c20 > plan.json', { en: 'the canonical text, whose SHA-256 is the id', zh: '规范文本，其 SHA-256 即计划编号' }]], async (cli, _, [plan]) => {
  if (!plan) return EXIT.usage
  const { id: __, ...body } = plan
  cli.out(canonicalJson(body as unknown as Json))
  return EXIT.ok
})

type Task = (cli: Cli, fleet: RolloutFleet, plans: readonly ChangePlan[]) => Promise<ExitCode>

/** A command whose arguments are plans; the newest where none is named. */
function about(usage: string, words: Parameters<typeof examples>[2], task: Task): CommandModule {
  return {
    define: (command, { text, run }) => {
      for (const argument of usage.split(' ')) command.argument(argument, text({ en: 'the id of a sealed plan, or the start of it', zh: '已封存计划的编号或其开头' }))
      fleetOptions(command, text).option('--gates <file>', text({ en: 'the file with the rules of a rollout', zh: '发布规则文件' }), process.env.PORTCULLIS_GATES)
      examples(command, text, words)
      run((cli, values, ids) =>
        withRollouts(cli, values as unknown as RolloutOptionValues, async (fleet) => {
          const { store } = fleet.world
          const plans = ids.length === 0 ? await store.plans(1) : await Promise.all(ids.map((id) => store.plan(id)))
          const unknown = ids.filter((_, index) => plans[index] === undefined)
          if (unknown.length > 0 || plans.length === 0) return refuse(cli, unknown.length > 0 ? unknown.map(noSuchPlan) : [NO_PLAN])
          return task(cli, fleet, plans.filter((plan) => plan !== undefined))
        }),
      )
    },
  }
}
