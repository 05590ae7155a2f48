import { parseAddress } from '@portcullis/core/net/address.ts'
import { simPolicy } from '@portcullis/sim/world.ts'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { EXIT } from './exitCode.ts'
import { expectSchema } from './testdata/schema.ts'
import { policyDoor, runTrial, type Ran } from './testdata/trial.ts'

// The first call of a command loads its modules, which a busy machine takes seconds for.
vi.setConfig({ testTimeout: 30_000 })

const folder = mkdtempSync(join(tmpdir(), 'portcullis-gates-'))
let server: Server
let port = 0
beforeAll(async () => {
  server = createServer((request, response) => response.writeHead(request.url === '/refuse' ? 403 : 200).end('{"errcode":0}'))
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  port = (server.address() as { port: number }).port
  writeFileSync(join(folder, 'key'), `http://127.0.0.1:${port}/ROBOTKEY`)
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const gates = (...list: string[]): string => `version: 1\ngates:\n${list.map((line) => `  - ${line}\n`).join('')}`
const receivers = (...list: string[]): string => `version: 1\nreceivers:\n${list.map((line) => `  - ${line}\n`).join('')}`
const good = (): string => `{name: shop, probe: http, with: {port: ${port}}}`
const cases: readonly [what: string, command: string, file: () => string, code: number, out: RegExp][] = [
  ['a gate that is good', 'gate check', () => gates(good(), `{name: port, tcp: ${port}}`), EXIT.ok, /^✓ {2}shop {2}web-1 {2}\d.*\n✓ {2}port {2}web-1/],
  ['a gate that is bad', 'gate check', () => gates(good(), '{name: gone, tcp: 1}'), EXIT.differs, /✗ {2}gone {2}web-1 {2}ECONNREFUSED/],
  ['no data', 'gate check', () => gates(good(), '{name: query, probe: prometheus, with: {url: "http://127.0.0.1:9", query: up}}'), EXIT.incomplete, /\? {2}query .*cannot be reached/],
  ['a probe that is none', 'gate check', () => gates('{name: x, probe: telepathy}'), EXIT.usage, /^$/],
  ['receivers that take it', 'alert test', () => receivers(`{name: hook, kind: webhook, url: "http://127.0.0.1:${port}/"}`, `{name: group, kind: wecom, url: {file: ${join(folder, 'key')}}}`), EXIT.ok, /^✓ {2}hook {3}taken\n✓ {2}group {2}taken\n$/],
  ['a receiver that does not', 'alert test', () => receivers(`{name: hook, kind: webhook, url: "http://127.0.0.1:${port}/refuse"}`), EXIT.incomplete, /^✗ {2}hook {2}status 403\n$/],
  ['a secret that is not there', 'alert test', () => receivers('{name: group, kind: wecom, url: {file: /nonexistent}}'), EXIT.usage, /^$/],
  ['no YAML', 'alert test', () => '{', EXIT.usage, /^$/],
]
test.each(cases)('%s', async (_, command, file, code, out) => {
  writeFileSync(join(folder, 'file.yaml'), file())
  const people = await run(...command.split(' '), join(folder, 'file.yaml'))
  expect([people.code, people.out]).toEqual([code, expect.stringMatching(out)])
  const program = await run(...command.split(' '), join(folder, 'file.yaml'), '--json')
  expectSchema(code === EXIT.usage ? 'faults' : command.replace(' ', '-'), JSON.parse(program.out))
  expect(people.out + people.err + program.out).not.toContain('ROBOTKEY')
})

function run(...argv: readonly string[]): Promise<Ran> {
  const address = parseAddress('127.0.0.1')
  const sim = simPolicy(['web-1'])
  const policy = { ...sim, hosts: sim.hosts.map((host) => ({ ...host, addresses: address.ok ? [address.value] : [] })) }
  return runTrial(argv, { now: Date.now, doors: policyDoor(policy) })
}
