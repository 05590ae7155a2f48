import type { Instant } from '@portcullis/core/inventory/observation.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { evidenceOf, isGoodNow } from '@portcullis/core/rollout/evidence.ts'
import type { Gate, GateReading } from '@portcullis/core/rollout/gate.ts'
import type { GateMeasured, HostProgress, Rollout } from '@portcullis/core/rollout/rollout.ts'
import type { HostStanding } from '@portcullis/core/rollout/watchRound.ts'
import type { GateWindow } from './gates.ts'
import type { Cancellation } from './ports.ts'
import type { RolloutWorld } from './rolloutWorld.ts'

const TIMEOUT_MS = 3_000

/** Measures a gate once, keeps what was measured, and judges by all that is kept. Undefined where it was broken off. */
export async function measureGate(world: RolloutWorld, state: Rollout, gate: Gate, fleet: readonly Host[], isMeant: IsMeant, signal?: Cancellation): Promise<GateMeasured | undefined> {
  const hosts = measuredHosts(state, fleet)
  const reading = await read(world, state, gate, { hosts, isMeant, standingOf: (host) => standingOf(state, host) }, signal)
  if (signal?.aborted) return undefined
  if (reading.kind === 'samples') await world.rollouts.addSamples(state.id, reading.samples.map((sample) => ({ ...sample, gate: gate.name })))
  const kept = await world.rollouts.samples(state.id, gate.name, Math.max(SAMPLES_MIN, ROUNDS_MIN * hosts.length))
  const verdict = world.judge(gate, evidenceOf(state, gate, kept, world.clock.now(), reading.kind === 'no-data' ? reading.because : undefined))
  const isGood = isGoodNow(state, reading)
  return { gate: gate.name, verdict, ...(isGood === undefined ? {} : { isGood }) }
}

/** Half an hour of ten hosts every five seconds is more; a verdict goes by the newest … */
const SAMPLES_MIN = 2000
/** … but of many hosts by so many samples of each, that of no host too little is known. */
const ROUNDS_MIN = 6

type IsMeant = NonNullable<GateWindow['isMeant']>
type Measured = Required<Pick<GateWindow, 'hosts' | 'isMeant' | 'standingOf'>>

/** Logging in to a host takes as much of it as putting it back does, and that is more urgent: such gates wait, but not for a host that does not come back. */
export const isPutOff = (state: Rollout, gate: Gate, now: Instant): boolean =>
  ASKS_HOSTS.has(gate.measure.kind) && state.hosts.inPhase(['reverting']).some((name) => isAwaited(state.hosts.get(name), now))

const isAwaited = (host: HostProgress | undefined, now: Instant): boolean => host !== undefined && host.notBefore === undefined && now - host.since < PUT_OFF_MS_MAX

/**
 * Milliseconds until it may be measured again, from the end of a measuring that took so long. Where asking all hosts takes longer
 * than the pause between two measurings, it would go on without one, and keep controller and hosts from what is done to them: a
 * new connection that a change is probed by would come too late, and the change be taken for bad. What befalls a host is seen
 * by no more than a quarter of an allowed outage later.
 */
export const restMs = ({ options }: Pick<Rollout, 'options'>, gate: Gate, tookMs: number): number => (ASKS_HOSTS.has(gate.measure.kind) ? Math.min(tookMs, (options.outageSecondsMax * 1000) / 4) : 0)

const ASKS_HOSTS: ReadonlySet<Gate['measure']['kind']> = new Set(['liveness', 'denied'])
const PUT_OFF_MS_MAX = 30_000

async function read(world: RolloutWorld, state: Rollout, gate: Gate, measured: Measured, signal: Cancellation | undefined): Promise<GateReading> {
  const until = world.clock.now()
  try {
    const reading = await world.gates.sample(gate, { since: state.measured[gate.name]?.at ?? state.begun, until, ...measured, timeoutMs: TIMEOUT_MS }, signal)
    return reading.kind === 'samples' && reading.samples.length === 0 ? { kind: 'no-data', because: { en: 'measuring brought no sample', zh: '测量没有返回任何样本' } } : reading
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error)
    return { kind: 'no-data', because: { en: `measuring failed: ${because}`, zh: `测量失败：${because}` } }
  }
}

/** Hosts that were touched, and as many that were not, to compare with; all of a small fleet. */
function measuredHosts(state: Rollout, fleet: readonly Host[]): readonly Host[] {
  const touched = fleet.filter((host) => standingOf(state, host.name).role !== 'control')
  const isTouched = new Set(touched)
  const control = fleet.filter((host) => !isTouched.has(host)).slice(0, Math.max(CONTROL_MIN, touched.length))
  return [...touched, ...control]
}

const CONTROL_MIN = 10

function standingOf(state: Rollout, name: string): HostStanding {
  const host = state.hosts.get(name)
  if (!host) return { role: 'control', mark: '' }
  const isTouched = host.attempt > 0
  return { role: host.wave === state.wave ? 'wave' : isTouched ? 'earlier' : 'control', mark: `${host.attempt} ${host.phase}` }
}
