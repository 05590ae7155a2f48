import type { Text } from '@portcullis/core/fault/fault.ts'
import type { RolloutFigures } from '@portcullis/core/rollout/figures.ts'
import { heldBy } from '@portcullis/core/rollout/promotion.ts'
import { readRollout } from '@portcullis/core/rollout/rolloutState.ts'
import type { GateProgress, HostPhase, RolloutOutcome, RolloutPhase, RolloutState } from '@portcullis/core/rollout/rollout.ts'
import type { RolloutRecord } from '@portcullis/engine/rolloutStore.ts'
import { layTable, widthOf } from '../table.ts'
import { faultLines } from './faults.ts'
import { flowWords } from './flows.ts'
import { count, shortId, t, timeWords, type Pen } from './words.ts'

/** A rollout as it stands: its waves, its gates with what they last said and what would trip, what it waits for. */
export function showRollout(pen: Pen, state: RolloutState, now: number, columns = COLUMNS): string {
  const lines = [
    ...headLines(pen, state, now, columns),
    '',
    ...layTable(state.waves.map((wave, index) => waveRow(pen, state, wave.name, index, columns)), '  '),
    ...gateLines(pen, state, columns),
    ...(state.trip ? ['', ...state.trip.because.map((because) => `${pen.paint.red('✗')} ${t(pen, because)}`)] : []),
    ...waitLines(pen, state, now),
    ...hostLines(pen, state),
  ]
  return `${lines.join('\n')}\n`
}

const COLUMNS = 120

/** What somebody wants to know who sees no page: each line once, when it comes true. */
export function newsLines(pen: Pen, state: RolloutState): string[] {
  const changed = Object.values(state.hosts).filter((host) => host.phase === 'changed').length
  const total = Object.keys(state.hosts).length
  const wave = state.waves[state.wave]?.name ?? ''
  const paused = state.isPaused && !state.outcome ? ` · ${t(pen, PAUSED)}` : ''
  return [
    ...(state.trip?.because.map((because) => `✗ ${t(pen, because)}`) ?? []),
    `${t(pen, state.outcome ? OUTCOMES[state.outcome][1] : PHASES[state.phase])}${state.outcome ? '' : ` · ${wave}`} · ${changed}/${count(pen, total, 'host', '台主机')}${paused}`,
    ...(state.phase === 'approval' ? [APPROVE] : []),
  ]
}

const APPROVE = 'portcullis rollout promote --core'
const PAUSED: Text = { en: 'paused', zh: '已暂停' }

const PHASES: Readonly<Record<RolloutPhase, Text>> = {
  baseline: { en: 'watches before the first change', zh: '变更前观察' },
  applying: { en: 'applies', zh: '下发' },
  baking: { en: 'bakes', zh: '观察期' },
  approval: { en: 'waits for approval of core hosts', zh: '等待核心主机批准' },
  reverting: { en: 'puts back', zh: '回退中' },
  ended: { en: 'ended', zh: '已结束' },
}

const OUTCOMES: Readonly<Record<RolloutOutcome, readonly [keyof Pen['paint'], Text]>> = {
  completed: ['green', { en: 'completed', zh: '已完成' }],
  reverted: ['yellow', { en: 'put back', zh: '已回退' }],
  aborted: ['yellow', { en: 'aborted', zh: '已中止' }],
  incomplete: ['red', { en: 'hosts are left to look at', zh: '有主机需人工检查' }],
}

/** One line, or two where the screen is narrow. */
function headLines(pen: Pen, state: RolloutState, now: number, columns: number): string[] {
  const [colour, words] = state.outcome ? OUTCOMES[state.outcome] : (['bold', PHASES[state.phase]] as const)
  const wave = state.outcome ? '' : ` ${state.waves[state.wave]?.name ?? ''}`
  const paused = state.isPaused && !state.outcome ? pen.paint.yellow(` · ${t(pen, PAUSED)}`) : ''
  const took = durationWords((state.ended ?? now) - state.begun)
  const name = `${pen.paint.bold(`${t(pen, { en: 'Rollout', zh: '发布' })} ${shortId(state.id)}`)} · ${t(pen, { en: 'plan', zh: '计划' })} ${shortId(state.plan)}`
  const phase = `${pen.paint[colour](t(pen, words) + wave)}${paused} · ${took}`
  return widthOf(`${name} · ${phase}`) < columns ? [`${name} · ${phase}`] : [name, phase]
}

const MARKS: Readonly<Record<HostPhase, readonly [mark: string, paint: keyof Pen['paint']]>> = {
  waiting: ['·', 'dim'],
  applying: ['▸', 'cyan'],
  settling: ['?', 'yellow'],
  changed: ['✓', 'green'],
  failed: ['✗', 'red'],
  reverting: ['↶', 'yellow'],
  reverted: ['↶', 'green'],
  left: ['!', 'red'],
}

/** Columns of a wave's row that are no bar. */
const WAVE_COLUMNS = 30
const BAR_HOSTS_MAX = 40

function waveRow(pen: Pen, state: RolloutState, name: string, index: number, columns: number): string[] {
  const most = Math.max(1, Math.min(BAR_HOSTS_MAX, columns - WAVE_COLUMNS))
  const hosts = (state.waves[index]?.hosts ?? []).map((host) => state.hosts[host]?.phase ?? 'waiting')
  const bar = hosts.slice(0, most).map((phase) => pen.paint[MARKS[phase][1]](MARKS[phase][0])).join('')
  const done = hosts.filter((phase) => phase === 'changed').length
  const isAt = state.outcome === undefined && state.wave === index
  return [isAt ? pen.paint.bold(`▸ ${name}`) : `  ${name}`, `${done}/${hosts.length}`, bar + (hosts.length > most ? '…' : '')]
}

const VERDICTS: Readonly<Record<'pass' | 'hold' | 'trip', readonly [mark: string, paint: keyof Pen['paint']]>> = { pass: ['✓', 'green'], hold: ['…', 'yellow'], trip: ['✗', 'red'] }

function gateLines(pen: Pen, state: RolloutState, columns: number): string[] {
  const gates = state.gates.map(({ name, isCritical }) => {
    const measured = state.measured[name]
    const [mark, colour] = measured ? VERDICTS[measured.verdict.kind] : (['·', 'dim'] as const)
    const last = measured?.verdict.last ?? measured?.verdict.because[0] ?? { en: 'not measured yet', zh: '尚未测量' }
    const row = [pen.paint[colour](mark), name + (isCritical ? ' *' : ''), t(pen, last) + interruption(pen, measured)]
    return { row, limit: measured?.verdict.limit ? pen.paint.dim(t(pen, { en: `trips: ${measured.verdict.limit.en}`, zh: `触发：${measured.verdict.limit.zh}` })) : '' }
  })
  if (gates.length === 0) return []
  const wide = layTable(gates.map(({ row, limit }) => [...row, limit]), '  ')
  if (wide.every((line) => widthOf(line) < columns)) return ['', ...wide]
  const narrow = layTable(gates.map(({ row }) => row), '  ')
  return ['', ...gates.flatMap(({ limit }, index) => [narrow[index] ?? '', ...(limit === '' ? [] : [`      ${limit}`])])]
}

function interruption(pen: Pen, measured: GateProgress | undefined): string {
  if (measured?.interruptedSince === undefined) return ''
  const lasts = durationWords(measured.at - measured.interruptedSince)
  return `  ${pen.paint.red(t(pen, { en: `interrupted ${lasts}`, zh: `已中断 ${lasts}` }))}`
}

function waitLines(pen: Pen, state: RolloutState, now: number): string[] {
  const left = pen.paint.dim(t(pen, leastLeft(state)))
  if (state.phase === 'baseline') return ['', ...baselineHeld(state).map((because) => pen.paint.dim(`… ${t(pen, because)}`)), left]
  if (state.phase === 'baking') return ['', ...heldBy(readRollout(state), now).map((because) => pen.paint.dim(`… ${t(pen, because)}`)), left]
  if (state.phase === 'approval') return ['', pen.paint.cyan(APPROVE)]
  return []
}

function baselineHeld({ options, watchedMs, gates, measured }: RolloutState): Text[] {
  const seconds = Math.ceil(options.baselineSeconds - watchedMs / 1000)
  const interrupted = gates.filter(({ name }) => measured[name]?.interruptedSince !== undefined).map(({ name }) => name)
  return [
    ...(seconds > 0 ? [{ en: `measures ${seconds} s more before the first change`, zh: `首次变更前还需测量 ${seconds} 秒` }] : []),
    ...(interrupted.length > 0 ? [{ en: `nothing begins while a service fails by itself: ${interrupted.join(', ')}`, zh: `以下项目自身异常，暂不开始变更：${interrupted.join('、')}` }] : []),
  ]
}

/** What is left of baking at least, when every gate passes at once. */
function leastLeft({ options, phase, wave, waves, watchedMs }: RolloutState): Text {
  const bakesLeft = waves.length - wave - (phase === 'baking' ? 1 : 0)
  const presentSeconds = phase === 'baking' ? options.bakeSecondsMin : options.baselineSeconds
  const ms = Math.max(0, presentSeconds * 1000 - watchedMs) + bakesLeft * options.bakeSecondsMin * 1000
  const wavesLeft = waves.length - wave - 1
  return { en: `at least ${durationWords(ms)} to go, ${wavesLeft} ${wavesLeft === 1 ? 'wave' : 'waves'} after this one`, zh: `至少还需 ${durationWords(ms)}，其后还有 ${wavesLeft} 批` }
}

const HOSTS_SHOWN_MAX = 20

/** Hosts that did not simply do what was asked of them. */
function hostLines(pen: Pen, state: RolloutState): string[] {
  const odd = Object.entries(state.hosts).filter(([, host]) => host.fault !== undefined && ['failed', 'settling', 'reverting', 'left'].includes(host.phase))
  const cut = Object.entries(state.hosts).flatMap(([name, host]) => (host.cut && host.phase === 'changed' ? [`${pen.paint.bold(name)}  ${host.cut.steps.length > 0 ? t(pen, { en: 'flows are still to be cut', zh: '流待切断' }) : flowWords(pen, host.cut.ended)}`, ...faultLines(pen, host.cut.fault ? [host.cut.fault] : [], '  ')] : []))
  const shown = odd.slice(0, HOSTS_SHOWN_MAX).flatMap(([name, host]) => [`${pen.paint[MARKS[host.phase][1]](MARKS[host.phase][0])} ${pen.paint.bold(name)}`, ...faultLines(pen, host.fault ? [host.fault] : [], '  ')])
  const more = odd.length - HOSTS_SHOWN_MAX
  const cutMore = cut.length - HOSTS_SHOWN_MAX
  return [
    ...(cut.length === 0 ? [] : ['', ...cut.slice(0, HOSTS_SHOWN_MAX), ...(cutMore > 0 ? [`+${cutMore}`] : [])]),
    ...(odd.length === 0 ? [] : ['', ...shown, ...(more > 0 ? [`+${more}`] : [])]),
  ]
}

/** What it has brought and cost, in a few lines. */
export function showFigures(pen: Pen, { hosts, endpoints, openToAnyone, interruptedMs }: RolloutFigures): string {
  const interrupted = Object.entries(interruptedMs).filter(([, durationMs]) => durationMs > 0)
  const rows = [
    [t(pen, { en: 'hosts', zh: '主机' }), t(pen, { en: `${hosts.changed} changed, ${hosts.reverted} put back, ${hosts.failed} failed, ${hosts.left} left, ${hosts.untouched} untouched`, zh: `变更 ${hosts.changed}，回退 ${hosts.reverted}，失败 ${hosts.failed}，待查 ${hosts.left}，未触及 ${hosts.untouched}` })],
    [t(pen, { en: 'endpoints', zh: '端点' }), t(pen, { en: `${endpoints.closed} closed, ${endpoints.narrowed} narrowed, ${endpoints.opened} opened`, zh: `关闭 ${endpoints.closed}，收窄 ${endpoints.narrowed}，放行 ${endpoints.opened}` })],
    [t(pen, { en: 'open to anyone', zh: '对任何人开放' }), `${openToAnyone.before} → ${openToAnyone.after}`],
    [t(pen, { en: 'interrupted', zh: '中断' }), interrupted.length === 0 ? t(pen, { en: 'nothing that was measured', zh: '测量范围内无中断' }) : interrupted.map(([service, durationMs]) => `${service} ${(durationMs / 1000).toFixed(1)} s`).join(', ')],
  ]
  return `${layTable(rows, '  ').join('\n')}\n`
}

export function showHistory(pen: Pen, records: readonly (RolloutRecord & { readonly now: RolloutState })[]): string {
  const rows = records.map(({ id, created, by, plan, now }) => {
    const [colour, words] = now.outcome ? OUTCOMES[now.outcome] : (['cyan', PHASES[now.phase]] as const)
    const hosts = Object.values(now.hosts)
    const changed = hosts.filter((host) => host.phase === 'changed').length
    return [shortId(id), timeWords(created), by, shortId(plan), pen.paint[colour](t(pen, words)), `${changed}/${count(pen, hosts.length, 'host', '台主机')}`, durationWords((now.ended ?? now.measuredAt ?? created) - created)]
  })
  if (rows.length === 0) return `${t(pen, { en: 'no rollout yet', zh: '尚无发布' })}\n`
  return `${layTable(rows).join('\n')}\n`
}

/** `1:05`, minutes and seconds, and hours in front where there are any. */
export function durationWords(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000))
  const two = (number: number): string => String(number).padStart(2, '0')
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}
