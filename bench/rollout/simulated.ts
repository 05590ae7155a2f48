import { drawScenario, type Scenario } from '../../sim/scenario.ts'
import { judgePlayed, playRun, prepareRun, type RunReport } from '../../sim/rolloutRun.ts'

/** The production engine on simulated hosts, in a process of its own: `simulated.ts fleet HOSTS` or `simulated.ts stories COUNT`. */
export interface Simulated {
  readonly milliseconds: number
  /** With making the plans and judging what came of them. */
  readonly cpuMs: number
  /** From the first measuring to the last answer: controllers, and the hosts, networks and databases they work with. */
  readonly drivenCpuMs: number
  readonly residentBytesMax: number
  /** In use of it when the last rollout was over, with all that is simulated. */
  readonly liveBytes: number
  readonly rollouts: number
  readonly events: number
  readonly outcome: string
  /** Promises that were broken; any is a defect. */
  readonly broken: number
}

const [kind, count = '1'] = process.argv.slice(2)
const startedMs = performance.now()
let [drivenCpuMs, liveBytes] = [0, 0]
const reports = kind === 'fleet' ? [await simulate(calm(Number(count)), true)] : await stories(Number(count))
const { user, system } = process.cpuUsage()
const told: Simulated = {
  milliseconds: performance.now() - startedMs,
  cpuMs: (user + system) / 1000,
  drivenCpuMs,
  liveBytes,
  residentBytesMax: process.resourceUsage().maxRSS * 1024,
  rollouts: reports.length,
  events: reports.reduce((sum, { events }) => sum + events.length, 0),
  outcome: reports.length === 1 ? (reports[0]?.state.outcome ?? 'none') : 'all',
  broken: reports.reduce((sum, { broken }) => sum + broken.length, 0),
}
console.log(JSON.stringify(told))

async function stories(rollouts: number): Promise<RunReport[]> {
  const all = []
  for (let seed = 1; seed <= rollouts; seed += 1) all.push(await simulate(drawScenario(seed), seed === rollouts))
  return all
}

async function simulate(scenario: Scenario, isLast: boolean): Promise<RunReport> {
  const prepared = await prepareRun(scenario)
  const before = process.cpuUsage()
  const isInTime = await playRun(prepared)
  const driven = process.cpuUsage(before)
  drivenCpuMs += (driven.user + driven.system) / 1000
  if (isLast) {
    globalThis.gc?.()
    liveBytes = process.memoryUsage().heapUsed
  }
  return judgePlayed(prepared, isInTime)
}

/** One controller, nothing fails, everything is changed. */
function calm(hosts: number): Scenario {
  const drawn = drawScenario(1, hosts)
  return {
    ...drawn,
    apps: hosts,
    coreShare: 0,
    broken: [],
    controllers: 1,
    options: { ...drawn.options, concurrencyMax: 256 },
    kills: [],
    outages: [],
    absences: [],
    blind: [],
    alertFailures: [],
    commands: [],
    clockJumps: [],
    latencyMsMax: 20,
    lostPerMille: 0,
  }
}
