import { readReceivers } from '@portcullis/adapters/alert/receivers.ts'
import { parseIniInventory } from '@portcullis/adapters/ansible/iniInventory.ts'
import { parseYamlInventory } from '@portcullis/adapters/ansible/yamlInventory.ts'
import { readCounters } from '@portcullis/adapters/facts/counters.ts'
import { readFacts } from '@portcullis/adapters/facts/reading.ts'
import { readTopologyText } from '@portcullis/adapters/facts/topologyText.ts'
import { parseGatesFile } from '@portcullis/adapters/gatesfile/parse.ts'
import { indexFleet } from '@portcullis/adapters/import/fleetIndex.ts'
import type { ImportFormat } from '@portcullis/adapters/import/format.ts'
import { IMPORT_FORMATS } from '@portcullis/adapters/import/formats.ts'
import { ImportStream } from '@portcullis/adapters/import/importStream.ts'
import { parsePolicyFile } from '@portcullis/adapters/policyfile/parse.ts'
import { newAnswer, readAnswer } from '@portcullis/adapters/prober/answer.ts'
import { identityOf } from '@portcullis/adapters/prober/identify/handshake.ts'
import { readPackets } from '@portcullis/adapters/prober/identify/sshHandshake.ts'
import { streamVerdicts } from '@portcullis/app/cli/packetStream.ts'
import { FaultError, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import { parseRuleset, type Dialect } from '@portcullis/core/ruleset/dialect.ts'
import { parsePacketText } from '@portcullis/core/ruleset/packetText.ts'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A parser of untrusted input, and real inputs to start from. */
export interface Parser {
  /** Throws where the parser breaks its promise: it throws itself, or refuses without a place. */
  readonly check: (bytes: Buffer) => void | Promise<void>
  readonly seeds: () => readonly Buffer[]
}

const ROOT = join(import.meta.dirname, '..')
const files = (...names: readonly string[]) => (): readonly Buffer[] => names.map((name) => readFileSync(join(ROOT, name)))

/** A refusal must say where. */
const ofText = (parse: (text: string) => Result<unknown>) => (bytes: Buffer): void => {
  const parsed = parse(bytes.toString('utf8'))
  if (!parsed.ok) checkPlaces(parsed.faults)
}

function checkPlaces(faults: readonly Fault[]): void {
  if (faults.length === 0) throw new Error('refused without a fault')
  for (const { code, place } of faults) if (!place || !(place.line >= 1 && place.column >= 1)) throw new Error(`${code} without a place`)
}

const ruleset = (dialect: Dialect): Parser['check'] => ofText((text) => parseRuleset({ file: 'fuzz', text, dialect }))

export const PARSERS: Readonly<Record<string, Parser>> = {
  'nft-json': { check: ruleset('nft-json'), seeds: () => NFT_JSON },
  nft: { check: ruleset('nft'), seeds: files('lab/ruleset/constructs.nft', 'app/cli/testdata/office.nft', 'app/cli/testdata/narrower.nft') },
  'iptables-save': { check: ruleset('iptables-save'), seeds: files('app/cli/testdata/docker.save', 'app/cli/testdata/docker-rate.save', 'app/cli/testdata/office.save') },
  'ip6tables-save': { check: ruleset('ip6tables-save'), seeds: files('app/cli/testdata/office6.save') },
  'ipset-save': {
    check: ofText((text) => parseRuleset({ file: 'fuzz', text: '*filter\n:INPUT DROP [0:0]\n-A INPUT -m set --match-set admins src -j ACCEPT\nCOMMIT\n', dialect: 'iptables-save', ipsets: { file: 'fuzz.ipset', text } })),
    seeds: () => [...files('app/cli/testdata/admins.ipset')(), Buffer.from(IPSETS)],
  },
  policy: { check: ofText((text) => parsePolicyFile(text, 'fuzz', 0).policy), seeds: files('adapters/policyfile/testdata/clinic.yaml', 'adapters/policyfile/testdata/faulty.yaml') },
  'ansible-ini': { check: ofText((text) => parseIniInventory(text, 'fuzz')), seeds: files('adapters/ansible/testdata/hosts.ini') },
  'ansible-yaml': { check: ofText((text) => parseYamlInventory(text, 'fuzz')), seeds: files('adapters/ansible/testdata/hosts.yaml') },
  facts: { check: ofText((text) => readFacts('fuzz', 0, text)), seeds: files('adapters/facts/testdata/facts.txt') },
  counters: { check: ofText((text) => readCounters('fuzz', 0, text)), seeds: files('adapters/facts/testdata/counters.txt') },
  topology: { check: ofText((text) => readTopologyText(text, 'fuzz')), seeds: files('app/cli/testdata/docker.facts', 'adapters/facts/testdata/facts.txt') },
  packet: { check: ofText(parsePacketText), seeds: () => PACKETS },
  packets: { check: checkStream, seeds: files('app/cli/testdata/packets.ndjson') },
  frame: { check: checkFrame, seeds: () => FRAMES },
  banner: { check: checkBanner, seeds: () => BANNERS },
  gates: { check: ofText((text) => parseGatesFile(text, 'fuzz', [])), seeds: () => [Buffer.from(GATES)] },
  alerts: { check: ofText((text) => readReceivers(text, 'fuzz')), seeds: () => [Buffer.from(ALERTS)] },
  ...Object.fromEntries(IMPORT_FORMATS.map((format) => [`import-${format.name}`, { check: checkImport(format), seeds: () => fixturesOf(format) }])),
}

/** Strict, it is read or refused with a place; lenient, it comes to its end. */
function checkImport(format: ImportFormat): Parser['check'] {
  return async (bytes) => {
    const text = bytes.toString('utf8')
    for (const isLenient of [false, true]) {
      const stream = new ImportStream({ file: 'fuzz', format, fleet: FLEET, isLenient, now: 0 })
      try {
        for await (const batch of stream.observations(chunksOf(text))) for (const { kind } of batch) if (kind === 'listener') throw new Error('nobody from outside sees a listener')
      } catch (error) {
        if (isLenient || !(error instanceof FaultError)) throw error
        checkPlaces([error.fault])
      }
    }
  }
}

function fixturesOf(format: ImportFormat): Buffer[] {
  const [folder = ''] = format.name.split('-')
  const path = join(ROOT, 'adapters', folder, 'fixtures')
  return readdirSync(path).map((name) => readFileSync(join(path, name))).filter((bytes) => format.isHead(bytes.toString('utf8', 0, 16 * 1024)))
}

/** Every line that is not blank is answered by one line of JSON, in order. */
async function checkStream(bytes: Buffer): Promise<void> {
  const text = bytes.toString('utf8')
  let written = ''
  await streamVerdicts(chunksOf(text), { decide: () => ({ kind: 'dropped' }), write: (part) => void (written += part), drained: async () => undefined, signal: { aborted: false } })
  const asked = text.split('\n').filter((line) => line.length > 16_384 || !/^\s*$/.test(line)).length
  const answers = written.split('\n').slice(0, -1)
  if (answers.length !== asked) throw new Error(`${asked} lines, ${answers.length} answers`)
  for (const answer of answers) JSON.parse(answer)
}

async function* chunksOf(text: string): AsyncIterable<string> {
  for (let at = 0; at < text.length; at += 97) yield text.slice(at, at + 97)
}

/** A frame in the middle of others, and at every cut. */
function checkFrame(bytes: Buffer): void {
  const answer = newAnswer()
  const among = Buffer.concat([Buffer.alloc(3, 0xff), bytes, Buffer.alloc(3, 0xff)])
  for (const length of new Set([bytes.length, bytes.length >> 1, 34, 54, 0])) readAnswer(among, 3, Math.min(length, bytes.length), answer)
  readAnswer(bytes, 0, bytes.length, answer)
}

function checkBanner(bytes: Buffer): void {
  readPackets(bytes)
  for (const asked of [undefined, 'http', 'ssh', 'mysql']) {
    const found = identityOf(bytes, asked)
    for (const value of Object.values(found?.details ?? {})) if (/[\p{Cc}\n]/u.test(value)) throw new Error('a control character reaches the terminal')
  }
}

// ───────────────────────────── inputs that no file holds ─────────────────────────────

const json = (objects: readonly unknown[]): Buffer => Buffer.from(JSON.stringify({ nftables: objects }))
const inRule = (...expr: readonly unknown[]): unknown => ({ rule: { family: 'inet', table: 't', chain: 'in', handle: 3, expr } })
const is = (left: unknown, right: unknown, op = '=='): unknown => ({ match: { op, left, right } })

const FLEET = indexFleet([{ name: 'srv', addresses: ['10.77.0.2', '2001:db8:77::2'].map((text) => orThrow(parseAddress(text))) }])

function orThrow<T>(read: Result<T>): T {
  if (!read.ok) throw new Error(read.faults[0]?.code)
  return read.value
}

const ALERTS = `version: 1
receivers:
  - {name: hook, kind: webhook, url: "https://example.org/hook", secret: {env: PATH}}
  - name: ops
    kind: email
    host: mail.example.org
    from: portcullis@example.org
    to: [ops@example.org]
    language: zh
    severityMin: critical
  - {name: robot, kind: dingtalk, url: {file: /etc/hostname}}
  - {name: am, kind: alertmanager, url: "http://127.0.0.1:9093"}
`

const GATES = `# Month end.
version: 1
gates:
  - {name: shop, probe: tls, critical: true, with: {port: 443, name: shop.example.org, staple: required}}
  - name: month-end
    probe: sftp
    with: {user: batch, identityFile: /etc/portcullis/batch}
  - {name: port, tcp: 5133, hosts: [feed-1]}
  - {name: errors, probe: prometheus, with: {url: "http://prometheus:9090", query: "rate(http_errors_total[1m])"}}
  - {name: own, probe: exec, with: {argv: '["/usr/bin/true", "{address}"]'}}
`

const NFT_JSON = [
  json([
    { metainfo: { version: '1.0.6', release_name: 'x', json_schema_version: 1 } },
    { table: { family: 'inet', name: 't', handle: 1 } },
    { chain: { family: 'inet', table: 't', name: 'in', handle: 2, type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
    { chain: { family: 'inet', table: 't', name: 'c', handle: 9 } },
    { set: { family: 'inet', table: 't', name: 's', handle: 4, type: ['ipv4_addr', 'inet_proto', 'inet_service'], flags: ['interval', 'timeout'], elem: [{ elem: { val: { concat: [{ prefix: { addr: '10.0.0.0', len: 8 } }, 'tcp', { range: [1, 9] }] }, timeout: 60, expires: 12 } }] } },
    { map: { family: 'inet', table: 't', name: 'm', handle: 5, type: 'inet_service', map: 'verdict', elem: [[22, { accept: null }], [{ range: [80, 90] }, { jump: { target: 'c' } }]] } },
    inRule(is({ ct: { key: 'state' } }, ['established', 'related'], 'in'), { accept: null }),
    inRule(is({ concat: [{ payload: { protocol: 'ip', field: 'saddr' } }, { meta: { key: 'l4proto' } }, { payload: { protocol: 'th', field: 'dport' } }] }, '@s'), { counter: { packets: 1, bytes: 2 } }, { accept: null }),
    inRule({ vmap: { key: { payload: { protocol: 'tcp', field: 'dport' } }, data: '@m' } }),
    inRule(is({ '&': [{ payload: { protocol: 'tcp', field: 'flags' } }, { '|': ['syn', 'ack'] }] }, 'syn'), { limit: { rate: 5, per: 'second' } }, { reject: { type: 'tcp reset' } }),
    inRule(is({ meta: { key: 'iifname' } }, { set: ['lo', 'eth*'] }, '!='), { mangle: { key: { meta: { key: 'mark' } }, value: 5 } }, { goto: { target: 'c' } }),
    inRule(is({ fib: { result: 'type', flags: ['daddr'] } }, 'local'), { dnat: { addr: '10.0.0.1', port: 80 } }),
  ]),
]

const IPSETS = [
  'create admins hash:net family inet hashsize 1024 maxelem 65536',
  'add admins 10.0.0.0/8',
  'create pairs hash:ip,port family inet6 timeout 600',
  'add pairs 2001:db8::1,tcp:22 timeout 30',
  'create nets hash:net,port,net family inet',
  'add nets 10.0.0.0/8,udp:53-60,192.0.2.0/24 nomatch',
  'create all list:set size 8',
  'add all admins',
  'create ports bitmap:port range 0-65535',
  'add ports 22',
].join('\n')

const PACKETS = [
  'tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new',
  'icmpv6 [2001:db8::7] -> [2001:db8::1] type nd-neighbor-solicit ttl 255',
  'udp [2001:db8::7]:1 -> [2001:db8::1]:53 fragment first mark 5 mac 02:00:00:00:00:01 original udp 192.0.2.7 -> 192.0.2.8:53 status 6',
].map((text) => Buffer.from(text))

const FRAMES = [
  // IPv4, a TCP SYN/ACK; IPv4, port unreachable about UDP; ARP; IPv6, a TCP RST.
  '020000000001020000000002080045000028000040004006f7d2c0000201c633640700169c400000000100000002501272100000',
  '0200000000010200000000020800450000380000400040010000c0000201c63364070303000000000000450000280000400040110000c6336407c00002019c4000350008000000000000',
  '0200000000010200000000020806000108000604000202000000000ac0000201020000000001c6336407',
  '02000000000102000000000286dd600000000014064020010db800000000000000000000000120010db800000000000000000000000700169c4000000000000000025014721000000000',
].map((hex) => Buffer.from(hex, 'hex'))

const BANNERS = [
  'SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n\0\0\0\x14\x06\x14aaaaaaaaaaaaaaaaaa',
  'HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\n\r\n<title>Hello</title>',
  '220 mail.example.org ESMTP Postfix\r\n250-STARTTLS\r\n',
  '220 (vsFTPd 3.0.3)\r\n',
  '+OK Dovecot ready.\r\n',
  '* OK [CAPABILITY IMAP4rev1] ready\r\n',
  '-NOAUTH Authentication required.\r\n',
  '$3\r\nredis_version:7.0.15\r\n',
  'J\0\0\0\n8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15mysql_native_password\0',
  'RFB 003.008\n',
  '\x03\0\0\x13\x0e\xd0\0\0\x124\0\x02\x1f\x08\0\x02\0\0\0',
  'E\0\0\0\x0eSFATAL\0C0A000\0\0',
].map((text) => Buffer.from(text, 'latin1'))
