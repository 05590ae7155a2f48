import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Transport } from '@portcullis/core/policy/policy.ts'
import { runCommand, startCommand } from '@portcullis/lab/command.ts'
import { spawned, type Spawned } from '@portcullis/lab/netns.ts'
import { startWorld, type Lab } from '@portcullis/lab/start.ts'
import { client, interfaceIn, network, server } from '@portcullis/lab/world.ts'
import { Controller, GATE, hostWith, rulesetOf, startFlow } from './lab/fleet.ts'
import type { HostsOptions } from './hosts.ts'

/** Every verb over every transport: whatever the way, the same words come back. */

const net = network('servers', '10.77.30.0/24', 'fd77:30::/64')
const WORLD = { networks: [net], hosts: [server('srv', interfaceIn(net, 10)), client('ops', interfaceIn(net, 20))] }
const PREFIX = `hs-${process.pid}`
const SRV = '10.77.30.10'
const CUT = 'tcp 8080 10.77.30.20\n'
const OTHER = rulesetOf(GATE.text.replace('tcp . 8080', 'tcp . 8081'))

let lab: Lab

beforeAll(async () => {
  lab = await startWorld(WORLD, { prefix: PREFIX })
})
afterAll(async () => {
  await lab.stop()
  rmSync(`/run/portcullis-lab/${PREFIX}-srv`, { recursive: true, force: true })
})

type Kind = 'local' | 'netns' | 'ssh' | 'ssh, one call each'
const KINDS: readonly Kind[] = ['local', 'netns', 'ssh', 'ssh, one call each']

const here = (argv: readonly string[]): Spawned => spawned(startCommand(argv, {}, 'pipe'))
const on = (host: string) => (argv: readonly string[]) => lab.host(host).spawn(argv)

function transportOf(kind: Kind): Transport {
  if (kind === 'local') return { kind }
  if (kind === 'netns') return { kind, namespace: lab.host('srv').netns }
  return { kind: 'ssh', destination: SRV, port: 22, user: 'root', ...lab.ssh, sudo: false }
}

function controller(kind: Kind): Controller {
  const start = kind === 'local' ? on('srv') : kind === 'netns' ? here : on('ops')
  const options: HostsOptions = { mode: kind === 'ssh, one call each' ? 'call' : 'session' }
  return new Controller(start, hostWith('srv', transportOf(kind)), options)
}

const stateOf = (kind: Kind): string => (kind === 'netns' ? `/run/portcullis-lab/${lab.host('srv').netns}/state` : '/var/lib/portcullis')
const runOf = (kind: Kind): string => (kind === 'netns' ? `${stateOf(kind)}/run` : '/run/portcullis')

/** Runs an argv where the host's script runs: inside the host, or beside it with only its network. */
const beside = (kind: Kind, argv: readonly string[]) =>
  kind === 'netns' ? runCommand(['ip', 'netns', 'exec', lab.host('srv').netns, ...argv]) : lab.host('srv').run(argv)
const nft = async (kind: Kind, words: string) => (await beside(kind, ['nft', words])).stdout

async function forget(kind: Kind): Promise<void> {
  await nft(kind, 'flush ruleset')
  await beside(kind, ['conntrack', '-F'])
  await beside(kind, ['rm', '-rf', stateOf(kind), runOf(kind)])
}

describe.each(KINDS)('over %s', (kind) => {
  let ops: Controller

  beforeAll(async () => {
    const first = controller(kind)
    await first.install()
    await first.install()
    await first.close()
  })
  beforeEach(async () => {
    await forget(kind)
    ops = controller(kind)
    return () => ops.close()
  })

  test('stage, arm, swap, confirm: each says what it did, and says the same again', async () => {
    expect(await ops.say(`stage 7 ${GATE.digest}`, GATE.text)).toBe(`staged 7 ${GATE.digest}`)
    expect(await ops.say(`stage 7 ${GATE.digest}`, GATE.text)).toBe(`staged 7 ${GATE.digest}`)
    expect(await ops.say('arm 60')).toBe('armed 60')
    expect(await ops.say('arm 90')).toBe('armed 90')
    expect(await ops.say('swap')).toMatch(new RegExp(`^swapped 7 ${GATE.digest} [0-9]+$`))
    expect(await ops.say(`swap 7 ${GATE.digest}`)).toMatch(new RegExp(`^swapped 7 ${GATE.digest} [0-9]+$`))
    expect(await ops.say('version')).toMatch(
      new RegExp(`^portcullis-host 0.1.0\nscript [0-9a-f]{64}\nnft 1[0-9.]+\nconfirmed -\nstaged 7 ${GATE.digest}\nlive 7 ${GATE.digest}\narmed [0-9]+$`),
    )
    expect(await ops.say('confirm 7')).toBe(`confirmed 7 ${GATE.digest}`)
    expect(await ops.say('confirm 7')).toBe(`confirmed 7 ${GATE.digest}`)
    expect((await ops.say('version')).split('\n').slice(3)).toEqual([`confirmed 7 ${GATE.digest}`, 'staged -', `live 7 ${GATE.digest}`, 'armed -'])
    expect(await nft(kind, 'list tables')).toBe('table inet portcullis\n')
    expect(await ops.say('revert')).toBe(`reverted 7 ${GATE.digest}`)
    expect(await ops.say('revert')).toBe(`reverted 7 ${GATE.digest}`)
  })

  test('an unconfirmed generation goes, by a call or by itself after the controller was killed', async () => {
    await ops.apply(1, GATE)
    expect(await ops.say('revert')).toBe('reverted - -')
    expect(await nft(kind, 'list tables')).toBe('')
    await ops.confirm(1, GATE)
    await ops.apply(2, OTHER, 5)
    expect(await nft(kind, 'list set inet portcullis open')).toContain('8081')
    await ops.die()
    await sleep(7_500)
    expect(await nft(kind, 'list set inet portcullis open')).toContain('8080')
    ops = controller(kind)
    expect((await ops.say('version')).split('\n').slice(3)).toEqual([`confirmed 1 ${GATE.digest}`, 'staged -', `live 1 ${GATE.digest}`, 'armed -'])
    expect(await ops.say('confirm 2')).toMatch(/^16 /)
  })

  test('a host boots into its last confirmed generation', async () => {
    await ops.confirm(1, GATE)
    await ops.apply(2, OTHER)
    await nft(kind, 'flush ruleset')
    expect(await ops.say('boot')).toBe(`booted 1 ${GATE.digest}`)
    expect(await ops.say('boot')).toBe(`booted 1 ${GATE.digest}`)
    expect(await nft(kind, 'list set inet portcullis open')).toContain('8080')
    expect(await ops.say('swap')).toMatch(/^16 /)
    await ops.close()
    await forget(kind)
    ops = controller(kind)
    expect(await ops.say('boot')).toBe('booted - -')
  })

  test('what is not a call, or comes at the wrong time, is refused with its own code', async () => {
    const refusals: Readonly<Record<string, number>> = {
      frobnicate: 2,
      'arm 4': 2,
      'arm 3601': 2,
      'arm 010': 2,
      'stage 0 abc': 2,
      'lease add tcp 0 any 60': 2,
      'lease add icmp 1 any 60': 2,
      'lease add tcp 80 localhost 60': 2,
      'lease add tcp 80 1.2.3.999 60': 2,
      'lease add tcp 80 fe80:::1 60': 2,
      'lease add tcp 80 10.0.0.0/33 60': 2,
      'lease add tcp 80 any 60': 21,
      'block add any 60': 2,
      swap: 16,
      'confirm 1': 16,
      counters: 21,
      [`stage 1 ${'0'.repeat(64)}`]: 14,
    }
    for (const [words, exitCode] of Object.entries(refusals)) {
      expect([words, (await ops.call(words, words.startsWith('stage') ? GATE.text : undefined)).exitCode]).toEqual([words, exitCode])
    }
  })

  test('the generation decides who is late', async () => {
    const rival = controller(kind)
    await ops.confirm(5, GATE)
    expect(await ops.say(`stage 5 ${OTHER.digest}`, OTHER.text)).toMatch(/^11 .*generation 5 is confirmed/)
    expect(await ops.say(`stage 4 ${OTHER.digest}`, OTHER.text)).toMatch(/^11 /)
    await ops.apply(6, OTHER)
    expect(await rival.say(`stage 6 ${GATE.digest}`, GATE.text)).toMatch(/^19 .*generation 6 is being applied/)
    expect(await rival.say(`swap 6 ${GATE.digest}`)).toMatch(/^21 /)
    expect(await rival.say('confirm 7')).toMatch(/^21 /)
    expect(await ops.say('confirm 6')).toBe(`confirmed 6 ${OTHER.digest}`)
    expect(await rival.say(`stage 6 ${GATE.digest}`, GATE.text)).toMatch(/^11 /)
    expect(await rival.say('arm 10')).toBe('armed 10')
    expect(await rival.say('swap')).toMatch(/^17 /)
    await rival.close()
  })

  test('what somebody else changed is not confirmed', async () => {
    await ops.apply(1, GATE)
    await nft(kind, 'add rule inet portcullis arriving accept')
    expect(await ops.say('confirm 1')).toMatch(/^22 /)
    await ops.apply(1, GATE)
    await nft(kind, 'flush ruleset')
    expect(await ops.say('confirm 1')).toMatch(/^21 /)
  })

  test('a replacement keeps leases with their time, and foreign tables', async () => {
    await ops.confirm(1, GATE)
    await nft(kind, 'add table ip stranger')
    expect(await ops.say('lease add tcp 443 10.0.0.0/8 600')).toBe('lease tcp 443 10.0.0.0/8 600')
    expect(await ops.say('lease add udp 53 any 600')).toBe('lease udp 53 any 600')
    expect(await ops.say('lease add tcp 443 2001:db8::/32 600')).toBe('lease tcp 443 2001:db8::/32 600')
    await sleep(1_100)
    await ops.confirm(2, OTHER)
    expect(await nft(kind, 'list set inet portcullis lease4')).toMatch(/10\.0\.0\.0\/8 \. tcp \. 443 timeout 10m expires 9m[345]\d/)
    expect(await nft(kind, 'list set inet portcullis lease6')).toContain('2001:db8::/32 . tcp . 443')
    expect(await nft(kind, 'list set inet portcullis lease_any')).toContain('udp . 53')
    expect(await nft(kind, 'list tables')).toContain('table ip stranger')
    // Another shape of a set cannot be had in place.
    const reshaped = rulesetOf(GATE.text.replace('set open {\n    type inet_proto . inet_service', 'set open {\n    type inet_proto . inet_service; flags interval'))
    await ops.confirm(3, reshaped)
    expect(await nft(kind, 'list set inet portcullis open')).toContain('interval')
    expect(await nft(kind, 'list set inet portcullis lease4')).toMatch(/10\.0\.0\.0\/8 \. tcp \. 443 timeout 9m[2345]\ds/)
  })

  test('a lease added again keeps the later end; overlaps are told; an end is an end', async () => {
    await ops.confirm(1, GATE)
    await ops.say('lease add tcp 443 10.0.0.0/8 600')
    expect(await ops.say('lease add tcp 443 10.0.0.0/8 5')).toMatch(/^lease tcp 443 10\.0\.0\.0\/8 (600|5[89]\d)$/)
    expect(await ops.say('lease add tcp 443 10.0.0.0/8 900')).toBe('lease tcp 443 10.0.0.0/8 900')
    expect(await ops.say('lease add tcp 443 10.1.0.0/16 60')).toMatch(/^23 .*10\.0\.0\.0\/8 \. tcp \. 443 \(\d+ s\)/)
    expect(await ops.say('lease add tcp 443 192.0.2.7/32 60')).toBe('lease tcp 443 192.0.2.7 60')
    expect(await ops.say('lease end tcp 443 10.0.0.0/8')).toBe('lease tcp 443 10.0.0.0/8 0')
    expect(await ops.say('lease end tcp 443 10.0.0.0/8')).toBe('lease tcp 443 10.0.0.0/8 0')
    expect(await ops.say('lease add tcp 443 10.1.0.0/16 60')).toBe('lease tcp 443 10.1.0.0/16 60')
    expect(await ops.say('block add 10.9.9.9 60')).toBe('block 10.9.9.9 60')
    expect(await ops.say('block add 10.9.9.9 5')).toMatch(/^block 10\.9\.9\.9 (60|5\d)$/)
    expect(await ops.say('block add 10.9.0.0/16 60')).toMatch(/^23 .*10\.9\.9\.9/)
    expect(await ops.say('block add 2001:db8::1 60')).toBe('block 2001:db8::1 60')
    expect(await ops.say('block end 10.9.9.9')).toBe('block 10.9.9.9 0')
  })

  test('facts and counters come as sections whose lengths are true', async () => {
    await ops.confirm(1, GATE)
    await lab.host('ops').run(['socat', '-u', 'OPEN:/dev/null', `TCP:${SRV}:9999,connect-timeout=0.3`])
    const facts = sectionsOf((await ops.call('facts')).stdout)
    expect([...facts.keys()]).toEqual(expect.arrayContaining(['clock', 'version', 'nft', 'addr', 'route4', 'route6', 'rule4', 'rule6', 'listeners', 'sysctls', 'flows']))
    expect(facts.get('failed')).toBe('')
    expect(JSON.parse(facts.get('nft') ?? '')).toHaveProperty('nftables')
    expect(facts.get('addr')).toContain(SRV)
    expect(facts.get('listeners')).toMatch(/^tcp +LISTEN .*:22 .*users:\(\("sshd"/m)
    expect(facts.get('sysctls')).toMatch(/^net\/ipv4\/ip_local_port_range \d+\s\d+$/m)
    const counters = sectionsOf((await ops.call('counters')).stdout)
    expect(counters.get('table')).toContain('"10.77.30.20", "tcp", 9999')
    expect(counters.get('failed')).toBe('')
  })

  test.each([
    ['push', 'sink'],
    ['sink', 'push'],
  ])('cut ends a flow whose server does %s and whose client does %s', async (serverDoes, clientDoes) => {
    await ops.confirm(1, GATE)
    const serverEnd = await startFlow(lab, 'srv', `serve 8080 ${serverDoes}`)
    const clientEnd = await startFlow(lab, 'ops', `use ${SRV} 8080 ${clientDoes}`)
    await sleep(500)
    expect(await ops.say('cut', CUT)).toBe('cut 1 0 0 0')
    const cutAt = Date.now()
    const ends = await Promise.all([serverEnd(), clientEnd()])
    expect(ends.map((end) => end.ended)).not.toContain('still open')
    expect(Math.max(...ends.map((end) => end.lastAt)) - cutAt).toBeLessThanOrEqual(50)
    expect((await lab.host('srv').run(['ss', '-Htn', 'state', 'established', 'sport = :8080'])).stdout).toBe('')
    expect(await ops.say('cut', CUT)).toBe('cut 0 0 0 0')
  })

  test('the first rules on a cold host cut no live flow, not even one that is silent until later', async () => {
    const arrives = async (load: () => Promise<unknown>) => {
      await forget(kind)
      await startFlow(lab, 'ops', 'serve 9100 late')
      const received = await startFlow(lab, 'srv', 'use 10.77.30.20 9100 sink')
      await load()
      return received()
    }
    const cured = await arrives(() => ops.apply(1, GATE))
    expect(cured.ended).toBe('closed')
    expect(cured.bytes).toBeGreaterThan(100_000)
    expect(await nft(kind, 'list tables')).not.toContain('portcullis_warm')
    if (kind !== 'local') return
    const uncured = await arrives(() => lab.host('srv').must(['nft', '-f', '-'], { input: GATE.text }))
    expect(uncured.bytes).toBe(0)
  })
})

function sectionsOf(text: string): Map<string, string> {
  const bytes = Buffer.from(text)
  const sections = new Map<string, string>()
  for (let at = 0; ; ) {
    const end = bytes.indexOf(0x0a, at)
    const line = bytes.toString('utf8', at, end)
    if (line === '@end') {
      expect(end + 1).toBe(bytes.length)
      return sections
    }
    const [, name = '', length = ''] = /^@section (\S+) (\d+)$/.exec(line) ?? []
    expect(name).not.toBe('')
    const start = end + 1
    sections.set(name, bytes.toString('utf8', start, start + Number(length)))
    at = start + Number(length) + 1
  }
}
