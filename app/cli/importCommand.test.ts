import { IMPORT_FORMATS } from '@portcullis/adapters/import/formats.ts'
import { simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import type { ListenerObservation, Observation } from '@portcullis/core/inventory/observation.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { COMMANDS } from './catalogue.ts'
import type { Doors } from './cli.ts'
import { EXIT } from './exitCode.ts'
import { expectSchema } from './testdata/schema.ts'
import { policyDoor, runTrial, worldDoor, type Ran } from './testdata/trial.ts'

vi.setConfig({ testTimeout: 30_000 })

let world: SimWorld
const policy = simPolicy(['db-1', 'web-1'])
const ADDRESS = formatAddress(policy.hosts[1]?.addresses[0] ?? { family: 4, value: 0n })
const EVE = `{"timestamp":"2026-01-01T08:21:32.6+0000","event_type":"flow","src_ip":"10.9.9.9","src_port":40000,"dest_ip":"${ADDRESS}","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{"pkts_toclient":1}}\n`
const MASSCAN = `[{"ip":"${ADDRESS}","timestamp":"1767226892","ports":[{"port":443,"proto":"tcp","status":"open"},{"port":23,"proto":"tcp","status":"closed"}]}]`

beforeEach(() => {
  world = simWorld(['db-1', 'web-1'])
})

function run(text: string, ...argv: readonly string[]): Promise<Ran> {
  const doors: Partial<Doors> = {
    ...worldDoor(world),
    ...policyDoor(policy),
    async *streamText() {
      yield text
      await Promise.resolve()
    },
  }
  return runTrial(['import', ...argv], { now: () => Date.UTC(2026, 0, 2), doors })
}

const listener = (port: number, more: Partial<ListenerObservation>): Observation => ({ kind: 'listener', host: 'web-1', sensor: 'ss', at: Date.UTC(2026, 0, 1), address: { family: 4, value: 0n }, protocol: 'tcp', port, isLoopback: false, isEphemeral: true, ...more })

const stored = async (): Promise<number> => (await world.store.observations({})).length

describe('import', () => {
  test('each format is a command', () => {
    const named = COMMANDS.flatMap(({ name }) => (name.startsWith('import ') ? [name.slice('import '.length)] : []))
    expect(named).toEqual(expect.arrayContaining(IMPORT_FORMATS.map(({ name }) => name)))
  })

  test.each<[what: string, text: string, argv: string, code: number, kept: number]>([
    ['a format that is named', EVE, 'suricata -', EXIT.ok, 1],
    ['a format that is recognised', EVE, '-', EXIT.ok, 1],
    ['a dry run stores nothing', EVE, '- --dry-run', EXIT.ok, 0],
    ['one malformed line, and nothing is kept', `${EVE}oops\n${EVE}`, '-', EXIT.usage, 0],
    ['one malformed line that may be passed over', `${EVE}oops\n${EVE}`, '- --skip-malformed', EXIT.ok, 1],
    ['another format than the one that is named', EVE, 'nmap -', EXIT.usage, 0],
    ['no format', 'hello', '-', EXIT.usage, 0],
    ['nothing of the fleet', EVE.replace(ADDRESS, '198.51.100.1'), '-', EXIT.incomplete, 0],
    ['a command that is none of the formats is a file', EVE, 'frobnicate', EXIT.ok, 1],
  ])('%s', async (_, text, argv, code, kept) => {
    const { code: found, err } = await run(text, ...argv.split(' '))
    expect([found, err]).toEqual([code, code === EXIT.usage ? expect.stringContaining('IMPORT_') : ''])
    expect(await stored()).toBe(kept)
  })

  test('a dry run opens no store, unless the format leaves open who serves', async () => {
    const isOpened: boolean[] = []
    await runTrial(['import', '-', '--dry-run'], {
      now: () => Date.UTC(2026, 0, 2),
      doors: {
        ...policyDoor(policy),
        openWorld: async (settings) => {
          isOpened.push(true)
          return worldDoor(world).openWorld(settings)
        },
        async *streamText() {
          yield EVE
          await Promise.resolve()
        },
      },
    })
    expect(isOpened).toEqual([])
  })

  test('Ctrl-C ends it where nothing more comes, and nothing is kept', async () => {
    const stop = new AbortController()
    const doors: Partial<Doors> = {
      ...worldDoor(world),
      ...policyDoor(policy),
      async *streamText(_, signal) {
        yield EVE.repeat(100)
        setTimeout(() => stop.abort(), 10)
        await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))))
      },
    }
    await expect(runTrial(['import', 'suricata', '-'], { now: () => 0, doors, signal: stop.signal })).rejects.toThrow('aborted')
    expect(await stored()).toBe(0)
  })

  test('the same file does not count twice, unless that is asked for', async () => {
    await run(EVE, '-')
    const { code, out } = await run(EVE, '-')
    expect(code).toBe(EXIT.ok)
    expect(out).toContain('this file was imported on')
    expect(await stored()).toBe(1)
    await run(EVE, '-', '--again')
    expect(await stored()).toBe(2)
  })

  test('--from by a zone or by an address in it', async () => {
    await run(MASSCAN, '-', '--from', 'somewhere')
    await run(`${MASSCAN}\n`, '-', '--from', '203.0.113.1')
    const from = (await world.store.observations({})).map((each) => (each.kind === 'scan' ? each.from : ''))
    expect(from).toEqual(['somewhere', 'somewhere', 'elsewhere', 'elsewhere'])
  })

  test.each<[what: string, protocol: 6 | 17, observations: Observation[], said: string]>([
    ['nothing is known of them: the only side that is of the fleet', 6, [], 'unknown (the destination counts)'],
    ['the host listens there', 6, [listener(50_051, {})], 'by listeners and needs'],
    ['a UDP socket on a port that the kernel chose may be a client’s', 17, [listener(50_051, { protocol: 'udp', isEphemeral: true })], 'unknown (the destination counts)'],
    ['a UDP socket on another', 17, [listener(50_051, { protocol: 'udp', isEphemeral: false })], 'by listeners and needs'],
    ['on loopback alone', 6, [listener(50_051, { isLoopback: true })], 'unknown (the destination counts)'],
    ['weeks ago', 6, [listener(50_051, { at: Date.UTC(2025, 11, 1) })], 'unknown (the destination counts)'],
  ])('two high ports, only replies: %s', async (_, protocol, observations, said) => {
    const replies = `2 1 eni-1 ${ADDRESS} 10.9.9.9 50051 40000 ${protocol} 20 4249 1767226892 1767226952 ACCEPT OK\n`
    await world.store.addObservations(observations)
    expect((await run(replies, 'vpcflow-aws', '-')).out).toContain(`\n  who is the server: 1 ${said}\n`)
    expect((await world.store.observations({ kinds: ['flow'] })).map((each) => each.kind === 'flow' && each.port)).toEqual([50_051])
  })

  test('what people read', async () => {
    expect((await run(MASSCAN, '-', '--dry-run')).out).toMatch(/^masscan {2}1 record → 2 observations of 1 host\n {2}2026-01-01 .*\n {2}1 open, 1 closed\nnothing was stored: a dry run\nthe file does not say where the scan stood/)
    expect((await run(EVE.replace(ADDRESS, '198.51.100.1') + EVE, '-', '--lang', 'zh')).out).toMatch(/^suricata {2}2 条记录 → 1 条观测，涉及 1 台主机\n(?:.*\n)+? {2}未导入：\n {4}1 {2}地址或名称不属于策略中的任何主机 {2}-:1:1\n/)
  })

  test.each([['--dry-run'], ['--skip-malformed'], ['--again']])('what a program reads, with %s', async (option) => {
    const { out } = await run(`${EVE}${option === '--skip-malformed' ? 'oops\n' : ''}`, '-', '--json', option)
    expectSchema('import', JSON.parse(out))
    expectSchema('import', JSON.parse((await run(`${EVE}${option === '--skip-malformed' ? 'oops\n' : ''}`, '-', '--json', option)).out))
  })
})
