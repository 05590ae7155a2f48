import { indexFleet } from '@portcullis/adapters/import/fleetIndex.ts'
import { formatNamed } from '@portcullis/adapters/import/formats.ts'
import { ImportStream, type ImportResult, type ImportSpec } from '@portcullis/adapters/import/importStream.ts'
import { FaultError, type Fault } from '@portcullis/core/fault/fault.ts'
import type { FlowObservation, Observation } from '@portcullis/core/inventory/observation.ts'
import { mapZones, zoneOf } from '@portcullis/core/inventory/zone.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import type { World } from '@portcullis/engine/world.ts'
import { Option } from 'commander'
import { fileFault } from '../../textFile.ts'
import { outJson, type Cli } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { openWorld, refuse, withFleet, withPolicy } from '../fleet.ts'
import { knownServers } from '../knownServers.ts'
import { importJson, showImport, type ImportOutcome } from '../show/import.ts'

interface ImportValues extends FleetOptionValues {
  readonly from?: string
  readonly verdict?: FlowObservation['verdict']
  readonly columns?: string
  readonly skipMalformed?: boolean
  readonly dryRun?: boolean
  readonly again?: boolean
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  const format = formatNamed(command.name())
  fleetOptions(command, text)
    .argument('<file>', text({ en: 'the file, or - for standard input', zh: '文件；- 表示标准输入' }))
    .addOption(new Option('--from <zone>', text({ en: 'where the scan stood: a zone, or its address', zh: '扫描发起位置：区域名或其地址' })))
    .addOption(new Option('--verdict <what>', text({ en: 'what became of packets, of a log that does not say', zh: '日志未说明时，报文的处置结果' })).choices(['accepted', 'denied']))
    .addOption(new Option('--columns <names>', text({ en: 'names of the columns, of a flow log in an order of its own', zh: '自定义列顺序的流日志的列名' })))
    .addOption(new Option('--skip-malformed', text({ en: 'count malformed records and go on, instead of taking over nothing', zh: '跳过并统计格式错误的记录，而不是全部放弃' })))
    .addOption(new Option('--dry-run', text({ en: 'read and report, and store nothing', zh: '只读取并报告，不保存' })))
    .addOption(new Option('--again', text({ en: 'also a file that was taken over before: its flows count twice', zh: '允许重复导入同一文件：其中的流会重复计数' })))
  const name = format?.name
  examples(command, text, [
    [`portcullis import ${name === undefined ? '' : `${name} `}${EXAMPLES[name ?? 'nmap'] ?? 'FILE'}`, { en: 'into the port matrix', zh: '导入端口状态矩阵' }],
    [`zcat log.gz | portcullis import ${name === undefined ? '' : `${name} `}- --dry-run`, { en: 'what would be taken over', zh: '查看将导入的内容' }],
  ])
  run((cli, options, [file = '-']) => {
    const values = options as unknown as ImportValues
    const call = { ...values, file, ...(format ? { format } : {}) }
    if (values.dryRun === true) return withPolicy(cli, values, (policy) => importFile(cli, call, policy, { servers: () => serversOnce(cli, values, policy), take: (stream) => readOnly(cli, stream, file) }))
    return withFleet(cli, values, ({ world, read: { policy } }) => importFile(cli, call, policy, { servers: () => knownServers(policy, world.store, cli.now()), take: (stream) => storeAll(cli, stream, call, world) }))
  })
}

const EXAMPLES: Readonly<Record<string, string>> = {
  nmap: 'scan.xml --from office',
  nessus: 'scan.nessus --from office',
  openvas: 'report.xml --from office',
  portcullis: 'scan.json --from office',
  masscan: 'scan.json --from elsewhere',
  suricata: 'eve.json',
  zeek: 'conn.log',
  netbox: 'services.csv',
}

type ImportCall = ImportValues & { readonly file: string; readonly format?: NonNullable<ReturnType<typeof formatNamed>> }

interface Taking {
  readonly servers: NonNullable<ImportSpec['servers']>
  readonly take: (stream: ImportStream) => Promise<ImportOutcome>
}

/** Of a run that stores nothing: the store is opened only if the format leaves open who serves, and closed again. */
async function serversOnce(cli: Cli, values: FleetOptionValues, policy: Policy): ReturnType<typeof knownServers> {
  const opened = await openWorld(cli, values, () => undefined)
  if (!opened.ok) throw refusal(opened.faults)
  try {
    return await knownServers(policy, opened.value.world.store, cli.now())
  } finally {
    await opened.value.close()
  }
}

async function importFile(cli: Cli, call: ImportCall, policy: Policy, { servers, take }: Taking): Promise<ExitCode> {
  const from = call.from === undefined ? undefined : vantageOf(call.from, policy)
  const stream = new ImportStream({
    file: call.file,
    fleet: indexFleet(policy.hosts),
    servers,
    isLenient: call.skipMalformed === true,
    now: cli.now(),
    ...(call.format ? { format: call.format } : {}),
    ...(from === undefined ? {} : { from }),
    ...(call.verdict === undefined ? {} : { verdict: call.verdict }),
    ...(call.columns === undefined ? {} : { columns: call.columns.split(/[ ,]+/) }),
  })
  let outcome: ImportOutcome
  try {
    outcome = await take(stream)
  } catch (error) {
    if (cli.signal.aborted) throw error
    if (error instanceof FaultError && error.fault.code.startsWith('IMPORT_')) return refuse(cli, [error.fault])
    if (error instanceof FaultError) throw error
    return refuse(cli, [fileFault(call.file, error)])
  }
  if (cli.isJson) outJson(cli, importJson(outcome))
  else cli.out(showImport(cli, outcome, { isFromKnown: from !== undefined }))
  return outcome.result.observations === 0 && outcome.importedBefore === undefined ? EXIT.incomplete : EXIT.ok
}

/** A zone is named as it is; an address stands in the zone that holds it. */
function vantageOf(from: string, { zones }: Policy): string {
  const address = parseAddress(from)
  return address.ok ? zoneOf(mapZones(zones), address.value) : from
}

async function readOnly(cli: Cli, stream: ImportStream, file: string): Promise<ImportOutcome> {
  for await (const batch of stream.observations(cli.doors.streamText(file, cli.signal))) void batch
  return { result: stream.result, isStored: false }
}

/** All or nothing: the file's last line is read before anything is kept. What was taken over before is known by its digest. */
async function storeAll(cli: Cli, stream: ImportStream, { file, again }: ImportCall, world: World): Promise<ImportOutcome> {
  let importedBefore: number | undefined
  async function* batches(): AsyncGenerator<Observation[]> {
    yield* inLargeBatches(stream.observations(cli.doors.streamText(file, cli.signal)))
    importedBefore = again === true ? undefined : (await world.store.journal({ run: runOf(stream.result), limit: 1 }))[0]?.at
    if (importedBefore !== undefined) throw new FaultError(KNOWN)
  }
  try {
    await world.store.addObservations(batches())
  } catch (error) {
    if (importedBefore === undefined) throw error
    return { result: stream.result, isStored: false, importedBefore }
  }
  const { format, records, observations } = stream.result
  await world.store.appendJournal({ run: runOf(stream.result), at: cli.now(), kind: 'signal', name: 'import', detail: { file, format, records, observations } })
  return { result: stream.result, isStored: true }
}

/** The store asks the database several times for each batch, and a chunk of text makes only a few observations. */
const BATCH_OBSERVATIONS_MIN = 500

async function* inLargeBatches(batches: AsyncIterable<readonly Observation[]>): AsyncGenerator<Observation[]> {
  let waiting: Observation[] = []
  for await (const batch of batches) {
    for (const observation of batch) waiting.push(observation)
    if (waiting.length < BATCH_OBSERVATIONS_MIN) continue
    yield waiting
    waiting = []
  }
  if (waiting.length > 0) yield waiting
}

const refusal = ([fault]: readonly Fault[]): Error => (fault ? new FaultError(fault) : new Error('refused without a reason'))

const runOf = ({ digest }: ImportResult): string => `import-${digest}`

const KNOWN: Fault = { code: 'IMPORT_KNOWN', what: { en: 'the file was imported before', zh: '该文件已导入过' } }
