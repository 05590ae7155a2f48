import { createServer, type Server } from 'node:http'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { readSeries, readQuery } from './prometheusGates.ts'
import { askInstant, readAnswer, type PrometheusAccess, type Series } from './promqlClient.ts'
import { indexFleet } from '../import/fleetIndex.ts'
import { readUseFile, useObservation, useOf, type UseMapping } from './metricUse.ts'

describe('answers', () => {
  const success = (result: unknown): string => JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } })
  const cases: readonly [what: string, text: string, read: string | Series[]][] = [
    ['values', success([{ metric: { instance: 'a:1' }, values: [[1.5, '2'], [2.5, '3e2']] }]), [{ labels: { instance: 'a:1' }, points: [[1500, 2], [2500, 300]] }]],
    ['no series', success([]), []],
    ['not a number, infinite, empty', success([{ metric: {}, values: [[1, 'NaN'], [2, '+Inf'], [3, '-Inf'], [4, '']] }]), [{ labels: {}, points: [] }]],
    ['an error', JSON.stringify({ status: 'error', errorType: 'bad_data', error: 'parse error' }), 'PROMETHEUS_REFUSED Prometheus refuses the query: bad_data: parse error'],
    ['a page', '<html>', 'PROMETHEUS_ANSWER what answers is no Prometheus: status 200, no JSON'],
    ['other JSON', '{"status":"success"}', 'PROMETHEUS_ANSWER'],
    ['a scalar', JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [1, '2'] } }), 'PROMETHEUS_ANSWER'],
    ['a value that is no text', success([{ metric: {}, values: [[1, 2]] }]), 'PROMETHEUS_ANSWER'],
    ['too many series', success(Array.from({ length: 10_001 }, () => ({ metric: {}, value: [1, '1'] }))), 'PROMETHEUS_ANSWER'],
  ]
  test.each(cases)('%s', (_, text, expected) => {
    const read = readAnswer(text, 200)
    if (typeof expected === 'string') expect(read.ok ? '' : `${read.faults[0]?.code} ${read.faults[0]?.what.en}`).toContain(expected)
    else expect(read).toEqual({ ok: true, value: expected })
  })
})

describe('secrets and limits of a question', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-prometheus-'))
  const heard: (string | undefined)[] = []
  let server: Server
  let url = ''
  beforeAll(async () => {
    writeFileSync(join(folder, 'token'), 'dG9rZW4\n')
    writeFileSync(join(folder, 'password'), 'pässword\n')
    writeFileSync(join(folder, 'broken'), 'a\u0000b\nc')
    server = createServer((request, response) => {
      heard.push(request.headers.authorization)
      if (request.url?.startsWith('/redirect')) response.writeHead(302, { location: url }).end()
      else if (request.url?.startsWith('/silent')) return
      else if (request.url?.startsWith('/endless')) {
        const write = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(1 << 20, 0x20)));
        }
        response.on('drain', write)
        write()
      } else response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [] } }))
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  })
  const cases: readonly [what: string, path: string, access: Partial<PrometheusAccess>, code: string, header: string | undefined][] = [
    ['nothing', '', {}, 'ok', undefined],
    ['a token', '', { bearerTokenFile: 'token' }, 'ok', 'Bearer dG9rZW4'],
    ['a password', '', { user: 'u', passwordFile: 'password' }, 'ok', `Basic ${Buffer.from('u:pässword').toString('base64')}`],
    ['a file that is not there', '', { bearerTokenFile: 'none' }, 'PROMETHEUS_SECRET', undefined],
    ['a token that is none', '', { bearerTokenFile: 'broken' }, 'PROMETHEUS_SECRET', undefined],
    ['a redirect is not followed', '/redirect', { bearerTokenFile: 'token' }, 'PROMETHEUS_UNREACHABLE', 'Bearer dG9rZW4'],
    ['silence', '/silent', {}, 'PROMETHEUS_UNREACHABLE', undefined],
    ['no end of it', '/endless', {}, 'PROMETHEUS_ANSWER', undefined],
  ]
  test.each(cases)('%s', async (what, path, access, code, header) => {
    heard.length = 0
    const named = Object.fromEntries(Object.entries(access).map(([key, value]) => [key, key.endsWith('File') ? join(folder, String(value)) : value]))
    const answer = await askInstant({ url: `${url}${path}/`, ...named }, 'up', 1, what === 'silence' ? 200 : 5000)
    expect(answer.ok ? 'ok' : answer.faults[0]?.code).toBe(code)
    expect(JSON.stringify(answer)).not.toMatch(/dG9rZW4|ssword"/)
    if (code !== 'PROMETHEUS_SECRET') expect(heard).toEqual([header])
  })
})

describe('a reading of a gate', () => {
  const address = parseAddress('192.0.2.1')
  const hosts = [{ name: 'web-1', addresses: address.ok ? [address.value] : [] }, { name: 'web-2', addresses: [] }] as unknown as Host[]
  const window = { since: 0, until: 100_000, hosts, timeoutMs: 1000 }
  const asked = { hostLabel: 'instance', staleSeconds: 60 }
  const series = (instance: string, ...points: [number, number][]): Series => ({ labels: { instance }, points })
  const cases: readonly [what: string, settings: typeof asked & { above?: number; below?: number }, values: Series[], times: Series[], read: string][] = [
    ['by name', asked, [series('web-1', [90_000, 1], [95_000, 2])], [], 'web-1 1 good, web-1 2 good'],
    ['by name and port', asked, [series('web-2:9100', [90_000, 1])], [], 'web-2 1 good'],
    ['by address', asked, [series('192.0.2.1:9100', [90_000, 1])], [], 'web-1 1 good'],
    ['of all hosts', { ...asked, hostLabel: 'none' }, [series('', [90_000, 1])], [], '- 1 good'],
    ['above the limit', { ...asked, above: 1 }, [series('web-1', [90_000, 1], [95_000, 2])], [], 'web-1 1 good, web-1 2 2 > 1'],
    ['below the limit', { ...asked, below: 2 }, [series('web-1', [90_000, 1], [95_000, 2])], [], 'web-1 1 1 < 2, web-1 2 good'],
    ['of others', asked, [series('db-1', [90_000, 1])], [], 'no data: 1 series, none with a instance of these hosts'],
    ['nothing', asked, [], [], 'no data: the query has no value in the window'],
    ['only what is no number', asked, [series('web-1')], [], 'no data: the query has no value in the window'],
    ['ended long ago', asked, [series('web-1', [10_000, 1])], [], 'no data: the newest value is older than 60 s (1 series)'],
    ['goes on, but was not scraped', asked, [series('web-1', [95_000, 1])], [series('web-1', [100_000, 10])], 'no data: the newest value is older than 60 s (1 series)'],
    ['was scraped just now', asked, [series('web-1', [95_000, 1])], [series('web-1', [100_000, 99])], 'web-1 1 good'],
    ['one is stale, one is not', asked, [series('web-1', [10_000, 1]), series('web-2', [95_000, 1])], [], 'web-2 1 good'],
  ]
  test.each(cases)('%s', (_, settings, values, times, expected) => {
    const reading = readSeries(settings, window, values, times)
    const told = reading.kind === 'no-data' ? `no data: ${reading.because.en}` : reading.samples.map(({ host, value, because }) => `${host ?? '-'} ${value} ${because?.en ?? 'good'}`).join(', ')
    expect(told).toBe(expected)
  })

  const settings: readonly [given: Record<string, string | number>, isRight: boolean][] = [
    [{ url: 'http://p:9090', query: 'up' }, true],
    [{ url: 'http://p:9090', query: 'up', above: '0.5', effectRatio: '0.25' }, true],
    [{ url: 'http://p:9090', query: 'up', above: 'much' }, false],
    [{ url: 'https://u:secret@p:9090', query: 'up' }, false],
    [{ url: 'file:///etc/passwd', query: 'up' }, false],
    [{ url: 'http://p:9090' }, false],
    [{ url: 'http://p:9090', query: 'up', bearerTokenFile: 'token' }, false],
    [{ url: 'http://p:9090', query: 'up', passwordFile: '/p' }, false],
    [{ url: 'http://p:9090', query: 'up', bearerToken: 'x' }, false],
  ]
  test.each(settings)('%j', (given, isRight) => {
    expect(readQuery({ name: 'g', measure: { kind: 'other', name: 'prometheus', settings: given }, isCritical: false, samplesMin: 1 }).ok).toBe(isRight)
  })
})

describe('metrics as evidence of use', () => {
  const map = (more: Partial<UseMapping>): UseMapping => ({ name: 'm', query: 'q', kind: 'counter', hostLabel: 'instance', protocol: 'tcp', port: 443, ...more })
  const series = (labels: Record<string, string>, ...values: number[]): Series => ({ labels: { instance: 'web-1:9113', ...labels }, points: values.map((value, index) => [index * 1000, value]) })
  const byLabel = map({ port: undefined, portLabel: 'p' })
  const cases: readonly [what: string, mapping: UseMapping, series: Series, use: string][] = [
    ['a counter that grows', map({}), series({}, 5, 5, 9, 12), 'web-1 443/tcp 7 2000-3000'],
    ['a counter that stands still', map({}), series({}, 5, 5, 5), 'nothing'],
    ['a counter that stood high at first', map({}), series({}, 1e9), 'nothing'],
    ['a counter that began again', map({}), series({}, 5, 2, 2), 'web-1 443/tcp 2 1000-1000'],
    ['a gauge above zero', map({ kind: 'gauge' }), series({}, 0, 3, 2, 0), 'web-1 443/tcp 3 1000-2000'],
    ['a gauge at zero', map({ kind: 'gauge' }), series({}, 0, 0), 'nothing'],
    ['a port in a label', byLabel, series({ p: '8443' }, 0, 1), 'web-1 8443/tcp 1 1000-1000'],
    ['an address with a port', byLabel, series({ p: '10.0.0.1:25' }, 0, 1), 'web-1 25/tcp 1 1000-1000'],
    ['a URL with a port', byLabel, series({ p: 'https://shop:8443/health' }, 0, 1), 'web-1 8443/tcp 1 1000-1000'],
    ['a port that is none', byLabel, series({ p: '70000' }, 0, 1), 'nothing'],
    ['a name of no port', byLabel, series({ p: 'https' }, 0, 1), 'nothing'],
    ['an address of family 6', map({}), series({ instance: '[2001:db8::1]:9113' }, 0, 1), '2001:db8::1 443/tcp 1 1000-1000'],
    ['no host', map({ hostLabel: 'none' }), series({}, 0, 1), 'nothing'],
  ]
  test.each(cases)('%s', (_, mapping, given, expected) => {
    const [use] = useOf(mapping, given)
    expect(use ? `${use.host} ${use.port}/${use.protocol} ${use.amount} ${use.firstSeen}-${use.lastSeen}` : 'nothing').toBe(expected)
  })

  test.each([
    [{ name: 'a', query: 'q', kind: 'counter', port: 443 }, true],
    [{ name: 'a', query: 'q', kind: 'counter' }, false],
    [{ name: 'a', query: 'q', kind: 'counter', port: 443, portLabel: 'p' }, false],
    [{ name: 'a', query: 'q', kind: 'guess', port: 443 }, false],
  ])('a mapping %j', (metric, isRight) => {
    expect(readUseFile(JSON.stringify({ version: 1, url: 'http://p:9090', metrics: [metric] }), 'm.yaml').ok).toBe(isRight)
  })

  test('a mistake has its place, in both languages', () => {
    const read = readUseFile('version: 1\nurl: http://p:9090\nmetrics:\n  - {name: a, query: q, kind: guess, port: 443}\n', 'm.yaml')
    expect(read.ok ? [] : read.faults).toEqual([
      { code: 'METRICS_SHAPE', what: { en: expect.stringContaining('metrics.0.kind: '), zh: expect.stringMatching(/metrics\.0\.kind：.*\p{Script=Han}/u) }, place: { file: 'm.yaml', line: 4, column: 31 } },
    ])
  })

  test('each day of use stands by itself', () => {
    const DAY = 86_400_000
    const points = [[0, 1], [DAY / 2, 2], [DAY, 2], [2 * DAY, 5], [2 * DAY + 1, 6]] as const
    expect(useOf(map({}), { labels: { instance: 'web-1' }, points }).map(({ amount, firstSeen, lastSeen }) => [amount, firstSeen, lastSeen])).toEqual([[1, DAY / 2, DAY / 2], [4, 2 * DAY, 2 * DAY + 1]])
  })

  test.each([
    ['web-1', 'web-1'],
    ['WEB-1.example.org', 'web-1'],
    ['10.0.0.1', 'web-1'],
    ['10.0.0.2', undefined],
    ['web-2', undefined],
  ])('the host %s is %s of the fleet', (host, expected) => {
    const address = parseAddress('10.0.0.1')
    const fleet = indexFleet([{ name: 'web-1', addresses: address.ok ? [address.value] : [] }])
    expect(useObservation({ host, protocol: 'tcp', port: 443, because: 'm', amount: 1, firstSeen: 1, lastSeen: 2 }, fleet)?.host).toBe(expected)
  })
})
