import type { Fault, Text } from '@portcullis/core/fault/fault.ts'
import { withApprovals } from '@portcullis/core/plan/approval.ts'
import type { Command, RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { figuresOf } from '@portcullis/core/rollout/figures.ts'
import { driveRollout } from '@portcullis/engine/driveRollout.ts'
import { loadRollout } from '@portcullis/engine/loadRollout.ts'
import { hostname, userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { outJson, reportFaults, say, type Cli, type OpenedRollouts, type RolloutSettings } from './cli.ts'
import { EXIT, type ExitCode } from './exitCode.ts'
import { refuse, withFleet, type Fleet } from './fleet.ts'
import type { FleetOptionValues } from './command.ts'
import { livePage } from './livePage.ts'
import { RolloutEvents } from './rolloutEvents.ts'
import { newsLines, showFigures, showRollout } from './show/rollout.ts'
import { StoreLoss } from './storeLoss.ts'
import { clockWords } from './show/words.ts'

/** What every rollout command works on. */
export interface RolloutFleet extends Fleet {
  readonly rollouts: OpenedRollouts
  readonly events: RolloutEvents
  readonly loss: StoreLoss
}

export interface RolloutOptionValues extends FleetOptionValues {
  readonly gates?: string
  readonly alerts?: string
}

export function withRollouts(cli: Cli, values: RolloutOptionValues, task: (fleet: RolloutFleet) => Promise<ExitCode>): Promise<ExitCode> {
  // On a terminal the page of the rollout takes the place of the line of progress.
  return withFleet({ ...cli, isTerminal: false, err: cli.isTerminal && !cli.isJson ? () => undefined : cli.err }, values, async (fleet) => {
    if (!fleet.openRollouts) return refuse(cli, [NO_ROLLOUTS])
    const [events, loss] = [new RolloutEvents(cli), new StoreLoss(cli)]
    const report: RolloutSettings['report'] = (event) => {
      loss.back()
      events.tell(event)
    }
    const opened = await fleet.openRollouts({ report, hosts: fleet.read.policy.hosts, ...(values.gates === undefined ? {} : { gatesFile: values.gates }), ...(values.alerts === undefined ? {} : { alertsFile: values.alerts }) })
    return opened.ok ? task({ ...fleet, rollouts: { ...opened.value, rules: withApprovals(opened.value.rules, fleet.read.policy.defaults.approvals) }, events, loss }) : refuse(cli, opened.faults)
  })
}

/** Who asks, for the record. */
export const whoAsks = (): string => {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return hostname()
  }
}

/** A person's name, without the machine; behind sudo the one who called it. It is as good as the accounts of that machine. */
export const whoApproves = (): string => process.env.SUDO_USER ?? whoAsks().split('@')[0] ?? ''

/** Writes down what is asked; whoever has the rollout does it. */
export const ask = (cli: Cli, { rollouts }: RolloutFleet, id: string, command: Command): Promise<void> => rollouts.world.rollouts.ask(id, { command, by: whoAsks(), at: cli.now() })

const LOOK_MS = 1000

/** How a rollout stands, and whether another process carries it on. */
export interface Look {
  readonly state: RolloutState
  readonly isElsewhere: boolean
  /** What was asked for is not taken up yet. */
  readonly isAsked: boolean
}

/** Carries the rollout on, or watches whoever does, until `isEnough`; shows how it stands meanwhile. */
export async function carryOn(cli: Cli, fleet: RolloutFleet, id: string, isEnough: (look: Look) => boolean = () => false): Promise<ExitCode> {
  const view = startView(cli, fleet, id)
  const holder = `${whoAsks()}:${process.pid}:${fleet.world.random.uuid().slice(0, 8)}`
  const enough = new AbortController()
  const stop = (): void => enough.abort(cli.signal.reason)
  cli.signal.addEventListener('abort', stop, { once: true })
  const looking = setInterval(() => void look(fleet, id, isEnough, enough, holder), LOOK_MS)
  try {
    for (;;) {
      const end = await driveRollout(fleet.rollouts.world, id, { holder, fleet: fleet.read.policy.hosts, signal: enough.signal })
      if (end.kind === 'lost' && end.fault.code === 'PLAN_HOST_UNKNOWN') return refuse(cli, [end.fault])
      if (end.kind === 'lost') fleet.loss.lost(end.fault)
      if (end.kind === 'over') break
      if (enough.signal.aborted) break
      if (await isOverElsewhere(fleet, id)) break
      await sleep(LOOK_MS, undefined, { signal: enough.signal }).catch(() => undefined)
    }
    await fleet.events.follow(fleet.rollouts.world, id).catch(() => undefined)
  } finally {
    clearInterval(looking)
    cli.signal.removeEventListener('abort', stop)
    view.end()
    await fleet.rollouts.tellDue(holder).catch(() => undefined)
  }
  return tell(cli, fleet, id)
}

/** The store may be away for a while; the next look is a second later. */
async function look({ rollouts, events }: RolloutFleet, id: string, isEnough: (look: Look) => boolean, enough: AbortController, own: string): Promise<void> {
  await rollouts.tellDue(own).catch(() => undefined)
  const { rollouts: store } = rollouts.world
  try {
    const [loaded, asked] = [await loadRollout(rollouts.world, id), await store.asked(id)]
    if (!loaded) return
    const isElsewhere = loaded.record.holder !== undefined && loaded.record.holder !== own
    if (isElsewhere) await events.follow(rollouts.world, id)
    if (isEnough({ state: loaded.state, isElsewhere, isAsked: asked.length > 0 })) enough.abort(new Error('enough'))
  } catch {
    return
  }
}

const isOverElsewhere = async (fleet: RolloutFleet, id: string): Promise<boolean> => (await fleet.rollouts.world.rollouts.rollout(id).catch(() => undefined))?.isOver === true

/** The end of it, or how it stands when we leave it. */
export async function tell(cli: Cli, { rollouts }: RolloutFleet, id: string): Promise<ExitCode> {
  const loaded = await loadRollout(rollouts.world, id)
  if (!loaded) return refuse(cli, [noSuchRollout(id)])
  const { state, record } = loaded
  const plan = await rollouts.world.store.plan(record.plan)
  const figures = plan && figuresOf(state, plan)
  if (cli.isJson) outJson(cli, { format: 'portcullis-rollout', version: 1, by: record.by, isOver: record.isOver, ...(record.holder === undefined ? {} : { holder: record.holder }), ...(figures ? { figures } : {}), rollout: state })
  else cli.out(showRollout(cli, state, cli.now(), cli.columns) + (figures && state.outcome ? `\n${showFigures(cli, figures)}` : ''))
  if (!record.isOver && !cli.isJson) cli.err(`${say(cli, whoGoesOn(record.holder))}\n`)
  if (cli.signal.aborted) return EXIT.interrupted
  return state.outcome ? EXIT_OF[state.outcome](state) : EXIT.ok
}

const EXIT_OF: Readonly<Record<NonNullable<RolloutState['outcome']>, (state: RolloutState) => ExitCode>> = {
  completed: () => EXIT.ok,
  reverted: (state) => (state.trip?.cause === 'asked' ? EXIT.differs : EXIT.hostFailed),
  aborted: () => EXIT.differs,
  incomplete: () => EXIT.incomplete,
}

/** `ann@host:4711:1f2e3d4c`, without what only tells two runs apart. */
const whoGoesOn = (holder: string | undefined): Text =>
  holder === undefined
    ? { en: 'Nobody carries it on: no host is armed, nothing changes and no gate is watched until portcullis rollout resume.', zh: '当前无人推进：没有主机处于待确认状态，不再变更也不再观察；运行 portcullis rollout resume 继续。' }
    : { en: `It is carried on by ${nameOf(holder)}.`, zh: `由 ${nameOf(holder)} 继续推进。` }

const nameOf = (holder: string): string => {
  const [who = holder, pid] = holder.split(':')
  return pid === undefined ? who : `${who} (${pid})`
}

interface View {
  end(): void
}

/** On a terminal one page, up to date within a second; elsewhere a line for whatever is new. */
function startView(cli: Cli, { rollouts, loss }: RolloutFleet, id: string): View {
  if (cli.isJson) return { end: () => undefined }
  const page = livePage(cli.err)
  const pen = { language: cli.language, paint: cli.errPaint }
  let isEnded = false
  let last: readonly string[] = []
  const draw = async (): Promise<void> => {
    const loaded = await loadRollout(rollouts.world, id).catch(() => undefined)
    if (isEnded) return
    if (cli.isTerminal) {
      if (loaded) last = showRollout(pen, loaded.state, cli.now(), cli.columns).trimEnd().split('\n')
      return page.show([...loss.lines(), ...last], { columns: cli.columns, rows: cli.rows ?? ROWS })
    }
    if (!loaded) return
    const lines = newsLines(pen, loaded.state)
    for (const line of lines.filter((one) => !last.includes(one))) cli.err(`${clockWords(cli.now())} ${line}\n`)
    last = lines
  }
  const timer = setInterval(() => void draw(), LOOK_MS)
  return {
    end: () => {
      isEnded = true
      clearInterval(timer)
      if (cli.isTerminal) page.end()
    },
  }
}

const ROWS = 24

/** By its id, or the one that is going on, or the newest. */
export async function findRollout({ rollouts }: RolloutFleet, id: string | undefined): Promise<string | undefined> {
  const { rollouts: store } = rollouts.world
  if (id !== undefined) return (await store.rollout(id))?.id
  return (await store.active())?.id ?? (await store.rollouts(1))[0]?.id
}

export const noSuchRollout = (id: string | undefined): Fault =>
  id === undefined
    ? { code: 'ROLLOUT_NONE', what: { en: 'there is no rollout yet', zh: '尚无发布' }, next: { en: 'portcullis rollout start', zh: '请运行 portcullis rollout start' } }
    : { code: 'ROLLOUT_UNKNOWN', what: { en: `no rollout begins with ${id}, or several do`, zh: `没有以 ${id} 开头的发布，或有多个` }, next: { en: 'portcullis rollout history shows them', zh: '请查看 portcullis rollout history' } }

const NO_ROLLOUTS: Fault = { code: 'ROLLOUT_NOT_WIRED', what: { en: 'rollouts are not available here', zh: '此处不支持发布' } }

export const refuseUnknown = (cli: Cli, id: string | undefined): ExitCode => {
  reportFaults(cli, [noSuchRollout(id)])
  return EXIT.usage
}
