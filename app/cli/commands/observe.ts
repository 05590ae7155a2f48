import { observe, type ObserveReport } from '@portcullis/engine/observe.ts'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT } from '../exitCode.ts'
import { withFleet } from '../fleet.ts'
import { faultLines, unreadLines } from '../show/faults.ts'
import { count, type Pen } from '../show/words.ts'
import { layTable } from '../table.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  fleetOptions(command, text)
  examples(command, text, [
    ['portcullis observe', { en: 'read every host of portcullis.yaml', zh: '读取 portcullis.yaml 中的每台主机' }],
    ['portcullis observe --host db-1 db-2', { en: 'read two', zh: '仅读取两台' }],
  ])
  run((cli, values) =>
    withFleet(cli, values as unknown as FleetOptionValues, async ({ world, hosts, options }) => {
      const report = await observe(world, hosts, options)
      if (cli.isJson) outJson(cli, observeJson(report))
      else cli.out(showObserve(cli, report))
      return report.unread.length === 0 ? EXIT.ok : EXIT.incomplete
    }),
  )
}

const observeJson = ({ run, readings, unread }: ObserveReport) => ({
  format: 'portcullis-observe',
  version: 1,
  run,
  hosts: readings.map(({ host, version, snapshot, observations, faults }) => ({
    host: host.name,
    at: snapshot.at,
    durationMs: snapshot.durationMs,
    generation: version.confirmed?.generation ?? 0,
    listeners: amount(observations, 'listener'),
    published: amount(observations, 'published'),
    flows: amount(observations, 'flow'),
    faults,
  })),
  unread,
})

const amount = (observations: ObserveReport['readings'][number]['observations'], kind: string): number =>
  observations.filter((seen) => seen.kind === kind).length

function showObserve(pen: Pen, { readings, unread }: ObserveReport): string {
  const table = layTable(
    readings.map(({ host, snapshot, observations }) => [
      pen.paint.green('✓'),
      pen.paint.bold(host.name),
      count(pen, amount(observations, 'listener'), 'listener', '个监听'),
      count(pen, amount(observations, 'published'), 'published port', '个发布端口'),
      count(pen, amount(observations, 'flow'), 'flow', '条流'),
      pen.paint.dim(`${snapshot.durationMs} ms`),
    ]),
  )
  const lines = readings.flatMap(({ faults }, index) => [table[index] ?? '', ...faultLines(pen, faults, '  ')])
  return `${[...lines, ...unreadLines(pen, unread)].join('\n')}\n`
}
