import { freePort, LoopbackDaemons } from '@portcullis/adapters/probe/loopbackDaemons.ts'
import { askRange } from '@portcullis/adapters/prometheus/promqlClient.ts'
import { address, simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from './exitCode.ts'
import { expectSchema } from './testdata/schema.ts'
import { policyDoor, runTrial, worldDoor, type Ran } from './testdata/trial.ts'

/** Debian's Prometheus and its node exporter: the exporter's own connections are the use. */
const daemons = new LoopbackDaemons()
const file = join(daemons.folder, 'metrics.yaml')
const ports = { prometheus: 0, node: 0 }
const policy = simPolicy(['web-1', 'web-2'])
let world: SimWorld

const isUp = (port: number, path: string) => async (): Promise<boolean> => {
  try {
    return (await fetch(`http://127.0.0.1:${port}${path}`)).ok
  } catch {
    return false
  }
}

beforeAll(async () => {
  for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort()
  writeFileSync(
    join(daemons.folder, 'prometheus.yml'),
    `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: node
    static_configs: [{targets: ['127.0.0.1:${ports.node}'], labels: {host: web-1}}, {targets: ['localhost:${ports.node}'], labels: {host: stranger}}]
`,
  )
  writeFileSync(
    file,
    `version: 1
url: http://127.0.0.1:${ports.prometheus}
stepSeconds: 1
metrics:
  - {name: passive opens, query: node_netstat_Tcp_PassiveOpens, kind: counter, port: 9100, hostLabel: host}
  - {name: never scraped, query: haproxy_frontend_sessions_total, kind: counter, port: 8443, hostLabel: host}
`,
  )
  mkdirSync(join(daemons.folder, 'tsdb'))
  await daemons.start(['prometheus-node-exporter', `--web.listen-address=127.0.0.1:${ports.node}`, '--collector.disable-defaults', '--collector.netstat', '--collector.netstat.fields=.*'], isUp(ports.node, '/metrics'))
  await daemons.start(['prometheus', `--config.file=${join(daemons.folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(daemons.folder, 'tsdb')}`, `--web.listen-address=127.0.0.1:${ports.prometheus}`, '--log.level=error'], isUp(ports.prometheus, '/-/ready'))
  const hasGrown = async (): Promise<boolean> => {
    // A connection of its own each time, so that there is something to count.
    await fetch(`http://127.0.0.1:${ports.node}/metrics`, { headers: { connection: 'close' } })
    const answered = await askRange({ url: `http://127.0.0.1:${ports.prometheus}` }, { query: 'node_netstat_Tcp_PassiveOpens{host="web-1"}', sinceMs: Date.now() - 30_000, untilMs: Date.now(), stepMs: 1000 }, 2000)
    const points = answered.ok ? (answered.value[0]?.points ?? []) : []
    return (points.at(-1)?.[1] ?? 0) > (points[0]?.[1] ?? 0)
  }
  while (!(await hasGrown())) await sleep(300)
  world = simWorld(['web-1', 'web-2'])
  await world.store.addObservations([{ kind: 'listener', host: 'web-1', sensor: 'ss', at: Date.now(), address: address('0.0.0.0'), protocol: 'tcp', port: 9100, process: 'prometheus-node', isLoopback: false, isEphemeral: false }])
}, 90_000)
afterAll(() => daemons[Symbol.asyncDispose]())

const run = (...argv: readonly string[]): Promise<Ran> => runTrial(argv, { now: Date.now, doors: { ...worldDoor(world), ...policyDoor(policy) } })

test('a dry run tells and stores nothing', async () => {
  const { code, out } = await run('import', 'prometheus', file, '--since', '1h', '--dry-run', '--json')
  expect(code).toBe(EXIT.ok)
  expectSchema('import-prometheus', JSON.parse(out))
  expect(JSON.parse(out)).toMatchObject({ isStored: false, strangers: ['stranger'], faults: [], uses: [{ host: 'web-1', protocol: 'tcp', port: 9100, because: 'passive opens', days: 1 }] })
  expect(await world.store.observations({ host: 'web-1', kinds: ['use'] })).toEqual([])
})

test('what a metric shows stands in the matrix as use by sources unknown, and what no metric shows stays as it was', async () => {
  expect((await run('import', 'prometheus', file, '--since', '1h')).out).toMatch(/^web-1 {2}tcp\/9100 {2}passive opens {2}on 1 day/)
  const { out } = await run('matrix', '--json')
  expectSchema('matrix', JSON.parse(out))
  const rows = (JSON.parse(out) as { rows: { port: number; used: unknown; usedByUnknown?: unknown }[] }).rows
  const [row] = rows.filter(({ port }) => port === 9100)
  expect(row).toMatchObject({ used: { kind: 'unknown', because: 'sources unknown' }, usedByUnknown: { because: ['passive opens'] } })
  expect(rows.filter(({ port }) => port === 8443)).toEqual([])
})

test('a Prometheus that is away is told, and nothing is concluded', async () => {
  const away = join(daemons.folder, 'away.yaml')
  writeFileSync(away, 'version: 1\nurl: http://127.0.0.1:9\nmetrics: [{name: a, query: up, kind: gauge, port: 1}]\n')
  const { code, out } = await run('import', 'prometheus', away)
  expect(code).toBe(EXIT.incomplete)
  expect(out).toMatch(/says nothing of the endpoints[^]*a: Prometheus cannot be reached/)
})
