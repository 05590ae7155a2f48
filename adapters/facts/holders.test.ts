import type { InnerListenerObservation, ListenerObservation, PublishedObservation } from '@portcullis/core/inventory/observation.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import { describe, expect, test } from 'vitest'
import { containerOf } from './container.ts'
import { innerListeners, readHolders, withHolder, type Holders } from './holders.ts'
import { readListeners } from './listeners.ts'

const ID = 'ab'.repeat(32)
const DIGEST = 'cd'.repeat(32)
const frame = (sections: Readonly<Record<string, string>>): string => `${Object.entries(sections).map(([name, text]) => `@section ${name} ${text.length}\n${text}\n`).join('')}@end\n`
const read = (sections: Readonly<Record<string, string>>): Holders => {
  const holders = readHolders('web-1', frame({ processes: '', namespaces: '', containers: '', programs: '', failed: '', ...sections }))
  if (!holders.ok) throw new Error(holders.faults[0]?.what.en)
  return holders.value
}
const process = (pid: number, digest: string, owner: string, path: string, cgroup = '/system.slice/x.service'): string => `${pid}\t${digest}\t${owner}\t${cgroup}\t${path}\n`
const ss = (port: number, users: string): string => `tcp LISTEN 0 128 0.0.0.0:${port} 0.0.0.0:* ${users} ino:1 sk:1 cgroup:/system.slice/x.service <->\n`
const held = (...pids: readonly number[]): string => `users:(${pids.map((pid) => `("nginx",pid=${pid},fd=3)`).join(',')})`

const listenerAt = (holders: Holders, line: string, sockets = ''): ListenerObservation => {
  const [first] = readListeners({ host: 'web-1', at: 1, listeners: { name: 'listeners', text: line, line: 1 }, sockets: { name: 'sockets', text: sockets, line: 1 }, ephemeral: [], holders })
  if (first?.kind !== 'listener') throw new Error('no listener')
  return first
}

describe('who stands behind a listener', () => {
  const nginx = process(7, DIGEST, 'nginx', '/usr/sbin/nginx')
  test.each<[what: string, sections: Record<string, string>, line: string, holder: Partial<ListenerObservation>]>([
    ['its program, digest and package', { processes: nginx }, ss(80, held(7)), { executable: '/usr/sbin/nginx', digest: DIGEST, package: 'nginx' }],
    ['master and workers of one program', { processes: nginx + process(8, DIGEST, 'nginx', '/usr/sbin/nginx') }, ss(80, held(7, 8)), { executable: '/usr/sbin/nginx', package: 'nginx' }],
    ['a program of no package', { processes: process(7, DIGEST, 'none', '/opt/own') }, ss(80, held(7)), { executable: '/opt/own', package: 'none' }],
    ['a program that two paths lead to', { processes: nginx + process(8, DIGEST, 'nginx', '/proc/self/exe') }, ss(80, held(7, 8)), { digest: DIGEST, untold: 'program: several programs hold it' }],
    ['a process that has ended', {}, ss(80, held(7)), { untold: 'program: its process had ended' }],
    ['a process that cannot be looked at', { processes: process(7, '-', '-', '-') }, ss(80, held(7)), { untold: 'program: the process does not let itself be looked at' }],
    ['a program that is too large', { processes: process(7, '-', '-', '/opt/huge') }, ss(80, held(7)), { executable: '/opt/huge', untold: 'digest: the program cannot be read, or is too large' }],
    ['a program that was replaced', { processes: process(7, DIGEST, '-', '/usr/sbin/nginx (deleted)') }, ss(80, held(7)), { untold: 'package: the program was replaced while it ran' }],
    ['no package manager', { processes: process(7, DIGEST, '-', '/usr/sbin/nginx') }, ss(80, held(7)), { untold: 'package: no package manager tells, or the program is of another file system' }],
    ['the kernel', {}, ss(2049, ''), { untold: 'who holds it: no process does, the kernel itself listens' }],
    ['the kernel, or a process that is hidden', { namespaces: 'hidden 3\n' }, ss(2049, ''), { untold: 'who holds it: some processes do not let themselves be looked at' }],
    ['a program of RPC', { programs: '   program vers proto   port  service\n    100003    4   tcp   2049  nfs\n    100003    3   tcp   2049  nfs\n    100227    3   tcp   2049\n' }, ss(2049, ''), { program: 'nfs, program 100227' }],
    ['a container that is known by name', { processes: process(7, DIGEST, '-', '/usr/sbin/nginx', `/system.slice/docker-${ID}.scope`), containers: `${ID} shop nginx:1.25\n` }, ss(80, held(7)).replace('x.service', `docker-${ID}.scope`), { container: 'docker shop (nginx:1.25)', untold: 'package: it is the container’s own' }],
  ])('%s', (_, sections, line, holder) => expect(listenerAt(read(sections), line)).toMatchObject(holder))

  const SOCKETS = '0.0.0.0:22 ssh.socket ssh.service\n'
  const activated = 'users:(("systemd",pid=1,fd=40))'
  const systemd = process(1, DIGEST, 'systemd', '/usr/lib/systemd/systemd')
  test('what systemd holds is not systemd’s', () => {
    const waiting = listenerAt(read({ processes: systemd }), ss(22, activated), SOCKETS)
    expect(waiting).toMatchObject({ unit: 'ssh.service', activatedBy: 'ssh.socket', untold: 'program: systemd starts it at the first connection' })
    expect(waiting.executable).toBeUndefined()
    const started = read({ processes: systemd + process(9, DIGEST, 'openssh-server', '/usr/sbin/sshd') })
    expect(listenerAt(started, ss(22, 'users:(("sshd",pid=9,fd=3),("systemd",pid=1,fd=40))'), SOCKETS)).toMatchObject({ unit: 'ssh.service', process: 'sshd', executable: '/usr/sbin/sshd', package: 'openssh-server' })
  })
})

describe('other network namespaces', () => {
  const NAMESPACES = `namespace 4026 /proc/7/ns/net\nrange 32768 60999\naddress 172.17.0.2\naddress 127.0.0.1\nlisten ${ss(80, held(7))}listen ${ss(40_000, held(7))}namespace 4027 /run/netns/blue\nlisten ${ss(53, '')}`
  const inner = (holders: Holders): string[] =>
    innerListeners('web-1', 1, holders).map((each) => {
      if (each.kind !== 'inner-listener') return each.kind === 'evidence' ? `lost: ${each.because}` : each.kind
      const { namespace, protocol, address, port, process: name = '-', isEphemeral }: InnerListenerObservation = each
      return `${namespace} ${protocol} ${formatAddress(address)} ${port} ${name}${isEphemeral ? ' ephemeral' : ''}`
    })

  test('what listens there is told with the namespace’s name', () => {
    expect(inner(read({ namespaces: NAMESPACES }))).toEqual(['netns of nginx tcp 0.0.0.0 80 nginx', 'netns of nginx tcp 0.0.0.0 40000 nginx ephemeral', 'blue tcp 0.0.0.0 53 -', 'reading'])
  })

  test.each([
    ['unread', 'lost: the network namespace blue could not be entered'],
    ['truncated', 'lost: more network namespaces than are read'],
    ['hidden 4', 'lost: 4 processes do not tell their network namespace'],
    ['listen nonsense', 'lost: a listener of the namespace blue is not understood'],
  ])('%s is a loss, and then nothing is complete', (line, loss) => {
    const said = inner(read({ namespaces: `${NAMESPACES}${line}\n` }))
    expect(said).toContain(loss)
    expect(said).not.toContain('reading')
  })

  const published = (target: string): PublishedObservation => ({ kind: 'published', host: 'web-1', sensor: 'nft', at: 1, protocol: 'tcp', ports: { first: 8080, last: 8080 }, target })
  test.each([
    ['172.17.0.2:80', 'nginx in netns of nginx'],
    ['172.17.0.2:81', 'nobody in netns of nginx'],
    ['172.17.0.9:80', undefined],
    ['this host:80', undefined],
  ])('a port published to %s: %s', (target, holder) => expect(withHolder(read({ namespaces: NAMESPACES }), published(target)).holder).toBe(holder))
})

test.each([
  [`/system.slice/docker-${ID}.scope`, 'docker shop'],
  [`/docker/${ID}`, 'docker shop'],
  [`/machine.slice/libpod-${ID}.scope/container`, 'podman shop'],
  [`/kubepods.slice/kubepods-pod1.slice/cri-containerd-${ID}.scope`, 'pod shop'],
  [`/kubepods/burstable/pod1/${ID}`, 'pod shop'],
  ['/machine.slice/machine-web.scope', 'machine web'],
  ['/lxc.payload.old/system.slice/nginx.service', 'lxc old'],
  ['/system.slice/nginx.service', undefined],
  [undefined, undefined],
])('the control group %s: %s', (cgroup, expected) => expect(containerOf(cgroup, new Map([[ID, 'shop']]))).toBe(expected))
