import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWorld, type Lab } from '../start.ts'
import { addressOf, interfaceIn, network, server } from '../world.ts'

/**
 * One fleet in which every host but one has a fault of its own, reached over real OpenSSH. Each fault is told by its
 * code, each such host is left as it was, and the sound one is closed all the same.
 */
const HOSTS = ['sound', 'missing', 'tampered', 'away', 'clock', 'old-nft', 'no-nft', 'full'] as const
type Name = (typeof HOSTS)[number]

const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
const net = network('servers', '10.87.0.0/24', 'fd87::/64')
let lab: Lab

beforeAll(async () => {
  lab = await startWorld({ networks: [net], hosts: HOSTS.map((name, index) => server(name, interfaceIn(net, 10 + index))) }, { prefix: `en-faults-${process.pid}` })
  await writeFile(file('portcullis.yaml'), policyText())
}, 120_000)

afterAll(async () => {
  await lab.stop()
})

test('each fault is told, each host with one is left as it was, the sound one is closed', async () => {
  const installed = await portcullis('host', 'install', '--host', ...HOSTS.filter((name) => name !== 'missing'))
  expect(installed.code).toBe(0)

  await lab.host('tampered').must(['sh', '-c', 'echo "# kind words" >>/usr/local/sbin/portcullis-host'])
  await lab.host('away').must(['ip', 'link', 'set', 'eth0', 'down'])
  await fake('clock', 'date', '#!/bin/sh\nexec /bin/date -d "1 hour" "$@"\n')

  const skewed = await portcullis('plan', '--host', 'clock')
  expect([skewed.code, codesOf(skewed.json.faults)]).toEqual([1, ['PLAN_VETO']])
  expect(skewed.out).toContain('CLOCK_SKEW')

  const planned = await portcullis('plan', '--host', ...HOSTS.filter((name) => name !== 'clock'))
  expect(planned.code).toBe(3)
  expect(Object.fromEntries((planned.json.unread as Unread[]).map(({ host, faults }) => [host, codesOf(faults)]))).toEqual({
    missing: ['HOST_SCRIPT_MISSING'],
    tampered: ['HOST_SCRIPT_TAMPERED'],
    away: ['HOST_UNREACHABLE'],
  })

  await fake('old-nft', 'nft', '#!/bin/sh\n[ "$1" = --version ] && echo "nftables v1.0.2 (Lester Gooch)" && exit\nexec /usr/sbin/nft "$@"\n')
  await lab.host('no-nft').must(['mount', '--bind', '/dev/null', '/usr/sbin/nft'])
  await lab.host('full').must(['sh', '-c', 'mkdir -p /var/lib/portcullis && mount -t tmpfs -o size=4k,mode=0700 none /var/lib/portcullis && ! head -c 9000 /dev/zero >/var/lib/portcullis/junk 2>/dev/null'])

  const applied = await portcullis('apply', '--yes')
  expect(applied.code).toBe(4)
  const outcomes = (applied.json.hosts as Outcome[]).map(({ host, kind, faults }) => [host, kind, ...codesOf(faults)])
  expect(outcomes).toEqual([
    ['full', 'refused', 'HOST_STATE_UNWRITABLE'],
    ['no-nft', 'refused', 'HOST_TOOL_MISSING'],
    ['old-nft', 'refused', 'HOST_NFT_OLD'],
    ['sound', 'confirmed'],
  ])
  for (const name of HOSTS) expect([name, await hasTable(name)]).toEqual([name, name === 'sound'])
}, 600_000)

interface Unread {
  readonly host: string
  readonly faults: readonly { readonly code: string }[]
}

interface Outcome extends Unread {
  readonly kind: string
}

const codesOf = (faults: unknown): string[] => (faults as { code: string }[]).map(({ code }) => code)

const file = (name: string): string => join(lab.directory, name)

/** Comes before the real one on the PATH of `portcullis-host`. */
async function fake(name: Name, tool: string, text: string): Promise<void> {
  lab.host(name).writeFile(`/usr/local/sbin/${tool}`, text, 0o755)
}

/** Asked past every fake; where nft is hidden it is uncovered first. */
async function hasTable(name: Name): Promise<boolean> {
  if (name === 'no-nft') await lab.host(name).must(['umount', '/usr/sbin/nft'])
  return (await lab.host(name).must(['/usr/sbin/nft', 'list', 'tables'])).includes('inet portcullis')
}

/** The command, standing where the lab's switch stands; with `--json`. */
async function portcullis(...argv: readonly string[]): Promise<{ code: number; out: string; json: Record<string, unknown> }> {
  const args = [...argv, '--json', '--policy', file('portcullis.yaml'), '--state', file('state')]
  const child = spawn('ip', ['netns', 'exec', lab.switchNamespace, process.execPath, BIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  let out = ''
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  const code = await new Promise<number>((resolve) => {
    child.once('close', (status) => resolve(status ?? -1))
  })
  return { code, out, json: JSON.parse(out) as Record<string, unknown> }
}

function policyText(): string {
  const transport = (name: string): string => `{ ssh: { destination: ${name}, user: root, identityFile: ${lab.ssh.identityFile}, knownHostsFile: ${lab.ssh.knownHostsFile} } }`
  const hosts = lab.hosts.map((host) => `    ${host.name}: { addresses: [${addressOf(host.spec, 4)}], transport: ${transport(addressOf(host.spec, 4))} }\n`)
  return `version: 1
defaults:
  mode: enforce
  management: { from: [10.87.0.1], ports: [22] }
fleet:
  hosts:
${hosts.join('')}needs:
  - { service: ssh, to: all, from: [10.87.0.0/24], owner: lab, because: faults, review: 2099-01-01 }
`
}
