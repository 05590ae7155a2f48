import type { Fault, Text } from '@portcullis/core/fault/fault.ts'
import type { Gate } from '@portcullis/core/rollout/gate.ts'
import { ROLLOUT_DEFAULTS, type Command, type RolloutOptions, type RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { loadRollout } from '@portcullis/engine/loadRollout.ts'
import { startRollout } from '@portcullis/engine/startRollout.ts'
import { InvalidArgumentError, Option, type Command as CommanderCommand } from 'commander'
import { outJson, say, type Cli } from '../cli.ts'
import { examples, fleetOptions, wholeNumber, type CommandModule, type Definition } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse } from '../fleet.ts'
import { ask, carryOn, findRollout, refuseUnknown, tell, whoAsks, withRollouts, type Look, type RolloutFleet, type RolloutOptionValues } from '../rolling.ts'
import { showHistory } from '../show/rollout.ts'
import { shortId } from '../show/words.ts'
import { NO_PLAN, noSuchPlan } from './apply.ts'

/** The commands of `portcullis rollout`. */

interface StartValues extends RolloutOptionValues {
  readonly yes?: boolean
  readonly canary: number
  readonly growth: number
  readonly shares?: readonly number[]
  readonly first?: readonly string[]
  readonly atOnce: number
  readonly failures: number
  readonly baseline: number
  readonly bakeMin: number
  readonly bakeMax: number
  readonly every: number
  readonly outage: number
  readonly revert: 'wave' | 'all'
  readonly confirmWithin: number
  readonly approveCore?: boolean
}

export const start: CommandModule = {
  define: (command, { text, run }) => {
    command.argument('[plan]', text({ en: 'the id of a sealed plan, or the start of it; the newest without it', zh: '已封存计划的编号或其开头；缺省为最新计划' }))
    gateOptions(fleetOptions(command, text), text)
    waveOptions(command, text)
    bakeOptions(command, text)
    examples(command, text, [
      ['portcullis rollout start --gates gates.yaml --alerts alerts.yaml', { en: 'the newest plan: canary, then growing waves', zh: '最新计划：先金丝雀，再逐批扩大' }],
      ['portcullis rollout start 3f9a1c20 --bake-min 60 --yes --json', { en: 'in a pipeline; events on stderr, the end on stdout', zh: '用于流水线：事件输出到 stderr，结果输出到 stdout' }],
    ])
    run((cli, values, [id]) => withRollouts(cli, values as unknown as StartValues, (fleet) => begin(cli, fleet, values as unknown as StartValues, id)))
  },
}

async function begin(cli: Cli, fleet: RolloutFleet, values: StartValues, id: string | undefined): Promise<ExitCode> {
  const { world } = fleet.rollouts
  const plan = id === undefined ? (await world.store.plans(1))[0] : await world.store.plan(id)
  if (!plan) return refuse(cli, [id === undefined ? NO_PLAN : noSuchPlan(id)])
  if (values.yes !== true) {
    if (!cli.ask) return refuse(cli, [{ code: 'APPLY_UNASKED', what: { en: 'nobody is there to ask whether the rollout may begin', zh: '没有终端可询问是否开始发布' }, next: { en: 'say --yes', zh: '请加 --yes' } }])
    const answer = await cli.ask(say(cli, { en: `Roll out plan ${shortId(plan.id)} to ${plan.hosts.length} hosts? [y/N] `, zh: `将计划 ${shortId(plan.id)} 发布到 ${plan.hosts.length} 台主机？[y/N] ` }))
    if (!/^(y|yes|是)$/i.test(answer.trim())) return EXIT.differs
  }
  const waves = { canaryShare: values.canary / 100, growth: values.growth, ...(values.shares ? { shares: values.shares } : {}), ...(values.first ? { first: values.first } : {}) }
  const made = await startRollout(world, plan, fleet.read.policy.hosts, { options: optionsOf(values), waves, gates: [...BUILT_IN, ...fleet.rollouts.gates], by: whoAsks(), rules: fleet.rollouts.rules })
  if (!made.ok) return refuse(cli, made.faults)
  if (values.approveCore === true) await ask(cli, fleet, made.value.id, 'approve')
  return carryOn(cli, fleet, made.value.id)
}

/** Of every rollout: the hosts let us in, and nobody who was served is denied. */
const BUILT_IN: readonly Gate[] = [
  { name: 'liveness', measure: { kind: 'liveness' }, isCritical: true, samplesMin: 3 },
  { name: 'denied', measure: { kind: 'denied' }, isCritical: false, samplesMin: 3 },
]

const optionsOf = (values: StartValues): RolloutOptions => ({
  ...ROLLOUT_DEFAULTS,
  concurrencyMax: values.atOnce,
  failuresMax: values.failures,
  baselineSeconds: values.baseline,
  bakeSecondsMin: values.bakeMin,
  bakeSecondsMax: Math.max(values.bakeMax, values.bakeMin),
  sampleSeconds: values.every,
  outageSecondsMax: values.outage,
  revertScope: values.revert,
  confirmWithinSeconds: values.confirmWithin,
})

function gateOptions(command: CommanderCommand, text: Definition['text']): CommanderCommand {
  return command
    .addOption(new Option('--gates <file>', text({ en: 'what is measured while a wave bakes', zh: '观察期内的放行条件文件' })).env('PORTCULLIS_GATES'))
    .addOption(new Option('--alerts <file>', text({ en: 'whom to tell', zh: '告警接收方文件' })).env('PORTCULLIS_ALERTS'))
}

function waveOptions(command: CommanderCommand, text: Definition['text']): void {
  const number = (flags: string, words: Text, preset: number, min: number, max: number): Option => new Option(flags, text(words)).default(preset).argParser(wholeNumber(min, max))
  command
    .addOption(new Option('-y, --yes', text({ en: 'do not ask', zh: '不询问，直接执行' })))
    .addOption(number('--canary <percent>', { en: 'share of the hosts that are not core', zh: '非核心主机中金丝雀的比例' }, 10, 1, 100))
    .addOption(number('--growth <times>', { en: 'how much larger each wave is than the one before', zh: '每批相对上一批的倍数' }, 2, 1, 100))
    .addOption(new Option('--shares <percents>', text({ en: 'waves by shares instead, as 10,30,60', zh: '按比例分批，如 10,30,60' })).argParser(shares))
    .addOption(new Option('--first <host...>', text({ en: 'hosts that come first', zh: '优先的主机' })))
    .addOption(number('--at-once <n>', { en: 'hosts changed at a time; of one application always one', zh: '同时变更的主机数；同一应用始终一次一台' }, ROLLOUT_DEFAULTS.concurrencyMax, 1, 1000))
    .addOption(number('--failures <n>', { en: 'hosts that may fail before everything is put back', zh: '允许失败的主机数，超过则全部回退' }, ROLLOUT_DEFAULTS.failuresMax, 0, 100_000))
    .addOption(new Option('--approve-core', text({ en: 'core hosts need no approval of their own later', zh: '预先批准核心主机' })))
}

function bakeOptions(command: CommanderCommand, text: Definition['text']): void {
  const seconds = (flags: string, words: Text, preset: number, min: number): Option => new Option(flags, text(words)).default(preset).argParser(wholeNumber(min, 604_800))
  command
    .addOption(seconds('--baseline <seconds>', { en: 'how long is measured before the first change', zh: '首次变更前的测量时间' }, ROLLOUT_DEFAULTS.baselineSeconds, 0))
    .addOption(seconds('--bake-min <seconds>', { en: 'how long each wave is watched at least', zh: '每批最短观察期' }, ROLLOUT_DEFAULTS.bakeSecondsMin, 1))
    .addOption(seconds('--bake-max <seconds>', { en: 'a wave that is held longer is told of', zh: '观察期超过此时间则告警' }, ROLLOUT_DEFAULTS.bakeSecondsMax, 1))
    .addOption(new Option('--every <seconds>', text({ en: 'pause between two measurings', zh: '测量间隔' })).default(ROLLOUT_DEFAULTS.sampleSeconds).argParser(fractions))
    .addOption(seconds('--outage <seconds>', { en: 'a critical service that is interrupted longer puts everything back', zh: '关键业务中断超过此时间则全部回退' }, ROLLOUT_DEFAULTS.outageSecondsMax, 1))
    .addOption(new Option('--revert <scope>', text({ en: 'what a tripped gate puts back', zh: '触发后回退的范围' })).choices(['wave', 'all']).default(ROLLOUT_DEFAULTS.revertScope))
    .addOption(new Option('--confirm-within <seconds>', text({ en: 'each host reverts by itself unless confirmed within this time', zh: '超过此时间未确认，主机自动回退' })).default(ROLLOUT_DEFAULTS.confirmWithinSeconds).argParser(wholeNumber(5, 3600)))
}

/** Of a quarter of a second, for a rehearsal; on a fleet it is the hosts that answer. */
function fractions(input: string): number {
  const seconds = Number(input)
  if (!/^[0-9]{1,5}(\.[0-9]{1,2})?$/.test(input) || seconds < PAUSE_SECONDS_MIN || seconds > PAUSE_SECONDS_MAX) throw new InvalidArgumentError(`${PAUSE_SECONDS_MIN}–${PAUSE_SECONDS_MAX}`)
  return seconds
}

const PAUSE_SECONDS_MIN = 0.25
const PAUSE_SECONDS_MAX = 3600

function shares(input: string): readonly number[] {
  const read = input.split(',').map(Number)
  if (read.some((share) => !(share > 0 && share <= 100))) throw new InvalidArgumentError('10,30,60')
  return read.map((share) => share / 100)
}

/** A command about one rollout. */
function about(words: readonly (readonly [line: string, what: Text])[], task: (cli: Cli, fleet: RolloutFleet, id: string, values: Readonly<Record<string, unknown>>) => Promise<ExitCode>, more: (command: CommanderCommand, text: Definition['text']) => void = () => undefined): CommandModule {
  return {
    define: (command, { text, run }) => {
      command.argument('[rollout]', text({ en: 'its id, or the start of it; the one that is going on without it', zh: '发布编号或其开头；缺省为进行中的发布' }))
      gateOptions(fleetOptions(command, text), text)
      more(command, text)
      examples(command, text, words)
      run((cli, values, [given]) =>
        withRollouts(cli, values as unknown as RolloutOptionValues, async (fleet) => {
          const id = await findRollout(fleet, given)
          return id === undefined ? refuseUnknown(cli, given) : task(cli, fleet, id, values)
        }),
      )
    },
  }
}

export const status = about([['portcullis rollout status', { en: 'waves, gates, what it waits for', zh: '批次、放行条件与等待原因' }]], (cli, fleet, id) => tell(cli, fleet, id))

export const watch = about([['portcullis rollout watch', { en: 'a page that stays up to date; carries the rollout on if nobody does', zh: '实时查看；若无人推进则接手' }]], (cli, fleet, id) => carryOn(cli, fleet, id))

/** Writes down what is asked and carries the rollout on, or watches who does, until that is enough. */
const asking = (words: readonly (readonly [line: string, what: Text])[], command: Command, isEnough?: (look: Look) => boolean): CommandModule =>
  about(words, (cli, fleet, id) => askAndCarryOn(cli, fleet, id, command, isEnough))

async function askAndCarryOn(cli: Cli, fleet: RolloutFleet, id: string, command: Command, isEnough?: (look: Look) => boolean): Promise<ExitCode> {
  const loaded = await loadRollout(fleet.rollouts.world, id)
  if (!loaded) return refuseUnknown(cli, id)
  const fault = cannot(command, loaded.state)
  if (fault) return refuse(cli, [fault])
  fleet.events.skipTo(loaded.sequence)
  await ask(cli, fleet, id, command)
  return carryOn(cli, fleet, id, isEnough)
}

/** Why what is asked for would do nothing. */
function cannot(command: Command, { id, outcome, phase }: RolloutState): Fault | undefined {
  if (outcome !== undefined) {
    const next = { en: 'portcullis rollback undoes what a plan has changed; portcullis rollout start begins anew', zh: '可用 portcullis rollback 撤销计划的变更，或用 portcullis rollout start 重新开始' }
    return { code: 'ROLLOUT_OVER', what: { en: `rollout ${shortId(id)} is over`, zh: `发布 ${shortId(id)} 已结束` }, next }
  }
  if (command !== 'promote' || phase === 'baking') return undefined
  const next = { en: 'portcullis rollout status shows what it waits for; promote --core lets core hosts begin', zh: '可用 portcullis rollout status 查看等待原因；promote --core 批准核心主机' }
  return { code: 'ROLLOUT_NOT_BAKING', what: { en: `no wave of rollout ${shortId(id)} bakes at the moment`, zh: `发布 ${shortId(id)} 当前没有处于观察期的批次` }, next }
}

const isAtRest = ({ state, isAsked }: Look): boolean => !isAsked && (state.outcome !== undefined || (state.isPaused && !Object.values(state.hosts).some((host) => host.phase === 'applying')))
/** Whoever carries the rollout on goes on without us. */
const isTakenUp = ({ isElsewhere, isAsked }: Look): boolean => isElsewhere && !isAsked

export const pause = asking([['portcullis rollout pause', { en: 'begins nothing more; gates go on watching while somebody carries it on', zh: '不再开始新的主机' }]], 'pause', isAtRest)
export const resume = asking([['portcullis rollout resume', { en: 'goes on, also after a controller was lost', zh: '继续，也可在控制端丢失后接手' }]], 'resume', isTakenUp)
export const abort = asking([['portcullis rollout abort', { en: 'stops; changed hosts keep their new rules', zh: '中止；已变更的主机保留新规则' }]], 'abort')
export const rollback = asking([['portcullis rollout rollback', { en: 'puts everything back that the rollout changed', zh: '回退此次发布的全部变更' }]], 'rollback')

export const promote = about(
  [
    ['portcullis rollout promote', { en: 'ends the bake of the present wave, whatever its gates say', zh: '不等放行条件，结束当前批次的观察期' }],
    ['portcullis rollout promote --core', { en: 'lets core hosts begin', zh: '批准核心主机开始' }],
  ],
  (cli, fleet, id, values) => askAndCarryOn(cli, fleet, id, values.core === true ? 'approve' : 'promote', isTakenUp),
  (command, text) => void command.addOption(new Option('--core', text({ en: 'approve core hosts', zh: '批准核心主机' }))),
)

const HISTORY_MAX = 50

export const history: CommandModule = {
  define: (command, { text, run }) => {
    gateOptions(fleetOptions(command, text), text)
    examples(command, text, [['portcullis rollout history', { en: 'every rollout, newest first', zh: '全部发布，最新在前' }]])
    run((cli, values) =>
      withRollouts(cli, values as unknown as RolloutOptionValues, async ({ rollouts: { world } }) => {
        const records = await world.rollouts.rollouts(HISTORY_MAX)
        const shown = await Promise.all(records.map(async (record) => ({ ...record, now: (await loadRollout(world, record.id))?.state ?? record.state })))
        if (cli.isJson) outJson(cli, { format: 'portcullis-rollouts', version: 1, rollouts: shown.map(({ by, created, isOver, now }) => ({ by, created, isOver, rollout: now })) })
        else cli.out(showHistory(cli, shown))
        return EXIT.ok
      }),
    )
  },
}
