import { IMPORT_FORMATS } from '@portcullis/adapters/import/formats.ts'
import { simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
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

  test('a dry run opens no store', async () => {
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
