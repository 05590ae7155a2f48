import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openNamespaces, type Namespace, type Namespaces } from '../netns.ts'

/** A need is taken away: of its flows those are cut that the policy wants cut, and the command says what is left. Real sockets, the real command. */
const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
const PREFIX = `ph-cut-${process.pid}`
const PORTS = { cut: 8081, drain: 8082, warned: 8083 } as const
const WARN_SECONDS = 3

let spaces: Namespaces
let outside: Namespace
let folder: string
let server: Namespace

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), `${PREFIX}-`))
  spaces = openNamespaces(PREFIX)
  outside = await spaces.add('out')
  server = await spaces.add('host')
  await spaces.link({ at: outside, device: 'eth0', addresses: ['10.86.0.1/24'] }, { at: server, device: 'eth0', addresses: ['10.86.0.2/24'] })
  for (const port of [22, ...Object.values(PORTS)]) server.spawn(['socat', `TCP4-LISTEN:${port},reuseaddr,fork`, 'SYSTEM:while echo tick; do sleep 0.05; done'])
  await writeFile(file('before'), policy(true))
  await writeFile(file('after'), policy(false))
}, 120_000)

afterAll(async () => {
  await spaces.close()
  await rm(folder, { recursive: true, force: true })
  await rm(`/run/portcullis-lab/${PREFIX}-host`, { recursive: true, force: true })
})

test('flows end as their needs say, and it is told how many are left', async () => {
  await portcullis('plan', '--policy', file('before'))
  await portcullis('apply', '--policy', file('before'), '--yes')
  const flows = Object.fromEntries(Object.entries(PORTS).map(([name, port]) => [name, stream(port)]))
  await Promise.all(Object.values(flows).map((flow) => until(() => flow.bytes() > 10)))

  const { plan } = (await portcullis('plan', '--policy', file('after'))) as { plan: { hosts: { flows: { port: number; isLive: boolean; end: string }[] }[] } }
  const ends = plan.hosts[0]?.flows.filter(({ isLive }) => isLive).map(({ port, end }) => `${port} ${end}`)
  expect(ends?.toSorted()).toEqual(['8081 cut-now', '8082 drain', '8083 warn-then-cut'])

  const { hosts } = (await portcullis('apply', '--policy', file('after'), '--yes')) as { hosts: { kind: string; flows: object }[] }
  expect(hosts).toMatchObject([{ kind: 'confirmed', flows: { before: 2, cut: 2, left: 0, draining: 1, silent: 0, leased: 0 } }])
  expect(await Promise.all(Object.entries(flows).map(async ([name, flow]) => [name, await flow.isAlive()]))).toEqual([['cut', false], ['drain', true], ['warned', false]])
}, 900_000)

const file = (name: string): string => join(folder, `${name}.yaml`)

const ENDS = { cut: 'cut-now', drain: 'drain', warned: 'warn-then-cut' } as const

const policy = (isWhole: boolean): string => `version: 1
defaults:
  mode: enforce
  warnSeconds: ${WARN_SECONDS}
  management: { from: [10.86.0.0/24], ports: [22] }
services:
  kept: { ports: [9100/tcp] }
${Object.entries(PORTS).map(([name, port]) => `  ${name}: { ports: [${port}/tcp] }\n`).join('')}fleet:
  hosts:
    server: { addresses: [10.86.0.2], transport: { netns: ${server.netns} } }
needs:
  - { service: kept, to: [server], from: [10.86.0.0/24], owner: lab, because: cutting, review: 2099-01-01 }
${isWhole ? Object.entries(ENDS).map(([name, end]) => `  - { service: ${name}, to: [server], from: [10.86.0.0/24], owner: lab, because: cutting, review: 2099-01-01, flows: ${end} }\n`).join('') : ''}`

interface Stream {
  bytes(): number
  isAlive(): Promise<boolean>
}

function stream(port: number): Stream {
  const client = outside.spawn(['socat', '-u', `TCP4:10.86.0.2:${port}`, '-'])
  let bytes = 0
  client.process.stdout?.on('data', (chunk: Buffer) => (bytes += chunk.length))
  return {
    bytes: () => bytes,
    isAlive: async () => {
      const before = bytes
      await sleep(1_500)
      return bytes > before
    },
  }
}

async function portcullis(...argv: readonly string[]): Promise<unknown> {
  const child = spawn('ip', ['netns', 'exec', outside.netns, process.execPath, BIN, ...argv, '--json', '--state', join(folder, 'state')], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  child.stderr.on('data', (chunk) => (err += String(chunk)))
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`portcullis ${argv.join(' ')} ended with ${code}: ${out}${err}`)
  return JSON.parse(out)
}

async function until(holds: () => boolean): Promise<void> {
  for (const endMs = performance.now() + 20_000; !holds(); await sleep(50)) if (performance.now() > endMs) throw new Error('no bytes')
}

const sleep = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs))
