import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openNamespaces, type Namespace } from '../netns.ts'

const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
export const SHOP_PORT = 8080

/** Hosts in namespaces, each with a shop on TCP 8080, the last of them core unless told, and a place outside from where they are managed. */
export interface Shops {
  readonly outside: Namespace
  readonly folder: string
  readonly servers: readonly Host[]
  /** A policy of all hosts that lets these ports in, beside that of the management. */
  writePolicy(name: string, ports: readonly number[]): Promise<void>
  /** `portcullis ARGV` outside, on the one state folder. */
  start(argv: readonly string[]): Running
  /** The same, which has to end with 0; gives what it printed. */
  must(...argv: readonly string[]): Promise<string>
  /** How many shops serve whoever is outside. */
  countServed(): Promise<number>
  close(): Promise<void>
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Standard error so far. */
  told(): string
}

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface ShopSettings {
  /** How many of the last hosts are core. */
  readonly core?: number
  /** What `portcullis` finds in its environment besides. */
  readonly env?: (folder: string) => Readonly<Record<string, string>>
}

/** `network`: a prefix of two bytes, `10.89`; host n gets its third byte. */
export async function openShops(prefix: string, network: string, count: number, { core = 1, env = () => ({}) }: ShopSettings = {}): Promise<Shops> {
  const folder = await mkdtemp(join(tmpdir(), `${prefix}-`))
  const spaces = openNamespaces(prefix)
  const outside = await spaces.add('out')
  const startShop = async (index: number): Promise<Host> => {
    const server = await spaces.add(`h${index}`)
    await spaces.link({ at: outside, device: `eth${index}`, addresses: [`${network}.${index}.1/24`] }, { at: server, device: 'eth0', addresses: [`${network}.${index}.2/24`] })
    for (const port of [22, SHOP_PORT]) server.spawn(['socat', `TCP4-LISTEN:${port},reuseaddr,fork`, 'EXEC:echo hello'])
    const address = parseAddress(`${network}.${index}.2`)
    if (!address.ok) throw new Error('no address')
    return { name: `h${index}`, addresses: [address.value], labels: {}, tier: index >= count - core ? 'core' : 'standard', transport: { kind: 'netns', namespace: server.netns } }
  }
  const servers = await Promise.all(Array.from({ length: count }, (_, index) => startShop(index)))
  const start = (argv: readonly string[]): Running => running(spawn('ip', ['netns', 'exec', outside.netns, process.execPath, BIN, ...argv, '--state', join(folder, 'state')], { cwd: folder, env: { ...process.env, ...env(folder) }, stdio: ['ignore', 'pipe', 'pipe'] }))
  return {
    outside,
    folder,
    servers,
    start,
    writePolicy: (name, ports) => writeFile(join(folder, name), policyText(servers, network, ports)),
    async must(...argv) {
      const { code, out, err } = await start(argv).ended
      if (code !== 0) throw new Error(`portcullis ${argv.join(' ')} ended with ${String(code)}: ${out}${err}`)
      return out
    },
    async countServed() {
      const answers = await Promise.all(servers.map((_, index) => outside.run(['socat', '-u', `TCP4:${network}.${index}.2:${SHOP_PORT},connect-timeout=2`, '-'])))
      return answers.filter(({ stdout }) => stdout.includes('hello')).length
    },
    async close() {
      await spaces.close()
      await rm(folder, { recursive: true, force: true })
      for (const { name } of servers) await rm(`/run/portcullis-lab/${prefix}-${name}`, { recursive: true, force: true })
    },
  }
}

export function running(child: ChildProcess): Running {
  let [out, err] = ['', '']
  child.stdout?.on('data', (chunk) => (out += String(chunk)))
  child.stderr?.on('data', (chunk) => (err += String(chunk)))
  return { child, told: () => err, ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err }))) }
}

/** Until it has told such words; it must not end before. */
export async function untilTold(running: Running, words: RegExp): Promise<void> {
  while (!words.test(running.told())) {
    if (running.child.exitCode !== null) throw new Error(`it ended with ${running.child.exitCode}: ${running.told().slice(-3000)}`)
    await sleep(20)
  }
}

/** The rollout that a command printed with `--json`. */
export function readRollout({ out, err }: Ended): unknown {
  const { rollout } = JSON.parse(out) as { rollout?: unknown }
  if (rollout === undefined) throw new Error(`${out}${err.slice(-2000)}`)
  return rollout
}

const policyText = (servers: readonly Host[], network: string, ports: readonly number[]): string => `version: 1
defaults:
  mode: enforce
  management: { from: [${network}.0.0/16], ports: [22] }
services:
${ports.map((port) => `  port-${port}: { ports: [${port}/tcp] }`).join('\n')}
fleet:
  hosts:
${servers.map(({ name, tier, transport }, index) => `    ${name}: { addresses: [${network}.${index}.2], tier: ${tier}, transport: { netns: ${transport.kind === 'netns' ? transport.namespace : ''} } }`).join('\n')}
needs:
${ports.map((port) => `  - { service: port-${port}, to: all, from: [${network}.0.0/16], owner: lab, because: the rollout test, review: 2099-01-01, critical: ${port === SHOP_PORT} }`).join('\n')}
`
