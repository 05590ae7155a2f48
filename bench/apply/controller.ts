import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { sha256 } from '@portcullis/adapters/transport/packagedScript.ts'
import { openWorld } from '@portcullis/app/wire.ts'
import { draftHost } from '@portcullis/core/plan/draft.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { seal } from '@portcullis/core/plan/seal.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { apply } from '@portcullis/engine/apply.ts'
import { fanOut } from '@portcullis/engine/fanOut.ts'
import type { JournalEntry } from '@portcullis/engine/store.ts'
import { intentFor } from '../peers/endpoint.ts'
import { mixtureOf } from '../peers/mixture.ts'
import { managed, type FleetHost } from './fleet.ts'
import { openPushes, type Pushes } from './push.ts'

/**
 * A controller as a process of its own, which stands where the hosts are reached from: `controller.ts FLEET` (JSON), then an
 * order a line, answered by what it cost.
 */
export type Order =
  | { readonly kind: 'install' }
  /** An nft file to every host, as it is: over connections that are opened for it, or over those that are kept. */
  | { readonly kind: 'push'; readonly text: string; readonly isWarm: boolean }
  /** The confirmed apply of a plan with so many endpoints a host. Making the plan is not part of what is told. */
  | { readonly kind: 'apply'; readonly endpoints: number; readonly concurrency: number; readonly isWarm: boolean }

export interface Cost {
  readonly milliseconds: number
  /** Of this process alone. */
  readonly cpuMs: number
  readonly residentBytes: number
  /** Milliseconds of each step, all hosts together. */
  readonly steps: Readonly<Record<string, number>>
}

interface FleetAccess {
  readonly hosts: readonly FleetHost[]
  readonly identityFile: string
  readonly knownHostsFile: string
}

const CONFIRM_SECONDS = 120
const PUSHES_AT_ONCE = 32

const access = JSON.parse(process.argv[2] ?? '') as FleetAccess
const fleet = access.hosts.map((host) => managed(host, access))
const folder = await mkdtemp(join(tmpdir(), 'bn-apply-'))
const opened = await openWorld({ state: join(folder, 'state'), report: note })
if (!opened.ok) throw new Error(opened.faults[0]?.what.en)
const { world, close } = opened.value
let steps: Record<string, number> = {}
const begun = new Map<string, number>()
let generation = 0
let kept: Pushes | undefined

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await obey(JSON.parse(line) as Order))}\n`)
}
await kept?.close()
await close()
await rm(folder, { recursive: true, force: true })

async function obey(order: Order): Promise<Cost> {
  if (order.kind === 'install') return measured(install)
  if (order.kind === 'apply') {
    const plan = await planOf(order.endpoints)
    if (!order.isWarm) await world.hosts.close()
    return measured(() => carryOut(plan, order.concurrency))
  }
  if (!order.isWarm) {
    return measured(async () => {
      const pushes = openPushes(fleet, PUSHES_AT_ONCE)
      await pushes.pushCold(order.text)
      await pushes.close()
    })
  }
  kept ??= openPushes(fleet, PUSHES_AT_ONCE)
  const pushes = kept
  return measured(() => pushes.push(order.text))
}

async function measured(task: () => Promise<void>): Promise<Cost> {
  steps = {}
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()]
  await task()
  const { user, system } = process.cpuUsage(cpu)
  return { milliseconds: performance.now() - startedMs, cpuMs: (user + system) / 1000, residentBytes: process.memoryUsage.rss(), steps }
}

async function install(): Promise<void> {
  await fanOut(fleet, PUSHES_AT_ONCE, async (host) => {
    const installed = await world.hosts.install(host)
    if (!installed.ok) throw new Error(installed.faults[0]?.what.en)
  })
}

async function carryOut(plan: ChangePlan, concurrency: number): Promise<void> {
  const report = await apply(world, plan, fleet, { concurrency, confirmWithinSeconds: CONFIRM_SECONDS })
  if (!report.ok) throw new Error(report.faults[0]?.what.en)
  const bad = report.value.hosts.filter(({ kind }) => kind !== 'confirmed')
  if (bad[0]) throw new Error(`${bad.length} hosts were not changed; ${bad[0].host} at ${bad[0].step}: ${bad[0].faults[0]?.what.en}`)
}

/** The next generation of every host, each with one endpoint that the one before did not have. */
async function planOf(endpoints: number): Promise<ChangePlan> {
  generation += 1
  const hosts = fleet.map((host) => {
    const intent = intentOf(host, endpoints)
    const text = world.rules.render(intent)
    const draft = draftHost(intent, { host: host.name, confirmedGeneration: generation - 1, factsAt: world.clock.now(), observations: [], foreignRefusals: [] })
    return { draft, findings: [], text, comparison: world.rules.compare(intent, text) }
  })
  const sealed = seal({ hosts, unchanged: [], findings: [], policy: 'bench', cause: { kind: 'change' } }, world.clock.now(), undefined, sha256)
  if (!sealed.ok) throw new Error(sealed.faults[0]?.what.en)
  await world.store.savePlan(sealed.value)
  return sealed.value
}

function intentOf({ name }: Host, endpoints: number): Intent {
  const [first, ...rest] = mixtureOf(endpoints)
  return { ...intentFor(first ? [{ ...first, port: 900 + (generation % 100) }, ...rest] : [], generation), host: name }
}

function note({ host = '', name, kind, at }: JournalEntry): void {
  const key = `${host} ${name}`
  if (kind === 'action') begun.set(key, at)
  else steps[name] = (steps[name] ?? 0) + at - (begun.get(key) ?? at)
}

