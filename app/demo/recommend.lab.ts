import { parseAddress } from '@portcullis/core/net/address.ts'
import { containsAddress, parsePrefix } from '@portcullis/core/net/prefix.ts'
import type { MatrixText } from '@portcullis/core/inventory/matrixText.ts'
import { openBefore, portsOf } from '@portcullis/lab/demo/expectations.ts'
import { DEMO_NEEDS } from '@portcullis/lab/demo/needs.ts'
import { startDemoWorkload } from '@portcullis/lab/demo/uses.ts'
import { ATTACKER, CONTROLLER, DEMO_WORLD } from '@portcullis/lab/demo/world.ts'
import { startWorld, type Lab } from '@portcullis/lab/start.ts'
import { addressOf, hostNamed } from '@portcullis/lab/world.ts'
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { widthOf } from '../cli/table.ts'
import { policyText } from './policy.ts'

const BIN = fileURLToPath(new URL('../bin/portcullis.js', import.meta.url))
/** A machine that does other things as well. */
const PATIENCE_MS = 900_000
const COLUMNS = 100

interface Ran {
  readonly code: number
  readonly out: string
}

interface Recommended {
  readonly recommendations: readonly {
    readonly host: string
    readonly protocol: string
    readonly ports: string
    readonly verdict: string
    readonly confidence: number
    readonly question?: { readonly en: string }
    readonly rhythm: { readonly kind: string; readonly days: number }
    readonly from: { readonly prefixes: readonly string[] }
  }[]
  readonly watches: readonly { readonly host: string; readonly days: number }[]
  readonly scanners: readonly string[]
}

let lab: Lab
let folder: string
let recommended: Recommended
let recommendCode: number
let matrix: MatrixText

/** From nothing known to the questions: the gates count what clients do, an outsider scans, its result is imported. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'recommend-lab-'))
  chmodSync(folder, 0o755)
  lab = await startWorld(DEMO_WORLD, { prefix: `lab-r${process.pid}` })
  writeFileSync(join(folder, 'portcullis.yaml'), policyText({ world: lab.world, ssh: lab.ssh, needs: [], mode: 'observe', now: Date.now() }))
  await must('host', 'install')
  const plan = JSON.parse((await must('plan', '--json')).out) as { readonly plan: { readonly id: string } }
  await must('apply', plan.plan.id, '--yes')
  const workload = startDemoWorkload(lab)
  try {
    const [report] = await Promise.all([scanOf(ATTACKER), new Promise((resolve) => setTimeout(resolve, WATCH_MS))])
    writeFileSync(join(folder, 'scan.json'), report)
    await must('observe')
  } finally {
    await workload.stop()
  }
  await must('import', 'portcullis', join(folder, 'scan.json'), '--from', 'outside')
  const ran = await portcullis('recommend', '--json')
  recommendCode = ran.code
  recommended = JSON.parse(ran.out) as Recommended
  matrix = JSON.parse((await must('matrix', '--json')).out) as MatrixText
}, PATIENCE_MS)
afterAll(async () => {
  await lab?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Every client of the workload comes at least once in this time. */
const WATCH_MS = 6_000

/** Endpoints that answer the network before anything is closed. */
const STANDING = new Set(openBefore(DEMO_WORLD).flatMap(({ host, open }) => open.map(({ protocol, port }) => `${host} ${protocol}/${port}`)))

test('each port that answers the network is spoken of', () => {
  const said = recommended.recommendations.map(({ host, protocol, ports }) => `${host} ${protocol}/${ports}`)
  expect([...STANDING].filter((endpoint) => !said.includes(endpoint))).toEqual([])
})

test('nobody was watched for a day, so all is a question and nothing is closed', () => {
  expect(recommendCode).toBe(3)
  expect(recommended.watches.map(({ days }) => days).filter((days) => days > 0)).toEqual([])
  expect(recommended.recommendations.filter(({ verdict }) => verdict !== 'ask').map(({ host, protocol, ports, verdict }) => `${verdict} ${host} ${protocol}/${ports}`)).toEqual([])
  expect(recommended.recommendations.filter(({ question }) => question === undefined)).toEqual([])
})

test('what the business uses was seen to be used, by those who use it', () => {
  const unseen = DEMO_NEEDS.flatMap((need) =>
    need.hosts.flatMap((host) => portsOf(need.service).filter(({ protocol, ports }) => STANDING.has(`${host} ${protocol}/${ports.first}`)).flatMap(({ protocol, ports }) => {
      const each = recommended.recommendations.find((one) => one.host === host && one.protocol === protocol && one.ports === String(ports.first))
      const missing = need.usedBy.filter((client) => !each?.from.prefixes.some((prefix) => holds(prefix, addressOf(hostNamed(DEMO_WORLD, client), 4))))
      return each && each.rhythm.days > 0 && missing.length === 0 ? [] : [`${host} ${protocol}/${ports.first}: ${missing.join(' ')}`]
    })),
  )
  expect(unseen).toEqual([])
})

test('the outsider is taken for a scanner: in no proposed source, and none of the use in the matrix', () => {
  const outsider = addressOf(hostNamed(DEMO_WORLD, ATTACKER), 4)
  expect(recommended.scanners).toEqual([outsider])
  expect(recommended.recommendations.filter(({ from }) => from.prefixes.some((prefix) => holds(prefix, outsider)))).toEqual([])
  const outside = matrix.rows.filter(({ zone }) => zone === 'outside')
  expect(outside.filter(({ used }) => used.kind === 'used')).toEqual([])
  expect(outside.filter(({ contradictions }) => contradictions.some(({ kind }) => kind === 'used-without-need'))).toEqual([])
  expect(outside.filter(({ reachable, scanners }) => reachable.state === 'open' && scanners?.sources.some(({ source }) => source === outsider)).length).toBeGreaterThan(20)
})

test.each(['en', 'zh'])('it can be read in a terminal of 100 columns: %s', async (lang) => {
  const { out } = await run(['script', '-qec', `stty cols ${COLUMNS}; exec ${argvOf(['recommend', '--lang', lang]).join(' ')} 2>/dev/null`, '/dev/null'])
  expect(out).toContain('redis-server')
  expect(out.split(/\r?\n/).filter((line) => widthOf(line) > COLUMNS)).toEqual([])
})

function holds(prefix: string, address: string): boolean {
  const [within, of] = [parsePrefix(prefix), parseAddress(address)]
  return within.ok && of.ok && containsAddress(within.value, of.value)
}

async function must(...argv: string[]): Promise<Ran> {
  const ran = await portcullis(...argv)
  if (ran.code !== 0) throw new Error(`portcullis ${argv.join(' ')} ended with ${ran.code}: ${ran.out}`)
  return ran
}

/** On the controller's machine. */
const portcullis = (...argv: string[]): Promise<Ran> => run(argvOf(argv))

const argvOf = (argv: readonly string[]): string[] => ['ip', 'netns', 'exec', lab.host(CONTROLLER).netns, process.execPath, BIN, ...argv, '--policy', join(folder, 'portcullis.yaml'), '--state', join(folder, 'state')]

/** What a scan of all servers finds from there. */
async function scanOf(vantage: string): Promise<string> {
  const targets = DEMO_WORLD.hosts.filter(({ role }) => role === 'server').map((host) => addressOf(host, 4))
  const { code, out } = await run(['ip', 'netns', 'exec', lab.host(vantage).netns, process.execPath, BIN, 'scan', ...targets, '--ports', '1-200,443,5432,6379,8080,9999,11112', '--json'])
  if (code !== 0 && code !== 3) throw new Error(`the scan ended with ${code}: ${out}`)
  return out
}

function run([file = '', ...args]: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(file, args, { maxBuffer: 256 * 2 ** 20 }, (error, stdout, stderr) => resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 70, out: error === null || stdout !== '' ? stdout : stderr }))
  })
}
