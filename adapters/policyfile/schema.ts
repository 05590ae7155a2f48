import { z } from 'zod'
import type { Text } from '@portcullis/core/fault/fault.ts'

/** How to write a value rightly, for the fault that says it is wrong. */
export const HINTS = z.registry<Text>()

const hinted = <T extends z.ZodType>(schema: T, description: string, en: string, zh: string): T => {
  const described = schema.describe(description)
  HINTS.add(described, { en, zh })
  return described
}

const NAME = /^[A-Za-z][A-Za-z0-9._-]{0,62}$/
const HOST_NAME = /^(?!all$)[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/
// Without classes such as \p{Cc}: editors read these patterns without the u flag. Linear in the length of the text.
/* oxlint-disable no-control-regex */
const PRINTABLE = /^ *[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$/
// Values that become arguments of ssh(1) and ip(8) never begin with a dash, so that none can turn into an option.
const ARGUMENT = /^[^\s\u0000-\u001f\u007f-\u009f-][^\s\u0000-\u001f\u007f-\u009f]*$/
const PATH = /^[^\s\u0000-\u001f\u007f-\u009f-][^\u0000-\u001f\u007f-\u009f]*$/
/* oxlint-enable no-control-regex */

const name = (what: string): z.ZodString =>
  hinted(
    z.string().regex(NAME),
    `Name of a ${what}.`,
    'a name starts with a letter and holds letters, digits, ".", "_" and "-", at most 63',
    '名称以字母开头，只含字母、数字、“.”、“_”、“-”，最长 63 个字符',
  )

const hostName = hinted(
  z.string().regex(HOST_NAME),
  'Name of a host. It need not resolve; ssh connects to it where no destination is written.',
  'a host name holds letters, digits, ".", "_" and "-", at most 253, and is not "all"',
  '主机名只含字母、数字、“.”、“_”、“-”，最长 253 个字符，且不能是 all',
)

const line = (description: string, max: number): z.ZodString =>
  hinted(
    z.string().max(max).regex(PRINTABLE),
    description,
    `write some text on one line, at most ${max} characters`,
    `请写一行文字，最长 ${max} 个字符`,
  )

const flag = (description: string): z.ZodBoolean => hinted(z.boolean(), description, 'write true or false', '应写成 true 或 false')

const argument = (description: string, max = 255): z.ZodString =>
  hinted(z.string().max(max).regex(ARGUMENT), description, 'write it without spaces and not beginning with "-"', '不能含空格，也不能以“-”开头')

const list = <T extends z.ZodType>(item: T, description: string, en: string, zh: string) =>
  hinted(z.union([item, z.array(item).min(1)]), description, en, zh)

const port = (description: string): z.ZodInt =>
  hinted(z.int().min(1).max(65_535), description, 'write a number from 1 to 65535', '应写成 1 到 65535 的整数')

const address = hinted(z.string().max(64), 'IPv4 or IPv6 address.', 'write 192.0.2.7 or "2001:db8::7"', '应写成 192.0.2.7 或 "2001:db8::7"')

const source = hinted(
  z.string().max(128),
  'Name of a zone, a prefix, an address, or "any".',
  'write a zone, a prefix such as 10.0.0.0/8 or "2001:db8::/32", or any',
  '应写成区域名、网段（如 10.0.0.0/8 或 "2001:db8::/32"）或 any',
)

const sources = (description: string) =>
  list(source, description, 'write zones or prefixes: [office, 10.0.0.0/8], or any', '应写成区域或网段：[office, 10.0.0.0/8]，或 any')

const SSH = z.strictObject({
  destination: argument('Name or address that ssh(1) understands; its own configuration applies. Default: the name of the host.').optional(),
  port: port('TCP port of sshd. Default: 22.').optional(),
  user: argument('Login. Default: what ssh(1) chooses.', 64).optional(),
  identityFile: hinted(
    z.string().max(4096).regex(PATH),
    'Path of the private key.',
    'write a path that does not begin with "-"',
    '应写成路径，且不能以“-”开头',
  ).optional(),
  knownHostsFile: argument('Path of the file of known host keys.', 4096).optional(),
  jump: argument('Jump hosts, as for `ssh -J`.', 1024).optional(),
  sudo: flag('Whether `portcullis-host` runs through sudo. Default: true where another user than root is written.').optional(),
})

export const TRANSPORT = hinted(
  z.union([
    z.enum(['local', 'ssh']),
    z
      .strictObject({
        netns: argument('The host is this network namespace of this machine.').optional(),
        ssh: hinted(SSH, 'Over OpenSSH.', 'write settings such as {user: ops, port: 22}', '应写成设置项，例如 {user: ops, port: 22}').optional(),
      })
      .refine((written) => Object.keys(written).length === 1),
  ]),
  'How the controller reaches the host. Default: ssh.',
  'write local, ssh, {netns: NAME} or {ssh: {user: ops, port: 22}}',
  '应写成 local、ssh、{netns: 名称} 或 {ssh: {user: ops, port: 22}}',
)

const labelValue = hinted(
  z.union([z.string().min(1).max(63).regex(PRINTABLE), z.number(), z.boolean()]),
  'Value of a label.',
  'write one word or number, at most 63 characters',
  '应写成一个词或数字，最长 63 个字符',
)

const HOST = hinted(z.strictObject({
  addresses: list(
    address,
    'Addresses that clients use, IPv4 and IPv6; the outside is probed on them.',
    'write an address or a list of them: [192.0.2.7, "2001:db8::7"]',
    '应写成一个地址或地址列表：[192.0.2.7, "2001:db8::7"]',
  ),
  labels: hinted(
    z.record(name('label'), labelValue),
    'Labels that needs select hosts by.',
    'write labels and values: {role: db, site: east}',
    '应写成标签与取值：{role: db, site: east}',
  ).optional(),
  tier: hinted(
    z.enum(['core', 'standard']),
    'A rollout reaches core hosts last. Default: standard.',
    'write core or standard',
    '应写成 core 或 standard',
  ).optional(),
  transport: TRANSPORT.optional(),
}), 'A managed host.', 'write at least {addresses: 192.0.2.7}', '至少应写 {addresses: 192.0.2.7}')

const FLEET = z.strictObject({
  ssh: hinted(
    SSH.omit({ destination: true }),
    'Settings of OpenSSH for every host reached by it; a host may write its own over them.',
    'write settings such as {user: ops, port: 22}',
    '应写成设置项，例如 {user: ops, port: 22}',
  ).optional(),
  hosts: hinted(
    z.record(hostName, HOST),
    'Hosts by name.',
    'write hosts by name: web-1: {addresses: 192.0.2.7}',
    '应按名称写主机：web-1: {addresses: 192.0.2.7}',
  ),
})

const ZONE = sources('Prefixes and other zones that make up this zone.')

const SERVICE_PORTS = list(
  hinted(
    z.string().max(64),
    'Ports and protocol: 5133/tcp, 60000-61000/udp or 53/tcp+udp.',
    'write ports and protocol: 5133/tcp, 60000-61000/udp or 53/tcp+udp',
    '应写明端口和协议：5133/tcp、60000-61000/udp 或 53/tcp+udp',
  ),
  'Ports and protocols: 5133/tcp, [53/tcp+udp, 853/tcp].',
  'write ports and protocol: 5133/tcp, or [53/tcp+udp, 853/tcp]',
  '应写明端口和协议：5133/tcp 或 [53/tcp+udp, 853/tcp]',
)

const TITLE = hinted(
  z.union([
    line('Title in any language.', 200),
    z.strictObject({ en: line('Title in English.', 200), zh: line('Title in Chinese.', 200) }),
  ]),
  'What people call the service.',
  'write a title, or {en: Market data, zh: 行情}',
  '应写成标题，或 {en: Market data, zh: 行情}',
)

const SERVICE = hinted(
  z.union([SERVICE_PORTS, z.strictObject({ title: TITLE.optional(), ports: SERVICE_PORTS })]),
  'A service of your own: its ports, or title and ports.',
  'write its ports, 5133/tcp, or {title: Market data, ports: 5133/tcp}',
  '应写成端口 5133/tcp，或 {title: 行情, ports: 5133/tcp}',
)

const SELECTOR = hinted(
  z.union([
    z.string(),
    z.array(hostName).min(1),
    z.record(name('label'), z.union([labelValue, z.array(labelValue).min(1)])).refine((labels) => Object.keys(labels).length > 0),
  ]),
  'Which hosts: "all", a name, a list of names, or labels that must all hold ({role: db, site: [east, west]}).',
  'write all, db-1, [db-1, db-2] or labels {role: db, site: [east, west]}',
  '应写成 all、db-1、[db-1, db-2] 或标签 {role: db, site: [east, west]}',
)

const FLOW_END = (description: string) =>
  hinted(z.enum(['drain', 'warn-then-cut', 'cut-now']), description, 'write drain, warn-then-cut or cut-now', '应写成 drain、warn-then-cut 或 cut-now')

const NEED = z.strictObject({
  id: hinted(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@,=+-]{0,199}$/),
    'Unique; stands in the ledger and in counters. Default: derived from service, selector and source.',
    'an id holds letters, digits and ._:/@,=+- , at most 200',
    '标识只含字母、数字和 ._:/@,=+- ，最长 200 个字符',
  ).optional(),
  service: name('service: one of the catalogue or one of your own'),
  to: SELECTOR,
  from: sources('Where the clients are: zones, prefixes, addresses, or "any".'),
  owner: line('Who answers for this need.', 200),
  because: line('Why the port must be open.', 500),
  review: hinted(
    z.string().max(32),
    'ISO day on which someone must look again.',
    'write a day as 2027-03-31',
    '应写成日期，例如 2027-03-31',
  ),
  schedule: hinted(
    z.string().max(400),
    'When the need is open: `mon-fri 08:00-18:00 Asia/Shanghai`. Recorded, not yet enforced.',
    'write DAYS HH:MM-HH:MM ZONE: mon-fri 08:00-18:00 Asia/Shanghai',
    '应写成“日期 HH:MM-HH:MM 时区”：mon-fri 08:00-18:00 Asia/Shanghai',
  ).optional(),
  critical: flag('Its interruption puts a rollout back. Default: false.').optional(),
  flows: FLOW_END('What becomes of its flows when the need is taken away or narrowed. Default: what defaults say.').optional(),
})

const MANAGEMENT = z.strictObject({
  from: sources('Where the controller and the administrators come from. They reach the management ports whatever else is written.'),
  ports: list(
    hinted(
      z.union([port('TCP port.'), z.string().max(16)]),
      'TCP port or range.',
      'write 22 or 2200-2210',
      '应写成 22 或 2200-2210',
    ),
    'TCP ports that hosts are managed on. Default: 22.',
    'write 22 or [22, 2222]',
    '应写成 22 或 [22, 2222]',
  ).optional(),
})

const DEFAULTS = z.strictObject({
  mode: hinted(
    z.enum(['observe', 'enforce']),
    'observe counts what enforce would deny, and lets it pass. Default: observe.',
    'write observe or enforce',
    '应写成 observe 或 enforce',
  ).optional(),
  refusal: hinted(
    z.enum(['drop', 'reject']),
    'Whether denied packets are ignored or answered. Default: drop.',
    'write drop or reject',
    '应写成 drop 或 reject',
  ).optional(),
  ping: flag('Whether ICMP and ICMPv6 echo requests are answered. Default: true.').optional(),
  flows: FLOW_END('What becomes of flows that are no longer let in, where their need does not say. Default: drain.').optional(),
  warnSeconds: hinted(
    z.int().min(1).max(86_400),
    'Between the warning and the cut of warn-then-cut. Default: 300.',
    'write a number of seconds from 1 to 86400',
    '应写成 1 到 86400 的秒数',
  ).optional(),
  approvals: hinted(
    z.int().min(0).max(10),
    'How many different people must approve a plan before it is applied or rolled out; 2 for four eyes. Default: 0.',
    'write a number of people from 0 to 10',
    '应写成 0 到 10 的人数',
  ).optional(),
  management: hinted(
    MANAGEMENT,
    'The way back in. It cannot be closed by any need.',
    'write {from: [ops], ports: [22]}',
    '应写成 {from: [ops], ports: [22]}',
  ).optional(),
})

const byName = (what: string): readonly [string, string] => [`write each ${what} as "name: …"`, '应按“名称: …”逐项书写']

/** The shape of `portcullis.yaml`. What names mean, and whether they exist, is checked after it. */
export const POLICY_FILE = z.strictObject({
  version: hinted(z.literal(1), 'Version of this format.', 'write version: 1', '应写成 version: 1'),
  defaults: hinted(DEFAULTS, 'What holds for every host.', 'write settings such as {mode: observe}', '应写成设置项，例如 {mode: observe}').optional(),
  zones: hinted(z.record(name('zone'), ZONE), 'Named sets of source addresses.', ...byName('zone')).optional(),
  services: hinted(z.record(name('service'), SERVICE), 'Services that the catalogue lacks, or that use other ports here.', ...byName('service')).optional(),
  fleet: hinted(FLEET, 'The managed hosts.', 'write {hosts: {…}}', '应写成 {hosts: {…}}'),
  needs: hinted(z.array(hinted(NEED, 'An owned claim on a port.', 'write a need as service, to, from, owner, because, review', '每条需求须写 service、to、from、owner、because、review')), 'All that may be reached. Everything else is denied.', 'write a list, each need beginning with "- "', '应写成列表，每条以“- ”开头').optional(),
})

export type PolicyFile = z.output<typeof POLICY_FILE>
export type HostEntry = PolicyFile['fleet']['hosts'][string]
export type TransportEntry = NonNullable<HostEntry['transport']>
export type NeedEntry = NonNullable<PolicyFile['needs']>[number]
export type ServiceEntry = NonNullable<PolicyFile['services']>[string]
export type DefaultsEntry = NonNullable<PolicyFile['defaults']>

/** For editors (`# yaml-language-server: $schema=…`). Draft 7 is what they understand best. */
export function policyJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(POLICY_FILE, { target: 'draft-7', io: 'input', reused: 'inline' })
  return { ...schema, title: 'portcullis.yaml', description: 'What a fleet of servers needs open, by whom, and until when.' }
}
