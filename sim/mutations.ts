import { readIntent } from '@portcullis/core/plan/intentText.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { NO_FLOWS_ENDED } from '@portcullis/core/plan/flowEnds.ts'
import type { GateJudge } from '@portcullis/core/rollout/gate.ts'
import { ROLLOUT_RULES } from '@portcullis/core/rollout/next.ts'
import { hostSession } from '@portcullis/engine/hostSession.ts'
import { steadyClock } from '@portcullis/engine/steadyClock.ts'
import type { confirmedApply } from '@portcullis/engine/confirmedApply.ts'
import type { RolloutPromise } from './promises.ts'
import { sha256, type SimHost } from './host.ts'
import { SIM_RULES } from './rules.ts'
import type { SimPieces } from './rolloutRun.ts'
import { drawEnding, drawJudged, drawSetBack, type Scenario } from './scenario.ts'

/** The code that keeps a promise, taken out: some seed must then break that very promise. */
export const MUTATIONS: readonly { readonly promise: RolloutPromise; readonly without: string; readonly seed: number; readonly pieces: SimPieces; readonly draw?: (seed: number) => Scenario }[] = [
  { promise: 'no apply without an armed revert', without: 'arming before the swap', seed: 1, pieces: { applyHost: unarmedApply, bendHost: swapUnarmed } },
  { promise: 'no apply without an armed revert', without: 'a host that arms by itself on the way back', seed: 4, pieces: { bendHost: switchUnarmed } },
  { promise: 'a host is in the old or the new ruleset, never between', without: 'putting back at a revert', seed: 6, pieces: { bendHost: disarmOnly } },
  { promise: 'no host is forgotten', without: 'asking again after a controller was lost', seed: 128, pieces: { rules: { ...ROLLOUT_RULES, hear: (state, signal) => (signal.kind === 'taken' ? state : ROLLOUT_RULES.hear(state, signal)) } } },
  { promise: 'no two controllers change a host', without: 'a lease that only one has', seed: 2, pieces: { isLeaseShared: true } },
  { promise: 'no wave is left without data', without: 'gates', seed: 1, pieces: { rules: { ...ROLLOUT_RULES, mayPromote: (state) => state.watchedMs >= state.options.bakeSecondsMin * 1000 } } },
  { promise: 'a host never goes back a generation', without: 'new numbers for old rules', seed: 1, pieces: { bendWayBack: numberedBack, bendHost: acceptOlder } },
  { promise: 'an alert is told once', without: 'ids that name the event alone', seed: 10, pieces: { rules: { ...ROLLOUT_RULES, alertsOf: datedAlerts } } },
  { promise: 'a critical service is not interrupted for longer than the limit and the way back', without: 'tripping', seed: 1, pieces: { rules: { ...ROLLOUT_RULES, tripOf: () => undefined } } },
  { promise: 'a critical service is not interrupted for longer than the limit and the way back', without: 'a clock that goes on evenly', seed: 60, pieces: { clockOf: settableClock } },
  { promise: 'a critical service is not interrupted for longer than the limit and the way back', without: 'going on from what is written down', seed: 16, draw: drawSetBack, pieces: { clockOf: forgetfulClock } },
  { promise: 'no wave is left whose service is worse', without: 'looking at values and failures', seed: 4, draw: drawJudged, pieces: { judge: passesAll, rules: { ...ROLLOUT_RULES, tripOf: () => undefined, mayPromote: (state, at) => state.watchedMs >= state.options.bakeSecondsMin * 1000 && at > 0 } } },
  { promise: 'flows that are to be cut are cut or told, and those of a host that was not changed are left alone', without: 'asking again where no answer came', seed: 3, draw: drawEnding, pieces: { rules: { ...ROLLOUT_RULES, hear: silenceIsDone } } },
]

/** The machine's date and time as it is. */
function settableClock({ wall }: Parameters<typeof steadyClock>[0]): ReturnType<typeof steadyClock> {
  return { now: wall, notBefore: () => undefined }
}

/** Begins at the machine's date and time, whatever was before. */
function forgetfulClock(...[source]: Parameters<typeof steadyClock>): ReturnType<typeof steadyClock> {
  return { ...steadyClock(source), notBefore: () => undefined }
}

function passesAll(): ReturnType<GateJudge> {
  return { kind: 'pass', because: [{ en: 'whatever it was', zh: '一律放行' }] }
}

function silenceIsDone(...[state, signal]: Parameters<typeof ROLLOUT_RULES.hear>): ReturnType<typeof ROLLOUT_RULES.hear> {
  return ROLLOUT_RULES.hear(state, signal.kind === 'cut' && !signal.ended ? { ...signal, ended: NO_FLOWS_ENDED } : signal)
}

async function unarmedApply(...[world, , host, plan]: Parameters<typeof confirmedApply>): ReturnType<typeof confirmedApply> {
  const hostPlan = plan.hosts.find((one) => one.host === host.name)
  const held = { generation: hostPlan?.generation ?? 0, digest: hostPlan?.rulesetDigest ?? '' }
  const link = await world.hosts.connect(host)
  if (!link.ok || !hostPlan) return { host: host.name, kind: 'refused', generation: held.generation, step: 'connect', faults: [] }
  const intent = readIntent(hostPlan.intent)
  await hostSession(link.value).stage(held, intent.ok ? world.rules.render(intent.value) : '')
  await hostSession(link.value).swap(held)
  return { host: host.name, kind: 'refused', generation: held.generation, step: 'swap', faults: [] }
}

function numberedBack(plan: ChangePlan): ChangePlan {
  const hosts = plan.hosts.map((host) => {
    const intent = { ...host.intent, generation: host.baseGeneration - 1 }
    const read = readIntent(intent)
    return { ...host, intent, generation: intent.generation, rulesetDigest: sha256(read.ok ? SIM_RULES.render(read.value) : '') }
  })
  return { ...plan, hosts }
}

/** Stands for a host script that does not ask whether a revert is armed. */
function swapUnarmed(host: SimHost): void {
  const { answer } = host
  host.answer = (call) => {
    if (call.verb !== 'swap' || host.armedUntilMs !== undefined || !host.staged) return answer(call)
    host.live = host.staged
    return { exitCode: 0, stdout: `swapped ${host.live.generation} ${host.live.digest} 1\n`, stderr: '', durationMs: 1 }
  }
}

/** Stands for a host script that does not heed the time of a swap. */
function switchUnarmed(host: SimHost): void {
  const { answer } = host
  host.answer = (call) => {
    if (call.verb !== 'swap' || call.args.length < 3) return answer(call)
    const reply = answer(call)
    if (reply.exitCode === 0) delete host.armedUntilMs
    return reply
  }
}

/** Stands for a host script whose revert forgets the rules. */
function disarmOnly(host: SimHost): void {
  const { answer } = host
  host.answer = (call) => {
    const { live } = host
    const reply = answer(call)
    if (call.verb === 'revert' && live) host.live = live
    return reply
  }
}

/** Stands for a host script that has forgotten to compare. */
function acceptOlder(host: SimHost): void {
  const { answer } = host
  host.answer = (call) => {
    if (call.verb !== 'stage') return answer(call)
    const { confirmed } = host
    delete host.confirmed
    const reply = answer(call)
    if (confirmed) host.confirmed = confirmed
    return reply
  }
}

function datedAlerts(...[before, after, at]: Parameters<typeof ROLLOUT_RULES.alertsOf>): ReturnType<typeof ROLLOUT_RULES.alertsOf> {
  const told = ROLLOUT_RULES.alertsOf(before, { ...after, alerts: {} }, at)
  const dated = Object.entries(told.alerts).map(([id, alert]) => [`${id}/${at}`, { ...alert, alert: { ...alert.alert, id: `${id}/${at}` } }] as const)
  return dated.length === 0 ? after : { ...after, alerts: { ...after.alerts, ...Object.fromEntries(dated) } }
}
