import { DAY_MS, formatDay, type Day } from '@portcullis/core/inventory/businessCalendar.ts'
import { replay, type ReplayReport } from '@portcullis/engine/replay.ts'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { calendarFrom, evidenceOptions, type EvidenceOptionValues } from '../evidenceOptions.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse, withFleet } from '../fleet.ts'
import { showReplay } from '../show/replay.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  evidenceOptions(fleetOptions(command, text), text)
  examples(command, text, [
    ['portcullis replay', { en: 'would portcullis.yaml have denied anything that is used?', zh: 'portcullis.yaml 会拒绝正在使用的流量吗？' }],
    ['portcullis replay --policy proposed.yaml --days 30', { en: 'another policy, on the flows of a month', zh: '用一个月的流检验另一份策略' }],
  ])
  run((cli, options) => {
    const values = options as unknown as FleetOptionValues & EvidenceOptionValues
    return withFleet(cli, values, async ({ world, read, hosts }) => {
      const report = await replay(world.store, read.policy, hosts, { since: cli.now() - values.days * DAY_MS, calendar: calendarFrom(values), profiles: values.profile ?? [] })
      if (!report.ok) return refuse(cli, report.faults)
      if (cli.isJson) outJson(cli, replayJson(report.value))
      else cli.out(showReplay(cli, report.value))
      return exitOf(report.value)
    })
  })
}

function exitOf({ denied, unwatched, lost, firstDay }: ReplayReport): ExitCode {
  if (denied.some(({ kind }) => kind === 'wanted')) return EXIT.differs
  return unwatched.length > 0 || lost > 0 || firstDay === undefined ? EXIT.incomplete : EXIT.ok
}

const replayJson = ({ denied, firstDay, lastDay, ...rest }: ReplayReport) => ({
  format: 'portcullis-replay',
  version: 1,
  ...daysJson(firstDay, lastDay),
  ...rest,
  denied: denied.map(({ firstDay: first, lastDay: last, days, ...use }) => ({ ...use, days, ...daysJson(first, last) })),
})

const daysJson = (firstDay: Day | undefined, lastDay: Day | undefined) => ({
  ...(firstDay === undefined ? {} : { firstDay: formatDay(firstDay) }),
  ...(lastDay === undefined ? {} : { lastDay: formatDay(lastDay) }),
})
