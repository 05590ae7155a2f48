import type { Text } from '../../fault/fault.ts'
import type { Gate, GateEvidence, GateJudge, GateSample, GateVerdict } from '../gate.ts'
import { evidenceBelow, lowestRate } from './failureRate.ts'
import { fisherWorse, type Failures } from './fisher.ts'
import { rank, rankSumHigher, type Ranked } from './rankSum.ts'

/**
 * What the judgement promises, of one gate in one wave, over all its looks together. The k-th look may spend 1/(k(k+1)) of
 * a probability; these add up to the whole, however many follow. Looks stand at 1, 2, 3, 4, 6, 8, 12, 16 … rounds, so that
 * a late one has not been spent away; in between, the last one holds.
 */
export const JUDGEMENT = {
  /** A change that is no worse trips by its failures with at most this probability … */
  falseTripByFailures: 0.008,
  /** … and by its values with at most this. */
  falseTripByValues: 0.002,
  /** A host that always was worse than the unchanged ones trips with at most this, of each of the two. */
  falseTripOfOddHost: 0.05,
  /** One that is worse by the minimal effect or more passes with at most this. */
  falsePass: 0.05,
  /** Less than this share of samples more that fail is no reason to trip, and what a pass has to exclude. */
  failureMargin: 0.1,
  /** Values that are higher by less than this share … */
  valueRatio: 0.5,
  /** … and this much in milliseconds, of what is timed, are no reason to trip, and what a pass has to exclude. */
  valueStepMs: 10,
} as const

/**
 * Worse is what is worse than the same hosts before, and than the hosts that are not changed yet: the first excuses a host
 * that always was slow, the second a day on which everything is. No data, and what is neither shown to be worse nor shown
 * not to be, holds.
 */
export const judgeGate: GateJudge = (gate, evidence) => {
  if (gate.measure.kind === 'denied') return judgeDenied(gate, evidence)
  const references = referencesOf(gate, evidence)
  const look = lookAt(gate, evidence)
  const parts = [judgeFailures(evidence, leastOf(gate), references, look), ...judgeValues(gate, references, look)]
  const shown = { last: lastOf(evidence.changed), limit: limitOf(gate, references) }
  const tripped = parts.filter((part) => part.kind === 'trip')
  if (tripped.length > 0) return { kind: 'trip', because: tripped.map((part) => part.because), ...shown }
  const held = [...missing(gate, evidence, references), ...parts.filter((part) => part.kind === 'hold').map((part) => part.because)]
  if (held.length > 0) return { kind: 'hold', because: held, ...shown }
  return { kind: 'pass', because: parts.map((part) => part.because), ...shown }
}

interface Part {
  readonly kind: GateVerdict['kind']
  readonly because: Text
}

interface Reference {
  readonly name: Text
  readonly samples: readonly GateSample[]
}

const BEFORE: Text = { en: 'before', zh: '变更前' }
const UNCHANGED: Text = { en: 'on unchanged hosts', zh: '未变更主机' }

const leastOf = (gate: Gate): number => Math.max(1, gate.samplesMin)

/** Those with enough samples to be compared with; what was before comes first. */
function referencesOf(gate: Gate, { baseline, control }: GateEvidence): Reference[] {
  return [{ name: BEFORE, samples: baseline }, { name: UNCHANGED, samples: control }].filter(({ samples }) => samples.length >= leastOf(gate))
}

/** The newest look: how many there were, and what each side had brought by then. */
interface Look {
  readonly number: number
  readonly changed: readonly GateSample[]
  readonly references: readonly Reference[]
}

/** A round is one sample of the host that was measured most. */
function lookAt(gate: Gate, evidence: GateEvidence): Look {
  const byHost = Map.groupBy(evidence.changed, (sample) => sample.host)
  const { number, rounds } = lookOf(Math.max(1, roundsOf(evidence.changed)))
  const changed = [...byHost.values()].flatMap((samples) => samples.slice(0, rounds))
  const until = changed.reduce((latest, sample) => Math.max(latest, sample.at), Number.NEGATIVE_INFINITY)
  const control = evidence.control.filter((sample) => sample.at <= until)
  return { number, changed, references: referencesOf(gate, { ...evidence, control }) }
}

const roundsOf = (samples: readonly GateSample[]): number =>
  [...Map.groupBy(samples, ({ host }) => host).values()].reduce((most, { length }) => Math.max(most, length), 0)

/** 1, 2, 3, 4, 6, 8, 12, 16, 24 … */
function lookOf(rounds: number): { number: number; rounds: number } {
  let [number, power] = [1, 1]
  while (power * 2 <= rounds) [number, power] = [number + (power === 1 ? 1 : 2), power * 2]
  const between = power * 1.5
  return power > 1 && between <= rounds ? { number: number + 1, rounds: between } : { number, rounds: power }
}

const spend = (whole: number, { number }: Look): number => whole / (number * (number + 1))

/**
 * Worse than each that it is compared with: than unchanged hosts, or where there are none than before, on the level that is
 * promised; than before besides, on a level that only has to excuse a host that always was so.
 */
function levelOf(promised: number, name: Text, look: Look): number {
  const isExcuse = name === BEFORE && look.references.length > 1
  return spend(isExcuse ? JUDGEMENT.falseTripOfOddHost : promised, look)
}

function missing(gate: Gate, evidence: GateEvidence, references: readonly Reference[]): Text[] {
  const { changed, noData } = evidence
  const reasons: Text[] = []
  if (noData) reasons.push({ en: `no data: ${noData.en}`, zh: `无数据：${noData.zh}` })
  const least = leastOf(gate)
  if (changed.length < least) reasons.push({ en: `${changed.length} of ${least} samples of changed hosts`, zh: `已变更主机的样本 ${changed.length}/${least}` })
  if (references.length === 0) reasons.push({ en: 'nothing to compare with: too few samples from before and of unchanged hosts', zh: '缺少对照：变更前与未变更主机的样本均不足' })
  const unseen = unseenHosts(evidence)
  if (changed.length > 0 && unseen.length > 0) reasons.push({ en: `not measured any more: ${unseen.join(', ')}`, zh: `已停止测量：${unseen.join('、')}` })
  return reasons
}

/** Rounds that a host may miss before nothing is known of it. */
const MISSED_MAX = 3

/** Hosts that were measured before and are no longer: what is well on the others says nothing of them. */
function unseenHosts({ changed, baseline }: GateEvidence): string[] {
  const newest = new Map<string, number>()
  for (const { host } of baseline) if (host !== undefined) newest.set(host, Number.NEGATIVE_INFINITY)
  for (const { host, at } of changed) if (host !== undefined) newest.set(host, Math.max(at, newest.get(host) ?? at))
  const first = changed.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY)
  const last = changed.reduce((most, { at }) => Math.max(most, at), Number.NEGATIVE_INFINITY)
  const rounds = roundsOf(changed)
  const since = last - (MISSED_MAX * (last - first)) / Math.max(1, rounds - 1)
  return [...newest].filter(([, at]) => at < since || at === Number.NEGATIVE_INFINITY).map(([host]) => host).toSorted()
}

const failuresOf = (samples: readonly GateSample[]): Failures => ({ failed: samples.filter((sample) => !sample.isGood).length, total: samples.length })
const rateOf = ({ failed, total }: Failures): number => (total === 0 ? 0 : failed / total)

function judgeFailures({ changed }: GateEvidence, least: number, references: readonly Reference[], look: Look): Part {
  const [now, seen] = [failuresOf(changed), failuresOf(look.changed)]
  const worse = look.references.map(({ name, samples }) => {
    const earlier = failuresOf(samples)
    const probability = fisherWorse(seen, earlier)
    const isClear = seen.total >= least && rateOf(seen) - rateOf(earlier) >= JUDGEMENT.failureMargin
    return { name, earlier, probability, isWorse: isClear && probability <= levelOf(JUDGEMENT.falseTripByFailures, name, look) }
  })
  const numbers = (language: keyof Text): string =>
    worse.map(({ name, earlier, probability }) => `${earlier.failed}/${earlier.total} ${name[language]} (p ${short(probability)})`).join(', ')
  const told = (en: string, zh: string): Text => ({
    en: `${en}: ${now.failed}/${now.total} failed, ${numbers('en')}`,
    zh: `${zh}：失败 ${now.failed}/${now.total}，${numbers('zh')}`,
  })
  if (worse.length > 0 && worse.every((one) => one.isWorse)) return { kind: 'trip', because: withExample(told('fails more often', '失败更频繁'), changed) }
  const [first] = references
  if (!first) return { kind: 'hold', because: told('not compared', '未比较') }
  if (worse.some((one) => one.isWorse)) return { kind: 'hold', because: told('fails more often than one of the two it is compared with', '仅与其中一个对照相比失败更频繁') }
  const limit = lowestRate(failuresOf(first.samples), JUDGEMENT.falsePass) + JUDGEMENT.failureMargin
  if (limit >= 1 || rateOf(failuresOf(first.samples)) + JUDGEMENT.failureMargin >= 1) return { kind: 'hold', because: told('it did not work before either', '变更前也未正常工作') }
  if (evidenceBelow(limit, now) < 1 / JUDGEMENT.falsePass) return { kind: 'hold', because: told('too few samples to say that it fails no more often', '样本不足，尚不能断定失败未增多') }
  return { kind: 'pass', because: told('fails no more often', '失败未增多') }
}

function withExample(text: Text, samples: readonly GateSample[]): Text {
  const example = samples.findLast((sample) => !sample.isGood && sample.because)
  return example?.because ? { en: `${text.en}; ${example.host ?? ''} ${example.because.en}`, zh: `${text.zh}；${example.host ?? ''} ${example.because.zh}` } : text
}

/** Only of what was good: how quickly something fails says nothing. */
const valuesOf = (samples: readonly GateSample[]): number[] => samples.filter((sample) => sample.isGood).flatMap(({ value }) => (value !== undefined && Number.isFinite(value) ? [value] : []))

interface ValueRule {
  /** −1 where lower is worse. */
  readonly sign: 1 | -1
  readonly ratio: number
  readonly step: number
}

/** What a gate's settings say of its values; what is timed gets worse upwards and has a smallest step that matters. */
function valueRuleOf({ measure }: Gate): ValueRule | undefined {
  const settings: Readonly<Record<string, unknown>> = measure.kind === 'other' ? measure.settings : {}
  if (settings['worse'] === 'none') return undefined
  // A decimal of a file may be text.
  const number = (key: string, otherwise: number): number => {
    const value = Number(settings[key] ?? otherwise)
    return value >= 0 && Number.isFinite(value) ? value : otherwise
  }
  const isTimed = measure.kind !== 'other' || measure.name !== 'prometheus'
  return { sign: settings['worse'] === 'lower' ? -1 : 1, ratio: number('effectRatio', JUDGEMENT.valueRatio), step: number('effectStep', isTimed ? JUDGEMENT.valueStepMs : 0) }
}

/** Nothing where the gate has no values, or they may be what they like. */
function judgeValues(gate: Gate, references: readonly Reference[], look: Look): Part[] {
  const rule = valueRuleOf(gate)
  const hasValues = references.some(({ samples }) => valuesOf(samples).length > 0)
  if (!rule || !hasValues) return []
  const compared = look.references.map(({ name, samples }) => ({ name, values: valuesOf(samples) })).filter(({ values }) => values.length >= leastOf(gate))
  const now = valuesOf(look.changed)
  const ranked = rankOf(now, rule)
  const tests = compared.map(({ name, values }) => ({ name, median: medianOf(values), ...compareValues(ranked, barOf(values, rule)) }))
  const numbers = (language: keyof Text): string => tests.map(({ name, median, higher }) => `${short(median)} ${name[language]} (p ${short(higher)})`).join(', ')
  const told = (en: string, zh: string): Text => ({ en: `${en}: median ${short(medianOf(now))}, ${numbers('en')}`, zh: `${zh}：中位数 ${short(medianOf(now))}，${numbers('zh')}` })
  if (now.length < leastOf(gate) || tests.length === 0) return [{ kind: 'hold', because: told('too few values', '数值样本不足') }]
  const worse = tests.map(({ name, higher }) => higher <= levelOf(JUDGEMENT.falseTripByValues, name, look))
  if (worse.every(Boolean)) return [{ kind: 'trip', because: told('values are worse', '数值变差') }]
  if (worse.some(Boolean)) return [{ kind: 'hold', because: told('values are worse than one of the two they are compared with', '仅与其中一个对照相比数值变差') }]
  const isShown = (tests[0]?.lower ?? 1) <= spend(JUDGEMENT.falsePass, look)
  if (!isShown) return [{ kind: 'hold', because: told('not shown that values are no worse', '尚不能断定数值未变差') }]
  const unshown = unshownHosts(gate, rule, look)
  return [unshown.length === 0 ? { kind: 'pass', because: told('values are no worse', '数值未变差') } : { kind: 'hold', because: toldOfHosts(unshown) }]
}

interface HostValues {
  readonly host: string
  readonly values: readonly number[]
}

/**
 * Hosts of which it is not shown that their own values are no worse: one that is slow among many that are not moves the
 * median of all but little. One that brings no good sample is told of by its failures.
 */
function unshownHosts(gate: Gate, rule: ValueRule, look: Look): HostValues[] {
  const before = valuesByHost(look.references.find(({ name }) => name === BEFORE)?.samples ?? [])
  const others = barOf(valuesOf((look.references.find(({ name }) => name === UNCHANGED) ?? look.references[0])?.samples ?? []), rule)
  return [...valuesByHost(look.changed)].flatMap(([host, values]) => {
    const isShown = values.length >= leastOf(gate) && isHostShown({ gate, rule, look, before: before.get(host) ?? [], others }, values)
    return isShown ? [] : [{ host: host ?? '', values }]
  })
}

interface HostComparison {
  readonly gate: Gate
  readonly rule: ValueRule
  readonly look: Look
  /** Its own. */
  readonly before: readonly number[]
  readonly others: Bar
}

/** No worse than itself before, or than unchanged hosts and not clearly worse than before. The two share what may be wrong. */
function isHostShown({ gate, rule, look, before, others }: HostComparison, values: readonly number[]): boolean {
  const least = leastOf(gate)
  const now = rankOf(values, rule)
  const level = spend(JUDGEMENT.falsePass, look) / 2
  if (before.length >= least) {
    const { higher, lower } = compareValues(now, barOf(before, rule))
    if (lower <= level) return true
    if (higher <= spend(JUDGEMENT.falseTripOfOddHost, look)) return false
  }
  return others.moved.values.length >= least && compareValues(now, others).lower <= level
}

function valuesByHost(samples: readonly GateSample[]): Map<string | undefined, number[]> {
  const byHost = new Map<string | undefined, number[]>()
  for (const [host, own] of Map.groupBy(samples, (sample) => sample.host)) {
    const values = valuesOf(own)
    if (values.length > 0) byHost.set(host, values)
  }
  return byHost
}

function toldOfHosts(hosts: readonly HostValues[]): Text {
  const named = hosts.slice(0, REASONS_MAX)
  const more = hosts.length - named.length
  const en = named.map(({ host, values }) => `${host} (median ${short(medianOf(values))})`)
  const zh = named.map(({ host, values }) => `${host}（中位数 ${short(medianOf(values))}）`)
  return {
    en: `not shown that values are no worse: ${en.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
    zh: `尚不能断定下列主机的数值未变差：${zh.join('、')}${more > 0 ? `，另有 ${more} 台` : ''}`,
  }
}

/** What values are compared with: others that are worse by the minimal effect. */
interface Bar {
  readonly moved: Ranked
  /** A little higher, because equal is no worse. */
  readonly above: Ranked
}

/** Where lower is worse, the same question mirrored. */
function barOf(then: readonly number[], { sign, ratio, step }: ValueRule): Bar {
  const moved = then.map((value) => sign * value + Math.abs(value) * ratio + step)
  return { moved: rank(moved), above: rank(moved.map((value) => value + Math.max(Math.abs(value), 1) * 1e-9)) }
}

const rankOf = (values: readonly number[], { sign }: ValueRule): Ranked => rank(values.map((value) => sign * value))

const compareValues = (now: Ranked, { moved, above }: Bar): { higher: number; lower: number } => ({ higher: rankSumHigher(now, moved), lower: rankSumHigher(above, now) })

/** A source that was served before and is denied now is no matter of chance: one is enough. */
function judgeDenied(gate: Gate, { changed, noData }: GateEvidence): GateVerdict {
  const denied = changed.filter((sample) => !sample.isGood)
  const limit: Text = { en: 'one source that was served before and is denied', zh: '任一原先放行的来源被拒绝' }
  const last = lastOf(changed)
  if (denied.length > 0) {
    const named = denied.slice(-REASONS_MAX).map((sample): Text => ({ en: `${sample.host ?? ''} ${sample.because?.en ?? 'denies a source that it served'}`, zh: `${sample.host ?? ''} ${sample.because?.zh ?? '拒绝了原先放行的来源'}` }))
    return { kind: 'trip', because: named, last, limit }
  }
  const least = leastOf(gate)
  if (noData) return { kind: 'hold', because: [{ en: `no data: ${noData.en}`, zh: `无数据：${noData.zh}` }], last, limit }
  if (changed.length < least) return { kind: 'hold', because: [{ en: `${changed.length} of ${least} samples of changed hosts`, zh: `已变更主机的样本 ${changed.length}/${least}` }], last, limit }
  return { kind: 'pass', because: [{ en: 'no source that was served before is denied', zh: '原先放行的来源均未被拒绝' }], last, limit }
}

const REASONS_MAX = 10

function lastOf(samples: readonly GateSample[]): Text {
  const newest = samples.at(-1)
  if (!newest) return { en: 'nothing yet', zh: '暂无' }
  const { failed, total } = failuresOf(samples)
  const value = newest.value === undefined ? '' : `${short(newest.value)}; `
  return { en: `${value}${failed}/${total} failed`, zh: `${value}失败 ${failed}/${total}` }
}

function limitOf(gate: Gate, references: readonly Reference[]): Text {
  const [first] = references
  if (!first) return { en: 'nothing to compare with', zh: '无对照' }
  const rate = Math.round((rateOf(failuresOf(first.samples)) + JUDGEMENT.failureMargin) * 100)
  const rule = valueRuleOf(gate)
  const values = valuesOf(first.samples)
  const edge = rule && values.length > 0 ? medianOf(values) + rule.sign * (Math.abs(medianOf(values)) * rule.ratio + rule.step) : undefined
  const beyond = edge === undefined ? '' : `, ${rule?.sign === -1 ? '<' : '>'} ${short(edge)}`
  // Nothing is worse than what always fails.
  if (rate >= 100 && beyond === '') return { en: 'it cannot: it failed before too', zh: '无法触发：之前同样失败' }
  return { en: `clearly > ${rate}% failed${beyond}`, zh: `失败率显著 > ${rate}%${beyond}` }
}

function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  return ((sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN) + (sorted[Math.ceil((sorted.length - 1) / 2)] ?? Number.NaN)) / 2
}

const short = (value: number): string => (Number.isNaN(value) ? '–' : String(Number(value.toPrecision(3))))
