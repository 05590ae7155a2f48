import { DAY_MS } from '@portcullis/core/inventory/businessCalendar.ts'
import { atHour, observationsOf, type SimDays, type SimUse } from '@portcullis/sim/usageWorld.ts'
import { simWorld } from '@portcullis/sim/world.ts'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { wiredDoors } from '../doors.ts'
import { EXIT } from './exitCode.ts'
import { widthOf } from './table.ts'
import { expectSchema } from './testdata/schema.ts'
import { runTrial, worldDoor, type Ran } from './testdata/trial.ts'

vi.setConfig({ testTimeout: 30_000 })

const directory = mkdtempSync(join(tmpdir(), 'recommend-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const FILE = join(directory, 'portcullis.yaml')
const POLICY = `# Our fleet.
version: 1
defaults: {mode: observe,   management: {from: 192.0.2.10}}
fleet:
  hosts:
    db-1: {addresses: 10.0.1.1, labels: {role: db, team: DBA}}   # the books
    web-1: {addresses: 10.0.1.2}
`

const FIRST = 20_700
const NOW = (FIRST + 92) * DAY_MS
const every = (port: number, source: string, until = 95): SimUse[] =>
  Array.from({ length: until }, (_, index) => ({ at: atHour(FIRST + index, 9), source, protocol: 'tcp' as const, port, connections: 3 }))
const DB: SimDays = {
  host: 'db-1',
  firstDay: FIRST,
  days: 91,
  readAtHour: 20,
  listeners: [{ protocol: 'tcp', port: 5432, process: 'postgres' }, { protocol: 'tcp', port: 8161, process: 'activemq' }, { protocol: 'tcp', port: 22, process: 'sshd' }],
  uses: [...every(5432, '10.9.0.4'), ...every(5432, '10.9.0.5'), ...every(8161, '10.9.0.4', 30), ...every(22, '192.0.2.10')],
}
const WEB: SimDays = { ...DB, host: 'web-1', listeners: [{ protocol: 'tcp', port: 443, process: 'nginx' }], uses: every(443, '10.9.0.9') }

let world: ReturnType<typeof simWorld>
beforeEach(async () => {
  world = simWorld(['db-1', 'web-1'])
  writeFileSync(FILE, POLICY)
  await world.store.addObservations([...observationsOf(DB), ...observationsOf(WEB)])
})

describe('recommend', () => {
  test('the verdicts, and the diff of the policy file', async () => {
    const { code, out } = await run('recommend')
    expect(code).toBe(EXIT.ok)
    expect(out.replaceAll(FILE.slice(1), 'portcullis.yaml')).toBe(`HOST   ENDPOINT  VERDICT  SURE  LISTENER          USED                  FROM
db-1   tcp/22    keep     100   sshd.service      every day 2026-12-04  192.0.2.10
       tcp/5432  keep     100   postgres.service  every day 2026-12-04  10.9.0.4/31
       tcp/8161  close    90    activemq.service  every day 2026-10-03  10.9.0.4
web-1  tcp/443   keep     100   nginx.service     every day 2026-12-04  10.9.0.9

keep 3, close 1, ask 0
watched for 91 days on 2 hosts
1 new need without an owner: look for MISSING

--- a/portcullis.yaml
+++ b/portcullis.yaml
@@ -5,3 +5,18 @@
   hosts:
     db-1: {addresses: 10.0.1.1, labels: {role: db, team: DBA}}   # the books
     web-1: {addresses: 10.0.1.2}
+
+needs:
+  - service: postgresql
+    to: db-1
+    from: 10.9.0.4/31
+    owner: DBA
+    because: "observed: postgres.service used every day, on 92 days by 2 sources, last on 2026-12-04"
+    review: 2027-06-03
+
+  - service: https
+    to: web-1
+    from: 10.9.0.9
+    owner: MISSING
+    because: "observed: nginx.service used every day, on 92 days by 1 source, last on 2026-12-04"
+    review: 2027-06-03
`)
    expect(readFileSync(FILE, 'utf8')).toBe(POLICY)
  })

  test('--write writes it, and what is written denies none of what was kept', async () => {
    expect((await run('recommend', '--write')).out).toContain('2 needs written to')
    expect(readFileSync(FILE, 'utf8').startsWith(POLICY)).toBe(true)
    expect((await run('recommend')).out).not.toContain('+++')
    const { code, out } = await run('replay')
    expect(code).toBe(EXIT.ok)
    expect(out).toContain('0 uses that may still be wanted')
    expect(out).toContain('also denied: 1 that ended')
  })

  test('a file that was changed meanwhile is not written over', async () => {
    const doors = wiredDoors()
    const read = await doors.readPolicy(FILE)
    writeFileSync(FILE, `${POLICY}# changed\n`)
    const written = read.ok ? await doors.replacePolicy(read.value.seen, 'version: 1\n') : undefined
    expect(written?.ok === false && written.faults[0]?.code).toBe('FILE_CHANGED')
    expect(readFileSync(FILE, 'utf8')).toBe(`${POLICY}# changed\n`)
  })

  test('in Chinese, with all reasons', async () => {
    const { out } = await run('recommend', '--lang', 'zh', '--explain')
    expect(out).toMatch(/保留.*关闭.*\+65 已观测的 62 天内未使用/s)
    expect(out).toContain('owner: 待定')
  })

  test.each([80, 100])('%i columns: sources go on beneath, and nothing of them is cut', async (columns) => {
    const sources = ['10.9.0.4', '10.77.20.11', '2001:db8:20::b', '2001:db8:30::c']
    await world.store.addObservations(observationsOf({ ...WEB, listeners: [{ protocol: 'tcp', port: 8443, process: 'a-program-with-quite-a-name' }], uses: sources.flatMap((source) => every(8443, source)) }))
    const { out } = await runTrial(['recommend', '--policy', FILE, '--host', 'web-1'], { now: () => NOW, doors: worldDoor(world), columns })
    const [said = ''] = out.split('\n\n')
    expect(said.split('\n').filter((line) => widthOf(line) > columns)).toEqual([])
    for (const source of sources) expect(said.split(/\s+/)).toContain(source)
  })

  test('a host that was not watched for a day is said once, not asked of each endpoint; a port that NAT hands on says where to', async () => {
    world = simWorld(['db-1', 'web-1'])
    const claim = { host: 'web-1', at: NOW, sensor: 'x' }
    await world.store.addObservations([
      { ...claim, kind: 'reading', covers: 'listeners' },
      { ...claim, kind: 'published', protocol: 'tcp', ports: { first: 8080, last: 8080 }, target: '172.17.0.2:80' },
      { ...claim, kind: 'flow', source: { family: 4, value: 0x0a09_0004n }, protocol: 'tcp', port: 8080, connections: 7, lastSeen: NOW, verdict: 'accepted' },
    ])
    expect((await run('recommend', '--host', 'web-1')).out).toBe(`HOST   ENDPOINT  VERDICT  SURE  LISTENER         USED                   FROM
web-1  tcp/8080  ask      40    → 172.17.0.2:80  on one day 2026-12-05  10.9.0.4

keep 0, close 0, ask 1
watched for 0 days on 1 host
1 host not watched for a day yet, so all there is asked about:
  apply the policy in observe mode, then run portcullis observe every day
`)
    const { recommendations } = JSON.parse((await run('recommend', '--host', 'web-1', '--json')).out) as { recommendations: { question?: { en: string } }[] }
    expect(recommendations[0]?.question?.en).toBe('Is 172.17.0.2:80 still needed, and when does it come again? It was used on one day.')
  })

  test('what only a scan has found is asked about, until a scan finds it closed', async () => {
    world = simWorld(['db-1', 'web-1'])
    const scan = { host: 'web-1', sensor: 'nmap', address: { family: 4 as const, value: 0x0a09_0001n }, protocol: 'tcp' as const, from: 'office' }
    await world.store.addObservations([{ ...scan, kind: 'scan', at: NOW - DAY_MS, port: 8081, state: 'open' }])
    const { recommendations } = JSON.parse((await run('recommend', '--host', 'web-1', '--json')).out) as { recommendations: { verdict: string; question?: { en: string } }[] }
    expect(recommendations.map(({ verdict, question }) => [verdict, question?.en])).toEqual([['ask', 'What answers at tcp 8081? A scan found it open on 2026-12-04.']])
    await world.store.addObservations([{ ...scan, kind: 'scan-rest', at: NOW, ports: [{ first: 1, last: 65_535 }], state: 'closed' }])
    expect((await run('recommend', '--host', 'web-1')).out).toContain('No endpoint')
  })

  test.each<[string, readonly string[], () => unknown, number]>([
    ['nothing was observed', [], () => (world = simWorld(['db-1', 'web-1'])), EXIT.incomplete],
    ['too short a time to close anything', ['--days', '20'], () => undefined, EXIT.incomplete],
    ['an offset that is none', ['--utc-offset', '8'], () => undefined, EXIT.usage],
    ['a share that is none', ['--unseen-share', '1'], () => undefined, EXIT.usage],
    ['holidays the wrong way round', ['--holidays', '2027-10-07..2027-10-01'], () => undefined, EXIT.usage],
  ])('%s', async (_, argv, prepare, code) => {
    prepare()
    expect((await run('recommend', ...argv)).code).toBe(code)
  })
})

describe('replay', () => {
  test('what would have been denied, when, for whom', async () => {
    const { code, out } = await run('replay', '--host', 'web-1')
    expect(code).toBe(EXIT.differs)
    expect(out).toBe(`HOST   ENDPOINT  LISTENER       SOURCE    CONNECTIONS  DAYS  LAST
web-1  tcp/443   nginx.service  10.9.0.9  276          92    2026-12-04

1 use that may still be wanted would have been denied (2026-09-05 – 2026-12-04)
let in: 0 connections of 0 uses
`)
  })

  test('a policy that denies nothing', async () => {
    await run('recommend', '--write')
    expect((await run('replay', '--host', 'web-1')).code).toBe(EXIT.ok)
  })
})

test.each(['recommend', 'replay'])('%s --json keeps to its schema', async (name) => {
  expectSchema(name, JSON.parse((await run(name, '--json')).out))
})

const run = (...argv: readonly string[]): Promise<Ran> =>
  runTrial([...argv.slice(0, 1), '--policy', FILE, ...argv.slice(1)], { now: () => NOW, doors: worldDoor(world) })
