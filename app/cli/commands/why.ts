import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { parseAddress, type Address, type Family } from '@portcullis/core/net/address.ts'
import { isTransportProtocol, TRANSPORT_PROTOCOLS } from '@portcullis/core/net/protocol.ts'
import { describeExplanation, type Explanation, type Question } from '@portcullis/core/policy/explain.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { writePacketObject } from '@portcullis/core/ruleset/packetObject.ts'
import { formatPacket } from '@portcullis/core/ruleset/packetText.ts'
import { writeSources } from '@portcullis/core/verify/differenceText.ts'
import { why, type WhyReport } from '@portcullis/engine/why.ts'
import { Option } from 'commander'
import { outJson, type Cli } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import type { ExitCode } from '../exitCode.ts'
import { refuse, withFleet } from '../fleet.ts'
import { pathJson, verdictJson } from '../rulesetJson.ts'
import { showWhy } from '../show/why.ts'
import { disagreement, exitOf } from './packet.ts'

interface WhyValues extends FleetOptionValues {
  readonly from?: string
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.argument('<endpoint>', text({ en: 'HOST:PORT/PROTOCOL; tcp without it', zh: '主机:端口/协议；缺省为 tcp' }))
  fleetOptions(command, text).addOption(new Option('--from <address>', text({ en: 'who connects; a stranger without it', zh: '来源地址；缺省为外部陌生地址' })))
  examples(command, text, [
    ['portcullis why db-1:5432/tcp --from 10.1.2.3', { en: 'by the policy, and by what the host enforces now', zh: '按策略及主机当前生效的规则' }],
    ['portcullis why web-1:443', { en: 'may a stranger, and who else', zh: '陌生来源能否访问，以及还有谁能访问' }],
  ])
  run((cli, options, [endpoint = '']) => {
    const values = options as unknown as WhyValues
    const asked = readEndpoint(endpoint)
    if (!asked.ok) return Promise.resolve(refuse(cli, asked.faults))
    return withFleet(cli, { ...values, host: [asked.value.host] }, async ({ world, read, hosts: [host], options: fleet }) => {
      if (!host) return refuse(cli, [])
      const source = readSource(values.from, host)
      if (!source.ok) return refuse(cli, source.faults)
      const report = await why(world, read.policy, host, { ...asked.value, source: source.value }, fleet)
      return report.ok ? answer(cli, report.value) : refuse(cli, report.faults)
    })
  })
}

function answer(cli: Cli, report: WhyReport): ExitCode {
  const { packet, judgement } = report
  if (!judgement.doAgree) return refuse(cli, [disagreement(packet, judgement.verdict, judgement.linear)])
  if (cli.isJson) outJson(cli, whyJson(report))
  else cli.out(showWhy(cli, report))
  return exitOf(judgement.verdict)
}

function readEndpoint(text: string): Result<Omit<Question, 'source'>> {
  const match = /^([^:/\s]+):([0-9]{1,5})(?:\/([a-z]+))?$/.exec(text)
  const [, host = '', port = '', protocol = 'tcp'] = match ?? []
  const number = Number(port)
  if (!match || number < 1 || number > 65_535 || !isTransportProtocol(protocol)) return fail(notAnEndpoint(text))
  return succeed({ host, port: number, protocol })
}

/** RFC 5737, RFC 3849: addresses of nobody, so that no zone holds them by chance. */
const STRANGERS: Readonly<Record<Family, Address>> = {
  4: { family: 4, value: 0xc6_33_64_07n },
  6: { family: 6, value: 0x2001_0db8_0000_0000_0000_0000_0000_0007n },
}

const readSource = (from: string | undefined, host: Host): Result<Address> => (from === undefined ? succeed(STRANGERS[host.addresses[0]?.family ?? 4]) : parseAddress(from))

function whyJson({ question, explanation, generation, packet, judgement, reach }: WhyReport) {
  const { host, port, protocol } = question
  return {
    format: 'portcullis-why',
    version: 1,
    host,
    port,
    protocol,
    generation,
    policy: { kind: explanation.kind, because: describeExplanation(explanation, question), ...needsJson(explanation) },
    packet: formatPacket(packet),
    fields: writePacketObject(packet),
    ...verdictJson(judgement.verdict),
    ...(reach ? { reach: { ...(reach.accepted ? { accepted: writeSources(reach.accepted) } : {}), ...(reach.perhaps ? { perhaps: writeSources(reach.perhaps) } : {}) } } : {}),
    path: pathJson(judgement.path),
  }
}

const needsJson = (explanation: Explanation) => (explanation.kind === 'allowed' ? { needs: explanation.needs.map((need) => need.id), isManagement: explanation.management } : {})

const notAnEndpoint = (text: string): Fault => ({
  code: 'WHY_ENDPOINT',
  what: { en: `"${text.slice(0, 64)}" is not an endpoint`, zh: `“${text.slice(0, 64)}”不是端点` },
  next: { en: `write HOST:PORT/PROTOCOL, for example web-1:443/tcp; protocols are ${TRANSPORT_PROTOCOLS.join(', ')}`, zh: `应写成 主机:端口/协议，例如 web-1:443/tcp；协议为 ${TRANSPORT_PROTOCOLS.join('、')}` },
})
