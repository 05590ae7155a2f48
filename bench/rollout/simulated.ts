import { drawScenario, type Scenario } from '../../sim/scenario.ts'
import { runRollout } from '../../sim/rolloutRun.ts'

/** The production engine on simulated hosts, in a process of its own: `simulated.ts fleet HOSTS` or `simulated.ts stories COUNT`. */
export interface Simulated {
  readonly milliseconds: number
  readonly cpuMs: number
  readonly residentBytesMax: number
  readonly rollouts: number
  readonly events: number
  readonly outcome: string
  /** Promises that were broken; any is a defect. */
  readonly broken: number
}

const [kind, count = '1'] = process.argv.slice(2)
const startedMs = performance.now()
const reports = kind === 'fleet' ? [await runRollout(calm(Number(count)))] : await stories(Number(count))
const { user, system } = process.cpuUsage()
const told: Simulated = {
  milliseconds: performance.now() - startedMs,
  cpuMs: (user + system) / 1000,
  residentBytesMax: process.resourceUsage().maxRSS * 1024,
  rollouts: reports.length,
  events: reports.reduce((sum, { events }) => sum + events.length, 0),
  outcome: reports.length === 1 ? (reports[0]?.state.outcome ?? 'none') : 'all',
  broken: reports.reduce((sum, { broken }) => sum + broken.length, 0),
}
console.log(JSON.stringify(told))

async function stories(rollouts: number): Promise<Awaited<ReturnType<typeof runRollout>>[]> {
  const all = []
  for (let seed = 1; seed <= rollouts; seed += 1) all.push(await runRollout(drawScenario(seed)))
  return all
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
