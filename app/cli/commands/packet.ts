import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import { writePacketObject } from '@portcullis/core/ruleset/packetObject.ts'
import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import { formatPacket, parsePacketText } from '@portcullis/core/ruleset/packetText.ts'
import type { Way } from '@portcullis/core/verify/compose.ts'
import { Decider, type PacketVerdict } from '@portcullis/core/verify/decide.ts'
import { judge } from '@portcullis/core/verify/judge.ts'
import { arrivalInterface } from '@portcullis/core/verify/linearRoute.ts'
import { Option } from 'commander'
import { fileFault } from '../../textFile.ts'
import { outJson, reportFaults, say, type Cli } from '../cli.ts'
import { examples, type CommandModule } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse } from '../fleet.ts'
import { streamVerdicts, type StreamTally } from '../packetStream.ts'
import { pathJson, unmodelledJson, verdictJson } from '../rulesetJson.ts'
import { hostOptions, readFileHost, rulesetOptions, type FileHost, type RulesetOptionValues } from '../rulesetOptions.ts'
import { showPacket } from '../show/packet.ts'
import { unmodelledLines } from '../show/ruleWords.ts'

interface PacketValues extends RulesetOptionValues {
  readonly packets?: string
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.argument('[packet]', text({ en: 'one packet, in quotes', zh: '一个报文，用引号括起' }))
  hostOptions(rulesetOptions(command, text), text).addOption(
    new Option('--packets <file>', text({ en: 'many packets, a JSON object a line; - for standard input', zh: '多个报文，每行一个 JSON 对象；- 表示标准输入' })),
  )
  examples(command, text, [
    ["portcullis packet --ruleset rules.nft 'tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new'", { en: 'what becomes of it, and by which rules', zh: '结果及经过的规则' }],
    ["portcullis packet --ruleset v4.save --ruleset v6.save 'icmpv6 [2001:db8::7] -> [2001:db8::1] type 135 ttl 255'", { en: 'several dumps of one host', zh: '同一主机的多个规则文件' }],
    ['portcullis packet --ruleset nft.json --packets packets.ndjson', { en: 'a verdict a line, in order', zh: '逐行给出结果，顺序不变' }],
  ])
  run(async (cli, options, [packet]) => {
    const values = options as PacketValues
    const [usage] = usageFaults(values, packet)
    if (usage) return refuse(cli, [usage])
    const host = await readFileHost(cli, values.ruleset ?? [], values)
    if (!host.ok) return refuse(cli, host.faults)
    return values.packets === undefined ? answerOne(cli, host.value, values, packet ?? '') : answerStream(cli, host.value, values, values.packets)
  })
}

function usageFaults({ ruleset, packets }: PacketValues, packet: string | undefined): Fault[] {
  if (!ruleset) return [NO_RULESET]
  if (packets === undefined && packet === undefined) return [NO_PACKET]
  return packets !== undefined && packet !== undefined ? [BOTH] : []
}

// ───────────────────────────── one packet ─────────────────────────────

async function answerOne(cli: Cli, host: FileHost, { hook }: PacketValues, text: string): Promise<ExitCode> {
  const read = readPacket(host, text)
  if (!read.ok) return refuse(cli, read.faults)
  const { packet, byRoute } = read.value
  const way = wayOf(hook, host, packet)
  const { verdict, linear, doAgree, path } = judge(host.ruleset, packet, { way, ...(host.facts ? { facts: host.facts } : {}) })
  if (!doAgree) return refuse(cli, [disagreement(packet, verdict, linear)])
  if (cli.isJson) outJson(cli, { format: 'portcullis-packet', version: 1, packet: formatPacket(packet), fields: writePacketObject(packet), ...(byRoute ? { assumed: ['iif'] } : {}), way, ...verdictJson(verdict), path: pathJson(path), unmodelled: unmodelledJson(host.ruleset) })
  else cli.out(showPacket(cli, packet, verdict, path, byRoute ? [byRouteWords(cli, packet)] : []) + unmodelledText(cli, host))
  return exitOf(verdict)
}

/** Where the interface is not stated and the routes are known, it is the one that leads back to the source. */
function readPacket({ facts }: FileHost, text: string): Result<{ readonly packet: Packet; readonly byRoute: boolean }> {
  const read = parsePacketText(text)
  if (!read.ok) return fail(...read.faults)
  const packet = arriving(read.value, facts)
  return succeed({ packet, byRoute: packet !== read.value })
}

function arriving(packet: Packet, facts: FileHost['facts']): Packet {
  const iif = facts && packet.iif === undefined ? arrivalInterface(facts, packet.source) : undefined
  return iif === undefined ? packet : { ...packet, iif }
}

/** Where it goes on: as stated, by the outgoing interface that it has, by the routes; else it is for the host. */
function wayOf(hook: PacketValues['hook'], { facts }: FileHost, packet?: Packet): Way {
  if (hook) return hook
  if (packet?.oif !== undefined) return 'forward'
  return facts ? 'arrival' : 'input'
}

const byRouteWords = (cli: Cli, { iif, source }: Packet): string =>
  say(cli, { en: `iif ${iif}: the route back to ${formatAddress(source)}`, zh: `iif ${iif}：到 ${formatAddress(source)} 的回程路由` })

function unmodelledText(cli: Cli, { ruleset, facts }: FileHost): string {
  const lines = unmodelledLines(cli, ruleset, facts)
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

export function exitOf(verdict: PacketVerdict): ExitCode {
  if (verdict.kind === 'undecided') return EXIT.incomplete
  return verdict.kind === 'accepted' ? EXIT.ok : EXIT.differs
}

// ───────────────────────────── many packets ─────────────────────────────

async function answerStream(cli: Cli, host: FileHost, { hook }: PacketValues, file: string): Promise<ExitCode> {
  const deciders = new Map<Way, Decider>()
  const decide = (packet: Packet): PacketVerdict => {
    const way = wayOf(hook, host, packet)
    const decider = deciders.get(way) ?? new Decider(host.ruleset, { way, ...(host.facts ? { facts: host.facts } : {}) })
    deciders.set(way, decider)
    return decider.decide(arriving(packet, host.facts))
  }
  try {
    const tally = await streamVerdicts(cli.doors.streamText(file), { decide, write: cli.out, drained: cli.drained ?? (async () => undefined), signal: cli.signal })
    return exitOfStream(tally)
  } catch (error) {
    reportFaults({ ...cli, isJson: false }, [fileFault(file, error)])
    return EXIT.usage
  }
}

/** One exit status for all: a line that is no packet, then the surest "no". */
export function exitOfStream({ faulty, denied, undecided }: StreamTally): ExitCode {
  if (faulty > 0) return EXIT.usage
  if (denied > 0) return EXIT.differs
  return undecided > 0 ? EXIT.incomplete : EXIT.ok
}

// ───────────────────────────── refusals ─────────────────────────────

const NO_RULESET: Fault = {
  code: 'RULESET_NONE',
  what: { en: 'no ruleset is named', zh: '未指定规则文件' },
  next: { en: 'name it with --ruleset FILE, or: nft list ruleset | portcullis packet --ruleset - …', zh: '请用 --ruleset FILE 指定，或：nft list ruleset | portcullis packet --ruleset - …' },
}
const NO_PACKET: Fault = {
  code: 'PACKET_NONE',
  what: { en: 'no packet is given', zh: '未给出报文' },
  next: { en: "write for example 'tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new', or name a file with --packets", zh: "示例：'tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new'，或用 --packets 指定文件" },
}
const BOTH: Fault = { code: 'PACKET_TWICE', what: { en: 'give one packet or --packets, not both', zh: '请只给出一个报文或 --packets 之一' } }

export const disagreement = (packet: Packet, verdict: PacketVerdict, linear: readonly string[]): Fault => ({
  code: 'EVALUATORS_DISAGREE',
  what: {
    en: `internal error: the two evaluators contradict each other about ${formatPacket(packet)}: ${verdict.kind} and ${linear.join(' or ')}`,
    zh: `内部错误：两个求值器对 ${formatPacket(packet)} 的结论矛盾：${verdict.kind} 与 ${linear.join(' 或 ')}`,
  },
  next: { en: 'trust neither; please report it with the ruleset', zh: '两者均不可信；请附上规则集报告此问题' },
})
