import type { Text } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'
import type { Gate, GateEvidence, GateReading, GateSample } from './gate.ts'
import type { Rollout } from './rollout.ts'

/**
 * Sorts one gate's samples by what had been changed when each was taken. Changed are the hosts of the present wave: those of
 * earlier waves, whose many good samples would speak for it, are left out, unless one denial is enough to trip. A sample that
 * is about no host counts as changed from the first change on. One that is later than now was taken before the clock was set
 * back, on nobody knows which side of the change: it is left out until its time has come. Then it may stand among the changed
 * ones, but no more of these than of true ones, so that a change for the worse still shows in half of them.
 */
export function evidenceOf(state: Rollout, gate: Gate, samples: readonly GateSample[], now: Instant, noData?: Text): GateEvidence {
  const firstChange = state.hosts.inPhase(['changed']).reduce((first, name) => Math.min(first, changedSince(state, name)), Infinity)
  const changed: GateSample[] = []
  const baseline: GateSample[] = []
  const control: GateSample[] = []
  for (const sample of samples) {
    const wave = sample.host === undefined ? undefined : state.hosts.get(sample.host)?.wave
    if (gate.measure.kind !== 'denied' && (sample.at > now || (wave !== undefined && wave < state.wave))) continue
    const since = sample.host === undefined ? firstChange : changedSince(state, sample.host)
    if (sample.at >= since) changed.push(sample)
    else if (since !== Number.POSITIVE_INFINITY) baseline.push(sample)
    else control.push(sample)
  }
  return { now, changed, baseline, control: control.filter((sample) => sample.at >= waveBegan(state)), ...(noData ? { noData } : {}) }
}

function changedSince(state: Rollout, name: string): Instant {
  const host = state.hosts.get(name)
  return host?.phase === 'changed' ? host.since : Number.POSITIVE_INFINITY
}

const waveBegan = (state: Rollout): Instant => state.stages.findLast((stage) => stage.wave !== state.wave || stage.phase === 'baseline')?.until ?? state.begun

/**
 * Whether the service works, by the newest measuring: of hosts that were touched, once any was; of all before. One host
 * that fails is an interruption. Undefined where nothing was measured.
 */
export function isGoodNow(state: Rollout, reading: GateReading): boolean | undefined {
  if (reading.kind === 'no-data') return undefined
  const { isTouched } = state.hosts
  const counted = reading.samples.filter((sample) => !isTouched || sample.host === undefined || (state.hosts.get(sample.host)?.attempt ?? 1) > 0)
  return counted.length === 0 ? undefined : counted.every((sample) => sample.isGood)
}
