import { readPacketObject } from '@portcullis/core/ruleset/packetObject.ts'
import { parsePacketText } from '@portcullis/core/ruleset/packetText.ts'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { EXIT } from './exitCode.ts'
import { expectSchema } from './testdata/schema.ts'
import { widthOf } from './table.ts'
import { runTrial, type Ran } from './testdata/trial.ts'

// The first call of a command loads its modules, which a busy machine takes seconds for.
vi.setConfig({ testTimeout: 30_000 })

const OWN_TABLE = '../../../core/ruleset/nft/golden/mixed.nft'
const cameFrom = process.cwd()
// Where lines break must not hang on where the project lies.
beforeAll(() => process.chdir(join(import.meta.dirname, 'testdata')))
afterAll(() => process.chdir(cameFrom))
const directory = mkdtempSync(join(tmpdir(), 'vc-cli-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const SSH = 'tcp 198.51.100.7:40000 -> 192.0.2.1:22 iif eth0 ct new'
const DOCKER = '--ruleset docker.save --ipset admins.ipset'

/** Each prints `golden/NAME.txt`. Files are those of `testdata`; a packet is what stands behind `:`. */
describe('what a person reads', () => {
  test.each<[name: string, code: number, argv: string]>([
    ['packet-accepted', EXIT.ok, 'packet --ruleset office.nft : tcp 10.0.0.7:40000 -> 192.0.2.1:22 iif eth0 ct new'],
    ['packet-rejected', EXIT.differs, `packet --ruleset office.nft : ${SSH}`],
    ['packet-jump', EXIT.differs, 'packet --ruleset office.nft : tcp 203.0.113.7:40000 -> 192.0.2.1:443 iif eth0'],
    ['packet-interface-not-stated', EXIT.incomplete, 'packet --ruleset office.nft : udp 198.51.100.7 -> 192.0.2.1:53'],
    ['packet-interface-not-stated-zh', EXIT.incomplete, 'packet --ruleset office.nft --lang zh : udp 198.51.100.7 -> 192.0.2.1:53'],
    ['packet-limit', EXIT.incomplete, `packet ${DOCKER} --hook input : tcp 198.51.100.7 -> 192.0.2.1:25`],
    ['packet-published', EXIT.ok, `packet ${DOCKER} --facts docker.facts : tcp 198.51.100.7:40000 -> 192.0.2.1:8080`],
    ['packet-by-the-routes', EXIT.differs, `packet ${DOCKER} --facts docker.facts : tcp 198.51.100.7:40000 -> 192.0.2.1:23`],
    ['packet-both-families', EXIT.ok, 'packet --ruleset office.save --ruleset office6.save : icmpv6 [2001:db8::7] -> [2001:db8::1] type 135 ttl 255 iif eth0'],
    ['compare-equal', EXIT.ok, 'compare office.save office.nft --also-a office6.save'],
    ['compare-ipv6-forgotten', EXIT.differs, 'compare office.save office.nft --hook input'],
    ['compare-different', EXIT.differs, 'compare office.nft narrower.nft'],
    ['compare-different-zh', EXIT.differs, 'compare office.nft narrower.nft --lang zh'],
    ['compare-rate', EXIT.incomplete, 'compare docker.save docker-rate.save --ipset admins.ipset --hook input'],
    ['accepts', EXIT.ok, 'accepts --ruleset office.nft'],
    ['accepts-zh', EXIT.ok, 'accepts --ruleset office.nft --lang zh'],
    ['accepts-undecided', EXIT.incomplete, `accepts ${DOCKER} --hook input`],
  ])('%s', async (name, code, argv) => {
    const ran = await run(argv)
    expect(ran.code).toBe(code)
    await expect(ran.out).toMatchFileSnapshot(join(import.meta.dirname, 'golden', `${name}.txt`))
  })
})

/** What Debian's tools and people write, as `lab/kernel/tools/dump.ts` has kept it: `golden/NAME.txt`. */
describe('what an auditor reads of rulesets as they are', () => {
  const both = (tool: string): string => `--ruleset tools/${tool}.save --ruleset tools/${tool}6.save`
  test.each<[name: string, code: number, argv: string, columns?: number]>([
    ['accepts-ufw', EXIT.incomplete, `accepts ${both('ufw')}`],
    ['accepts-ufw-zh', EXIT.incomplete, `accepts ${both('ufw')} --hook input --lang zh`, 80],
    ['accepts-ferm', EXIT.incomplete, `accepts ${both('ferm')}`, 80],
    ['accepts-firewalld', EXIT.incomplete, 'accepts --ruleset tools/firewalld.nft'],
    ['accepts-firewalld-by-the-routes', EXIT.incomplete, 'accepts --ruleset tools/firewalld.nft --facts tools/host.facts'],
    ['accepts-shorewall', EXIT.ok, `accepts ${both('shorewall')}`, 100],
    ['accepts-fail2ban', EXIT.ok, 'accepts --ruleset tools/fail2ban.nft'],
    ['accepts-docker', EXIT.ok, 'accepts --ruleset tools/docker.save'],
    ['accepts-docker-nft', EXIT.ok, 'accepts --ruleset tools/docker.nft --facts tools/host.facts'],
    ['accepts-docker-nft-zh', EXIT.ok, 'accepts --ruleset tools/docker.nft --lang zh', 80],
    ['compare-tools', EXIT.differs, `compare tools/ufw.save tools/firewalld.nft --also-a tools/ufw6.save --hook input`],
    ['accepts-handwritten', EXIT.incomplete, 'accepts --ruleset tools/handwritten.nft', 80],
    ['accepts-portcullis', EXIT.ok, `accepts --ruleset ${OWN_TABLE}`],
    ['accepts-portcullis-by-the-routes', EXIT.ok, `accepts --ruleset ${OWN_TABLE} --facts tools/host.facts --hook forward`],
  ])('%s', async (name, code, argv, columns) => {
    const ran = await run(argv, columns)
    await expect(ran.out).toMatchFileSnapshot(join(import.meta.dirname, 'golden', `${name}.txt`))
    expect(ran.code).toBe(code)
    const [tables = ''] = ran.out.split(/^.*(?:change|不起作用).*$/m)
    expect(Math.max(...tables.split('\n').map(widthOf))).toBeLessThanOrEqual(columns ?? 120)
  })
})

describe('refused', () => {
  test.each<[what: string, argv: string, says: RegExp]>([
    ['no ruleset', `packet : ${SSH}`, /no ruleset is named.*--ruleset/s],
    ['no packet', 'packet --ruleset office.nft', /no packet is given/],
    ['both a packet and packets', `packet --ruleset office.nft --packets packets.ndjson : ${SSH}`, /not both/],
    ['a packet that is none', 'packet --ruleset office.nft : tcp 198.51.100.7 - 192.0.2.1:22', /packet:1:18: -> stands between/],
    ['a file that is not there', `packet --ruleset absent.nft : ${SSH}`, /there is no file/],
    ['a file that is no ruleset', `packet --ruleset admins.ipset : ${SSH}`, /dialect.*--dialect/s],
    ['a ruleset with a fault', 'accepts --ruleset office.nft --dialect iptables-save', /office\.nft:1:1: /],
    ['a dialect that is none', 'accepts --ruleset office.nft --dialect pf', /nft-json, nft, iptables-save/],
    ['facts that are none', `packet --ruleset office.nft --facts office.nft : ${SSH}`, /office\.nft:1:1: .*ip -j/s],
    ['a hook that is none', 'compare office.nft office.nft --hook output', /input, forward/],
    ['one side alone', 'compare office.nft', /missing required argument/],
  ])('%s', async (_, argv, says) => {
    const ran = await run(argv)
    expect([ran.code, ran.out]).toEqual([EXIT.usage, ''])
    expect(ran.err).toMatch(says)
  })
})

describe('what a program reads', () => {
  test.each<[schema: string, argv: string]>([
    ['packet', `packet --ruleset office.nft --json : ${SSH}`],
    ['packet', `packet ${DOCKER} --json --hook input : tcp 198.51.100.7 -> 192.0.2.1:25`],
    ['packet', `packet ${DOCKER} --json --facts docker.facts : tcp 198.51.100.7:40000 -> 192.0.2.1:8080`],
    ['compare', 'compare office.nft narrower.nft --json'],
    ['compare', 'compare docker.save docker-rate.save --json --hook input'],
    ['compare', 'compare office.nft office.nft --json'],
    ['accepts', 'accepts --ruleset office.nft --json'],
    ['accepts', `accepts ${DOCKER} --json`],
    ['faults', 'packet --ruleset absent.nft --json : x'],
  ])('%s of %s', async (schema, argv) => {
    expectSchema(schema, JSON.parse((await run(argv)).out))
  })

  test('a stream: one verdict a line, in order, faults in their place', async () => {
    const { code, out } = await run('packet --ruleset office.nft --packets packets.ndjson')
    const lines = out.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
    for (const line of lines) expectSchema('packet-verdict', line)
    expect(lines.map((line) => line.verdict ?? `${(line.error as { code: string }).code} ${String(line.line)}`)).toEqual([
      'accepted',
      'rejected',
      'dropped',
      'PACKET_OBJECT 5',
      'PACKET_LINE 6',
      'undecided',
      'accepted',
      'accepted',
    ])
    expect(lines[5]).toMatchObject({ id: 'a-17', because: [{ match: 'iif in {lo}', rule: { line: 12 } }, { match: 'iif in {eth1}', rule: { line: 16 } }] })
    expect(code).toBe(EXIT.usage)
  })

  const packetTo = (port: number): string => JSON.stringify({ family: 4, iif: 'eth0', ct: 'new', proto: 'tcp', saddr: '203.0.113.7', daddr: '192.0.2.1', dport: port })

  test.each<[string, readonly number[], number]>([
    ['all accepted', [], EXIT.ok],
    ['one denied', [443], EXIT.differs],
  ])('the exit status of a stream: %s', async (_, denied, code) => {
    const file = join(directory, 'stream.ndjson')
    const accepted = JSON.stringify({ iif: 'lo', proto: 'udp', saddr: '127.0.0.1', daddr: '127.0.0.1', sport: 1, dport: 2 })
    writeFileSync(file, [accepted, ...denied.map(packetTo), accepted].join('\n'))
    expect((await run(`packet --ruleset office.nft --packets ${file}`)).code).toBe(code)
  })

  test('a stream by the routes: without an interface, each comes in by the one that leads back', async () => {
    const file = join(directory, 'routed.ndjson')
    const to = (daddr: string, dport: number): string => JSON.stringify({ proto: 'tcp', saddr: '198.51.100.7', daddr, sport: 40_000, dport })
    writeFileSync(file, [to('192.0.2.1', 8080), to('192.0.2.1', 8081), to('172.17.0.2', 80)].join('\n'))
    const { out } = await run(`packet ${DOCKER} --facts docker.facts --packets ${file}`)
    expect(out).toBe('{"verdict":"accepted"}\n{"verdict":"dropped"}\n{"verdict":"accepted"}\n')
  })

  test('a file of packets that is not there', async () => {
    const { code, err } = await run('packet --ruleset office.nft --packets absent.ndjson')
    expect([code, err]).toEqual([EXIT.usage, expect.stringContaining('there is no file')])
  })
})

describe('docs/verify.md', () => {
  const lines = readFileSync(new URL('../../docs/verify.md', import.meta.url), 'utf8').split('\n').filter((line) => line.startsWith('    ')).map((line) => line.trim())

  test('its packets are read', () => {
    const packets = lines.filter((line) => line.includes(' -> '))
    expect(packets.map((line) => [line, parsePacketText(line).ok])).toEqual(packets.map((line) => [line, true]))
    expect(packets).toHaveLength(2)
  })

  test('its lines of JSON are read, and what answers them is of the schema', () => {
    const objects = lines.filter((line) => line.startsWith('{"')).map((line) => JSON.parse(line) as object)
    const [packets, verdicts] = [objects.filter((each) => 'proto' in each), objects.filter((each) => 'verdict' in each)]
    for (const each of packets) expect(readPacketObject(each).ok).toBe(true)
    for (const each of verdicts) expectSchema('packet-verdict', each)
    expect([packets.length, verdicts.length]).toEqual([2, 2])
  })
})

async function run(line: string, columns?: number): Promise<Ran> {
  const [words = '', packet] = line.split(' : ')
  const argv = [...words.split(' '), ...(packet === undefined ? [] : [packet])]
  const { code, out, err } = await runTrial(argv, { now: () => 0, ...(columns ? { columns } : {}) })
  return { code, out: out.replaceAll(OWN_TABLE, 'portcullis.nft'), err }
}


describe('ended at once, also in the middle of an analysis', () => {
  /** Ranges in four fields that overlap at random: minutes of work. */
  const tangle = Array.from({ length: 6_000 }, (_, index) => {
    const from = (prime: number): number => (index * prime) % 60_000
    const range = (field: string, prime: number): string => `${field} ${from(prime)}-${from(prime) + 5_000}`
    const address = (value: number): string => `10.${value >> 8}.${value & 255}.0`
    const between = (field: string, prime: number): string => `${field} ${address(from(prime))}-${address(from(prime) + 5_000)}`
    return `${between('ip saddr', 7919)} ${between('ip daddr', 6101)} ${range('tcp sport', 4507)} ${range('tcp dport', 3307)} ${index % 2 ? 'accept' : 'drop'}`
  })
  const file = join(directory, 'tangle.nft')

  test.each(['SIGINT', 'SIGTERM'] as const)('%s', async (signal) => {
    writeFileSync(file, `table ip t {\n chain in {\n type filter hook input priority 0; policy drop;\n${tangle.join('\n')}\n }\n}\n`)
    const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'main.ts'), 'accepts', '--ruleset', file, '--hook', 'input'], { stdio: 'ignore' })
    const ended = once(child, 'exit')
    await wait(4_000)
    const asked = performance.now()
    child.kill(signal)
    expect(await ended).toEqual([null, signal])
    expect(performance.now() - asked).toBeLessThan(2_000)
  })
})
