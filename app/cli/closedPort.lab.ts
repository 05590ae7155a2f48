import { openScanLab, type LabTarget, type ScanLab } from '@portcullis/adapters/prober/scanLab.ts'
import { address, simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { EXIT } from './exitCode.ts'
import { policyDoor, runTrial, worldDoor } from './testdata/trial.ts'

/** A port that is closed after it was scanned: the next scan only counts it, and the matrix must know all the same. */
const [CLOSED, KEPT] = [8081, 8080]
const PORTS = '8000-8999'
let lab: ScanLab
let target: LabTarget
let folder: string
let world: SimWorld

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pc-closed-'))
  lab = await openScanLab('cp-', [{ behaviour: 'answers', openPorts: [KEPT, CLOSED] }])
  target = lab.targets[0] as LabTarget
})
afterAll(() => {
  lab.close()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  world = simWorld(['web-1'])
  nft('add table inet shut; delete table inet shut; add table inet shut; add chain inet shut in { type filter hook input priority 0; }')
})

const nft = (text: string): unknown => execFileSync('ip', ['netns', 'exec', target.namespace, 'nft', text])

const SCANNERS: Readonly<Record<string, () => Promise<string>>> = {
  nmap: () => lab.inVantage(['nmap', '-n', '-Pn', '-sS', '-p', PORTS, '--max-retries', '1', '-oX', '-', target.ipv4]),
  portcullis: async () => JSON.stringify(await lab.command([target.ipv4, '--ports', PORTS])),
}

test.each([
  ['nmap', 'drop', 'filtered'],
  ['nmap', 'reject with tcp reset', 'closed'],
  ['portcullis', 'drop', 'filtered'],
  ['portcullis', 'reject with tcp reset', 'closed'],
])('%s finds it open, then %s: %s', async (scanner, verdict, state) => {
  await importScan(scanner)
  expect(await reach()).toEqual({ [KEPT]: 'open', [CLOSED]: 'open' })
  nft(`add rule inet shut in tcp dport ${CLOSED} ${verdict}`)
  // Nmap dates to the second.
  await sleep(1100)
  await importScan(scanner)
  expect(await reach()).toEqual({ [KEPT]: 'open', [CLOSED]: state })
})

async function importScan(scanner: string): Promise<void> {
  const file = join(folder, 'scan')
  writeFileSync(file, (await SCANNERS[scanner]?.()) ?? '')
  const { code, out, err } = await run('import', scanner, file, '--from', 'elsewhere')
  expect([code, err, out]).toEqual([EXIT.ok, '', expect.not.stringContaining('not taken over')])
}

async function reach(): Promise<Record<string, string>> {
  const { out } = await run('matrix', '--json', '--zone', 'elsewhere')
  const { rows } = JSON.parse(out) as { rows: { port: number; reachable: { state: string } }[] }
  return Object.fromEntries(rows.filter(({ port }) => port >= 8000).map(({ port, reachable }) => [port, reachable.state]))
}

function run(...argv: readonly string[]) {
  const policy = simPolicy(['web-1'])
  const hosts = policy.hosts.map((host) => ({ ...host, addresses: [address(target.ipv4)] }))
  return runTrial(argv, { now: Date.now, doors: { ...worldDoor(world), ...policyDoor({ ...policy, hosts }) } })
}
