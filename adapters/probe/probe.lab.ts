import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NetnsVantage } from '../netns/netnsVantage.ts'
import { SshVantage } from '../ssh/sshVantage.ts'
import type { Vantage } from '../vantage/vantage.ts'
import { freePort, LoopbackDaemons } from './loopbackDaemons.ts'
import type { ProbeAnswer } from './probe.ts'
import { PROBES } from './probeGates.ts'

/** Each probe against the program that it is meant for. */
const daemons = new LoopbackDaemons()
const at = (name: string): string => join(daemons.folder, name)
const ports = { web: 0, plain: 0, sql: 0, dns: 0, ssh: 0, mute: 0, dicom: 0, echo: 0, closed: 0 }

async function ask(name: string, given: Record<string, unknown>, vantage?: Vantage, timeoutMs = 5000): Promise<ProbeAnswer> {
  const probe = PROBES[name]
  const settings = probe?.settings.safeParse(given)
  if (!probe || !settings?.success) throw new Error(`${name}: ${settings?.error?.message}`)
  return probe.ask(settings.data, { host: 'lab', address: '127.0.0.1', timeoutMs, signal: new AbortController().signal, ...(vantage ? { vantage } : {}) })
}
const isGood = (name: string, given: Record<string, unknown>) => async (): Promise<boolean> => (await ask(name, given)).kind === 'good'
const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: daemons.folder, stdio: 'pipe' })

beforeAll(async () => {
  chmodSync(daemons.folder, 0o755)
  for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort()
  await Promise.all([startNginx(), startPostgres(), startSshd(), startOthers()])
}, 60_000)
afterAll(() => daemons[Symbol.asyncDispose]())

async function startNginx(): Promise<void> {
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=Lab authority', '-keyout', 'ca.key', '-out', 'ca.pem')
  openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=shop.lab', '-keyout', 'tls.key', '-out', 'tls.csr')
  writeFileSync(at('names'), 'subjectAltName=DNS:shop.lab,IP:127.0.0.1\n')
  openssl('x509', '-req', '-in', 'tls.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', '7', '-days', '2', '-extfile', 'names', '-out', 'tls.pem')
  writeFileSync(at('index'), 'V\t491231235959Z\t\t07\tunknown\t/CN=shop.lab\n')
  openssl('ocsp', '-issuer', 'ca.pem', '-cert', 'tls.pem', '-reqout', 'ocsp.req')
  openssl('ocsp', '-index', 'index', '-rsigner', 'ca.pem', '-rkey', 'ca.key', '-CA', 'ca.pem', '-reqin', 'ocsp.req', '-respout', 'ocsp.der', '-ndays', '1')
  const server = (port: number, staple: string): string =>
    `server { listen 127.0.0.1:${port} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate ${at('tls.pem')}; ssl_certificate_key ${at('tls.key')}; ${staple} location / { return 200 "shop open"; } location /gone { return 503; } }`
  const staple = `ssl_stapling on; ssl_stapling_file ${at('ocsp.der')};`
  writeFileSync(
    at('nginx.conf'),
    `daemon off; pid ${at('nginx.pid')}; error_log stderr warn; worker_processes 1; events {} http { access_log off; client_body_temp_path ${at('body')}; ${server(ports.web, staple)} ${server(ports.plain, '')} }`,
  )
  await daemons.start(['nginx', '-c', at('nginx.conf')], isGood('tcp', { port: ports.web }))
}

async function startPostgres(): Promise<void> {
  const as = (user: string): string[] => ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups']
  const binaries = execFileSync('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin | tail -n 1'], { encoding: 'utf8' }).trim()
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' })))
  mkdirSync(at('sql'))
  chownSync(at('sql'), uid ?? 0, gid ?? 0)
  writeFileSync(at('password'), 'lab-password\n')
  chmodSync(at('password'), 0o644)
  const [program, ...args] = [...as('postgres'), `${binaries}/initdb`, '-D', at('sql/data'), '-U', 'probe', '-A', 'scram-sha-256', `--pwfile=${at('password')}`]
  execFileSync(program, args, { stdio: 'pipe', cwd: '/' })
  const flags = ['-D', at('sql/data'), '-p', String(ports.sql), '-k', at('sql'), '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off']
  await daemons.start([...as('postgres'), `${binaries}/postgres`, ...flags], isGood('postgres', { port: ports.sql }))
}

async function startSshd(): Promise<void> {
  mkdirSync('/run/sshd', { recursive: true })
  for (const key of ['host', 'user', 'stranger']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)])
  execFileSync('cp', [at('user.pub'), at('authorized')])
  const known = execFileSync('cut', ['-d ', '-f1,2', at('host.pub')], { encoding: 'utf8' })
  writeFileSync(at('known'), `[127.0.0.1]:${ports.ssh} ${known}`)
  writeFileSync(at('strangers'), '')
  writeFileSync(at('mute-known'), `[127.0.0.1]:${ports.mute} ${known}`)
  const start = (port: number, ...more: string[]): Promise<unknown> => {
    const words = ['/usr/sbin/sshd', '-D', '-e', '-f', '/dev/null', '-p', String(port), '-h', at('host')]
    return daemons.start([...words, ...[...options, ...more].flatMap((option) => ['-o', option])], isGood('tcp', { port }))
  }
  const options = ['StrictModes=no', `AuthorizedKeysFile=${at('authorized')}`, 'UsePAM=no', 'PasswordAuthentication=no', 'PermitRootLogin=yes', 'PidFile=none', 'ListenAddress=127.0.0.1', 'Subsystem=sftp internal-sftp']
  await Promise.all([start(ports.ssh), start(ports.mute, 'AllowTcpForwarding=no')])
}

async function startOthers(): Promise<void> {
  const dnsmasq = ['dnsmasq', '-k', '--conf-file=/dev/null', `--port=${ports.dns}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--no-resolv', '--no-hosts', '--user=root', `--pid-file=${at('dns.pid')}`, '--host-record=shop.lab,192.0.2.7', '--local=/lab/']
  await daemons.start(dnsmasq, isGood('dns', { port: ports.dns, name: 'shop.lab' }))
  mkdirSync(at('images'))
  await daemons.start(['storescp', '--fork', '-od', at('images'), String(ports.dicom)], isGood('tcp', { port: ports.dicom }))
  await daemons.start(['socat', `UDP4-RECVFROM:${ports.echo},bind=127.0.0.1,fork`, 'PIPE'], isGood('udp', { port: ports.echo, text: 'x' }))
}

const login = (): Record<string, unknown> => ({ port: ports.ssh, user: 'root', identityFile: at('user'), knownHostsFile: at('known') })
const cases: readonly [what: string, probe: string, settings: () => Record<string, unknown>, answer: RegExp][] = [
  ['tcp, open', 'tcp', () => ({ port: ports.web }), /^good/],
  ['tcp, closed', 'tcp', () => ({ port: ports.closed }), /^bad ECONNREFUSED/],
  ['tls, stapled', 'tls', () => ({ port: ports.web, ca: at('ca.pem'), staple: 'required' }), /^good TLSv1\.3, stapled/],
  ['tls, not stapled', 'tls', () => ({ port: ports.plain, ca: at('ca.pem') }), /^good TLSv1\.3, not stapled/],
  ['tls, not stapled but wanted', 'tls', () => ({ port: ports.plain, ca: at('ca.pem'), staple: 'required' }), /^bad no OCSP/],
  ['tls, an authority that nobody knows', 'tls', () => ({ port: ports.web }), /^bad UNABLE_TO_VERIFY/],
  ['tls, another name', 'tls', () => ({ port: ports.web, ca: at('ca.pem'), name: 'bank.lab' }), /^bad ERR_TLS_CERT_ALTNAME_INVALID/],
  ['tls, a file that is not there', 'tls', () => ({ port: ports.web, ca: at('none.pem') }), /^no-data/],
  ['tls, a port that speaks otherwise', 'tls', () => ({ port: ports.ssh, verify: false }), /^bad/],
  ['https', 'http', () => ({ scheme: 'https', port: ports.web, ca: at('ca.pem'), name: 'shop.lab', contains: 'open' }), /^good status 200/],
  ['https, broken', 'http', () => ({ scheme: 'https', port: ports.web, ca: at('ca.pem'), path: '/gone' }), /^bad status 503/],
  ['http to a TLS port', 'http', () => ({ port: ports.web }), /^bad status 400/],
  ['postgres, up', 'postgres', () => ({ port: ports.sql }), /^good/],
  ['postgres, login', 'postgres', () => ({ port: ports.sql, user: 'probe', passwordFile: at('password') }), /^good/],
  ['postgres, wrong password', 'postgres', () => ({ port: ports.sql, user: 'probe', passwordFile: at('names') }), /^bad .*SQLSTATE 28P01/],
  ['postgres, no such file', 'postgres', () => ({ port: ports.sql, user: 'probe', passwordFile: at('none') }), /^no-data/],
  ['postgres, another daemon', 'postgres', () => ({ port: ports.ssh }), /^bad/],
  ['dns', 'dns', () => ({ port: ports.dns, name: 'shop.lab', expect: '192.0.2.7' }), /^good 192\.0\.2\.7/],
  ['dns, another answer', 'dns', () => ({ port: ports.dns, name: 'shop.lab', expect: '192.0.2.8' }), /^bad answers 192\.0\.2\.7/],
  ['dns, no such name', 'dns', () => ({ port: ports.dns, name: 'none.lab' }), /^bad there is no A/],
  ['dns, no such name, as it should', 'dns', () => ({ port: ports.dns, name: 'none.lab', answer: 'absent' }), /^good/],
  ['dns, refused', 'dns', () => ({ port: ports.dns, name: 'example.org' }), /^bad EREFUSED/],
  ['dns, nobody there', 'dns', () => ({ port: ports.closed, name: 'shop.lab' }), /^bad/],
  ['sftp', 'sftp', login, /^good version 3/],
  ['sftp, a key that is not known', 'sftp', () => ({ ...login(), identityFile: at('stranger') }), /^bad .*Permission denied/],
  ['sftp, a host that is not known', 'sftp', () => ({ ...login(), knownHostsFile: at('strangers') }), /^no-data Host key verification failed/],
  ['sftp, nobody there', 'sftp', () => ({ ...login(), port: ports.closed }), /^bad .*(?:refused|closed)/i],
  ['dicom', 'dicom', () => ({ port: ports.dicom }), /^good/],
  ['dicom, another daemon', 'dicom', () => ({ port: ports.ssh }), /^bad/],
  ['udp', 'udp', () => ({ port: ports.echo, text: 'tag', answerHex: '746167' }), /^good/],
  ['udp, nobody there', 'udp', () => ({ port: ports.closed, text: 'tag' }), /^bad ECONNREFUSED/],
]
const words = (answer: ProbeAnswer): string => (answer.kind === 'good' ? `good ${answer.detail ?? ''}` : `${answer.kind} ${answer.because.en}`)

test.each(cases)('%s', async (_, probe, settings, expected) => {
  const answer = await ask(probe, settings())
  expect(words(answer)).toMatch(expected)
  if (answer.kind === 'good') expect(answer.value).toBeGreaterThan(0)
})

describe('from a vantage over ssh', () => {
  const vantageOf = (port: number, known: string): SshVantage =>
    new SshVantage({ kind: 'ssh', destination: '127.0.0.1', port, user: 'root', identityFile: at('user'), knownHostsFile: at(known), sudo: false })
  let vantage: SshVantage
  beforeAll(() => {
    vantage = vantageOf(ports.ssh, 'known')
  })
  afterAll(() => vantage.close())

  test.each(cases.filter(([, probe]) => PROBES[probe]?.canAskFromElsewhere))('%s', async (_, probe, settings, expected) => {
    const answer = await ask(probe, settings(), vantage)
    expect(words(answer)).toMatch(expected)
    if (answer.kind === 'good') expect(answer.value).toBeGreaterThan(0)
  })

  test('100 at a time', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask('tcp', { port: index % 2 === 0 ? ports.web : ports.closed }, vantage, 30_000)))
    expect(answers.map(({ kind }) => kind)).toEqual(answers.map((_, index) => (index % 2 === 0 ? 'good' : 'bad')))
  })

  test.each<[what: string, port: () => number, known: string, answer: RegExp]>([
    ['an sshd that forwards nothing knows nothing of the service', () => ports.mute, 'mute-known', /^no-data could not ask: sshd forwards nothing: administratively prohibited/],
    ['nor does one that is not there', () => ports.closed, 'known', /^no-data could not ask: .*Connection refused/],
    ['nor one whose key is not known', () => ports.ssh, 'strangers', /^no-data could not ask: .*Host key verification failed/],
  ])('%s', async (_, port, known, expected) => {
    const other = vantageOf(port(), known)
    expect(words(await ask('tcp', { port: ports.web }, other))).toMatch(expected)
    expect(words(await ask('sftp', login(), other))).toMatch(/^no-data/)
    await other.close()
  })

  test('it is no reason for a process to go on, and ends with it', () => {
    const program = `
      import { SshVantage } from ${JSON.stringify(new URL('../ssh/sshVantage.ts', import.meta.url).href)}
      const vantage = new SshVantage(${JSON.stringify({ kind: 'ssh', destination: '127.0.0.1', port: ports.ssh, user: 'root', identityFile: at('user'), knownHostsFile: at('known'), sudo: false })})
      const stream = await vantage.connect('127.0.0.1', ${ports.web}, { timeoutMs: 10_000, signal: new AbortController().signal })
      stream.destroy()
      console.log('asked')`
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 20_000 })).toBe('asked\n')
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n').filter((line) => line.startsWith('ssh -M') && line.includes(at('known')))).toHaveLength(1)
  })

  test('one whose connection is lost connects again', async () => {
    const other = vantageOf(ports.ssh, 'known')
    expect((await ask('tcp', { port: ports.web }, other)).kind).toBe('good')
    await other.close()
    expect((await ask('tcp', { port: ports.web }, other)).kind).toBe('good')
    await other.close()
  })
})

/** No part of what the project installs: where it is, it is asked. */
const hasMariadb = ['/usr/sbin/mariadbd', '/usr/bin/mariadb-install-db'].every((path) => existsSync(path))

test.skipIf(!hasMariadb)('mysql: MariaDB greets', async () => {
  const port = await freePort()
  mkdirSync(at('maria'))
  execFileSync('chown', ['mysql:', at('maria')])
  execFileSync('mariadb-install-db', ['--no-defaults', `--datadir=${at('maria/data')}`, '--user=mysql', '--skip-test-db', '--auth-root-authentication-method=normal'], { stdio: 'pipe' })
  const flags = ['--user=mysql', `--datadir=${at('maria/data')}`, `--port=${port}`, `--socket=${at('maria/s')}`, '--bind-address=127.0.0.1', `--pid-file=${at('maria/pid')}`]
  await daemons.start(['/usr/sbin/mariadbd', '--no-defaults', ...flags], isGood('tcp', { port }))
  expect(words(await ask('mysql', { port }))).toMatch(/^good .*MariaDB/)
}, 60_000)

test('from a network namespace', async () => {
  const name = `probe-${process.pid}`
  execFileSync('ip', ['netns', 'add', name])
  try {
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
    const inside = new NetnsVantage(name)
    await daemons.start(['ip', 'netns', 'exec', name, 'socat', `TCP4-LISTEN:${ports.web},fork,bind=127.0.0.1`, 'PIPE'], async () => (await ask('tcp', { port: ports.web }, inside)).kind === 'good')
    expect(words(await ask('tcp', { port: ports.closed }, inside))).toBe('bad ECONNREFUSED')
    expect(words(await ask('tcp', { port: ports.web }, new NetnsVantage(`${name}-none`)))).toMatch(/^no-data/)
  } finally {
    execFileSync('ip', ['netns', 'del', name])
  }
})
