import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Result } from '@portcullis/core/fault/fault.ts'
import { startWorld, type Lab } from '@portcullis/lab/start.ts'
import { client, interfaceIn, network, server } from '@portcullis/lab/world.ts'
import type { HostsOptions } from '../transport/hosts.ts'
import { Controller, GATE, hostWith } from '../transport/lab/fleet.ts'
import type { SshTransport } from './ssh.ts'

/** What can go wrong on the way to a real sshd: each has its own code, in two languages, with a next step where there is one. */

const net = network('servers', '10.77.31.0/24', 'fd77:31::/64')
const WORLD = { networks: [net], hosts: [server('srv', interfaceIn(net, 10)), server('bastion', interfaceIn(net, 30)), client('ops', interfaceIn(net, 20))] }
const SRV = '10.77.31.10'
const SCRIPT_PATH = '/usr/local/sbin/portcullis-host'

let lab: Lab
const opened: Controller[] = []

beforeAll(async () => {
  lab = await startWorld(WORLD, { prefix: `hs-ssh-${process.pid}` })
})
afterAll(() => lab.stop())
beforeEach(async () => {
  await controller().install()
  return async () => {
    for (const one of opened.splice(0)) await one.close()
  }
})

function controller(transport: Partial<SshTransport> = {}, options: HostsOptions = {}): Controller {
  const whole: SshTransport = { kind: 'ssh', destination: SRV, port: 22, user: 'root', ...lab.ssh, sudo: false, ...transport }
  const one = new Controller((argv) => lab.host('ops').spawn(argv), hostWith('srv', whole), options)
  opened.push(one)
  return one
}

const connectedCode = async (one: Controller): Promise<string> => {
  const result: Result<unknown> = await one.order({ kind: 'connect' })
  return result.ok ? 'connected' : result.faults.map((fault) => fault.code).join()
}

describe('no answer', () => {
  const FAULTS: readonly (readonly [string, () => Promise<Partial<SshTransport>>, string])[] = [
    ['a port where nobody listens', async () => ({ port: 2222 }), 'HOST_UNREACHABLE'],
    ['a key that is not known there', async () => ({ identityFile: await newKey('/root/other') }), 'HOST_AUTH_REFUSED'],
    ['a user who is not there', async () => ({ user: 'nobody-there' }), 'HOST_AUTH_REFUSED'],
    ['a host that is not known here', async () => ({ knownHostsFile: '/dev/null' }), 'HOST_KEY_UNKNOWN'],
    ['a host with another key than before', async () => ({ knownHostsFile: await knownAs('/root/other') }), 'HOST_KEY_CHANGED'],
    ['a path without a script', async () => ({ scriptPath: '/usr/local/sbin/nothing' }), 'HOST_SCRIPT_MISSING'],
    ['a path with something that cannot be run', async () => ({ scriptPath: '/etc/passwd' }), 'HOST_SCRIPT_MISSING'],
  ]

  test.each(FAULTS)('%s', async (_name, change, code) => {
    expect(await connectedCode(controller(await change()))).toBe(code)
    expect(await connectedCode(controller(await change(), { mode: 'call' }))).toBe(code)
  })

  test.each([
    ['HOST_SCRIPT_TAMPERED', (text: string) => `${text}# one line more\n`],
    ['HOST_SCRIPT_OLD', (text: string) => text.replace(/^VERSION=.*$/m, 'VERSION=0.0.9')],
  ])('%s', async (code, change) => {
    lab.host('srv').writeFile(SCRIPT_PATH, change(lab.host('srv').readFile(SCRIPT_PATH)), 0o755)
    expect(await connectedCode(controller())).toBe(code)
    expect(await connectedCode(controller({}, { mode: 'call' }))).toBe(code)
    expect(await controller().install()).toBe(SCRIPT_PATH)
    expect(await connectedCode(controller())).toBe('connected')
  })

  test('a missing tool is named before anything is put there', async () => {
    await lab.host('srv').must(['mount', '--bind', '/dev/null', '/usr/sbin/conntrack'])
    try {
      expect(await controller().order({ kind: 'install' })).toMatchObject({ ok: false, faults: [{ code: 'HOST_TOOL_MISSING' }] })
    } finally {
      await lab.host('srv').must(['umount', '/usr/sbin/conntrack'])
    }
  })

  test('a call that takes too long is given up, and the next one finds a new session', async () => {
    const ops = controller()
    await ops.say('revert')
    const holder = lab.host('srv').spawn(['flock', '/run/portcullis/lock', 'sleep', '4'])
    await expect.poll(async () => (await lab.host('srv').run(['flock', '-n', '/run/portcullis/lock', 'true'])).exitCode).toBe(1)
    await expect(ops.call('revert', undefined, 500)).rejects.toThrow('HOST_TIMEOUT')
    await holder.ended
    expect(await ops.say('revert')).toBe('reverted - -')
  })

  test('a connection that dies between two calls is made anew', async () => {
    const ops = controller()
    await ops.say('version')
    await lab.host('srv').run(['ss', '-K', 'state', 'established', 'sport = :22'])
    const results = [await ops.say('version').catch(String), await ops.say('version').catch(String)]
    expect(results[1]).toMatch(/^portcullis-host /)
  })
})

describe('a link that is lent', () => {
  const connections = async (): Promise<number> =>
    (await lab.host('srv').must(['ss', '-Htn', 'state', 'established', 'sport = :22'])).trim().split('\n').filter((line) => line !== '').length

  test('is kept for the next, over the same connection, and made anew where that died meanwhile', async () => {
    const ops = controller()
    const before = await connections()
    for (let time = 0; time < 3; time += 1) expect(await ops.order({ kind: 'borrow' })).toMatchObject({ ok: true, value: { exitCode: 0 } })
    expect(await connections()).toBe(before + 1)
    await lab.host('srv').run(['ss', '-K', 'state', 'established', 'sport = :22'])
    await sleep(1_100)
    expect(await ops.order({ kind: 'borrow' })).toMatchObject({ ok: true, value: { exitCode: 0 } })
  })

  test('is closed after its time', async () => {
    const ops = controller({}, { keepMs: 200 })
    const before = await connections()
    await ops.order({ kind: 'borrow' })
    await expect.poll(connections, { timeout: 10_000 }).toBe(before)
  })
})

test('a host whose sshd takes the connection and says nothing is given up after its time', async () => {
  const hang = lab.host('srv').spawn(['socat', '-u', 'TCP4-LISTEN:2200,reuseaddr,fork', 'OPEN:/dev/null'])
  await expect.poll(async () => (await lab.host('srv').run(['ss', '-Htln', 'sport = :2200'])).stdout).not.toBe('')
  const startedMs = performance.now()
  expect(await connectedCode(controller({ port: 2200 }, { connectMs: 1_000 }))).toBe('HOST_TIMEOUT')
  expect(performance.now() - startedMs).toBeLessThan(15_000)
  await hang.kill()
})

describe('a jump host', () => {
  const BASTION = '10.77.31.30'

  beforeAll(async () => {
    // From here the target is not to be had; and the bastion listens on a port of its own too.
    await lab.host('srv').must(['nft', 'add table inet fence; add chain inet fence in { type filter hook input priority 0; }; add rule inet fence in ip saddr 10.77.31.20 tcp dport 2022 reject with tcp reset'])
    await lab.host('srv').must(['/usr/sbin/sshd', '-p', '2022', '-o', 'PidFile=none'])
    await lab.host('bastion').must(['/usr/sbin/sshd', '-p', '2222', '-o', 'PidFile=none'])
    lab.host('ops').writeFile('/root/known-with-ports', knownWithPorts())
    return async () => {
      await lab.host('srv').must(['nft', 'delete', 'table', 'inet', 'fence'])
    }
  })

  const DIRECT = { port: 2022, knownHostsFile: '/root/known-with-ports' } as const
  const through = (jump: string, more: Partial<SshTransport> = {}): Partial<SshTransport> => ({ ...DIRECT, jump, ...more })

  test.each([
    ['by its address', `root@${BASTION}`],
    ['with a port of its own', `ssh://root@${BASTION}:2222`],
  ])('%s reaches a target that is not reachable from here', async (_name, jump) => {
    expect(await connectedCode(controller(DIRECT))).toBe('HOST_UNREACHABLE')
    for (const mode of ['session', 'call'] as const) expect(await controller(through(jump), { mode }).say('version')).toMatch(/^portcullis-host /)
  })

  test.each([
    ['whose key is not known', { knownHostsFile: '/dev/null' }, 'HOST_KEY_UNKNOWN'],
    ['that does not let us in', { jump: `nobody-there@${BASTION}` }, 'HOST_AUTH_REFUSED'],
    ['that is not there', { jump: 'root@10.77.31.99' }, 'HOST_UNREACHABLE'],
  ])('%s', async (_name, more, code) => {
    expect(await connectedCode(controller(through(`root@${BASTION}`, more)))).toBe(code)
  })
})

/** The lab's known_hosts names hosts on port 22 only (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
const knownWithPorts = (): string =>
  readFileSync(lab.ssh.knownHostsFile, 'utf8')
    .split('\n')
    .flatMap((line) => [line, line.replace(/^\S+/, (names) => names.split(',').flatMap((name) => [`[${name}]:2022`, `[${name}]:2222`]).join(','))])
    .join('\n')

describe('a user who is not root, and may run the script and nothing else as root', () => {
  const DEPLOY = { user: 'deploy', sudo: true } as const
  const SUDOERS = '/etc/sudoers.d/portcullis'

  beforeAll(async () => {
    const srv = lab.host('srv')
    await srv.must(['useradd', '--create-home', '--shell', '/bin/sh', '--password', '*', 'deploy'])
    srv.writeFile('/home/deploy/.ssh/authorized_keys', srv.readFile('/root/.ssh/authorized_keys'))
    await srv.must(['chown', '-R', 'deploy:', '/home/deploy/.ssh'])
    await srv.must(['chmod', '-R', 'go=', '/home/deploy/.ssh'])
    srv.writeFile(SUDOERS, `deploy ALL=(root) NOPASSWD: ${SCRIPT_PATH}\n`, 0o440)
  })

  test.each(['session', 'call'] as const)('applies, and what is not confirmed goes by itself after the controller was killed (%s)', async (mode) => {
    const ops = controller(DEPLOY, { mode })
    expect(await ops.say('version')).toMatch(/^portcullis-host /)
    await ops.say('revert')
    expect((await ops.call('facts')).stdout).toMatch(/@end\n$/)
    await ops.apply(1, GATE, 5)
    await ops.die()
    const later = controller(DEPLOY, { mode })
    await expect.poll(async () => (await later.say('version')).split('\n').slice(3), { timeout: 30_000, interval: 500 }).toEqual(['confirmed -', 'staged -', 'live -', 'armed -'])
    await later.confirm(1, GATE)
    expect((await later.say('version')).split('\n').slice(3)).toEqual([`confirmed 1 ${GATE.digest}`, 'staged -', `live 1 ${GATE.digest}`, 'armed -'])
    await lab.host('srv').must(['sh', '-c', 'nft delete table inet portcullis; rm -rf /var/lib/portcullis'])
  })

  test('cannot put another script there, nor run anything else', async () => {
    expect(await controller(DEPLOY).order({ kind: 'install' })).toMatchObject({ ok: false, faults: [{ code: 'HOST_SUDO_REFUSED' }] })
    expect(await connectedCode(controller({ user: 'deploy' }))).toBe('HOST_NOT_READY')
  })

  test.each([
    ['a line for another command', 'deploy ALL=(root) NOPASSWD: /usr/bin/true\n', 'HOST_SUDO_REFUSED'],
    ['a password that is asked for', `deploy ALL=(root) ${SCRIPT_PATH}\n`, 'HOST_SUDO_REFUSED'],
    ['no line', '', 'HOST_SUDO_REFUSED'],
  ])('%s', async (_name, sudoers, code) => {
    const right = lab.host('srv').readFile(SUDOERS)
    lab.host('srv').writeFile(SUDOERS, sudoers)
    try {
      for (const mode of ['session', 'call'] as const) expect(await connectedCode(controller(DEPLOY, { mode }))).toBe(code)
    } finally {
      lab.host('srv').writeFile(SUDOERS, right)
    }
  })

  test('a script that is not there is told as such', async () => {
    lab.host('srv').writeFile(SUDOERS, `deploy ALL=(root) NOPASSWD: ${SCRIPT_PATH}, /usr/local/sbin/nothing\n`)
    expect(await connectedCode(controller({ ...DEPLOY, scriptPath: '/usr/local/sbin/nothing' }))).toBe('HOST_SCRIPT_MISSING')
  })

  test('a host that does not know its own name makes sudo complain, and nothing else', async () => {
    await lab.host('srv').must(['hostname', 'no-such-name'])
    try {
      for (const mode of ['session', 'call'] as const) expect(await controller(DEPLOY, { mode }).say('version')).toMatch(/^portcullis-host /)
    } finally {
      await lab.host('srv').must(['hostname', 'srv'])
    }
  })
})

test('a key that sshd restricts to the script is enough for everything but the installation', async () => {
  const key = await newKey('/root/restricted')
  const authorized = `command="${SCRIPT_PATH}",restrict ${await lab.host('ops').must(['cat', `${key}.pub`])}`
  await lab.host('srv').must(['sh', '-c', 'cat >>"$(sshd -T | sed -n "s/^authorizedkeysfile \\([^ ]*\\).*/\\1/p" | sed "s|^\\.ssh|/root/.ssh|;s|%u|root|;s|%h|/root|")"'], { input: authorized })
  for (const mode of ['session', 'call'] as const) {
    const ops = controller({ identityFile: key }, { mode })
    expect(await ops.say('version')).toMatch(/^portcullis-host /)
    expect(await ops.say(`stage 1 ${GATE.digest}`, GATE.text)).toBe(`staged 1 ${GATE.digest}`)
    expect(await ops.say('revert')).toBe('reverted - -')
  }
  expect(await controller({ identityFile: key }).order({ kind: 'install' })).toMatchObject({ ok: false })
  const ssh = ['ssh', '-oBatchMode=yes', '-i', key, '-oIdentitiesOnly=yes', `-oUserKnownHostsFile=${lab.ssh.knownHostsFile}`, `root@${SRV}`]
  for (const words of [['id'], ['cat', '/etc/shadow'], ['portcullis-host version; id']]) {
    expect(await lab.host('ops').run([...ssh, ...words])).toMatchObject({ exitCode: 2, stdout: '' })
  }
})

async function newKey(path: string): Promise<string> {
  await lab.host('ops').must(['sh', '-c', 'test -e "$0" || ssh-keygen -q -t ed25519 -N "" -f "$0"', path])
  return path
}

/** A known_hosts in which the host has the key of that file. */
async function knownAs(path: string): Promise<string> {
  const [kind, key] = (await lab.host('ops').must(['cat', `${await newKey(path)}.pub`])).split(' ')
  lab.host('ops').writeFile('/root/known-as', `${SRV} ${kind} ${key}\n`)
  return '/root/known-as'
}

test('the packaged unit is one that systemd accepts', async () => {
  const unit = new URL('../../host/portcullis.service', import.meta.url)
  lab.host('srv').writeFile('/etc/systemd/system/portcullis.service', readFileSync(unit))
  const verified = await lab.host('srv').run(['systemd-analyze', 'verify', '/etc/systemd/system/portcullis.service'])
  expect(verified.stderr.split('\n').filter((line) => line.includes('portcullis.service'))).toEqual([])
})
