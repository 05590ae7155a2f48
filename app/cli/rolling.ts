import type { Fault } from '@portcullis/core/fault/fault.ts'
import type { Command, RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { figuresOf } from '@portcullis/core/rollout/figures.ts'
import { driveRollout } from '@portcullis/engine/driveRollout.ts'
import { loadRollout } from '@portcullis/engine/loadRollout.ts'
import type { RolloutEvent } from '@portcullis/engine/rolloutStore.ts'
import { hostname, userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { outJson, reportFaults, say, type Cli, type OpenedRollouts } from './cli.ts'
import { EXIT, type ExitCode } from './exitCode.ts'
import { refuse, withFleet, type Fleet } from './fleet.ts'
import type { FleetOptionValues } from './command.ts'
import { showFigures, showRollout } from './show/rollout.ts'

/** What every rollout command works on. */
export interface RolloutFleet extends Fleet {
  readonly rollouts: OpenedRollouts
}

export interface RolloutOptionValues extends FleetOptionValues {
  readonly gates?: string
  readonly alerts?: string
}

export function withRollouts(cli: Cli, values: RolloutOptionValues, task: (fleet: RolloutFleet) => Promise<ExitCode>): Promise<ExitCode> {
  // On a terminal the page of the rollout takes the place of the line of progress.
  return withFleet({ ...cli, isTerminal: false, err: cli.isTerminal && !cli.isJson ? () => undefined : cli.err }, values, async (fleet) => {
    if (!fleet.openRollouts) return refuse(cli, [NO_ROLLOUTS])
    const report = (event: RolloutEvent): void => {
      if (cli.isJson) cli.err(`${JSON.stringify(event)}\n`)
    }
    const opened = await fleet.openRollouts({ report, hosts: fleet.read.policy.hosts, ...(values.gates === undefined ? {} : { gatesFile: values.gates }), ...(values.alerts === undefined ? {} : { alertsFile: values.alerts }) })
    return opened.ok ? task({ ...fleet, rollouts: opened.value }) : refuse(cli, opened.faults)
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

/** Carries the rollout on, or watches whoever does, until `isEnough`; shows how it stands meanwhile. */
export async function carryOn(cli: Cli, fleet: RolloutFleet, id: string, isEnough: (state: RolloutState) => boolean = () => false): Promise<ExitCode> {
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
      if (end.kind === 'over') break
      if (enough.signal.aborted) break
      if (await isOverElsewhere(fleet, id)) break
      await sleep(LOOK_MS, undefined, { signal: enough.signal }).catch(() => undefined)
    }
  } finally {
    clearInterval(looking)
    cli.signal.removeEventListener('abort', stop)
    view.end()
    await fleet.rollouts.tellDue(holder).catch(() => undefined)
  }
  return tell(cli, fleet, id)
}

async function look(fleet: RolloutFleet, id: string, isEnough: (state: RolloutState) => boolean, enough: AbortController, holder: string): Promise<void> {
  await fleet.rollouts.tellDue(holder).catch(() => undefined)
  const loaded = await loadRollout(fleet.rollouts.world, id).catch(() => undefined)
  if (loaded && isEnough(loaded.state)) enough.abort(new Error('enough'))
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
  else cli.out(showRollout(cli, state, cli.now()) + (figures && state.outcome ? `\n${showFigures(cli, figures)}` : ''))
  if (!record.isOver && record.holder === undefined && !cli.isJson) cli.err(`${say(cli, { en: 'Nobody carries it on: no host is armed, nothing changes until portcullis rollout resume.', zh: '当前无人推进：没有主机处于待确认状态；运行 portcullis rollout resume 继续。' })}\n`)
  if (cli.signal.aborted) return EXIT.interrupted
  return state.outcome ? EXIT_OF[state.outcome](state) : EXIT.ok
}

const EXIT_OF: Readonly<Record<NonNullable<RolloutState['outcome']>, (state: RolloutState) => ExitCode>> = {
  completed: () => EXIT.ok,
  reverted: (state) => (state.trip?.cause === 'asked' ? EXIT.differs : EXIT.hostFailed),
  aborted: () => EXIT.differs,
  incomplete: () => EXIT.incomplete,
}

interface View {
  end(): void
}

/** Cursor up, erase to the end of the screen (ECMA-48 sections 8.3.22 and 8.3.39). */
const redraw = (lines: number): string => (lines === 0 ? '' : `\u001B[${lines}A\u001B[J`)

/** On a terminal one page, drawn anew when it has changed, no more than once a second; elsewhere a line for each change of phase. */
function startView(cli: Cli, { rollouts }: RolloutFleet, id: string): View {
  if (cli.isJson) return { end: () => undefined }
  let [shown, lines, isEnded] = ['', 0, false]
  const draw = async (): Promise<void> => {
    const loaded = await loadRollout(rollouts.world, id).catch(() => undefined)
    if (!loaded || isEnded) return
    const page = cli.isTerminal ? showRollout({ language: cli.language, paint: cli.errPaint }, loaded.state, cli.now()) : `${phaseLine(loaded.state)}\n`
    if (page === shown) return
    cli.err(cli.isTerminal ? redraw(lines) + page : page)
    ;[shown, lines] = [page, page.split('\n').length - 1]
  }
  const timer = setInterval(() => void draw(), LOOK_MS)
  return {
    end: () => {
      isEnded = true
      clearInterval(timer)
      if (cli.isTerminal) cli.err(redraw(lines))
    },
  }
}

const phaseLine = (state: RolloutState): string => {
  const changed = Object.values(state.hosts).filter((host) => host.phase === 'changed').length
  return `${state.waves[state.wave]?.name ?? ''}: ${state.outcome ?? state.phase} ${changed}/${Object.keys(state.hosts).length}`
}

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
