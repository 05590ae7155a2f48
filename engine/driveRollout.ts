import { isCutBy } from '@portcullis/core/plan/flowEnds.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { FaultError, type Fault } from '@portcullis/core/fault/fault.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { next, ROLLOUT_RULES } from '@portcullis/core/rollout/next.ts'
import { isOver, nextDue } from '@portcullis/core/rollout/progress.ts'
import type { Gate } from '@portcullis/core/rollout/gate.ts'
import type { Action, Rollout, RolloutState, Signal } from '@portcullis/core/rollout/rollout.ts'
import { latestOf, readRollout, writeRollout } from '@portcullis/core/rollout/rolloutState.ts'
import { endFlows } from './endFlows.ts'
import { fencedStore, LostLease } from './fencedStore.ts'
import { applyHost, putBackHost, settleHost, type HostCase } from './hostSettlement.ts'
import { openJournal, type Journal } from './journal.ts'
import type { GateWindow } from './gates.ts'
import type { Cancellation } from './ports.ts'
import { loadRollout } from './loadRollout.ts'
import { isPutOff, measureGate, restMs } from './measureGates.ts'
import type { Lease, NewRolloutEvent } from './rolloutStore.ts'
import type { Canceller, RolloutWorld } from './rolloutWorld.ts'
import { WaysBack } from './waysBack.ts'

/**
 * `over`: everything was done and told. `busy`: another controller has it. `stopped`: as asked; nothing is armed, and the
 * rollout waits for the next controller. `lost`: the lease or the store went away; to be driven again.
 */
export type DriveEnd =
  | { readonly kind: 'over' | 'stopped'; readonly state: RolloutState }
  | { readonly kind: 'busy' }
  | { readonly kind: 'lost'; readonly fault: Fault }

export interface DriveOptions {
  /** Name of this controller, different from every other's. */
  readonly holder: string
  readonly fleet: readonly Host[]
  readonly signal?: Cancellation
}

/** A controller that is dead or cut off is succeeded after this. */
export const LEASE_MS = 15_000
/** So long may a person's word stay unheard. */
const LOOK_MS = 500
/** Replaying this many events takes a few milliseconds. A snapshot is as large as the fleet: of a large one they are so far apart that all of them together grow with it alone. */
const snapshotEvents = ({ hosts }: Rollout): number => Math.max(200, hosts.names.length / 4)

/**
 * Takes a rollout from wherever it stands and carries it on: reads the state, does what is next, writes down what came of
 * it. It needs nothing but the store, so that it may be killed at any point and called again.
 */
export async function driveRollout(world: RolloutWorld, id: string, options: DriveOptions): Promise<DriveEnd> {
  const lease = await claim(world, id, options)
  if (lease === undefined) return { kind: 'busy' }
  if ('kind' in lease) return lease
  let drive: Drive | undefined
  try {
    drive = await openDrive(world, lease, options)
    return await run(drive)
  } catch (error) {
    return { kind: 'lost', fault: lostFault(id, error) }
  } finally {
    await drive?.leave()
  }
}

async function claim(world: RolloutWorld, id: string, { holder }: DriveOptions): Promise<Lease | DriveEnd | undefined> {
  try {
    return await world.rollouts.claim(id, holder, LEASE_MS)
  } catch (error) {
    return { kind: 'lost', fault: lostFault(id, error) }
  }
}

/** What one controller has in hand of one rollout; only this file changes it. */
interface Drive {
  readonly world: RolloutWorld
  readonly lease: Lease
  readonly options: DriveOptions
  readonly cases: ReadonlyMap<string, HostCase>
  readonly isMeant: NonNullable<GateWindow['isMeant']>
  readonly journal: Journal
  state: Rollout
  sequence: number
  snapshotAt: number
  takenUpTo: number
  /** Signals that are not written yet. */
  queue: Signal[]
  /** Gates that are being measured, each to be broken off. */
  readonly measuring: Map<string, Canceller>
  /** When each gate is to be measured again. */
  readonly measureAt: Map<string, number>
  readonly doing: Map<string, Promise<void>>
  readonly cancels: Map<string, Canceller>
  wake: () => void
  isLeaving: boolean
  /** Why it cannot go on. */
  lost?: unknown
  leave(): Promise<void>
}

async function openDrive(world: RolloutWorld, lease: Lease, options: DriveOptions): Promise<Drive> {
  const loaded = await loadRollout(world, lease.rollout)
  const plan = loaded && (await world.store.plan(loaded.record.plan))
  const wayBack = loaded && (await world.rollouts.wayBack(loaded.record.id))
  if (!loaded || !plan || !wayBack) throw new FaultError(rolloutGone(lease.rollout))
  // The clock may have been set back since the controller before.
  world.clock.notBefore(latestOf(loaded.state))
  const fenced = { ...world, store: fencedStore(world, lease) }
  const drive: Drive = {
    world: fenced, lease, options, cases: casesOf(fenced, wayBack, plan, loaded.state, options.fleet), isMeant: meantBy(plan), journal: openJournal(fenced).about({ plan: plan.id }),
    state: readRollout(loaded.state), sequence: loaded.sequence, snapshotAt: loaded.record.sequence, takenUpTo: 0,
    queue: [{ kind: 'taken', at: world.clock.now(), by: lease.holder }], measuring: new Map(), measureAt: new Map(), doing: new Map(), cancels: new Map(), wake: () => undefined, isLeaving: false,
    leave: () => leave(drive),
  }
  return drive
}

function casesOf(world: RolloutWorld, wayBack: ChangePlan, plan: ChangePlan, state: RolloutState, fleet: readonly Host[]): ReadonlyMap<string, HostCase> {
  const known = new Map(fleet.map((host) => [host.name, host]))
  const names = Object.keys(state.hosts)
  const unknown = names.filter((name) => !known.has(name))
  if (unknown.length > 0) throw new FaultError(hostsUnknown(unknown))
  const { confirmWithinSeconds } = state.options
  const shared = { confirmWithinSeconds, waysBack: new WaysBack(world), saveWayBack: savedOnce(world, wayBack), staged: new Set<string>() }
  const [forward, back] = [partsOf(plan), partsOf(wayBack)]
  return new Map(names.map((name) => [name, { ...shared, host: known.get(name) as Host, plan: forward.get(name) ?? plan, wayBack: back.get(name) ?? wayBack }]))
}

/** The plan of each host alone: whoever changes a host looks for it in its plan, and would otherwise look through the fleet. */
const partsOf = (plan: ChangePlan): ReadonlyMap<string, ChangePlan> => new Map(plan.hosts.map((host) => [host.host, { ...plan, hosts: [host] }]))

/** It holds the rules of every host, and each of them needs it to be there. Where saving fails it is tried again. */
function savedOnce({ store }: RolloutWorld, plan: ChangePlan): () => Promise<void> {
  let saving: Promise<void> | undefined
  return () => {
    saving ??= store.savePlan(plan).catch((error: unknown) => {
      saving = undefined
      throw error
    })
    return saving
  }
}

/** Most plans cut nothing, and then nothing is worked out. */
function meantBy(plan: ChangePlan): NonNullable<GateWindow['isMeant']> {
  const cuts = new Map(plan.hosts.filter(({ endings }) => endings !== undefined).map((host) => [host.host, isCutBy(host)]))
  return (flow) => cuts.get(flow.host)?.(flow) ?? false
}

async function run(drive: Drive): Promise<DriveEnd> {
  const { world, options } = drive
  const isStopped = (): boolean => options.signal?.aborted === true
  let lookAt = world.clock.now()
  options.signal?.addEventListener('abort', () => drive.wake(), { once: true })
  for (;;) {
    await takeQueue(drive)
    if (isOver(drive.state) && drive.doing.size === 0) return { kind: 'over', state: writeRollout(drive.state) }
    if (isStopped()) return { kind: 'stopped', state: writeRollout(drive.state) }
    const now = world.clock.now()
    if (now >= lookAt) {
      lookAt = now + LOOK_MS
      await look(drive, now)
    }
    const measureAt = drive.state.phase === 'ended' ? Infinity : measureDue(drive, now)
    if (drive.queue.length === 0) await rest(drive, Math.max(1, Math.min(lookAt, measureAt) - now))
  }
}

/** Until something has happened, or the time is over. */
async function rest(drive: Drive, durationMs: number): Promise<void> {
  const timer = drive.world.canceller()
  const woken = new Promise<void>((resolve) => (drive.wake = resolve))
  await Promise.race([woken, drive.world.clock.sleep(durationMs, timer.signal).catch(() => undefined)])
  drive.wake = () => undefined
  timer.abort()
}

/** Renews the lease, takes what people ask for, and what is due. */
async function look(drive: Drive, now: number): Promise<void> {
  const { world, lease } = drive
  if (!(await world.rollouts.renew(lease, LEASE_MS))) throw new LostLease(lease)
  const asked = (await world.rollouts.asked(lease.rollout)).filter((command) => command.sequence > drive.takenUpTo)
  for (const { command, by, at, sequence } of asked) {
    drive.takenUpTo = sequence
    // Dated by the clock of whoever asked.
    hear(drive, { kind: 'asked', at: Math.min(now, Math.max(at, drive.state.begun)), by, command })
  }
  const due = nextDue(drive.state)
  if (due !== undefined && due <= now) hear(drive, { kind: 'tick', at: now })
}

/** Measures the gates whose time has come, each in its own time: one that takes long keeps no other. Gives when the next is due. */
function measureDue(drive: Drive, now: number): number {
  for (const gate of drive.state.gates) {
    const dueAt = drive.measureAt.get(gate.name) ?? now
    if (drive.measuring.has(gate.name) || dueAt > now) continue
    drive.measureAt.set(gate.name, now + drive.state.options.sampleSeconds * 1000)
    if (isPutOff(drive.state, gate, now)) continue
    const cancel = drive.world.canceller()
    drive.measuring.set(gate.name, cancel)
    void measureOnce(drive, gate, cancel.signal)
  }
  return Math.min(...drive.state.gates.flatMap(({ name }) => (drive.measuring.has(name) ? [] : (drive.measureAt.get(name) ?? now))))
}

async function measureOnce(drive: Drive, gate: Gate, signal: Cancellation): Promise<void> {
  const { world, state, cases } = drive
  const begunAt = world.clock.now()
  try {
    const measured = await measureGate(world, state, gate, [...cases.values()].map(({ host }) => host), drive.isMeant, signal)
    if (measured) hear(drive, { kind: 'measured', at: world.clock.now(), gates: [measured] })
  } catch (error) {
    lose(drive, error)
  } finally {
    drive.measuring.delete(gate.name)
    const now = world.clock.now()
    drive.measureAt.set(gate.name, Math.max(drive.measureAt.get(gate.name) ?? now, now + restMs(state, gate, now - begunAt)))
  }
}

function hear(drive: Drive, signal: Signal): void {
  if (drive.isLeaving) return
  drive.queue.push(signal)
  drive.wake()
}

/** Whatever a part of it throws ends the drive: the next one begins from what is written. */
function lose(drive: Drive, error: unknown): void {
  drive.lost ??= error
  drive.wake()
}

/** Writes the signals and what is to be done because of them, and only then does it. */
async function takeQueue(drive: Drive): Promise<void> {
  if (drive.lost !== undefined) throw drive.lost
  if (drive.queue.length === 0) return
  const signals = drive.queue
  drive.queue = []
  const { state, events, actions } = nextOf(drive, signals)
  const isDue = isOver(state) || drive.sequence + events.length - drive.snapshotAt >= snapshotEvents(state)
  const entry = { since: drive.sequence, events, isOver: isOver(state), ...(isDue ? { snapshot: writeRollout(state) } : {}), ...(drive.takenUpTo > 0 ? { takenUpTo: drive.takenUpTo } : {}) }
  if (!(await drive.world.rollouts.append(drive.lease, entry))) throw new LostLease(drive.lease)
  events.forEach((event, index) => drive.world.reportRollout({ ...event, sequence: drive.sequence + index + 1 }))
  drive.sequence += events.length
  if (isDue) drive.snapshotAt = drive.sequence
  const isTurning = drive.state.phase !== 'reverting' && state.phase === 'reverting'
  drive.state = state
  if (isTurning) breakOffGates(drive)
  for (const action of actions) begin(drive, action)
}

/** Those that are put off now would go on to keep the links of hosts, and the hosts, from what is more urgent. */
function breakOffGates({ world, state, measuring }: Drive): void {
  for (const gate of state.gates) if (isPutOff(state, gate, world.clock.now())) measuring.get(gate.name)?.abort(new Error('the rollout turned round'))
}

function nextOf(drive: Drive, signals: readonly Signal[]): { state: Rollout; events: NewRolloutEvent[]; actions: Action[] } {
  const rules = drive.world.pieces?.rules ?? ROLLOUT_RULES
  let { state } = drive
  const events: NewRolloutEvent[] = []
  const all: Action[] = []
  for (const signal of signals) {
    const { state: later, actions } = next(state, signal, rules)
    events.push({ kind: 'signal', signal }, ...actions.map((action): NewRolloutEvent => ({ kind: 'action', action, at: signal.at })))
    all.push(...actions)
    state = later
  }
  return { state, events, actions: all }
}

/** What concerns one host is done one after the other. */
function begin(drive: Drive, action: Action): void {
  if (action.kind === 'cancel') return drive.cancels.get(action.host)?.abort(new Error('the rollout turned round'))
  const key = action.kind === 'tell' ? `alert ${action.alert.id}` : action.host
  const before = drive.doing.get(key) ?? Promise.resolve()
  const done = actAfter(drive, action, before).finally(() => {
    if (drive.doing.get(key) === done) drive.doing.delete(key)
    drive.wake()
  })
  drive.doing.set(key, done)
}

async function actAfter(drive: Drive, action: Exclude<Action, { kind: 'cancel' }>, before: Promise<void>): Promise<void> {
  await before
  try {
    await act(drive, action)
  } catch (error) {
    lose(drive, error)
  }
}

async function act(drive: Drive, action: Exclude<Action, { kind: 'cancel' }>): Promise<void> {
  const { world, journal } = drive
  if (drive.isLeaving) return
  if (action.kind === 'tell') return tell(drive, action)
  const one = drive.cases.get(action.host)
  if (!one) throw new RangeError(`no host ${action.host} in the rollout`)
  const { host, attempt } = action
  const about = (): { at: number; host: string; attempt: number } => ({ at: world.clock.now(), host, attempt })
  if (action.kind === 'settle') {
    const answer = await settleHost(world, one)
    return hear(drive, { kind: 'settled', ...about(), ...answer })
  }
  if (action.kind === 'putBack') {
    const answer = await putBackHost(world, journal, one, action.isContested)
    return hear(drive, { kind: 'putBack', ...about(), ...answer })
  }
  if (action.kind === 'cut') {
    const plan = one.plan.hosts.find((candidate) => candidate.host === host)
    if (!plan) throw new RangeError(`plan ${one.plan.id} does not change ${host}`)
    const ended = await endFlows(world, journal, one.host, plan, action.step)
    const fault = ended.ok ? undefined : ended.faults[0]
    return hear(drive, { kind: 'cut', ...about(), ...(ended.ok ? { ended: ended.value } : {}), ...(fault ? { fault } : {}) })
  }
  const cancel = world.canceller()
  drive.cancels.set(host, cancel)
  const answer = await applyHost(world, journal, one, cancel.signal)
  drive.cancels.delete(host)
  return hear(drive, { kind: 'applied', ...about(), ...answer })
}

async function tell(drive: Drive, { alert, attempt }: Extract<Action, { kind: 'tell' }>): Promise<void> {
  const { world, state } = drive
  let isTold = true
  try {
    await world.alerts.raise({ ...alert, rollout: state.id, plan: state.plan })
  } catch {
    isTold = false
  }
  hear(drive, { kind: 'told', at: world.clock.now(), alert: alert.id, attempt, isTold })
}

/** Breaks off what is being applied, waits until every host is at rest, and gives the lease back. */
async function leave(drive: Drive): Promise<void> {
  drive.isLeaving = true
  for (const cancel of drive.cancels.values()) cancel.abort(new Error('the controller stops'))
  await Promise.allSettled(drive.doing.values())
  await drive.world.rollouts.release(drive.lease).catch(() => undefined)
}

function lostFault(id: string, error: unknown): Fault {
  if (error instanceof FaultError) return error.fault
  if (error instanceof LostLease) return { code: 'ROLLOUT_LOST', what: { en: `another controller has taken rollout ${id.slice(0, 12)}`, zh: `发布 ${id.slice(0, 12)} 已由其他控制端接管` } }
  throw error
}

const rolloutGone = (id: string): Fault => ({ code: 'ROLLOUT_UNKNOWN', what: { en: `there is no rollout ${id.slice(0, 12)}, or its plan is gone`, zh: `没有发布 ${id.slice(0, 12)}，或其计划已不存在` } })

const hostsUnknown = (names: readonly string[]): Fault => ({
  code: 'PLAN_HOST_UNKNOWN',
  what: { en: `the rollout changes ${names.join(', ')}, which the policy does not name`, zh: `发布涉及 ${names.join('、')}，而策略中没有这些主机` },
  next: { en: 'use the policy file that the plan was made with', zh: '请使用制定计划时的策略文件' },
})
