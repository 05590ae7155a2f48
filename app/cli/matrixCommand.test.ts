import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { address, simNeed, simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { EXIT } from './exitCode.ts'
import { expectSchema } from './testdata/schema.ts'
import { policyDoor, runTrial, worldDoor, type Ran } from './testdata/trial.ts'

vi.setConfig({ testTimeout: 30_000 })

const HOUR = 3_600_000
const NOW = Date.UTC(2026, 10, 25, 12)
const policy = { ...simPolicy(['db-1', 'web-1']), needs: [simNeed('web', ['web-1'], 443, '0.0.0.0/0')] }
let world: SimWorld
let stop: AbortController

const listener = (host: string, port: number, at: number): Observation => ({ kind: 'listener', host, sensor: 'ss', at, address: address('0.0.0.0'), protocol: 'tcp', port, process: `p${port}`, isLoopback: false, isEphemeral: false })
const scan = (host: string, port: number, at: number): Observation => ({ kind: 'scan', host, sensor: 'nmap', at, address: address('10.0.1.1'), protocol: 'tcp', port, state: 'open', from: 'elsewhere' })
const documented = (host: string, at: number): Observation[] => [{ kind: 'documented', host, sensor: 'netbox', at, protocol: 'tcp', ports: { first: 443, last: 443 }, name: 'shop' }, { kind: 'reading', host, sensor: 'netbox', at, covers: 'documented' }]

beforeEach(async () => {
  stop = new AbortController()
  world = simWorld(['db-1', 'web-1'])
  await world.store.addObservations([
    listener('web-1', 443, NOW - 48 * HOUR), scan('web-1', 443, NOW - 48 * HOUR), listener('db-1', 22, NOW - 48 * HOUR),
    listener('db-1', 6379, NOW - HOUR), scan('db-1', 6379, NOW - HOUR), ...documented('web-1', NOW - HOUR), ...documented('db-1', NOW - HOUR),
  ])
})

const run = (...argv: readonly string[]): Promise<Ran> =>
  runTrial(['matrix', ...argv], { now: () => NOW, signal: stop.signal, doors: { ...worldDoor(world), ...policyDoor(policy) } })

const endpointsOf = (json: string): string[] => [
  ...new Set((JSON.parse(json) as { rows: { host: string; port: number }[] }).rows.map(({ host, port }) => `${host}:${port}`)),
]

describe('matrix', () => {
  test.each<[argv: string, endpoints: readonly string[]]>([
    ['--exposed', ['db-1:22', 'db-1:6379', 'web-1:443']],
    ['--exposed --sort risk', ['db-1:6379', 'web-1:443', 'db-1:22']],
    ['--exposed --sort port', ['db-1:22', 'web-1:443', 'db-1:6379']],
    ['--exposed --unneeded', ['db-1:6379']],
    ['--contradictory --exposed', ['db-1:6379']],
    ['--host web-1 --exposed', ['web-1:443']],
    ['--port 6379', ['db-1:6379']],
    ['--protocol udp', []],
  ])('%s', async (argv, endpoints) => {
    const { code, out } = await run('--json', ...argv.split(' '))
    expect(code).toBe(EXIT.ok)
    expectSchema('matrix', JSON.parse(out))
    expect(endpointsOf(out)).toEqual(endpoints)
  })

  test('a filter that nothing passes is not said to be an empty fleet', async () => {
    expect((await run('--protocol', 'udp')).out).toMatch(/^None of the \d+ rows is like that\.\n$/)
  })

  test('--watch shows it again until it is interrupted', async () => {
    const running = run('--watch', '1')
    setTimeout(() => stop.abort(), 1300)
    const { out } = await running
    expect(out.match(/^ENDPOINT /gm)).toHaveLength(2)
  })

  test('--html writes one page', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'matrix-'))
    try {
      const { code, out, err } = await run('--html', join(folder, 'm.html'), '--lang', 'zh')
      expect([code, out, err]).toEqual([EXIT.ok, '', `已生成：${join(folder, 'm.html')}\n`])
      expect(readFileSync(join(folder, 'm.html'), 'utf8')).toMatch(/^<!doctype html>\n<html lang="zh-CN">/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

test.each([
  ['--html /nowhere/m.html', 'error: /nowhere/m.html cannot be written: there is no such folder [FILE_UNWRITABLE]\n'],
  ['--html / --lang zh', expect.stringContaining('无法写入 /：是一个目录')],
])('a page that cannot be written is refused: %s', async (argv, told) => {
  const { code, err } = await run(...argv.split(' '))
  expect([code, err]).toEqual([EXIT.usage, told])
})

describe('matrix diff', () => {
  test('says what appeared and what changed', async () => {
    const { code, out } = await run('diff', '--since', '24h', '--exposed')
    expect(code).toBe(EXIT.differs)
    expect(out).toMatch(/^since 2026-11-2/)
    expect(out).toMatch(/\+ {2}db-1 {3}tcp\/6379 ipv4 .*elsewhere .*listening p6379, reachable open, used unknown, contradictions open-but-undocumented/)
    expect(out).toMatch(/~ {2}web-1 {2}tcp\/443 ipv4 .*documented none → shop/)
  })

  test.each<[what: string, argv: string, code: number]>([
    ['nothing since', '--since 30m', EXIT.ok],
    ['since before anything was seen', '--since 3d', EXIT.incomplete],
    ['a time that is none', '--since soon', EXIT.usage],
    ['a filter that leaves nothing', '--since 24h --port 22 --protocol udp', EXIT.ok],
  ])('%s', async (_, argv, code) => expect((await run('diff', ...argv.split(' '))).code).toBe(code))

  test('what a program reads', async () => {
    const { out } = await run('diff', '--since', '24h', '--json')
    expectSchema('matrix-diff', JSON.parse(out))
  })
})
