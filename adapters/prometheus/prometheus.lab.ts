import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { Alert } from '@portcullis/engine/gates.ts'
import type { GateReading } from '@portcullis/core/rollout/gate.ts'
import { readReceivers } from '../alert/receivers.ts'
import { freePort, LoopbackDaemons } from '../probe/loopbackDaemons.ts'
import { readMetricUse, readUseFile } from './metricUse.ts'
import { prometheusGates } from './prometheusGates.ts'
import { askInstant } from './promqlClient.ts'

/** Debian's Prometheus, its blackbox and node exporters, its Alertmanager. */
const daemons = new LoopbackDaemons()
const at = (name: string): string => join(daemons.folder, name)
const ports = { prometheus: 0, blackbox: 0, node: 0, alertmanager: 0, cluster: 0 }
const isUp = (port: number, path: string) => async (): Promise<boolean> => {
  try {
    return (await fetch(`http://127.0.0.1:${port}${path}`)).ok
  } catch {
    return false
  }
}
const address = parseAddress('127.0.0.1')
const HOST = { name: 'web-1', addresses: address.ok ? [address.value] : [] } as unknown as Host
const url = (): string => `http://127.0.0.1:${ports.prometheus}`

beforeAll(async () => {
  for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort()
  writeFileSync(at('blackbox.yml'), 'modules: {tcp: {prober: tcp, timeout: 1s}}\n')
  writeFileSync(at('alertmanager.yml'), 'route: {receiver: none}\nreceivers: [{name: none}]\n')
  writeFileSync(
    at('prometheus.yml'),
    `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - {job_name: node, static_configs: [{targets: ['127.0.0.1:${ports.node}']}]}
  - job_name: tcp
    metrics_path: /probe
    params: {module: [tcp]}
    static_configs: [{targets: ['127.0.0.1:${ports.node}']}]
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__address__], target_label: target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: '127.0.0.1:${ports.blackbox}'}
`,
  )
  mkdirSync(at('tsdb'))
  await daemons.start(['prometheus-node-exporter', `--web.listen-address=127.0.0.1:${ports.node}`, '--collector.disable-defaults', '--collector.netstat', '--collector.netstat.fields=.*'], isUp(ports.node, '/metrics'))
  await daemons.start(['prometheus-blackbox-exporter', `--config.file=${at('blackbox.yml')}`, `--web.listen-address=127.0.0.1:${ports.blackbox}`], isUp(ports.blackbox, '/-/healthy'))
  await daemons.start(['prometheus', `--config.file=${at('prometheus.yml')}`, `--storage.tsdb.path=${at('tsdb')}`, `--web.listen-address=127.0.0.1:${ports.prometheus}`, '--log.level=error'], isUp(ports.prometheus, '/-/ready'))
  await daemons.start(
    ['prometheus-alertmanager', `--config.file=${at('alertmanager.yml')}`, `--storage.path=${at('am')}`, `--web.listen-address=127.0.0.1:${ports.alertmanager}`, '--cluster.listen-address='],
    isUp(ports.alertmanager, '/-/ready'),
  )
  // Prometheus looks for its targets some seconds after its start.
  const has = async (query: string): Promise<boolean> => {
    const answered = await askInstant({ url: url() }, query, Date.now(), 2000)
    return answered.ok && answered.value.length > 0
  }
  for (const query of ['probe_success', 'rate(node_netstat_Tcp_PassiveOpens[5s])']) while (!(await has(query))) await sleep(200)
  await sleep(2000)
}, 90_000)
afterAll(() => daemons[Symbol.asyncDispose]())

const read = (settings: Record<string, string | number>, hosts: readonly Host[] = [HOST]): Promise<GateReading> => {
  const until = Date.now()
  const measure = { kind: 'other' as const, name: 'prometheus', settings: { url: url(), stepSeconds: 1, staleSeconds: 5, ...settings } }
  return prometheusGates.sample({ name: 'g', measure, isCritical: false, samplesMin: 1 }, { since: until - 10_000, until, hosts, timeoutMs: 5000 })
}
const told = (reading: GateReading): string => (reading.kind === 'no-data' ? `no data: ${reading.because.en}` : `${reading.samples.length > 0 ? 'samples' : 'none'} ${[...new Set(reading.samples.map(({ host, isGood }) => `${host ?? '-'} ${isGood ? 'good' : 'bad'}`))].join(', ')}`)

describe('a gate', () => {
  const cases: readonly [what: string, settings: Record<string, string | number>, answer: RegExp][] = [
    ['values of blackbox', { query: 'probe_success', below: 1 }, /^samples web-1 good$/],
    ['values of a rate', { query: 'rate(node_netstat_Tcp_PassiveOpens[5s])', worse: 'lower' }, /^samples web-1 good$/],
    ['a limit', { query: 'probe_success', above: 0.5 }, /^samples web-1 bad$/],
    ['one number for all', { query: 'sum(up)', hostLabel: 'none' }, /^samples - good$/],
    ['a query with a comment at its end', { query: 'probe_success # of blackbox' }, /^samples web-1 good$/],
    ['nothing by that name', { query: 'no_such_metric' }, /^no data: the query has no value/],
    ['nothing but NaN', { query: 'probe_success * 0 / 0' }, /^no data: the query has no value/],
    ['a mistake', { query: 'rate(up' }, /^no data: Prometheus refuses the query: bad_data/],
    ['a scalar is no series', { query: 'scalar(up)', hostLabel: 'nothing' }, /^no data/],
    ['nobody there', { query: 'up', url: 'http://127.0.0.1:9' }, /^no data: Prometheus cannot be reached/],
    ['another server', { query: 'up', url: 'BLACKBOX' }, /^no data: what answers is no Prometheus/],
  ]
  test.each(cases)('%s', async (_, settings, expected) => {
    const given = settings['url'] === 'BLACKBOX' ? { ...settings, url: `http://127.0.0.1:${ports.blackbox}` } : settings
    expect(told(await read(given))).toMatch(expected)
  })

  test('hosts of others', async () => {
    expect(told(await read({ query: 'up' }, [{ ...HOST, addresses: [] }]))).toMatch(/^no data: \d+ series, none with a instance of these hosts$/)
  })

  test('counters as evidence of use: they grew, and a mapping that is wrong is told', async () => {
    const metrics = [
      { name: 'node exporter', query: 'node_netstat_Tcp_PassiveOpens', kind: 'counter', port: 9100 },
      { name: 'blackbox', query: 'probe_success', kind: 'gauge', portLabel: 'target' },
      { name: 'broken', query: 'rate(', kind: 'counter', port: 1 },
    ]
    const file = readUseFile(JSON.stringify({ version: 1, url: url(), stepSeconds: 1, metrics }), 'metrics.json')
    if (!file.ok) throw new Error(JSON.stringify(file.faults))
    const { uses, faults } = await readMetricUse(file.value, Date.now() - 30_000, Date.now(), 5000)
    expect(uses.map(({ host, port, because, amount }) => `${host} ${port} ${because} ${amount > 0}`).toSorted()).toEqual([`127.0.0.1 9100 node exporter true`, `127.0.0.1 ${ports.node} blackbox true`].toSorted())
    expect(faults.map(({ code, what }) => `${code} ${what.en.slice(0, 7)}`)).toEqual(['PROMETHEUS_REFUSED broken:'])
  })
})

describe('the Alertmanager', () => {
  const ALERT: Alert = { id: 'r-1/tripped', at: Date.now(), severity: 'critical', title: { en: 'Tripped', zh: '已触发' }, lines: [{ en: 'one', zh: '一' }] }
  const firing = async (): Promise<string[]> => {
    const alerts = (await (await fetch(`http://127.0.0.1:${ports.alertmanager}/api/v2/alerts`)).json()) as { labels: Record<string, string>; annotations: Record<string, string> }[]
    return alerts.map(({ labels, annotations }) => `${labels['alert_id']} ${labels['severity']} ${annotations['summary']}`)
  }
  test('the same alert told three times is one; another is another', async () => {
    const receivers = readReceivers(JSON.stringify({ version: 1, receivers: [{ kind: 'alertmanager', name: 'am', url: `http://127.0.0.1:${ports.alertmanager}`, language: 'zh' }] }), 'alerts.yaml')
    const deliver = receivers.ok ? receivers.value[0]?.deliver : undefined
    for (let time = 0; time < 3; time += 1) expect(await deliver?.(ALERT, Date.now(), 5000)).toEqual({ kind: 'delivered' })
    expect(await deliver?.({ ...ALERT, id: 'r-1/ended', severity: 'info' }, Date.now(), 5000)).toEqual({ kind: 'delivered' })
    expect((await firing()).toSorted()).toEqual(['r-1/ended info [通知] 已触发', 'r-1/tripped critical [严重] 已触发'])
  })
})

test('when nothing is scraped any more, the last values are not taken for those of now', async () => {
  writeFileSync(at('prometheus.yml'), 'scrape_configs: []\n')
  daemons.signal('prometheus', 'SIGHUP')
  await sleep(8000)
  expect(told(await read({ query: 'probe_success', staleSeconds: 3 }))).toMatch(/^no data: the newest value is older than 3 s/)
}, 30_000)
