import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, describe, expect, test } from 'vitest'
import type { Gate, GateReading } from '@portcullis/core/rollout/gate.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { Vantages } from '../vantage/vantages.ts'
import { PROBES, probeGates, readMeasure } from './probeGates.ts'
import type { ProbeAnswer } from './probe.ts'

const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

/** A server that says this to everybody who connects, and this to everything that is said to it. */
async function serve(greeting: Buffer | undefined, answer?: Buffer, isClosing = false): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined)
    if (greeting) socket.write(greeting)
    if (isClosing) socket.end()
    socket.on('data', () => answer && socket.write(answer))
  })
  servers.push(server)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return (server.address() as { port: number }).port
}

async function closedPort(): Promise<number> {
  const port = await serve(undefined)
  await new Promise((resolve) => {
    servers.pop()?.close(resolve)
  })
  return port
}

async function ask(name: string, given: Record<string, unknown>, timeoutMs = 400, signal = new AbortController().signal): Promise<ProbeAnswer> {
  const probe = PROBES[name]
  const settings = probe?.settings.safeParse(given)
  if (!probe || !settings?.success) throw new Error(`${name}: ${settings?.error?.message}`)
  return probe.ask(settings.data, { host: 'h', address: '127.0.0.1', timeoutMs, signal })
}
const told = (answer: ProbeAnswer): string => (answer.kind === 'good' ? `good ${answer.detail ?? ''}` : `${answer.kind} ${answer.because.en}`)

describe('whatever a server does', () => {
  const tcp = ['tls', 'http', 'postgres', 'mysql', 'dicom'] as const
  test.each([...tcp, 'tcp'] as const)('%s: refused is bad', async (name) => {
    expect(told(await ask(name, { port: await closedPort() }))).toBe('bad ECONNREFUSED')
  })
  test.each(tcp)('%s: silence is bad, by the deadline', async (name) => {
    const started = performance.now()
    expect(told(await ask(name, { port: await serve(undefined) }, 150))).toBe('bad no answer within 150 ms')
    expect(performance.now() - started).toBeLessThan(1500)
  })
  test.each(tcp)('%s: hanging up is bad', async (name) => {
    expect((await ask(name, { port: await serve(undefined, undefined, true) })).kind).toBe('bad')
  })
  test.each(tcp)('%s: nonsense is bad', async (name) => {
    const nonsense = Buffer.from('\u0007\u0000\u0000\u0000nonsense\r\n\r\n'.repeat(3))
    expect((await ask(name, { port: await serve(nonsense, nonsense) })).kind).toBe('bad')
  })
  test.each(tcp)('%s: no end of it is bad', async (name) => {
    const flood = Buffer.alloc(100_000, 0xff)
    expect((await ask(name, { port: await serve(flood) })).kind).toBe('bad')
  })
  test.each([...tcp, 'tcp', 'dns', 'udp', 'exec', 'sftp'] as const)('%s: whoever is stopped knows nothing', async (name) => {
    const more: Record<string, Record<string, unknown>> = { dns: { name: 'a.example' }, udp: { text: 'x' }, exec: { argv: '["/bin/true"]' }, sftp: { user: 'u', identityFile: '/k' } }
    const given = name === 'exec' ? more['exec'] : { port: await serve(undefined), ...more[name] }
    expect((await ask(name, given ?? {}, 400, AbortSignal.abort())).kind).toBe('no-data')
  })
})

describe('what is good and what is not', () => {
  const greeting = (text: string): Buffer => Buffer.concat([Buffer.of(text.length + 2, 0, 0, 0, 10), Buffer.from(text), Buffer.of(0)])
  const error = Buffer.concat([Buffer.of(24, 0, 0, 0, 0xff, 0x69, 0x04), Buffer.from('Host is blocked xxxxx')])
  const postgresError = (state: string): Buffer => {
    const fields = Buffer.from(`SFATAL\0C${state}\0Mno\0\0`)
    const size = Buffer.alloc(4)
    size.writeUInt32BE(fields.length + 4)
    return Buffer.concat([Buffer.from('E'), size, fields])
  }
  const http = (status: number, body = ''): Buffer => Buffer.from(`HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
  const cases: readonly [what: string, probe: string, settings: Record<string, unknown>, greeting: Buffer | undefined, answer: Buffer | undefined, told: string][] = [
    ['a greeting', 'mysql', {}, greeting('10.11.6-MariaDB'), undefined, 'good 10.11.6-MariaDB'],
    ['an error instead', 'mysql', {}, error, undefined, 'bad error 1129: Host is blocked xxxxx'],
    ['a version with control characters', 'mysql', {}, greeting('8.0\u001b[2J'), undefined, 'good 8.0?[2J'],
    ['starting up', 'postgres', {}, undefined, postgresError('57P03'), 'bad SQLSTATE 57P03'],
    ['out of connections', 'postgres', {}, undefined, postgresError('53300'), 'bad SQLSTATE 53300'],
    ['it does not know us, but it answers', 'postgres', {}, undefined, postgresError('28000'), 'good SQLSTATE 28000'],
    ['200', 'http', {}, undefined, http(200), 'good status 200'],
    ['a redirect', 'http', {}, undefined, http(301), 'good status 301'],
    ['503', 'http', {}, undefined, http(503), 'bad status 503'],
    ['503 that is wanted', 'http', { status: '200,500-503' }, undefined, http(503), 'good status 503'],
    ['the text is there', 'http', { contains: 'open' }, undefined, http(200, 'shop open'), 'good status 200'],
    ['the text is not there', 'http', { contains: 'open' }, undefined, http(200, 'shop closed'), 'bad the body does not hold what it should'],
    ['a rejected association', 'dicom', {}, undefined, Buffer.of(3, 0, 0, 0, 0, 4, 0, 1, 1, 7), 'bad association rejected, reason 7'],
  ]
  test.each(cases)('%s (%s)', async (_, probe, settings, said, answer, expected) => {
    expect(told(await ask(probe, { port: await serve(said, answer), ...settings }, 2000))).toBe(expected)
  })

  const commands: readonly [argv: readonly string[], told: RegExp][] = [
    [['/bin/true'], /^good/],
    [['/bin/false'], /^good/],
    [['/bin/sh', '-c', 'echo CRITICAL; exit 2'], /^bad exit 2: CRITICAL$/],
    [['/bin/sh', '-c', 'exit 3'], /^no-data the command does not know/],
    [['/bin/sh', '-c', 'kill -9 $$'], /^bad exit by a signal/],
    [['/bin/sleep', '30'], /^bad no answer within 400 ms$/],
    [['/nonexistent'], /^no-data could not ask: ENOENT$/],
    [['/bin/echo', '{address}', '{host}; $(id)'], /^good 127\.0\.0\.1 h; \$\(id\)$/],
  ]
  test.each(commands)('exec %j', async (argv, expected) => {
    expect(told(await ask('exec', { argv: JSON.stringify(argv) }))).toMatch(expected)
  })

  const datagrams: readonly [what: string, settings: Record<string, unknown>, answer: string | undefined, told: string][] = [
    ['echoed', { text: 'tag 1' }, 'tag 1', 'good '],
    ['begins as it should', { hex: '00ff', answerHex: '6f6b' }, 'ok and more', 'good '],
    ['begins otherwise', { hex: '00ff', answerHex: '6f6b' }, 'no', 'bad another answer than expected'],
    ['silence', { text: 'tag 1' }, undefined, 'bad no answer within 200 ms'],
  ]
  test.each(datagrams)('udp: %s', async (_, settings, answer, expected) => {
    const socket = createSocket('udp4')
    socket.on('message', (_bytes, { port, address }) => answer !== undefined && socket.send(answer, port, address))
    await new Promise<void>((resolve) => {
      socket.bind(0, '127.0.0.1', resolve)
    })
    expect(told(await ask('udp', { port: socket.address().port, ...settings }, 200))).toBe(expected)
    socket.close()
  })
  test('udp: refused by ICMP', async () => {
    expect(told(await ask('udp', { port: await closedPort(), text: 'x' }))).toBe('bad ECONNREFUSED')
  })
})

describe('settings', () => {
  const gate = (name: string, settings: Record<string, string | number | boolean>): Gate => ({ name: 'g', measure: { kind: 'other', name, settings }, isCritical: false, samplesMin: 1 })
  const cases: readonly [name: string, settings: Record<string, string | number | boolean>, code: string][] = [
    ['tcp', { port: 22 }, 'ok'],
    ['tcp', { port: 22, worse: 'none', effectRatio: 2 }, 'ok'],
    ['tcp', {}, 'GATE_SETTINGS'],
    ['tcp', { port: 70_000 }, 'GATE_SETTINGS'],
    ['tcp', { port: 22, prot: 1 }, 'GATE_SETTINGS'],
    ['telepathy', {}, 'GATE_UNKNOWN'],
    ['toString', {}, 'GATE_UNKNOWN'],
    ['exec', { argv: 'rm -rf /' }, 'GATE_SETTINGS'],
    ['exec', { argv: '["rm","-rf"]' }, 'GATE_SETTINGS'],
    ['exec', { argv: '["/bin/true"]' }, 'ok'],
    ['http', { path: '/a b' }, 'GATE_SETTINGS'],
    ['http', { path: '/a\r\nX: y' }, 'GATE_SETTINGS'],
    ['sftp', { user: '-oProxyCommand=x', identityFile: '/k' }, 'GATE_SETTINGS'],
    ['sftp', { user: 'u', identityFile: 'key' }, 'GATE_SETTINGS'],
    ['udp', { port: 7 }, 'GATE_SETTINGS'],
    ['dicom', { calledTitle: 'A\\B' }, 'GATE_SETTINGS'],
  ]
  test.each(cases)('%s %j: %s', (name, settings, code) => {
    const read = readMeasure(gate(name, settings))
    expect(read.ok ? 'ok' : read.faults[0]?.code).toBe(code)
  })
})

describe('the gate', () => {
  const host = (name: string): Host => {
    const address = parseAddress('127.0.0.1')
    return { name, addresses: address.ok ? [address.value] : [], labels: {}, tier: 'standard', transport: { kind: 'local' } } as unknown as Host
  }
  const read = (measure: Gate['measure'], hosts: readonly string[]): Promise<GateReading> =>
    probeGates(new Vantages(new Map())).sample({ name: 'g', measure, isCritical: false, samplesMin: 1 }, { since: 0, until: 1, hosts: hosts.map(host), timeoutMs: 500 })

  test('one sample a host, of the hosts that it is about', async () => {
    const port = await serve(undefined)
    const reading = await read({ kind: 'tcp', port, hosts: ['a', 'c'] }, ['a', 'b', 'c'])
    expect(reading.kind === 'samples' && reading.samples.map(({ host: name, isGood }) => `${name} ${isGood}`)).toEqual(['a true', 'c true'])
  })
  const nothing: readonly [what: string, measure: Gate['measure'], hosts: readonly string[], because: RegExp][] = [
    ['no host', { kind: 'tcp', port: 1 }, [], /no host/],
    ['no such probe', { kind: 'other', name: 'x', settings: {} }, ['a'], /no probe "x"/],
    ['wrong settings', { kind: 'other', name: 'tcp', settings: {} }, ['a'], /port/],
    ['a command that is not there', { kind: 'other', name: 'exec', settings: { argv: '["/nonexistent"]' } }, ['a'], /a: could not ask/],
    ['what others measure', { kind: 'denied' }, ['a'], /no probe "denied"/],
  ]
  test.each(nothing)('no data, and why: %s', async (_, measure, hosts, because) => {
    const reading = await read(measure, hosts)
    expect(reading).toMatchObject({ kind: 'no-data', because: { en: expect.stringMatching(because) } })
  })
})

describe('a TLS server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-tls-'))
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=shop', '-addext', 'subjectAltName=DNS:shop.example,IP:127.0.0.1', '-keyout', key, '-out', certificate], { stdio: 'pipe' })
  const keys = { key: readFileSync(key), cert: readFileSync(certificate) }
  afterAll(() => rmSync(folder, { recursive: true }))

  async function serveTls(staple?: Buffer): Promise<number> {
    const server = createTlsServer(keys, (socket) => socket.on('error', () => undefined).resume())
    if (staple) server.on('OCSPRequest', (_certificate, _issuer, answer) => answer(null, staple))
    servers.push(server)
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    return (server.address() as { port: number }).port
  }

  const trusted = { ca: certificate }
  const cases: readonly [what: string, settings: Record<string, unknown>, staple: Buffer | undefined, told: RegExp][] = [
    ['of an authority that is trusted', trusted, undefined, /^good TLSv1\.3, not stapled$/],
    ['with a stapled response', trusted, Buffer.from('response'), /^good TLSv1\.3, stapled$/],
    ['that should staple and does not', { ...trusted, staple: 'required' }, undefined, /^bad no OCSP response is stapled$/],
    ['by the name in its certificate', { ...trusted, name: 'shop.example' }, undefined, /^good /],
    ['by another name', { ...trusted, name: 'other.example' }, undefined, /^bad ERR_TLS_CERT_ALTNAME_INVALID$/],
    ['of an authority that nobody knows', {}, undefined, /^bad DEPTH_ZERO_SELF_SIGNED_CERT|^bad .*self-signed/],
    ['that need not prove who it is', { verify: false }, undefined, /^good /],
  ]
  test.each(cases)('%s', async (_, settings, staple, expected) => {
    const port = await serveTls(staple)
    // Asked again and again: what ends badly after an answer shows in the next.
    for (let round = 0; round < 20; round++) expect(told(await ask('tls', { port, ...settings }, 2000))).toMatch(expected)
  })
})
