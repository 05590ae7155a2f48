import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { identify, SILENT_MS_MAX } from './identify.ts'

// Real daemons on loopback, on ports that say nothing about what they are.
const PORTS = { ssh: 18_001, tlsHttp: 18_002, http: 18_003, redis: 18_004, dicom: 18_005, dns: 18_006, silent: 18_007, odd: 18_008, sshMoved: 18_080 } as const
const daemons: ChildProcess[] = []
let folder: string
const silent = createServer((socket) => socket.on('error', () => undefined))

const at = (port: number) => ({ address: '127.0.0.1', port })
const start = (command: string, ...args: string[]): number => daemons.push(spawn(command, args, { stdio: 'ignore', cwd: folder }))

beforeAll(async () => {
  folder = mkdtempSync('/tmp/pb-identify-')
  const file = (name: string): string => join(folder, name)
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file('host_key')])
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/O=Pharmacy/CN=shop.example', '-keyout', file('key.pem'), '-out', file('cert.pem')], { stdio: 'ignore' })
  mkdirSync('/run/sshd', { recursive: true })
  for (const port of [PORTS.ssh, PORTS.sshMoved]) start('/usr/sbin/sshd', '-D', '-f', '/dev/null', '-o', 'PidFile=none', '-o', `ListenAddress=127.0.0.1:${port}`, '-h', file('host_key'))
  writeFileSync(
    file('nginx.conf'),
    `daemon off; user root; pid ${file('nginx.pid')}; error_log /dev/null; events {}
     http { access_log off; default_type text/html;
       server { listen 127.0.0.1:${PORTS.tlsHttp} ssl; ssl_certificate ${file('cert.pem')}; ssl_certificate_key ${file('key.pem')}; location / { return 200 "<title>Shop</title>"; } }
       server { listen 127.0.0.1:${PORTS.http}; location / { return 200 "<html><title>Plain</title></html>"; } } }`,
  )
  start('/usr/sbin/nginx', '-p', folder, '-c', file('nginx.conf'))
  start('redis-server', '--port', String(PORTS.redis), '--bind', '127.0.0.1', '--save', '')
  start('storescp', String(PORTS.dicom))
  start('/usr/sbin/dnsmasq', '--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', `--port=${PORTS.dns}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--user=root', '--pid-file=')
  silent.listen(PORTS.silent, '127.0.0.1')
  await Promise.all(Object.values(PORTS).filter((port) => port !== PORTS.odd).map(listening))
})

afterAll(async () => {
  silent.close()
  // Not SIGKILL: nginx and sshd have children of their own, which only they can end.
  const ends = daemons.map((daemon) => new Promise((resolve) => (daemon.exitCode === null ? daemon.once('exit', resolve) : resolve(undefined))))
  for (const daemon of daemons) daemon.kill('SIGTERM')
  await Promise.all(ends)
  if (folder) rmSync(folder, { recursive: true, force: true })
})

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port })
      socket.once('connect', () => (socket.destroy(), resolve(true)))
      socket.once('error', () => resolve(false))
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on ${port}`)
}

test('SSH: banner, key exchanges and the host key as ssh-keygen prints it, on any port', async () => {
  const fingerprint = execFileSync('ssh-keygen', ['-l', '-f', join(folder, 'host_key.pub')], { encoding: 'utf8' }).split(' ')[1]
  for (const port of [PORTS.ssh, PORTS.sshMoved]) {
    const identity = await identify(at(port))
    expect(identity).toMatchObject({ service: 'ssh', details: { hostKeyType: 'ssh-ed25519', hostKey: fingerprint } })
    expect(identity?.details['banner']).toMatch(/^SSH-2\.0-OpenSSH_/)
    expect(identity?.details['kex']).toContain('curve25519-sha256')
  }
})

test('HTTP inside TLS: certificate, public key, title', async () => {
  const { publicKey } = new X509Certificate(readFileSync(join(folder, 'cert.pem')))
  const spki = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64')
  const identity = await identify(at(PORTS.tlsHttp))
  expect(identity).toMatchObject({ service: 'https', details: { subject: 'O=Pharmacy, CN=shop.example', spkiSha256: spki, title: 'Shop' } })
})

test.each([
  ['http', PORTS.http, { title: 'Plain' }],
  ['redis', PORTS.redis, { reply: '+PONG' }],
  ['dicom', PORTS.dicom, {}],
  ['dns', PORTS.dns, {}],
])('%s', async (service, port, details) => {
  expect(await identify(at(port))).toMatchObject({ service, details })
})

test('a port that takes everything and says nothing stays nameless, within the budget', async () => {
  const startedMs = performance.now()
  expect(await identify(at(PORTS.silent))).toBeUndefined()
  // Timers of a busy machine are late.
  expect(performance.now() - startedMs).toBeLessThan(SILENT_MS_MAX + 2000)
})

test('a closed port is no service', async () => {
  expect(await identify(at(PORTS.odd))).toBeUndefined()
})
