import { describe, expect, test } from 'vitest'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { sshWay, type SshTransport } from './ssh.ts'

const PLAIN: SshTransport = { kind: 'ssh', destination: 'web-1', port: 22, sudo: false }

function way(transport: Partial<SshTransport> = {}) {
  const host: Host = { name: 'web-1', addresses: [], labels: {}, tier: 'standard', transport: { ...PLAIN, ...transport } }
  return sshWay(host, { ...PLAIN, ...transport }, '/tmp/c', 1)
}

function argvOf(transport: Partial<SshTransport> = {}, isFirst = true): string {
  const made = way(transport)
  if (!made.ok) throw new Error(made.faults[0]?.what.en)
  return made.value.script(['version'], isFirst).join(' ')
}

describe('the command', () => {
  test.each([
    ['runs the script by its path', {}, / -- web-1 \/usr\/local\/sbin\/portcullis-host version$/],
    ['with sudo, without a question', { sudo: true }, / -- web-1 sudo -n \/usr\/local\/sbin\/portcullis-host version$/],
    ['with a state directory', { stateDirectory: '/srv/p' }, / -- web-1 env PORTCULLIS_STATE=\/srv\/p PORTCULLIS_RUN=\/srv\/p\/run \/usr/],
    ['never trusts a key that is not known', {}, / -oStrictHostKeyChecking=yes /],
    ['never asks a person', {}, / -oBatchMode=yes /],
    ['goes through a jump host with the same key and the same checks', { jump: 'ops@bastion', identityFile: '/k/id' }, /-oProxyCommand=ssh -oBatchMode=yes -oStrictHostKeyChecking=yes .*-oIdentityFile=\/k\/id -oIdentitiesOnly=yes -W \[%h\]:%p ops@bastion/],
    ['lends nothing of ours to the host', {}, / -oForwardAgent=no -oForwardX11=no -oClearAllForwardings=yes -oPermitLocalCommand=no /],
  ])('%s', (_name, transport, expected) => {
    expect(argvOf(transport)).toMatch(expected)
  })

  test('later commands ride on the first one’s connection', () => {
    expect(argvOf({}, true)).toContain('-oControlMaster=yes -oControlPath=/tmp/c/1-1')
    expect(argvOf({}, false)).toContain('-oControlMaster=no')
  })
})

describe('a transport that a shell or ssh would read as something else is refused', () => {
  test.each([
    { destination: '-oProxyCommand=id' },
    { destination: 'web-1;id' },
    { user: '$(id)' },
    { jump: 'a b' },
    { jump: '-oProxyCommand=id' },
    { identityFile: '/k/%h' },
    { knownHostsFile: '/k/a b' },
    { scriptPath: '/x;id' },
    { stateDirectory: '/x y' },
  ])('%j', (transport) => {
    expect(way(transport)).toMatchObject({ ok: false, faults: [{ code: 'HOST_TRANSPORT' }] })
  })
})

describe('what ssh said', () => {
  test.each([
    [255, 'ssh: connect to host web-1 port 22: Connection refused', 'HOST_UNREACHABLE'],
    [255, 'ssh: connect to host web-1 port 22: Connection timed out', 'HOST_UNREACHABLE'],
    [255, 'ssh: Could not resolve hostname web-1: Name or service not known', 'HOST_UNREACHABLE'],
    [255, 'kex_exchange_identification: read: Connection reset by peer', 'HOST_UNREACHABLE'],
    [255, 'root@web-1: Permission denied (publickey).', 'HOST_AUTH_REFUSED'],
    [255, 'No ED25519 host key is known for web-1 and you have requested strict checking.\nHost key verification failed.', 'HOST_KEY_UNKNOWN'],
    [255, '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n…\nHost key verification failed.', 'HOST_KEY_CHANGED'],
    [127, 'sh: 1: /usr/local/sbin/portcullis-host: not found', undefined],
    [19, 'portcullis-host: another call has held this host for 10 s', undefined],
  ])('%i %j is %s', (exitCode, stderr, code) => {
    const made = way()
    expect(made.ok && made.value.explain(exitCode, stderr)?.code).toBe(code)
  })

  test.each([
    [1, 'sudo: a password is required', 'HOST_SUDO_REFUSED'],
    [1, 'sudo: unable to resolve host web-1: Name or service not known\nsudo: a password is required', 'HOST_SUDO_REFUSED'],
    [1, "Sorry, user deploy is not allowed to execute '/usr/local/sbin/portcullis-host version' as root on web-1.", 'HOST_SUDO_REFUSED'],
    [1, 'sudo: sorry, you must have a tty to run sudo', 'HOST_SUDO_REFUSED'],
    [127, 'sh: 1: sudo: not found', 'HOST_SUDO_REFUSED'],
    [127, 'bash: line 1: sudo: command not found', 'HOST_SUDO_REFUSED'],
    [1, 'sudo: /usr/local/sbin/portcullis-host: command not found', 'HOST_SCRIPT_MISSING'],
    [255, 'deploy@web-1: Permission denied (publickey).', 'HOST_AUTH_REFUSED'],
    // A host that does not know its own name: sudo says so each time, and does its work.
    [0, 'sudo: unable to resolve host web-1: Name or service not known', undefined],
    [19, 'sudo: unable to resolve host web-1\nportcullis-host: another call has held this host for 10 s', undefined],
  ])('with sudo: %i %j is %s', (exitCode, stderr, code) => {
    const made = way({ sudo: true })
    expect(made.ok && made.value.explain(exitCode, stderr)?.code).toBe(code)
  })
})
