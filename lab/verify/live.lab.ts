import { makeHosts } from '@portcullis/adapters/transport/hosts.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CommandResult } from '../command.ts'
import { openNamespaces, type Namespace, type Namespaces } from '../netns.ts'
import { reach, serve } from '../traps/trap.ts'

/** What `verify`, `why` and `drift` say of a host, against what packets meet there. The host has rules of iptables-nft on it already. */

const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
const PREFIX = `vc-live-${process.pid}`
const OFFICE = '10.89.0.1'
const STRANGER = '10.89.0.7'
const HOST = '10.89.0.2'

let spaces: Namespaces
let outside: Namespace
let server: Namespace
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), `${PREFIX}-`))
  spaces = openNamespaces(PREFIX)
  outside = await spaces.add('out')
  server = await spaces.add('host')
  await spaces.link({ at: outside, device: 'eth0', addresses: [`${OFFICE}/24`, `${STRANGER}/24`] }, { at: server, device: 'eth0', addresses: [`${HOST}/24`] })
  for (const port of [22, 2323, 8080]) await serve(server, 'tcp', port)
  // What nft's JSON tells of these is only that there is an extension called conntrack.
  await iptables('-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT')
  await iptables('-A INPUT -p tcp --dport 9090 -m conntrack --ctstate NEW -j DROP')
  await writeFile(join(folder, 'policy.yaml'), policyText(server))
}, 120_000)

afterAll(async () => {
  await spaces.close()
  await rm(folder, { recursive: true, force: true })
  await rm(`/run/portcullis-lab/${PREFIX}-host`, { recursive: true, force: true })
})

test('a host that nothing was applied to is not what the policy means', async () => {
  const { exitCode, stdout } = await portcullis('verify')
  expect([exitCode, stdout]).toEqual([1, expect.stringContaining('differs from the policy  nothing confirmed yet')])
}, 120_000)

test('after an apply it is, though rules of iptables stand beside ours', async () => {
  await must('plan')
  await must('apply', '--yes')
  expect(await verified()).toMatchObject({ kind: 'equal', generation: 1, comparison: { kind: 'equal' }, refusals: { needs: [] } })
  expect(await drifted()).toMatchObject({ kind: 'same', foreignChanges: [] })
}, 120_000)

test.each([
  [`${HOST}:8080 from the office`, '8080', OFFICE, 'accepted'],
  [`${HOST}:8080 from a stranger`, '8080', STRANGER, 'dropped'],
  [`${HOST}:2323 from the office`, '2323', OFFICE, 'dropped'],
  [`${HOST}:22 from the office`, '22', OFFICE, 'accepted'],
])('why says of %s what a packet meets', async (_, port, source, verdict) => {
  const { exitCode, stdout } = await portcullis('why', `server:${port}/tcp`, '--from', source, '--json')
  expect([exitCode, JSON.parse(stdout)]).toMatchObject([verdict === 'accepted' ? 0 : 1, { verdict, fields: { saddr: source, daddr: HOST, iif: 'eth0' } }])
  expect(await reach(outside, 'tcp', HOST, Number(port), source)).toBe(verdict === 'accepted' ? 'open' : 'silent')
}, 120_000)

test('a lease is in force, told, and no drift', async () => {
  await lease('add', 'tcp', '2323', STRANGER, '600')
  expect(await reach(outside, 'tcp', HOST, 2323, STRANGER)).toBe('open')
  expect(await verified()).toMatchObject({ kind: 'equal', leases: [{ kind: 'lease', protocol: 'tcp', ports: '2323', source: STRANGER }] })
  expect((await drifted()).kind).toBe('same')
  expect((await portcullis('why', 'server:2323', '--from', STRANGER)).exitCode).toBe(0)
  await lease('end', 'tcp', '2323', STRANGER)
}, 120_000)

test('a rule put into our table by hand is drift: the packets that it lets in', async () => {
  const rules = await Promise.all(['early', 'gate'].map((chain) => inserted(chain, `ip saddr ${STRANGER} tcp dport 2323 accept`)))
  expect(await reach(outside, 'tcp', HOST, 2323, STRANGER)).toBe('open')
  for (const seen of [await verified(), await drifted()]) {
    expect(seen).toMatchObject({
      kind: 'differs',
      comparison: { kind: 'counterexample', differences: [{ change: 'opens', protocols: ['tcp'], ports: ['2323'], sources: { prefixes: [STRANGER] }, before: ['drop'], after: ['accept'], replay: 'agrees' }] },
    })
  }
  for (const rule of rules) await server.must(['nft', 'delete', 'rule', ...rule])
  expect((await drifted()).kind).toBe('same')
}, 120_000)

test('what somebody else changes is told by name, with the needs that it refuses', async () => {
  await iptables('-A INPUT -p tcp --dport 8080 -m conntrack --ctstate NEW -j DROP')
  expect(await reach(outside, 'tcp', HOST, 8080, OFFICE)).toBe('silent')
  expect(await drifted()).toMatchObject({ kind: 'same', foreignChanges: [{ table: 'ip filter', change: 'changed' }], refusals: { needs: ['shop'], differences: [{ change: 'closes', ports: ['8080'], replay: 'agrees' }] } })
  expect(await verified()).toMatchObject({ kind: 'differs', comparison: { kind: 'equal' }, refusals: { needs: ['shop'] } })
  const { exitCode, stdout } = await portcullis('why', 'server:8080', '--from', OFFICE)
  expect([exitCode, stdout]).toEqual([1, expect.stringMatching(/may reach server:8080\/tcp: need shop[\s\S]*does not do what the policy says[\s\S]*ip filter INPUT[\s\S]*--dport 8080 -m conntrack --ctstate NEW -j DROP/)])
}, 120_000)

const policyText = ({ netns }: Namespace): string => `version: 1
defaults:
  mode: enforce
  management: { from: [10.89.0.0/24], ports: [22] }
services:
  shop: { ports: [8080/tcp] }
fleet:
  hosts:
    server: { addresses: [${HOST}], transport: { netns: ${netns} } }
needs:
  - { id: shop, service: shop, to: [server], from: [${OFFICE}], owner: lab, because: the test, review: 2099-01-01 }
`

const portcullis = (...argv: readonly string[]): Promise<CommandResult> =>
  outside.run([process.execPath, BIN, ...argv, '--policy', join(folder, 'policy.yaml'), '--state', join(folder, 'state')])

async function must(...argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await portcullis(...argv)
  if (exitCode !== 0) throw new Error(`portcullis ${argv.join(' ')} ended with ${exitCode}: ${stdout}${stderr}`)
  return stdout
}

interface Seen {
  readonly kind: string
}

/** Of the one host. */
const verified = (): Promise<Seen> => firstHost('verify')
const drifted = (): Promise<Seen> => firstHost('drift')

async function firstHost(command: string): Promise<Seen> {
  const { stdout, stderr } = await portcullis(command, '--json')
  const [host] = (JSON.parse(stdout) as { readonly hosts: readonly Seen[] }).hosts
  if (!host) throw new Error(stderr)
  return host
}

const iptables = (words: string): Promise<string> => server.must(['iptables-nft', ...words.split(' ')])

/** Gives the words by which nft finds the rule again. */
async function inserted(chain: string, rule: string): Promise<readonly string[]> {
  const place = ['inet', 'portcullis', chain]
  const echoed = await server.must(['nft', '-ae', 'insert', 'rule', ...place, ...rule.split(' ')])
  return [...place, 'handle', /# handle ([0-9]+)/.exec(echoed)?.[1] ?? '']
}

async function lease(...args: readonly string[]): Promise<void> {
  const hosts = makeHosts()
  const link = await hosts.connect(hostAt(server))
  if (!link.ok) throw new Error(JSON.stringify(link.faults))
  const reply = await link.value.call({ verb: 'lease', args, timeoutMs: 20_000 })
  await hosts.close()
  if (!reply.ok || reply.value.exitCode !== 0) throw new Error(JSON.stringify(reply))
}

function hostAt({ netns }: Namespace): Host {
  const address = parseAddress(HOST)
  if (!address.ok) throw new Error('no address')
  return { name: 'server', addresses: [address.value], labels: {}, tier: 'standard', transport: { kind: 'netns', namespace: netns } }
}
