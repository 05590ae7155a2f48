import type { Alert } from '@portcullis/engine/gates.ts'
import type { DeliveryOutcome } from '@portcullis/adapters/alert/delivery.ts'
import type { Result } from '@portcullis/core/fault/fault.ts'
import type { Receiver } from '@portcullis/adapters/alert/receivers.ts'
import { readTextFile } from '../../textFile.ts'
import { outJson, say, type Cli } from '../cli.ts'
import { examples, type CommandModule } from '../command.ts'
import { EXIT } from '../exitCode.ts'
import { refuse } from '../fleet.ts'
import { layTable } from '../table.ts'

/** A person waits for it. */
const TIMEOUT_MS = 10_000

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.argument('<alerts>', text({ en: 'the file of receivers', zh: '接收方文件' }))
  examples(command, text, [['portcullis alert test alerts.yaml', { en: 'one message to every receiver, at once and once', zh: '向每个接收方发送一条测试消息' }]])
  run(async (cli, _, [file = '']) => {
    const receivers = await readFile(file)
    if (!receivers.ok) return refuse(cli, receivers.faults)
    const alert = testAlert(cli.now())
    const results = await Promise.all(receivers.value.map(async ({ name, deliver }) => ({ name, outcome: await deliver(alert, cli.now(), TIMEOUT_MS) })))
    if (cli.isJson) outJson(cli, { format: 'portcullis-alert-test', version: 1, id: alert.id, receivers: results.map(({ name, outcome }) => ({ name, ...outcomeJson(outcome) })) })
    else cli.out(layTable(results.map(({ name, outcome }) => lineOf(cli, name, outcome))).map((line) => `${line}\n`).join(''))
    return results.every(({ outcome }) => outcome.kind === 'delivered') ? EXIT.ok : EXIT.incomplete
  })
}

async function readFile(file: string): Promise<Result<readonly Receiver[]>> {
  const [read, { readReceivers }] = await Promise.all([readTextFile(file), import('@portcullis/adapters/alert/receivers.ts')])
  return read.ok ? readReceivers(read.value, file) : read
}

/** Each test is an event of its own. */
const testAlert = (at: number): Alert => ({
  id: `test/${at}`,
  at,
  severity: 'info',
  title: { en: 'Test of Portcullis: alerts arrive here', zh: 'Portcullis 测试：告警可送达' },
  lines: [{ en: 'Nothing has happened. Somebody tries whether alerts arrive.', zh: '未发生任何事件，仅测试告警通道。' }],
})

const outcomeJson = (outcome: DeliveryOutcome): object => (outcome.kind === 'delivered' ? { kind: outcome.kind } : { kind: outcome.kind, because: outcome.because })

function lineOf(cli: Cli, name: string, outcome: DeliveryOutcome): string[] {
  if (outcome.kind === 'delivered') return [cli.paint.green('✓'), name, say(cli, { en: 'taken', zh: '已接收' })]
  return [cli.paint.red('✗'), name, say(cli, outcome.because)]
}
