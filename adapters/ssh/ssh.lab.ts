import { readFileSync } from 'node:fs'
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

test('a jump host: the target need not be reachable from here', async () => {
  expect(await controller({ jump: 'root@10.77.31.30' }).say('version')).toMatch(/^portcullis-host /)
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
