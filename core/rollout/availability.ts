import type { Text } from '../fault/fault.ts'
import type { Gate, GateEvidence, GateSample, GateVerdict } from './gate.ts'

/** A gate that only asks whether the service works: passes when the newest samples of changed hosts are all good, trips when they all failed where they did not before. */
export function judgeAvailability(gate: Gate, { changed, baseline, noData }: GateEvidence): GateVerdict {
  if (noData) return { kind: 'hold', because: [noData], limit: limitOf(gate) }
  const newest = changed.slice(-gate.samplesMin)
  if (newest.length < gate.samplesMin) return { kind: 'hold', because: [few(newest.length, gate.samplesMin)], limit: limitOf(gate) }
  const bad = newest.filter((sample) => !sample.isGood)
  const last = { en: `${newest.length - bad.length} of ${newest.length} good`, zh: `${newest.length} 次中 ${newest.length - bad.length} 次正常` }
  if (bad.length === 0) return { kind: 'pass', because: [last], last, limit: limitOf(gate) }
  const reasons = reasonsOf(bad)
  if (bad.length < newest.length || wasBad(baseline)) return { kind: 'hold', because: [last, ...reasons], last, limit: limitOf(gate) }
  return { kind: 'trip', because: [last, ...reasons], last, limit: limitOf(gate) }
}

/** What failed before it was changed says nothing against the change. */
const wasBad = (baseline: readonly GateSample[]): boolean => baseline.length > 0 && baseline.every((sample) => !sample.isGood)

const REASONS_MAX = 3

const reasonsOf = (bad: readonly GateSample[]): Text[] => {
  const told = bad.flatMap(({ host, because }) => (because ? [{ en: `${host ?? ''} ${because.en}`.trim(), zh: `${host ?? ''} ${because.zh}`.trim() }] : []))
  return [...new Map(told.map((text) => [text.en, text])).values()].slice(0, REASONS_MAX)
}

const few = (count: number, min: number): Text => ({ en: `${count} of ${min} samples`, zh: `样本 ${count}/${min}` })
const limitOf = ({ samplesMin }: Gate): Text => ({ en: `trips when ${samplesMin} in a row fail`, zh: `连续 ${samplesMin} 次失败即触发` })
