import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rm, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readCounters } from '@portcullis/adapters/facts/counters.ts'
import { SWITCH } from '@portcullis/core/ruleset/nft/render.ts'
import { mustRun, runCommand, type CommandResult } from '@portcullis/lab/command.ts'
import { openNamespaces, type Namespace } from '@portcullis/lab/netns.ts'
import type { FlowEnd } from '../adapters/transport/lab/flow.ts'

/** What cannot be seen through a transport: hostile texts, full disks, calls that are killed half-way. */

const SCRIPT = join(import.meta.dirname, 'portcullis-host')
const GATE = readFileSync(join(import.meta.dirname, 'testdata/gate.nft'), 'utf8')
/** What the renderer makes. */
const GOLDENS = join(import.meta.dirname, '../core/ruleset/nft/golden')
const OTHER = GATE.replace('tcp . 8080', 'tcp . 8081')
/** The smallest text of two transactions. Its set is generation 7's own. */
const SWITCHED = `table inet portcullis {\n\tchain web_g7 { }\n\tset open_g7 { type inet_service; flags interval; }\n}\nadd element inet portcullis open_g7 { 80-90 }\n${SWITCH}\n${GATE}table inet portcullis {\n\tchain web_g7 {\n\t\ttcp dport @open_g7 accept\n\t}\n}\n`
const of = (generation: number, text: string): string => text.replaceAll('_g7', `_g${generation}`)
const spaces = openNamespaces(`hs-script-${process.pid}`)
const directory = mkdtempSync(join(tmpdir(), 'hs-script-'))

let space: Namespace
let state: string
let serial = 0

beforeAll(async () => {
  space = await spaces.add('host')
})
afterAll(async () => {
  await spaces.close()
  rmSync(directory, { recursive: true, force: true })
})
beforeEach(async () => {
  await nft('flush ruleset')
  serial += 1
  state = join(directory, String(serial))
})

const digestOf = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex')
const nft = async (words: string): Promise<string> => (await space.run(['nft', words])).stdout

const argvOf = (words: string): string[] => [
  'env',
  `PORTCULLIS_STATE=${state}`,
  `PORTCULLIS_RUN=${state}/run`,
  'PORTCULLIS_INIT=none',
  'PORTCULLIS_WARM_SECONDS=0',
  SCRIPT,
  ...words.split(' '),
]
const call = (words: string, input: string | Uint8Array = ''): Promise<CommandResult> => space.run(argvOf(words), { input })
const say = async (words: string, input?: string): Promise<string> => {
  const result = await call(words, input)
  return result.exitCode === 0 ? result.stdout.trimEnd() : `${result.exitCode} ${result.stderr.trimEnd()}`
}
const stage = (generation: number, text: string | Uint8Array) => call(`stage ${generation} ${digestOf(text)}`, text)

async function apply(generation: number, text: string, seconds = 60): Promise<void> {
  expect((await stage(generation, text)).stderr).toBe('')
  expect(await say(`arm ${seconds}`)).toBe(`armed ${seconds}`)
  expect(await say('swap')).toMatch(/^swapped /)
}

async function confirm(generation: number, text: string): Promise<void> {
  await apply(generation, text)
  expect(await say(`confirm ${generation}`)).toMatch(/^confirmed /)
}

const inGate = (line: string): string => GATE.replace('    iif "lo" accept\n', `    iif "lo" accept\n    ${line}\n`)
const inTable = (line: string): string => GATE.replace('  counter seen_lost { }\n', `  counter seen_lost { }\n  ${line}\n`)

describe('a text that reaches beyond our table is refused with 12 and changes nothing', () => {
  const HOSTILE: Readonly<Record<string, string | Uint8Array>> = {
    'flush ruleset': `${GATE}flush ruleset\n`,
    'the same after a semicolon': GATE.replace(/\}\n$/, '} ; flush ruleset\n'),
    'the same on the line of our brace': GATE.replace(/\}\n$/, '} flush ruleset\n'),
    'the same after a string that another line ends': `${GATE}add rule inet portcullis gate accept comment "a\nb"; flush ruleset; #"\n`,
    'the same behind a comment that a backslash prolongs': `# harmless \\\nflush ruleset\n${GATE}`,
    'the same behind a carriage return': `# harmless \rflush ruleset\n${GATE}`,
    'the same behind a NUL': Buffer.from(`# harmless \0\nflush ruleset\n${GATE}`),
    'the same in a form feed': `${GATE}\fflush ruleset\n`,
    'another table': `${GATE}table inet other { }\n`,
    'another family': `${GATE}table ip portcullis { }\n`,
    'no family, which means ip': `${GATE}table portcullis { }\n`,
    'a rule in another table': `${GATE}add rule inet filter input accept\n`,
    'an element in another table': `${GATE}add element ip nat x { 1 }\n`,
    'deletion of another table': `${GATE}delete table inet filter\n`,
    'deletion of our table, with the leases in it': `${GATE}delete table inet portcullis\n`,
    'destruction of a table': `${GATE}destroy table inet filter\n`,
    'a file of the host': `include "/etc/shadow"\n${GATE}`,
    'a file from within the table': inTable('include "/etc/shadow"'),
    'a file from within a chain': inGate('include "/etc/shadow"'),
    'a variable': `define t = inet\nadd table $t other\n${GATE}`,
    'a variable from within the table': inTable('define x = 1'),
    'a table that is dormant': inTable('flags dormant;'),
    'a chain of address translation': inTable('chain nat { type nat hook prerouting priority -100; redirect to :22; }'),
    'a chain of routing': inTable('chain out { type route hook output priority -150; }'),
    'a packet whose port is changed': inGate('tcp dport 80 tcp dport set 22'),
    'a mark that others act on': inGate('meta mark set 1'),
    'a mark set in braces': inGate('tcp dport { 80, 81 } ct mark set 1'),
    'a packet without tracking': inGate('tcp dport 80 notrack'),
    'a packet to a program': inGate('tcp dport 80 queue num 1'),
    'a packet to a proxy': inGate('tcp dport 80 tproxy to :22'),
    'a copy of each packet': inGate('dup to 10.0.0.1'),
    'a flow table': inTable('flowtable fast { hook ingress priority 0; devices = { lo }; }'),
    'a name of ours': inTable('set host_live { type mark; }'),
    'a brace too many': `${GATE}}\n`,
    'a brace too few': GATE.replace(/\}\n$/, ''),
    'a list of what is there': `${GATE}list ruleset\n`,
    'a reset of counters': `${GATE}reset counters\n`,
    'a lease before the switch': SWITCHED.replace(SWITCH, `add element inet portcullis lease_any { tcp . 22 timeout 1h }\n${SWITCH}`),
    'a set before the switch that is not one generation alone': SWITCHED.replace(SWITCH, `add set inet portcullis open { type inet_service; }\n${SWITCH}`),
    'a rule before the switch': SWITCHED.replace(SWITCH, `add rule inet portcullis web_g7 accept\n${SWITCH}`),
    'a hook before the switch': SWITCHED.replace('chain web_g7 { }', 'chain web_g7 { type filter hook input priority 0; policy drop; }'),
    'a counter before the switch': SWITCHED.replace(SWITCH, `add counter inet portcullis web_g7\n${SWITCH}`),
    'a flushed table before the switch': `flush table inet portcullis\n${SWITCHED}`,
    'a switch within braces': SWITCHED.replace(`${SWITCH}\n`, '').replace('{ 80-90 }', `{ 80-90,\n${SWITCH}\n 99 }`),
    'a second switch': `${SWITCHED}${SWITCH}\n`,
    'a set of one generation, but no switch': SWITCHED.replace(`${SWITCH}\n`, ''),
    'a set of one generation after the switch': `${SWITCHED}add set inet portcullis late_g7 { type inet_service; }\n`,
    'a set of another generation': SWITCHED.replaceAll('open_g7', 'open_g8'),
  }

  test.each(Object.entries(HOSTILE))('%s', async (_name, text) => {
    await nft('add table inet filter; add chain inet filter input')
    const before = await nft('list ruleset')
    const result = await stage(7, text)
    expect([result.exitCode, result.stdout]).toEqual([12, ''])
    expect(result.stderr).toMatch(/^portcullis-host: (line \d+: |a control character)/)
    expect(await nft('list ruleset')).toBe(before)
    expect(readdirSync(join(state, 'rulesets'))).toEqual([])
  })
})

describe('a text that is ours is taken', () => {
  const goldens = readdirSync(GOLDENS).filter((name) => name.endsWith('.nft'))
  const OURS: Readonly<Record<string, string>> = {
    gate: GATE,
    'words in strings and comments are only words': `${inGate('tcp dport 81 accept comment "include $x; set { flush ruleset"')}# flush ruleset; include "x" { $y\n`,
    'single statements': `add table inet portcullis\nadd chain inet portcullis gate { type filter hook prerouting priority -150; policy accept; }\nadd set inet portcullis open { type inet_service; }\nflush set inet portcullis open\nadd element inet portcullis open { 22,\n 80 }\nadd rule inet portcullis gate tcp dport { 22, 80 } accept\nadd rule inet portcullis gate tcp dport @open accept; add rule inet portcullis gate drop\n`,
    'a conntrack helper': inTable('ct helper ftp { type "ftp" protocol tcp; }'),
    'a match of translated flows': inGate('ct status dnat accept'),
    'sets before their rules': SWITCHED,
    ...Object.fromEntries(goldens.map((name) => [name, readFileSync(join(GOLDENS, name), 'utf8')])),
  }

  test.each(Object.entries(OURS))('%s', async (_name, text) => {
    await confirm(7, text)
    await confirm(8, OTHER)
    expect(await nft('list tables')).toBe('table inet portcullis\n')
    expect(await nft('list ruleset')).not.toContain('_g7')
  })

  test('100,000 elements', async () => {
    const elements = Array.from({ length: 100_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255} . tcp . 443`).join(',\n')
    const text = `${GATE}table inet portcullis {\n  set many { type ipv4_addr . inet_proto . inet_service; elements = { ${elements} } }\n}\n`
    await apply(1, text)
    expect((await call('confirm 1')).exitCode).toBe(0)
    // A set that a newer text does not declare is gone with it.
    await confirm(2, GATE)
    expect(await nft('-t list ruleset')).not.toContain('set many')
  })
})

test('an older shape leaves nothing of a newer one: chains, sets and counters go', async () => {
  await confirm(1, GATE)
  await apply(2, inTable('set newer { type inet_service; }\n  counter newer { }\n  chain newer { type filter hook forward priority 0; policy drop; }'))
  expect(await say('revert')).toMatch(/^reverted 1 /)
  expect(await nft('list ruleset')).not.toContain('newer')
})

test('a text that nft refuses, or that is too large, leaves no trace', async () => {
  expect(await stage(1, inGate('tcp dport no-such-service accept'))).toMatchObject({ exitCode: 15, stderr: expect.stringContaining('no-such-service') })
  expect(await stage(1, inGate('iif eth-of-tomorrow accept'))).toMatchObject({ exitCode: 15 })
  const large = Buffer.alloc(16 * 1024 * 1024 + 1, '#')
  expect(await stage(1, large)).toMatchObject({ exitCode: 13, stdout: '' })
  expect(readdirSync(join(state, 'rulesets'))).toEqual([])
  expect(await say('version')).toContain('staged -')
})

test('a full disk is told, and the live rules stay', async () => {
  mkdirSync(state)
  await mustRun(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=700', 'hs-full', state])
  try {
    await confirm(1, GATE)
    writeFileSync(join(state, 'ballast'), Buffer.alloc(64 * 1024).subarray(0, 44 * 1024))
    expect(await stage(2, OTHER.padEnd(30_000, '\n'))).toMatchObject({ exitCode: 18, stdout: '' })
    expect(readdirSync(join(state, 'rulesets'))).toEqual([`${digestOf(GATE)}.nft`])
    expect(await say('version')).toContain(`confirmed 1 ${digestOf(GATE)}\nstaged -`)
    expect(await say('revert')).toBe(`reverted 1 ${digestOf(GATE)}`)
    await mustRun(['mount', '-o', 'remount,ro', state])
    expect(await stage(2, OTHER)).toMatchObject({ exitCode: 18, stdout: '' })
    expect(await say('version')).toContain(`confirmed 1 ${digestOf(GATE)}`)
  } finally {
    await mustRun(['umount', '-l', state])
  }
})

/** Both texts divide into two transactions, which are kept in /run as files. */
test.each<[string, (run: string) => Promise<unknown>]>([
  ['has no room left', (run) => writeFile(join(run, 'ballast'), Buffer.alloc(64 * 1024)).catch(() => undefined)],
  ['has lost what was prepared', (run) => rm(join(run, 'prepared'), { recursive: true })],
  ['has lost all but names', async (run) => {
    await Promise.all([rm(join(run, 'prepared', `${digestOf(of(7, SWITCHED))}.sets`)), rm(join(run, 'prepared', `${digestOf(of(7, SWITCHED))}.rules`))])
  }],
  ['has lost what was prepared and has no room for it', async (run) => {
    await rm(join(run, 'prepared'), { recursive: true })
    await writeFile(join(run, 'ballast'), Buffer.alloc(64 * 1024)).catch(() => undefined)
  }],
])('a /run that %s keeps no host from its old rules', async (_, spoil) => {
  const run = join(state, 'run')
  mkdirSync(run, { recursive: true })
  await mustRun(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=700', 'hs-run', run])
  try {
    await confirm(7, of(7, SWITCHED))
    await apply(8, of(8, SWITCHED))
    await spoil(run)
    expect(await say('revert')).toBe(`reverted 7 ${digestOf(of(7, SWITCHED))}`)
    expect(await nft('list chain inet portcullis web_g7')).toContain('@open_g7')
    expect(await say('version')).toContain(`live 7 ${digestOf(of(7, SWITCHED))}`)
  } finally {
    await mustRun(['umount', '-l', run])
  }
})

test('a state directory that others can write to is refused', async () => {
  mkdirSync(state)
  await mustRun(['chmod', '777', state])
  expect(await say('arm 5')).toMatch(/^18 .*root alone/)
  await mustRun(['chmod', '700', state])
  await mustRun(['chown', '65534:0', state])
  expect(await say('arm 5')).toMatch(/^18 .*root alone/)
})

test('a second call waits ten seconds at most', async () => {
  await confirm(1, GATE)
  const holder = spawn('flock', [join(state, 'run/lock'), 'sleep', '30'], { detached: true })
  await sleep(200)
  try {
    const result = await call('revert')
    expect(result.exitCode).toBe(19)
    expect(result.durationMs).toBeGreaterThan(9_000)
    expect(await say('version')).toContain('confirmed 1')
  } finally {
    if (holder.pid) process.kill(-holder.pid)
  }
})

test('a swap that is killed while it warms leaves nothing behind once the next call has come', async () => {
  await stage(1, GATE)
  await say('arm 60')
  const warming = space.spawn(argvOf('swap').map((word) => word.replace('WARM_SECONDS=0', 'WARM_SECONDS=30')))
  await expect.poll(() => nft('list tables'), { timeout: 5_000 }).toContain('portcullis_warm')
  await warming.kill('SIGKILL')
  expect(await say('block end 10.0.0.1')).toBe('block 10.0.0.1 0')
  expect(await nft('list tables')).toBe('')
  expect(await say('swap')).toMatch(/^swapped 1 /)
  expect(await nft('list tables')).toBe('table inet portcullis\n')
})

describe('sets come a transaction before the rules that ask them, and go a transaction after', () => {
  /** The script with an nft that does as `shell` says where the script loads a text. */
  async function scriptWithNft(shell: string): Promise<string> {
    const bin = join(state, 'bin')
    mkdirSync(bin, { recursive: true })
    writeFileSync(join(bin, 'nft'), `#!/bin/sh\n[ "$1" = -f ] || exec /usr/sbin/nft "$@"\n${shell}\n`, { mode: 0o755 })
    const script = join(state, 'script')
    writeFileSync(script, readFileSync(SCRIPT, 'utf8').replace('\nPATH=', `\nPATH=${bin}:`), { mode: 0o755 })
    return script
  }
  const swapBy = (script: string): string[] => argvOf('swap').map((word) => (word === SCRIPT ? script : word))

  async function swapKilledAfter(transactions: number): Promise<void> {
    const calls = join(state, 'calls')
    const script = await scriptWithNft(`echo >>${calls}\n[ $(wc -l <${calls}) -le ${transactions} ] || sleep 30\nexec /usr/sbin/nft "$@"`)
    const swap = space.spawn(swapBy(script))
    await expect.poll(() => (existsSync(calls) ? readFileSync(calls, 'utf8').length : 0), { timeout: 30_000 }).toBe(transactions + 1)
    await swap.kill('SIGKILL')
  }

  const own = async (): Promise<string[]> => [...new Set((await nft('list table inet portcullis')).match(/(?<=(?:set|map|chain) )\w+_g\d+(?= \{)/g) ?? [])].toSorted()
  const live = async (): Promise<string> => /^live (\S+)/m.exec(await say('version'))?.[1] ?? ''

  /** As after a call that was killed, or on a host whose /run was full. */
  const forgetPrepared = (): Promise<unknown> => mustRun(['find', join(state, 'run/prepared'), '-name', '*.from', '-delete'])

  test.each([
    ['before the first', 'not prepared', 0, 7, ['open_g7', 'web_g7']],
    ['after the sets', 'not prepared', 1, 7, ['open_g7', 'open_g8', 'web_g7', 'web_g8']],
    ['after the switch', 'not prepared', 2, 8, ['open_g7', 'open_g8', 'web_g7', 'web_g8']],
    ['before the first', 'prepared', 0, 7, ['open_g7', 'web_g7']],
    ['after the sets', 'prepared', 1, 7, ['open_g7', 'open_g8', 'web_g7', 'web_g8']],
  ] as const)('killed %s, %s', async (_when, how, transactions, inForce, standing) => {
    await confirm(7, SWITCHED)
    await say('lease add tcp 443 10.0.0.0/8 600')
    await stage(8, of(8, SWITCHED).replace('80-90', '80-99'))
    if (how === 'not prepared') await forgetPrepared()
    await say('arm 60')
    await swapKilledAfter(transactions)
    expect([await live(), await own()]).toEqual([String(inForce), [...standing]])
    // The same again, and back.
    expect(await say('swap')).toMatch(/^swapped 8 /)
    await say('facts')
    expect([await live(), await own()]).toEqual(['8', ['open_g8', 'web_g8']])
    expect(await nft('list set inet portcullis open_g8')).toContain('elements = { 80-99 }')
    expect(await say('revert')).toMatch(/^reverted 7 /)
    expect([await live(), await own()]).toEqual(['7', ['open_g7', 'web_g7']])
    expect(await nft('list set inet portcullis lease4')).toContain('10.0.0.0/8 . tcp . 443')
  })

  test('what a killed call has put there is not taken over by another text of the same generation', async () => {
    await confirm(7, SWITCHED)
    await stage(8, of(8, SWITCHED).replace('80-90', '80-99'))
    await say('arm 60')
    await swapKilledAfter(1)
    expect(await say('revert')).toMatch(/^reverted 7 /)
    expect(await own()).toEqual(['open_g7', 'web_g7'])
    await apply(8, of(8, SWITCHED))
    expect(await nft('list set inet portcullis open_g8')).toContain('elements = { 80-90 }')
  })

  test('killed before the first rules ever, there is no live generation, and the next call begins anew', async () => {
    await stage(7, SWITCHED)
    await say('arm 60')
    // The first transaction of a cold host is the warm table.
    await swapKilledAfter(2)
    expect(await own()).toEqual(['open_g7', 'web_g7'])
    expect(await live()).toBe('-')
    expect(await say('revert')).toBe('reverted - -')
    expect(await nft('list tables')).toBe('')
  })

  test('the same generation again fills its sets anew', async () => {
    await confirm(7, SWITCHED)
    await nft('add element inet portcullis open_g7 { 22 }')
    expect(await say('revert')).toMatch(/^reverted 7 /)
    expect(await nft('list set inet portcullis open_g7')).toContain('elements = { 80-90 }')
  })

  test('refused rules leave no sets behind', async () => {
    await confirm(7, SWITCHED)
    const text = of(8, SWITCHED)
    await stage(8, text)
    await say('arm 60')
    const before = await nft('list table inet portcullis')
    const script = await scriptWithNft(`if [ "$2" = - ]; then text=$(cat); else text=$(cat "$2"); fi\ncase $text in *host_live*) echo refused >&2; exit 1 ;; esac\nprintf '%s\\n' "$text" | /usr/sbin/nft -f -`)
    const refused = await space.run(swapBy(script))
    expect([refused.exitCode, refused.stderr]).toEqual([15, 'portcullis-host: nft refused the ruleset: refused\n'])
    expect(await nft('list table inet portcullis')).toBe(before)
  })

  test('a prepared swap only switches; the next call takes away what nobody asks, and describes what is there', async () => {
    await confirm(7, SWITCHED)
    await stage(8, of(8, SWITCHED))
    await say('arm 60')
    expect(await say('swap')).toMatch(/^swapped 8 /)
    expect(await own()).toEqual(['open_g7', 'open_g8', 'web_g7', 'web_g8'])
    await nft('add rule inet portcullis gate accept')
    expect(await say('facts')).toContain('open_g8')
    expect(await own()).toEqual(['open_g8', 'web_g8'])
    // Whoever reads the facts compares them: from then on, nothing may change.
    await nft('add rule inet portcullis gate drop')
    expect(await say('confirm 8')).toMatch(/^22 /)
  })

  test.each([
    ['a chain is gone', ['flush chain inet portcullis web_g7', 'delete chain inet portcullis web_g7']],
    ['the whole table is gone', ['flush ruleset']],
  ] as const)('where somebody has changed the table since the switch was prepared, it is made anew: %s', async (_what, changes) => {
    await confirm(7, SWITCHED)
    await stage(8, of(8, SWITCHED))
    await say('arm 60')
    for (const change of changes) await nft(change)
    expect(await say('swap')).toMatch(/^swapped 8 /)
    await say('facts')
    expect([await live(), await own()]).toEqual(['8', ['open_g8', 'web_g8']])
    expect(await say('confirm 8')).toMatch(/^confirmed 8 /)
  })

  test('swap with a time arms the revert by itself, and only for what is staged', async () => {
    await confirm(7, SWITCHED)
    const text = of(8, SWITCHED)
    await stage(8, text)
    expect(await say(`swap 9 ${digestOf(text)} 60`)).toMatch(/^21 /)
    expect(await say('version')).toMatch(/^armed -$/m)
    expect(await say(`swap 8 ${digestOf(text)} 4`)).toMatch(/^2 /)
    expect(await say(`swap 8 ${digestOf(text)} 60`)).toMatch(/^swapped 8 /)
    expect(await say('version')).toMatch(/^armed (5\d|60)$/m)
    expect(await say('confirm 8')).toMatch(/^confirmed 8 /)
    expect(await say(`swap 8 ${digestOf(text)} 60`)).toMatch(/^17 /)
    expect(await say('version')).toMatch(/^armed -$/m)
  })

  test('what does not lie on the disk as it was staged is not confirmed', async () => {
    await confirm(7, SWITCHED)
    const text = of(8, SWITCHED)
    await apply(8, text)
    writeFileSync(join(state, `rulesets/${digestOf(text)}.nft`), text.slice(1))
    expect(await say('confirm 8')).toMatch(/^14 /)
    expect(await say('revert')).toMatch(/^reverted 7 /)
  })

  test('a chain that has a hook keeps it while the rules change; one that is to have none loses it', async () => {
    await confirm(7, SWITCHED)
    const handleOf = async () => /chain gate \{ # handle (\d+)/.exec(await nft('-a list table inet portcullis'))?.[1]
    const before = await handleOf()
    await confirm(8, of(8, SWITCHED))
    expect(await handleOf()).toBe(before)
    const unhooked = GATE.replace(/chain gate \{\n.*\n/, 'chain gate {\n').replace(/\}\n$/, '  chain other {\n    type filter hook input priority 0; policy accept;\n    jump gate\n  }\n}\n')
    await confirm(9, unhooked)
    expect(await nft('list table inet portcullis')).not.toContain('hook prerouting')
  })
})

test('confirm and the revert that is due decide by the lock: never both, never neither', async () => {
  await confirm(1, GATE)
  for (let round = 0; round < 3; round += 1) {
    const generation = Number(/^confirmed (\d+)/m.exec(await say('version'))?.[1]) + 1
    const text = generation % 2 === 0 ? OTHER : GATE
    await stage(generation, text)
    await say('arm 5')
    await say('swap')
    const left = Number(/^armed (\d+)$/m.exec(await say('version'))?.[1] ?? 0)
    await sleep(left * 1_000 - 500 + round * 250)
    const answer = await say(`confirm ${generation}`)
    await sleep(3_000)
    const version = await say('version')
    const isConfirmed = answer.startsWith('confirmed')
    if (!isConfirmed) expect(answer).toMatch(/^16 /)
    const standing = isConfirmed ? generation : generation - 1
    expect(version).toMatch(new RegExp(`^confirmed ${standing} .*\nstaged -\nlive ${standing} .*\narmed -$`, 'm'))
  }
})

test('an overdue revert happens at the next call even if its timer was killed', async () => {
  await confirm(1, GATE)
  await apply(2, OTHER, 5)
  const timers = async () => (await runCommand(['pgrep', '-f', 'revert due'])).stdout.trim().split('\n').filter((pid) => environmentOf(pid).includes(state))
  // It is begun, but perhaps not yet what it will be.
  while ((await timers()).length === 0) await sleep(50)
  for (const pid of await timers()) process.kill(Number(pid), 'SIGKILL')
  await sleep(5_500)
  expect(await say('version')).toContain('live 2')
  expect(await say('confirm 2')).toMatch(/^16 /)
  expect(await say('version')).toContain('live 1')
})

const environmentOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}

test('a confirmed text that was damaged is not loaded: our table goes rather than an unconfirmed one stays', async () => {
  await confirm(1, GATE)
  await apply(2, OTHER)
  writeFileSync(join(state, 'rulesets', `${digestOf(GATE)}.nft`), `${GATE}# more`)
  expect(await say('revert')).toMatch(/^14 .*our table is gone/)
  expect(await nft('list tables')).toBe('')
  expect(await say('boot')).toMatch(/^14 /)
})

test('what a killed call of the same session has left does not make a bad input a good one', async () => {
  await confirm(1, GATE)
  const left = `echo 'tcp 8080 10.0.0.1' >${join(state, 'run')}/cut.$$; exec "$@"`
  const cut = await space.run(['sh', '-c', left, 'sh', ...argvOf('cut')], { input: 'tcp 8080 10.0.0.x\n' })
  expect([cut.exitCode, cut.stdout]).toEqual([2, ''])
})

describe('cut ends flows that are only forwarded, both directions', () => {
  const FLOW = join(import.meta.dirname, '../adapters/transport/lab/flow.ts')
  let client: Namespace
  let inner: Namespace

  beforeAll(async () => {
    client = await spaces.add('client')
    inner = await spaces.add('inner')
    await spaces.link({ at: client, device: 'eth0', addresses: ['10.78.1.2/24'] }, { at: space, device: 'out', addresses: ['10.78.1.1/24'] })
    await spaces.link({ at: inner, device: 'eth0', addresses: ['10.78.2.2/24'] }, { at: space, device: 'in', addresses: ['10.78.2.1/24'] })
    await inner.must(['ip', 'route', 'add', 'default', 'via', '10.78.2.1'])
    await space.must(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  })

  const begin = async (at: Namespace, ...words: string[]) => {
    const { process: child } = at.spawn([process.execPath, FLOW, ...words])
    if (!child.stdout) throw new Error('a flow has no output')
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    expect((await lines.next()).value).toBe('ready')
    return async () => JSON.parse(String((await lines.next()).value)) as FlowEnd
  }

  const RULESETS = [
    ['gate', GATE, '8080', 1],
    ['what the renderer makes', readFileSync(join(GOLDENS, 'mixed.nft'), 'utf8'), '443', 7],
  ] as const
  const WAYS = [
    ['push', 'sink'],
    ['sink', 'push'],
  ] as const

  test.each(RULESETS.flatMap(([name, text, port, generation]) => WAYS.map((way) => [name, ...way, port, text, generation] as const)))(
    '%s, server %s, client %s',
    async (_name, serverDoes, clientDoes, port, text, generation) => {
      await space.must(['nft', '-f', '-'], {
        input: `table ip nat {\n chain pre {\n type nat hook prerouting priority -100\n tcp dport ${port} dnat to 10.78.2.2:80\n }\n}\n`,
      })
      await confirm(generation, text)
      const server = await begin(inner, 'serve', '80', serverDoes)
      const user = await begin(client, 'use', '10.78.1.1', port, clientDoes)
      await sleep(500)
      expect(await say('cut', `tcp ${port} 10.78.1.2\n`)).toMatch(/^cut 1 0 /)
      const cutAt = Date.now()
      const ends = await Promise.all([server(), user()])
      expect(Math.max(...ends.map((end) => end.bytes))).toBeGreaterThan(0)
      expect(Math.max(...ends.map((end) => end.lastAt)) - cutAt).toBeLessThanOrEqual(50)
      // The sender is told; a receiver that says nothing cannot be.
      expect(ends[serverDoes === 'push' ? 0 : 1]?.ended).not.toBe('still open')
      expect((await space.run(['conntrack', '-L', '-p', 'tcp'])).stdout).not.toContain('ESTABLISHED')
    },
  )
})

test('a key that sshd restricts to the script brings its words in SSH_ORIGINAL_COMMAND', async () => {
  const forced = (command: string) => space.run([...argvOf('version').slice(0, -2), `SSH_ORIGINAL_COMMAND=${command}`, SCRIPT])
  expect((await forced('/usr/local/sbin/portcullis-host arm 4')).stderr).toContain('seconds')
  expect((await forced('sudo -n portcullis-host version')).stdout).toMatch(/^portcullis-host /)
  expect((await forced('env PORTCULLIS_STATE=/etc portcullis-host version')).stdout).toMatch(/^portcullis-host /)
  for (const command of ['sh', 'cat /etc/shadow', 'portcullis-host version; id', 'portcullis-host $(id)', 'version\nid', 'scp -t /']) {
    expect([command, (await forced(command)).exitCode, (await forced(command)).stdout]).toEqual([command, 2, ''])
  }
})

test('a session ends at the first line that is no request', async () => {
  const result = await call('session', '0 version\n0 version; id\n0 version\n')
  expect(result.stdout.match(/^portcullis-session /gm)).toHaveLength(1)
  expect(result.stdout.match(/^reply /gm)).toHaveLength(1)
  expect(result.exitCode).toBe(2)
  expect((await call('session', '0 session\n')).exitCode).toBe(2)
})

test('a source is an address or a prefix, written in one way', async () => {
  await confirm(1, GATE)
  const ADDRESSES = ['2001:db8:1234:5678::1', '2001:db8:1:2:3:4:5:6', '::1', 'fe80::1', '1::/16', '10.0.0.1', '192.0.2.0/24']
  const OTHERS = ['12345::1', '1:2:3', '1:2:3:4:5:6:7:8:9', ':1::2', '1::2:', '2001:DB8::1', '::ffff:1.2.3.4', '1:::2', '1::2::3', '10.0.0', '1.2.3.4.5', '01.2.3.4', '256.1.1.1', 'face', '10.0.0.0/33', '::/129', 'any']
  for (const source of ADDRESSES) expect(await say(`block add ${source} 60`)).toBe(`block ${source} 60`)
  for (const source of OTHERS) expect([source, (await call(`block add ${source} 60`)).exitCode]).toEqual([source, 2])
})

test('the version is that of the product', () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { version: string }
  expect(readFileSync(SCRIPT, 'utf8')).toContain(`\nVERSION=${version}\n`)
})

/** Beyond 64 KiB the host asks nft for each object, because listing a large table reads all of its elements. */
test('counters of a small table come as one listing, those of a large one in parts, and mean the same', async () => {
  const text = readFileSync(join(GOLDENS, 'mixed.nft'), 'utf8')
  const generation = Number(/_g(\d+)/.exec(text)?.[1])
  const told = async (held: number, ruleset: string, sections: readonly string[]): Promise<unknown> => {
    await confirm(held, ruleset)
    await nft('add element inet portcullis denied4 { 192.0.2.7 . tcp . 23 counter packets 3 bytes 180 }; add element inet portcullis denied_ports { tcp . 23 counter packets 5 bytes 300 }')
    const answer = await say('counters')
    expect(answer.match(/(?<=^@section )[a-z0-9_]+/gm)).toEqual([...sections])
    const read = readCounters('web-1', 5, `${answer}\n`)
    return read.ok ? read.value : read.faults
  }
  const small = await told(generation, text, ['clock', 'table', 'failed'])
  const next = text.replaceAll(`_g${generation}`, `_g${generation + 1}`)
  const large = await told(generation + 1, `${next}${'\n'.repeat(64 * 1024)}`, ['clock', 'about', 'seen4', 'seen6', 'denied4', 'denied6', 'accepted_ports', 'denied_ports', 'seen_lost', 'denied_lost', 'failed'])
  expect(small).toEqual(large)
  expect(small).toContainEqual(expect.objectContaining({ kind: 'flow', verdict: 'denied', port: 23, connections: 3 }))
})
