import type { MatrixText } from '@portcullis/core/inventory/matrixText.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { ApplyReport } from '@portcullis/engine/apply.ts'
import type { HostDrift } from '@portcullis/engine/drift.ts'
import type { TaskRecord } from '@portcullis/lab/clients/workload.ts'
import { DEMO_NEEDS, type DemoNeed } from '@portcullis/lab/demo/needs.ts'
import { needUses, startDemoWorkload } from '@portcullis/lab/demo/uses.ts'
import { CONTROLLER, DEMO_WORLD } from '@portcullis/lab/demo/world.ts'
import { startWorld, type Lab } from '@portcullis/lab/start.ts'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startController } from './controller.ts'
import { AFTER, BEFORE } from './drills.ts'
import { runDrill, type Drill } from './drill.ts'
import { command, writePolicy, type Operator } from './operator.ts'
import { serversOf } from './policy.ts'
import type { Progress } from './progress.ts'
import { scanWords } from './scanWords.ts'
import { playSecondAct, SECOND_ACT_HOSTS, type SecondAct } from './secondAct.ts'
import { STEPS } from './steps.ts'
import type { FailedUse } from './summary.ts'

export interface DemoOptions {
  /** Absolute, and there. */
  readonly folder: string
  /** Names of the lab's namespaces begin with it. */
  readonly prefix: string
  /** All of them, or the second act is left out: it is about a need that is missing. */
  readonly needs: readonly DemoNeed[]
  readonly now: () => number
  readonly progress: Progress
}

/** What a run has seen, before anyone judges it. */
export interface Evidence {
  readonly lab: Lab
  readonly before: Drill
  readonly after: Drill
  readonly matrixBefore: MatrixText
  readonly matrixAfter: MatrixText
  readonly plan: ChangePlan
  readonly drifts: readonly HostDrift[]
  readonly failedUses: readonly FailedUse[]
  readonly records: readonly TaskRecord[]
  readonly act?: SecondAct
  readonly seconds: number
}

/**
 * From nothing to a closed fleet, everything for real, in the order in which a user does it, while clients go on working.
 * The lab stands when it returns. Throws a FaultError where a command of Portcullis does not do what it was told.
 */
export async function runDemo(options: DemoOptions): Promise<Evidence> {
  const startedMs = performance.now()
  const lab = await options.progress.run(STEPS.lab, () => startWorld(DEMO_WORLD, { prefix: options.prefix }), STEPS.lab.told)
  try {
    return { ...(await close({ ...options, lab })), lab, seconds: (performance.now() - startedMs) / 1000 }
  } catch (error) {
    await lab.stop()
    throw error
  }
}

async function close(options: DemoOptions & { readonly lab: Lab }): Promise<Omit<Evidence, 'lab' | 'seconds'>> {
  const { lab, folder } = options
  const workload = startDemoWorkload(lab)
  const controller = startController({ namespace: lab.host(CONTROLLER).netns, stateFolder: join(lab.directory, 'state') })
  const run: Run = { ...options, controller, policyFile: join(folder, 'portcullis.yaml') }
  const before = await seeBefore(run)
  await watch(run)
  const plan = await planChange(run)
  const matrixBefore = await matrixWith(run, before, 'closed')
  await run.progress.run(STEPS.apply, () => applied(run), STEPS.apply.told)
  // Before the scan: 65,535 denied ports from each place fill the kernel's counters, and reading those takes seconds.
  const drifts = await compare(run)
  const acting = options.needs.length === DEMO_NEEDS.length ? playSecondAct(run, DEMO_NEEDS, options.progress) : Promise.resolve(undefined)
  const [after, failedUses, act] = await Promise.all([scanAround(run, acting), acting.then(() => useNeeds(run)), acting])
  const records = await workload.stop()
  const matrixAfter = await matrixWith(run, after, 'filtered')
  await controller.close()
  return { before, after, matrixBefore, matrixAfter, plan, drifts: newest(drifts, act?.drifts ?? []), failedUses, records, ...(act ? { act } : {}) }
}

/** Of a host that was compared twice, what was found last. */
const newest = (drifts: readonly HostDrift[], later: readonly HostDrift[]): HostDrift[] => drifts.map((drift) => later.find(({ host }) => host === drift.host) ?? drift)

/**
 * Every port of every server. The hosts of the second act come last: a scan is to find the rules that they end with, and
 * would fill the counters that their gates read.
 */
function scanAround(run: Run, acting: Promise<SecondAct | undefined>): Promise<Drill> {
  const names = serversOf(DEMO_WORLD).map(({ name }) => name)
  const parts = [names.filter((name) => !SECOND_ACT_HOSTS.includes(name)), SECOND_ACT_HOSTS]
  const work = async (onShare: (share: number) => void): Promise<Drill> => {
    const share = (parts[0]?.length ?? 0) / names.length
    const first = await runDrill(run.lab, { ...AFTER, hosts: parts[0] ?? [] }, (done) => onShare(done * share))
    await acting
    const last = await runDrill(run.lab, { ...AFTER, hosts: parts[1] ?? [] }, (done) => onShare(share + done * (1 - share)))
    return { lines: [...first.lines, ...last.lines], probes: first.probes + last.probes, seconds: first.seconds + last.seconds }
  }
  return run.progress.run(STEPS.after, work, STEPS.after.told)
}

interface Run extends DemoOptions, Operator {}

/** The scan, and meanwhile all that makes ready without a rule on any host: the counters of observe mode are to count clients, not our scan. */
async function seeBefore(run: Run): Promise<Drill> {
  writePolicy(run, run.needs, 'observe')
  const scan = run.progress.run(STEPS.before, (onShare) => runDrill(run.lab, BEFORE, onShare), STEPS.before.told)
  const [before] = await Promise.all([scan, install(run)])
  await run.progress.run(STEPS.observe, () => command(run, ['plan']).then(() => applied(run)), STEPS.observe.told)
  return before
}

function install(run: Run): Promise<number> {
  const work = async (): Promise<number> => (await command<{ hosts: readonly unknown[] }>(run, ['host', 'install'])).hosts.length
  return run.progress.run(STEPS.install, work, STEPS.install.told)
}

/** Every client of the workload comes at least once in this time. */
const WATCH_MS = 3_500
const TICK_MS = 100

/** The kernels count who comes; planning reads the counters. */
const watch = (run: Run): Promise<number> =>
  run.progress.run(
    STEPS.watch,
    async (onShare) => {
      for (let ms = 0; ms < WATCH_MS; ms += TICK_MS) {
        await sleep(TICK_MS)
        onShare(ms / WATCH_MS)
      }
      return WATCH_MS
    },
    STEPS.watch.told,
  )

async function matrixWith(run: Run, { lines }: Drill, usual: 'closed' | 'filtered'): Promise<MatrixText> {
  await run.controller.note(scanWords(run.lab.world, lines, usual, run.now()))
  return command<MatrixText>(run, ['matrix'])
}

function planChange(run: Run): Promise<ChangePlan> {
  const work = async (): Promise<ChangePlan> => {
    writePolicy(run, run.needs, 'enforce')
    const { plan } = await command<{ plan?: ChangePlan }>(run, ['plan'])
    if (!plan) throw new Error('the plan was not sealed')
    return plan
  }
  return run.progress.run(STEPS.plan, work, STEPS.plan.told)
}

/** The newest plan; another exit code than 0 says that a host has not confirmed. */
const applied = async (run: Run): Promise<number> => (await command<ApplyReport>(run, ['apply', '--yes'])).hosts.length

/** 1 and 3: hosts that differ, or of which it cannot be said. They are told and fail the demo at its end. */
function compare(run: Run): Promise<readonly HostDrift[]> {
  const work = async (): Promise<readonly HostDrift[]> => (await command<{ hosts: readonly HostDrift[] }>(run, ['drift'], { allowed: [0, 1, 3] })).hosts
  return run.progress.run(STEPS.compare, work, STEPS.compare.told)
}

/** Of all needs, also of those that the policy leaves out. */
async function useNeeds(run: Run): Promise<readonly FailedUse[]> {
  const work = async (): Promise<{ uses: number; failed: number; failures: FailedUse[] }> => {
    const uses = needUses(run.lab, DEMO_NEEDS)
    const tried = await Promise.all(uses.map(async (one) => ({ ...one, evidence: await run.lab.vantage(one.client).perform(one.use) })))
    const failures = tried
      .filter(({ evidence }) => !evidence.ok)
      .map(({ need, client, host, family, evidence }): FailedUse => ({ need: need.id, client, host, family, kind: evidence.kind, because: evidence.detail }))
    return { uses: uses.length, failed: failures.length, failures }
  }
  return (await run.progress.run(STEPS.uses, work, STEPS.uses.told)).failures
}
