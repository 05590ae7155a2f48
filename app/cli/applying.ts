import type { Text } from '@portcullis/core/fault/fault.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import { apply, type ApplyReport } from '@portcullis/engine/apply.ts'
import { Option, type Command } from 'commander'
import { say, type Cli } from './cli.ts'
import { wholeNumber, type Definition } from './command.ts'
import { EXIT, type ExitCode } from './exitCode.ts'
import { refuse, type Fleet } from './fleet.ts'
import { showApply } from './show/apply.ts'
import { outJson } from './cli.ts'
import { shortId } from './show/words.ts'

export interface ApplyOptionValues {
  readonly yes?: boolean
  readonly confirmWithin: number
}

/** `--yes`, `--confirm-within`: of every command that changes hosts. */
export function applyOptions(command: Command, text: Definition['text']): Command {
  return command
    .addOption(new Option('-y, --yes', text({ en: 'do not ask', zh: '不询问，直接执行' })))
    .addOption(
      new Option('--confirm-within <seconds>', text({ en: 'each host reverts by itself unless confirmed within this time', zh: '超过此时间未确认，主机自动回退' }))
        .default(60)
        .argParser(wholeNumber(5, 3600)),
    )
}

/** Asks where a person sits there, carries the plan out, and tells. */
export async function applyPlan(cli: Cli, { world, read, hosts, options }: Fleet, plan: ChangePlan, values: ApplyOptionValues): Promise<ExitCode> {
  const only = plan.hosts.map(({ host }) => host).filter((host) => hosts.length === read.policy.hosts.length || hosts.some((chosen) => chosen.name === host))
  if (only.length === 0) return refuse(cli, [{ code: 'PLAN_CHANGES_NONE', what: CHANGES_NONE }])
  const allowed = await mayApply(cli, plan, only, values)
  if (allowed !== undefined) return allowed
  const report = await apply(world, plan, read.policy.hosts, { ...options, only, confirmWithinSeconds: values.confirmWithin })
  if (!report.ok) return refuse(cli, report.faults)
  if (cli.isJson) outJson(cli, { format: 'portcullis-apply', version: 1, ...report.value })
  else cli.out(showApply(cli, report.value))
  return applyExit(report.value)
}

async function mayApply(cli: Cli, plan: ChangePlan, only: readonly string[], values: ApplyOptionValues): Promise<ExitCode | undefined> {
  if (values.yes === true) return undefined
  if (!cli.ask) return refuse(cli, [{ code: 'APPLY_UNASKED', what: NOBODY_TO_ASK, next: SAY_YES }])
  const hosts = only.join(' ')
  const question = say(cli, { en: `Apply plan ${shortId(plan.id)} to ${hosts}? [y/N] `, zh: `将计划 ${shortId(plan.id)} 应用到 ${hosts}？[y/N] ` })
  const answer = await cli.ask(question)
  return /^(y|yes|是)$/i.test(answer.trim()) ? undefined : EXIT.differs
}

/** All confirmed or nothing to do, and no flow left that was to be cut: 0. A host whose outcome nobody knows makes the whole incomplete, unless one failed for sure. */
export function applyExit({ hosts }: ApplyReport): ExitCode {
  if (hosts.every((outcome) => outcome.kind === 'confirmed')) return hosts.every(({ flows }) => flows === undefined || flows.left === 0) ? EXIT.ok : EXIT.incomplete
  const isMoved = (code: string): boolean => code === 'HOST_MOVED' || code === 'HOST_OLDER_GENERATION'
  const failed = hosts.filter((outcome) => outcome.kind !== 'confirmed')
  if (failed.length === hosts.length && failed.every(({ faults }) => faults.some((fault) => isMoved(fault.code)))) return EXIT.differs
  return failed.some((outcome) => outcome.kind !== 'unknown') ? EXIT.hostFailed : EXIT.incomplete
}

export const policyHosts = (policy: Policy, plan: ChangePlan): Policy['hosts'] =>
  policy.hosts.filter((host) => plan.hosts.some((changed) => changed.host === host.name))

const CHANGES_NONE: Text = { en: 'the plan changes none of these hosts', zh: '该计划不涉及所选主机' }
const NOBODY_TO_ASK: Text = { en: 'nobody is there to ask whether the plan may be applied', zh: '没有终端可询问是否执行计划' }
const SAY_YES: Text = { en: 'say --yes', zh: '请加 --yes' }
