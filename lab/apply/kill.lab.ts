import { makeHosts } from '@portcullis/adapters/transport/hosts.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { hostSession, type HostVersion } from '@portcullis/engine/hostSession.ts'
import type { ApplyStep, JournalEntry } from '@portcullis/engine/store.ts'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openNamespaces, type Namespace, type Namespaces } from '../netns.ts'

/** How often the controller is killed at each point: 2 in every run, 20 in a full one. */
const KILLS_PER_POINT = Number(process.env.PORTCULLIS_KILLS ?? 2)
const POINTS: readonly ApplyStep[] = ['stage', 'check', 'arm', 'swap', 'verify', 'probe', 'confirm']
/** The kill comes this much later at each repetition, so that it also strikes in the middle of the step; nothing comes after the last one. */
const delaysMs = (point: ApplyStep): number[] => Array.from({ length: KILLS_PER_POINT }, (_, index) => index * (point === 'confirm' ? 2 : 23))
const CONFIRM_WITHIN_SECONDS = 5
/** The revert's own time, and that of a busy machine to do it. */
const SETTLE_MS_MAX = 30_000

const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
const PREFIX = `en-kill-${process.pid}`
/** Whom the two policies let in to port 8080 differ, so that there is always something to change. */
const SOURCES = ['10.88.0.1', '10.88.0.7'] as const
const PORT = 8080

let spaces: Namespaces
let outside: Namespace
let folder: string
let target: Host
/** Index of the source that the confirmed policy lets in. */
let served = 0
const hosts = makeHosts()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), `${PREFIX}-`))
  spaces = openNamespaces(PREFIX)
  outside = await spaces.add('out')
  const server = await spaces.add('host')
  await spaces.link({ at: outside, device: 'eth0', addresses: SOURCES.map((source) => `${source}/24`) }, { at: server, device: 'eth0', addresses: ['10.88.0.2/24'] })
  for (const port of [22, PORT]) server.spawn(['socat', `TCP4-LISTEN:${port},reuseaddr,fork`, 'EXEC:echo hello'])
  target = hostAt(server)
  for (const [index, source] of SOURCES.entries()) await writeFile(policyFile(index), policyText(server, source))
  await must('plan', '--policy', policyFile(0))
  await must('apply', '--policy', policyFile(0), '--yes')
}, 120_000)

afterAll(async () => {
  await hosts.close()
  await spaces.close()
  await rm(folder, { recursive: true, force: true })
  // Where a host of the lab keeps its state unless told otherwise.
  await rm(`/run/portcullis-lab/${PREFIX}-host`, { recursive: true, force: true })
})

describe.each(POINTS)('SIGKILL of the controller at %s', (point) => {
  test.each(delaysMs(point))(
    '%i ms after it was announced: the old ruleset or the new one, and no hand needed',
    async (delayMs) => {
      const before = await settled()
      const wanted = 1 - served
      await must('plan', '--policy', policyFile(wanted))
      const { code, seen } = await applyAnd('SIGKILL', policyFile(wanted), point, delayMs)
      expect([code, seen.at(-1)]).toEqual([undefined, `action ${point}`])

      const after = await settled()
      const isNew = after.confirmed?.generation === (before.confirmed?.generation ?? 0) + 1
      expect(isNew ? undefined : after.confirmed).toEqual(isNew ? undefined : before.confirmed)
      expect(after.live).toEqual(after.confirmed)
      // Only a confirmation that was on its way can make it the new one.
      expect(isNew && point !== 'confirm').toBe(false)
      served = isNew ? wanted : served
      expect(await reached()).toEqual(SOURCES.map((_, index) => index === served))
      await expectKnown(after)
    },
    180_000,
  )
})

test('Ctrl-C puts the host back at once, and says so', async () => {
  const before = await settled()
  await must('plan', '--policy', policyFile(1 - served))
  const { code, out } = await applyAnd('SIGINT', policyFile(1 - served), 'probe', 0)
  expect([code, out]).toEqual([130, expect.stringContaining('"reverted"')])
  const after = await askVersion()
  expect([after.armedSeconds, after.confirmed, after.live]).toEqual([undefined, before.confirmed, before.confirmed])
}, 180_000)

const policyFile = (index: number): string => join(folder, `policy-${index}.yaml`)

const policyText = ({ netns }: Namespace, source: string): string => `version: 1
defaults:
  mode: enforce
  management: { from: [10.88.0.0/24], ports: [22] }
services:
  shop: { ports: [${PORT}/tcp] }
fleet:
  hosts:
    server: { addresses: [10.88.0.2], transport: { netns: ${netns} } }
needs:
  - { service: shop, to: [server], from: [${source}], owner: lab, because: the kill test, review: 2099-01-01 }
`

function hostAt({ netns }: Namespace): Host {
  const address = parseAddress('10.88.0.2')
  if (!address.ok) throw new Error('no address')
  return { name: 'server', addresses: [address.value], labels: {}, tier: 'standard', transport: { kind: 'netns', namespace: netns } }
}

const controller = (...argv: readonly string[]): ChildProcess =>
  spawn('ip', ['netns', 'exec', outside.netns, process.execPath, BIN, ...argv, '--state', join(folder, 'state')], { stdio: ['ignore', 'pipe', 'pipe'] })

async function must(...argv: readonly string[]): Promise<string> {
  const child = controller(...argv)
  let [out, err] = ['', '']
  child.stdout?.on('data', (chunk) => (out += String(chunk)))
  child.stderr?.on('data', (chunk) => (err += String(chunk)))
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`portcullis ${argv.join(' ')} ended with ${String(code)}: ${out}${err}`)
  return out
}

interface Struck {
  /** Exit code, or undefined when the signal ended it. */
  readonly code: number | undefined
  readonly seen: readonly string[]
  readonly out: string
}

/** Sends the signal some time after the journal announced the step; gives all that was announced until the end. */
async function applyAnd(signal: 'SIGKILL' | 'SIGINT', policy: string, point: ApplyStep, delayMs: number): Promise<Struck> {
  const child = controller('apply', '--policy', policy, '--yes', '--json', '--confirm-within', String(CONFIRM_WITHIN_SECONDS))
  const ended = new Promise<number | undefined>((resolve) => child.once('close', (code) => resolve(code ?? undefined)))
  let out = ''
  child.stdout?.on('data', (chunk) => (out += String(chunk)))
  const seen: string[] = []
  if (!child.stderr) throw new Error('no stderr')
  for await (const line of createInterface({ input: child.stderr })) {
    const entry = JSON.parse(line) as JournalEntry
    if (!child.killed) seen.push(`${entry.kind} ${entry.name}`)
    if (child.killed || entry.kind !== 'action' || entry.name !== point) continue
    await sleep(delayMs)
    child.kill(signal)
  }
  const code = await ended
  if (!child.killed) throw new Error(`it ended before ${point}: ${seen.join(', ')} ${out}`)
  return { code, seen, out }
}

/** What the host says once nothing is armed any more. Only asks: the revert has to fire by itself. */
async function settled(): Promise<HostVersion> {
  for (const endMs = performance.now() + SETTLE_MS_MAX; ; await sleep(250)) {
    const version = await askVersion()
    if (version.armedSeconds === undefined) return version
    if (performance.now() > endMs) throw new Error(`still armed after ${SETTLE_MS_MAX} ms: ${JSON.stringify(version)}`)
  }
}

async function askVersion(): Promise<HostVersion> {
  const link = await hosts.connect(target)
  if (!link.ok) throw new Error(JSON.stringify(link.faults))
  const version = await hostSession(link.value).version()
  await link.value.close()
  if (!version.ok) throw new Error(JSON.stringify(version.faults))
  return version.value
}

/** By packets: which of the two sources gets an answer. */
const reached = (): Promise<boolean[]> =>
  Promise.all(
    SOURCES.map(async (source) => {
      const { stdout } = await outside.run(['socat', '-u', `TCP4:10.88.0.2:${PORT},bind=${source},connect-timeout=1`, '-'])
      return stdout.includes('hello')
    }),
  )

/** The next controller knows what the host has, also where the killed one could not write it down. */
async function expectKnown(version: HostVersion): Promise<void> {
  const { hosts: statuses } = JSON.parse(await must('status', '--policy', policyFile(0), '--json')) as { hosts: { kind: string; generation: number; rulesetDigest: string }[] }
  expect(statuses).toMatchObject([{ kind: 'confirmed', generation: version.confirmed?.generation, rulesetDigest: version.confirmed?.digest }])
}

const sleep = (durationMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, durationMs)
  })
