import type { RolloutFile } from '@portcullis/adapters/gatesfile/parse.ts'
import type { Gate, GateReading, GateSample } from '@portcullis/core/rollout/gate.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { Option } from 'commander'
import { readTextFile } from '../../textFile.ts'
import { outJson, reportWarnings, say, type Cli } from '../cli.ts'
import { examples, wholeNumber, type CommandModule } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { chosenHosts, refuse } from '../fleet.ts'
import { layTable } from '../table.ts'

interface GateCheckValues {
  readonly policy: string
  readonly host?: readonly string[]
  readonly timeout: number
  readonly window: number
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  command
    .argument('<gates>', text({ en: 'the file of gates', zh: '放行条件文件' }))
    .addOption(new Option('--policy <file>', text({ en: 'the policy file', zh: '策略文件' })).default('portcullis.yaml').env('PORTCULLIS_POLICY'))
    .addOption(new Option('--host <name...>', text({ en: 'only these hosts', zh: '仅限这些主机' })))
    .addOption(new Option('--timeout <seconds>', text({ en: 'no answer after this is a failure', zh: '超过此秒数视为失败' })).default(5).argParser(wholeNumber(1, 300)))
    .addOption(new Option('--window <seconds>', text({ en: 'how far back queries look', zh: '查询回看的秒数' })).default(300).argParser(wholeNumber(10, 86_400)))
  examples(command, text, [['portcullis gate check gates.yaml --host web-1', { en: 'what each gate of a rollout would measure now', zh: '查看发布的每个放行条件此刻的测量值' }]])
  run(async (cli, options, [file = '']) => {
    const values = options as unknown as GateCheckValues
    const policy = await cli.doors.readPolicy(values.policy)
    if (!policy.ok) return refuse(cli, policy.faults)
    reportWarnings(cli, policy.value.warnings)
    const hosts = chosenHosts(policy.value.policy.hosts, values.host)
    if (!hosts.ok) return refuse(cli, hosts.faults)
    const [read, { parseGatesFile }] = await Promise.all([readTextFile(file), import('@portcullis/adapters/gatesfile/parse.ts')])
    if (!read.ok) return refuse(cli, read.faults)
    const gates = parseGatesFile(read.value, file, policy.value.policy.hosts)
    if (!gates.ok) return refuse(cli, gates.faults)
    const readings = await measure(cli, gates.value, hosts.value, values)
    if (cli.isJson) outJson(cli, { format: 'portcullis-gate-check', version: 1, gates: readings.map(({ gate, reading }) => ({ name: gate.name, ...reading })) })
    else cli.out(layTable(readings.flatMap(({ gate, reading }) => linesOf(cli, gate, reading))).map((line) => `${line}\n`).join(''))
    return exitOf(readings.map(({ reading }) => reading))
  })
}

async function measure(cli: Cli, { gates, vantages }: RolloutFile, hosts: readonly Host[], { timeout, window }: GateCheckValues): Promise<{ gate: Gate; reading: GateReading }[]> {
  const [{ otherGates }, { Vantages }] = await Promise.all([import('../../rolloutDoor.ts'), import('@portcullis/adapters/vantage/vantages.ts')])
  const places = new Vantages(vantages)
  const adapter = otherGates(places)
  const until = cli.now()
  try {
    return await Promise.all(gates.map(async (gate) => ({ gate, reading: await adapter.sample(gate, { since: until - window * 1000, until, hosts, timeoutMs: timeout * 1000 }, cli.signal) })))
  } finally {
    await places.close()
  }
}

/** Of each host the newest sample. */
function linesOf(cli: Cli, gate: Gate, reading: GateReading): string[][] {
  if (reading.kind === 'no-data') return [[cli.paint.yellow('?'), gate.name, '', say(cli, reading.because)]]
  const newest = new Map(reading.samples.map((sample) => [sample.host, sample]))
  return [...newest.values()].map((sample) => [sample.isGood ? cli.paint.green('✓') : cli.paint.red('✗'), gate.name, sample.host ?? '', valueOf(cli, sample)])
}

function valueOf(cli: Cli, { isGood, value, because }: GateSample): string {
  if (!isGood && because) return say(cli, because)
  return value === undefined ? '' : String(Number(value.toPrecision(4)))
}

/** No data outweighs what is good and not what is bad. */
function exitOf(readings: readonly GateReading[]): ExitCode {
  if (readings.some((reading) => reading.kind === 'samples' && reading.samples.some(({ isGood }) => !isGood))) return EXIT.differs
  return readings.some((reading) => reading.kind === 'no-data' || reading.samples.length === 0) ? EXIT.incomplete : EXIT.ok
}
