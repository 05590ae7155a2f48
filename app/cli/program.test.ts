import { succeed } from '@portcullis/core/fault/fault.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import type { JournalEntry } from '@portcullis/engine/store.ts'
import type { ListenerObservation } from '@portcullis/core/inventory/observation.ts'
import { address, simNeed, simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { COMMANDS } from './catalogue.ts'
import type { Doors } from './cli.ts'
import { EXIT } from './exitCode.ts'
import { widthOf } from './table.ts'
import { expectSchema } from './testdata/schema.ts'
import { policyDoor, runTrial, worldDoor, type Ran } from './testdata/trial.ts'

// The first call of a command loads its modules, which a busy machine takes seconds for.
vi.setConfig({ testTimeout: 30_000 })

let world: SimWorld
let policy: Policy
beforeEach(() => {
  world = simWorld(['db-1', 'web-1'])
  policy = simPolicy(['db-1', 'web-1'])
  for (const sim of world.sims) sim.observations = [22, 23, 443].map((port) => listener(sim.name, port))
})

describe('help', () => {
  test('names every command', async () => {
    const { code, out } = await run('--help')
    expect(code).toBe(EXIT.ok)
    for (const { name } of COMMANDS) expect(out).toContain(name.split(' ')[0])
    expect(out).toContain('--version')
  })

  test.each(['', ' --json', ' --lang zh'])('--version%s says what the command of that name says', async (options) => {
    const [asked, named] = [await run(...`--version${options}`.split(' ')), await run(...`version${options}`.split(' '))]
    expect(asked).toEqual(named)
    expect([asked.code, asked.out]).toEqual([EXIT.ok, expect.stringContaining('portcullis')])
  })

  test.each(COMMANDS.map(({ name }) => name))('%s --help says how to use it, in both languages', async (name) => {
    const english = await run(...name.split(' '), '--help')
    const chinese = await run(...name.split(' '), '--help', '--lang', 'zh')
    expect([english.code, chinese.code]).toEqual([EXIT.ok, EXIT.ok])
    expect(english.out).toMatch(/Usage: portcullis/)
    expect(chinese.out).toMatch(/用法：.*\p{Script=Han}/su)
    // A comment that wraps is read as something to type.
    for (const line of `${english.out}\n${chinese.out}`.split('\n')) if (/^ {2}(?:\$ .* )?# /.test(line)) expect(widthOf(line)).toBeLessThanOrEqual(80)
  })
})

test.each([
  ['bash', /words="[^"]*matrix[^"]* --help --version"/],
  ['zsh', /words="[^"]*matrix[^"]* --help --version"/],
  ['fish', /-n __fish_use_subcommand -l version$/m],
])('completion for %s offers the options that stand before any command', async (shell, expected) => expect((await run('completion', shell)).out).toMatch(expected))

describe('exit codes', () => {
  const cases: readonly [what: string, argv: string, prepare: () => unknown, code: number][] = [
    ['a command that is none', 'frobnicate', () => undefined, EXIT.usage],
    ['an option that is none', 'plan --frobnicate', () => undefined, EXIT.usage],
    ['an option out of range', 'apply --confirm-within 3', () => undefined, EXIT.usage],
    ['a host that the policy does not name', 'plan --host web-9', () => undefined, EXIT.usage],
    ['observe', 'observe', () => undefined, EXIT.ok],
    ['observe, a host is away', 'observe', () => world.hosts.strike('db-1', 'connect', 'lost'), EXIT.incomplete],
    ['matrix before anything was observed', 'matrix', () => undefined, EXIT.incomplete],
    ['plan', 'plan', () => undefined, EXIT.ok],
    ['plan, a host is away', 'plan', () => world.hosts.strike('db-1', 'connect', 'lost'), EXIT.incomplete],
    ['plan, a guard refuses', 'plan', () => (policy = { ...policy, needs: [] }), EXIT.differs],
    ['plan, nothing to do', 'plan', applied, EXIT.ok],
    ['apply without a plan', 'apply --yes', () => undefined, EXIT.usage],
    ['apply of a plan that is none', 'apply 000000 --yes', () => undefined, EXIT.usage],
    ['apply with nobody to ask', 'apply', () => run('plan'), EXIT.usage],
    ['apply', 'apply --yes', () => run('plan'), EXIT.ok],
    ['apply, one host fails', 'apply --yes', async () => (await run('plan'), world.hosts.strike('db-1', 'swap', 15)), EXIT.hostFailed],
    ['apply, one outcome is not known', 'apply --yes', async () => (await run('plan'), world.hosts.strike('db-1', 'confirm', 'gone')), EXIT.incomplete],
    ['apply again: the hosts have moved', 'apply --yes', applied, EXIT.differs],
    ['rollback of nothing named', 'rollback --yes', applied, EXIT.usage],
    ['rollback of a host', 'rollback --host web-1 --yes', applied, EXIT.ok],
    ['rollback before anything was applied', 'rollback --host web-1 --yes', () => undefined, EXIT.usage],
    ['drift, nothing managed', 'drift', () => undefined, EXIT.ok],
    ['drift, all the same', 'drift', applied, EXIT.ok],
    ['drift, one table gone', 'drift', async () => (await applied(), delete world.sims[0]?.live), EXIT.differs],
    ['drift, one host away', 'drift', async () => (await applied(), world.hosts.strike('db-1', 'connect', 'lost')), EXIT.incomplete],
    ['verify before anything was applied', 'verify', () => undefined, EXIT.differs],
    ['verify, all as the policy means', 'verify', applied, EXIT.ok],
    ['verify of one host', 'verify web-1', async () => (await applied(), delete world.sims[0]?.live), EXIT.ok],
    ['verify, one table gone', 'verify', async () => (await applied(), delete world.sims[0]?.live), EXIT.differs],
    ['verify, another table refuses a need', 'verify', async () => (await applied(), refuseBeside(443)), EXIT.differs],
    ['verify, one host away', 'verify', async () => (await applied(), world.hosts.strike('db-1', 'connect', 'lost')), EXIT.incomplete],
    ['verify of no host of the policy', 'verify web-9', applied, EXIT.usage],
    ['why, accepted', 'why web-1:443 --from 10.1.2.3', applied, EXIT.ok],
    ['why, denied', 'why web-1:443/tcp', applied, EXIT.differs],
    ['why, not decided', 'why web-1:443 --from 10.1.2.3', async () => (await applied(), refuseBeside(443, 'limit rate over 1/second')), EXIT.incomplete],
    ['why of no endpoint', 'why web-1', applied, EXIT.usage],
    ['why of a host that is none', 'why web-9:443', applied, EXIT.usage],
    ['why from no address', 'why web-1:443 --from office', applied, EXIT.usage],
    ['why, the host is away', 'why web-1:443', async () => (await applied(), world.hosts.strike('web-1', 'connect', 'lost')), EXIT.usage],
    ['status', 'status', applied, EXIT.ok],
    ['status, one host away', 'status', () => world.hosts.strike('db-1', 'connect', 'lost'), EXIT.incomplete],
    ['host install', 'host install', () => undefined, EXIT.ok],
    ['policy check', 'policy check', () => undefined, EXIT.ok],
    ['version', 'version', () => undefined, EXIT.ok],
    ['--version', '--version', () => undefined, EXIT.ok],
    ['--version behind a command is no option of it', 'plan --version', () => undefined, EXIT.usage],
    ['--version before a command', '--version plan', () => undefined, EXIT.usage],
    ['completion', 'completion bash', () => undefined, EXIT.ok],
    ['completion of no shell', 'completion tcsh', () => undefined, EXIT.usage],
  ]
  test.each(cases)('%s: %s', async (_, argv, prepare, code) => {
    await prepare()
    expect((await run(...argv.split(' '))).code).toBe(code)
  })

  test('every code is in the documentation, and no other', () => {
    const text = readFileSync(new URL('../../docs/exit-codes.md', import.meta.url), 'utf8')
    const documented = [...text.matchAll(/^\| ([0-9]+) \|/gm)].map((match) => Number(match[1]))
    expect(documented).toEqual(Object.values(EXIT))
  })
})

describe('what a person reads', () => {
  test('plan', async () => {
    const { out } = await run('plan')
    expect(out.replaceAll(/[0-9a-f]{12}/g, 'ID')).toBe(`Change plan ID · 2 hosts · 2 close · 4 narrow

db-1  generation 0 → 1  ID
  ▾ narrows  tcp/22   sshd   anyone (IPv4) → 10.0.0.0/24
  ✕ closes   tcp/23   inetd  anyone (IPv4) → nobody
  ▾ narrows  tcp/443  nginx  anyone (IPv4) → 10.0.0.0/8   web
  ! its flows were watched for less than a day: a client that comes once a week is not seen in that time → 7 days in observe mode [EVIDENCE_THIN]

web-1  generation 0 → 1  ID
  ▾ narrows  tcp/22   sshd   anyone (IPv4) → 10.0.0.0/24
  ✕ closes   tcp/23   inetd  anyone (IPv4) → nobody
  ▾ narrows  tcp/443  nginx  anyone (IPv4) → 10.0.0.0/8   web
  ! its flows were watched for less than a day: a client that comes once a week is not seen in that time → 7 days in observe mode [EVIDENCE_THIN]

Every rendered ruleset was read again and equals its intent (sim).
Next: portcullis apply ID
`)
  })

  test('plan in observe mode', async () => {
    policy = { ...policy, defaults: { ...policy.defaults, mode: 'observe' } }
    const { out } = await run('plan', '--host', 'web-1')
    expect(out).toMatch(/^web-1 {2}generation 0 → 1 {2}[0-9a-f]{12} {2}observe mode: counts, denies nothing$/m)
    expect(out).toContain('  ✕ would close   tcp/23   inetd  anyone (IPv4) → nobody\n')
  })

  test('plan in Chinese', async () => {
    const { out } = await run('plan', '--lang', 'zh')
    expect(out).toMatch(/^变更计划 [0-9a-f]{12} · 2 台主机 · 2 关闭 · 4 收窄\n/)
    expect(out).toContain('下一步： portcullis apply')
  })

  test('apply', async () => {
    await run('plan')
    world.hosts.strike('web-1', 'swap', 15)
    const { out, err } = await run('apply', '--yes')
    expect(out.replaceAll(/[0-9a-f]{12}/g, 'ID')).toBe(`✓  db-1   confirmed  generation 1  swapped in 20 ms
↶  web-1  put back   at swap
  ✗ web-1: nft refuses the ruleset: struck
      nothing was changed; this is a defect of Portcullis or a kernel without a module it needs: see the text of nft [HOST_NFT_REFUSED]

1 of 2 hosts confirmed · plan ID
`)
    expect(err).toContain('web-1: swap ✗ HOST_NFT_REFUSED')
  })

  test('verify', async () => {
    await applied()
    policy = { ...policy, needs: [simNeed('web', ['web-1'], 443, '10.0.0.0/9')] }
    for (const sim of world.sims) sim.others = 'table ip other {\nchain in {\ntype filter hook input priority 10; policy accept;\ntcp dport 23 drop\ntcp dport 23 accept\n}\n}'
    const { out } = await run('verify', 'web-1')
    expect(out).toBe(`✗ web-1  differs from the policy  generation 1  the policy has changed since: portcullis plan
  any (another text is live)
  1 rule changes nothing:
    shadowed  others.nft:5  tcp dport 23 accept
`)
  })

  test('verify, another table refuses', async () => {
    policy = { ...policy, needs: [simNeed('web', ['db-1', 'web-1'], 443, '192.168.0.0/16')] }
    await applied()
    refuseBeside(443)
    const { out } = await run('verify', 'web-1')
    expect(out).toBe(`✗ web-1  differs from the policy  generation 1
  other tables refuse what is granted, to the loss of: web
  − closes  tcp/443  from 192.168.0.0/16
      tcp 192.168.0.7:40000 -> 10.0.1.2:443 iif eth0 ct new
      accept → drop
`)
  })

  test('drift names the tables that others have changed, and the needs that they refuse now', async () => {
    policy = { ...policy, needs: [simNeed('web', ['db-1', 'web-1'], 443, '192.168.0.0/16')] }
    await applied()
    refuseBeside(443)
    const { out } = await run('drift', '--host', 'web-1')
    expect(out).toBe(`✓  web-1  1  enforces what was confirmed
  others have changed their tables since: inet other (added)
  other tables refuse what is granted, to the loss of: web
  − closes  tcp/443  from 192.168.0.0/16
      tcp 192.168.0.7:40000 -> 10.0.1.2:443 iif eth0 ct new
      accept → drop
`)
  })

  test('why', async () => {
    await applied()
    const { out } = await run('why', 'web-1:443', '--from', '198.51.100.9')
    expect(out).toMatch(/^web-1:443\/tcp {2}from 198\.51\.100\.9\n\npolicy {2}✗ 198\.51\.100\.9 may not reach web-1:443\/tcp: need web opens the port only to 10\.0\.0\.0\/8\nreached by {2}.*10\.0\.0\.0\/24.*\n\nhost, generation 1\ndropped {2}tcp 198\.51\.100\.9:40000 -> 10\.0\.1\.2:443 iif eth0 ct new\n\nprerouting\n/)
    expect(out).toMatch(/└─ inet portcullis gate .*priority -150/)
  })

  test('why, where the host does something else than the policy says', async () => {
    await applied()
    refuseBeside(443)
    const { out } = await run('why', 'web-1:443', '--from', '10.1.2.3')
    expect(out).toContain('The host does not do what the policy says: portcullis verify')
    expect(out).toMatch(/inet other in .*\n.*others\.nft:4 {2}drop {2}tcp dport 443 drop/)
  })

  test('without a terminal there is no colour and nobody is asked', async () => {
    const { out, err } = await run('plan')
    expect(out + err).not.toContain('\u001B')
  })
})

describe('what a program reads', () => {
  test('progress with --json is the journal, line by line, each action before its signal', async () => {
    await run('plan')
    const { err } = await run('apply', '--yes', '--json', '--host', 'web-1')
    const entries = err.trim().split('\n').map((line) => JSON.parse(line) as JournalEntry)
    const steps = entries.filter((entry) => entry.host === 'web-1').map((entry) => `${entry.kind} ${entry.name}`)
    expect(steps.slice(0, 4)).toEqual(['action connect', 'signal connect', 'action version', 'signal version'])
    expect(steps.at(-1)).toBe('signal confirm')
    for (const entry of entries) expectSchema('event', entry)
  })

  const cases: readonly [schema: string, argv: string, prepare: () => unknown][] = [
    ['observe', 'observe', () => world.hosts.strike('db-1', 'connect', 'lost')],
    ['plan', 'plan', () => undefined],
    ['plan', 'plan', () => (policy = { ...policy, needs: [] })],
    ['plan', 'plan', applied],
    ['plan', 'plan', () => (policy = { ...policy, defaults: { ...policy.defaults, mode: 'observe' } })],
    ['apply', 'apply --yes', async () => (await run('plan'), world.hosts.strike('db-1', 'swap', 15))],
    ['apply', 'rollback --host web-1 --yes', applied],
    ['drift', 'drift', async () => (await applied(), delete world.sims[0]?.live)],
    ['drift', 'drift', async () => (await applied(), refuseBeside(443))],
    ['verify', 'verify', async () => (await applied(), refuseBeside(443))],
    ['verify', 'verify', () => world.hosts.strike('db-1', 'connect', 'lost')],
    ['why', 'why web-1:443 --from 10.1.2.3', applied],
    ['why', 'why web-1:443', async () => (await applied(), refuseBeside(443, 'limit rate over 1/second'))],
    ['status', 'status', applied],
    ['install', 'host install', () => undefined],
    ['policy-check', 'policy check', () => undefined],
    ['version', 'version', () => undefined],
    ['faults', 'plan --host web-9', () => undefined],
  ]
  test.each(cases)('%s of %s', async (schema, argv, prepare) => {
    await prepare()
    const { out } = await run(...argv.split(' '), '--json')
    expectSchema(schema, JSON.parse(out))
  })
})

/** One command line on the simulated world, which lives on between the calls of a test. */
function run(...argv: readonly string[]): Promise<Ran> {
  const doors: Partial<Doors> = {
    ...worldDoor(world),
    ...policyDoor(policy),
    policySchema: async () => '{}\n',
    importAnsible: async () => succeed('version: 1\n'),
  }
  return runTrial(argv, { now: () => world.clock.now(), doors })
}

async function applied(): Promise<void> {
  await run('plan')
  await run('apply', '--yes')
  world.clock.pass(1000)
}

/** Somebody else's table on every host. */
function refuseBeside(port: number, when = ''): void {
  for (const sim of world.sims) sim.others = `table inet other {\nchain in {\ntype filter hook input priority 10; policy accept;\ntcp dport ${port} ${when} drop\n}\n}`
}

const PROCESSES: Readonly<Record<number, string>> = { 22: 'sshd', 23: 'inetd', 443: 'nginx' }

function listener(host: string, port: number): ListenerObservation {
  return {
    kind: 'listener', host, sensor: 'ss', at: 0, address: address('0.0.0.0'), protocol: 'tcp', port, process: PROCESSES[port] ?? '?', isLoopback: false, isEphemeral: false,
  }
}
