import type { Fault } from '@portcullis/core/fault/fault.ts'
import { FaultError, fail, succeed } from '@portcullis/core/fault/fault.ts'
import { singlePort } from '@portcullis/core/net/port.ts'
import { START_RULES } from '@portcullis/core/plan/approval.ts'
import { draftHost } from '@portcullis/core/plan/draft.ts'
import { writeIntent } from '@portcullis/core/plan/intentText.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { seal } from '@portcullis/core/plan/seal.ts'
import type { Grant, Intent } from '@portcullis/core/policy/intent.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { judgeAvailability } from '@portcullis/core/rollout/availability.ts'
import { judgeGate } from '@portcullis/core/rollout/judgement/judgeGate.ts'
import type { Gate, GateJudge, GateReading, GateSample } from '@portcullis/core/rollout/gate.ts'
import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { writeRollout } from '@portcullis/core/rollout/rolloutState.ts'
import { driveRollout } from '@portcullis/engine/driveRollout.ts'
import type { Alert, Gates } from '@portcullis/engine/gates.ts'
import { hostGates } from '@portcullis/engine/hostGates.ts'
import type { HostLink, Hosts, Random } from '@portcullis/engine/ports.ts'
import type { Lease, NewRolloutRecord, RolloutEvent } from '@portcullis/engine/rolloutStore.ts'
import type { RolloutPieces, RolloutWorld } from '@portcullis/engine/rolloutWorld.ts'
import { startRollout } from '@portcullis/engine/startRollout.ts'
import { steadyClock } from '@portcullis/engine/steadyClock.ts'
import { sha256, simHost, type SimHost } from './host.ts'
import { simCanceller, simProcess, within, type SimProcess } from './process.ts'
import { watchHost, type Broken, type HostWatch } from './promises.ts'
import { simRandom } from './random.ts'
import { judgeRun } from './runJudge.ts'
import { replay, simRolloutStore } from './rolloutStore.ts'
import { SIM_FACTS, SIM_RULES } from './rules.ts'
import { CHAOS_MS, type Scenario, type Window } from './scenario.ts'
import { simStore } from './store.ts'
import { makeTimeline, type Timeline } from './timeline.ts'
import { address, prefix } from './world.ts'

/** What a test takes out, to show that its promise then breaks. */
export interface SimPieces extends Partial<RolloutPieces> {
  /** Whoever asks gets the lease. */
  readonly isLeaseShared?: boolean
  /** Changes a host before it is used. */
  readonly bendHost?: (host: SimHost) => void
  /** Instead of the judge of the product, where samples are judged. */
  readonly judge?: GateJudge
  /** Instead of a clock that goes on evenly. */
  readonly clockOf?: typeof steadyClock
  /** Instead of the gates of the world. */
  readonly bendGates?: (gates: Gates, clock: RolloutWorld['clock']) => Gates
  /** The way back is numbered as the generation before. */
  readonly bendWayBack?: (plan: ChangePlan) => ChangePlan
}

export interface RunReport {
  readonly scenario: Scenario
  readonly state: RolloutState
  readonly broken: readonly Broken[]
  readonly events: readonly RolloutEvent[]
  readonly simulatedMs: number
}

/** Everything of one simulated rollout. */
export interface Sim {
  readonly scenario: Scenario
  readonly timeline: Timeline
  readonly random: Random
  readonly fleet: readonly Host[]
  readonly hosts: readonly SimHost[]
  readonly watches: ReadonlyMap<string, HostWatch>
  readonly broken: Broken[]
  readonly store: ReturnType<typeof simStore>
  readonly rollouts: ReturnType<typeof simRolloutStore>
  readonly alerts: Map<string, Alert>
  /** The newest reading of each gate, as it really was. */
  readonly readings: Map<string, GateReading['kind']>
  readonly epochs: Map<number, number>
  newestEpoch: number
  /** Hosts whose service was worse by the new rules at any time. */
  readonly wasWorse: Set<string>
  readonly pieces: SimPieces
}

const HOUR_MS = 3_600_000
/** A rollout that waits for a person is asked on after this. */
const PATIENCE_MS = HOUR_MS / 2

/** A rollout that nobody has begun to drive, in the world in which it is going to happen. */
export interface PreparedRun {
  readonly sim: Sim
  readonly plan: ChangePlan
  readonly made: NewRolloutRecord
}

/** Runs one rollout to its end in a world where things go wrong, and says which promises were broken. */
export async function runRollout(scenario: Scenario, pieces: SimPieces = {}): Promise<RunReport> {
  const prepared = await prepareRun(scenario, pieces)
  return judgePlayed(prepared, await playRun(prepared))
}

export async function prepareRun(scenario: Scenario, pieces: SimPieces = {}): Promise<PreparedRun> {
  const sim = makeSim(scenario, pieces)
  const plan = await makePlan(sim)
  const made = await startRollout(worldOf(sim, -1), plan, sim.fleet, {
    options: scenario.options, waves: { canaryShare: 0.1, growth: 2 }, gates: scenario.isWatched ? [GATE, LIVENESS] : [GATE], by: 'sim', rules: START_RULES,
  })
  if (!made.ok) throw new FaultError(made.faults[0] as Fault)
  if (pieces.bendWayBack) Object.assign(made.value, { wayBack: pieces.bendWayBack(made.value.wayBack) })
  return { sim, plan, made: made.value }
}

/** Whether it ended in time. */
export async function playRun({ sim, made: { id } }: PreparedRun): Promise<boolean> {
  const ends = Array.from({ length: sim.scenario.controllers }, (_, index) => startController(sim, id, index))
  scheduleCommands(sim, id)
  const isOver = (): boolean => ends.some((end) => end.isOver)
  const isInTime = await sim.timeline.run(isOver, sim.timeline.now() + 8 * HOUR_MS)
  // What still is armed has its time to go back, and what a slow controller has begun to end.
  await sim.timeline.run(() => false, sim.timeline.now() + 180_000)
  return isInTime
}

export async function judgePlayed({ sim, plan, made }: PreparedRun, isInTime: boolean): Promise<RunReport> {
  const { scenario, pieces, timeline, hosts, watches, alerts } = sim
  const events = await sim.rollouts.events(made.id, 0)
  const state = writeRollout(replay(made, events, pieces.rules))
  const longestMs = Math.max(...[...watches.values()].map((watch) => watch.interruptedMs(timeline.now())))
  sim.broken.push(...judgeRun({ wasWorse: sim.wasWorse, scenario, made, plan, events, state, isInTime, hosts, alerts: [...alerts.values()], longestMs, ...(pieces.rules ? { rules: pieces.rules } : {}) }))
  return { scenario, state, broken: sim.broken, events, simulatedMs: timeline.now() - made.created }
}

const GATE: Gate = { name: 'shop', service: 'shop', measure: { kind: 'other', name: 'sim', settings: {} }, isCritical: true, samplesMin: 3 }

const LIVENESS: Gate = { name: 'liveness', measure: { kind: 'liveness' }, isCritical: true, samplesMin: 3 }

function makeSim(scenario: Scenario, pieces: SimPieces): Sim {
  const timeline = makeTimeline()
  const broken: Broken[] = []
  const hosts = Array.from({ length: scenario.hosts }, (_, index) => simHost(`host-${index}`, timeline))
  for (const host of hosts) {
    if (scenario.ending) host.observations = [{ kind: 'flow', host: host.name, sensor: 'conntrack', at: timeline.now(), source: address('10.3.3.3'), protocol: 'tcp', port: 9999, connections: 1, tally: 'snapshot', lastSeen: timeline.now(), verdict: 'accepted' }]
    pieces.bendHost?.(host)
  }
  return {
    scenario, timeline, random: simRandom(scenario.seed ^ 0x5eed), fleet: hosts.map((host, index) => fleetHost(scenario, host.name, index)), hosts,
    watches: new Map(hosts.map((host) => [host.name, watchHost(() => timeline.now(), serves, broken)])),
    broken, store: simStore(), rollouts: simRolloutStore(timeline), alerts: new Map(), readings: new Map(), epochs: new Map(), newestEpoch: 0, wasWorse: new Set(), pieces,
  }
}

const fleetHost = ({ hosts, apps, coreShare }: Scenario, name: string, index: number): Host => ({
  name,
  addresses: [address(`10.0.${index >> 8}.${index & 255}`)],
  labels: { app: `app-${index % apps}`, zone: `zone-${index % 3}` },
  tier: index >= hosts * (1 - coreShare) ? 'core' : 'standard',
  transport: { kind: 'netns', namespace: name },
})

const SERVICE_PORT = 443
const grant = (port: number, from: string, needs: readonly string[]): Grant => ({ protocol: 'tcp', ports: singlePort(port), from: prefix(from), needs })
const MANAGEMENT = [grant(22, '10.9.0.0/16', [])]

const intentOf = (host: string, generation: number, isServed: boolean): Intent => ({
  host, generation, mode: 'enforce', refusal: 'drop', ping: true, management: MANAGEMENT,
  grants: [...(isServed ? [grant(SERVICE_PORT, '10.0.0.0/8', ['shop'])] : []), grant(8080, '10.0.0.0/8', ['other'])],
})

/** By what the host enforces: without rules of ours everything is served. */
const serves = (host: SimHost): boolean => host.live === undefined || host.live.text.includes('"mode":"observe"') || host.live.text.includes(`"${SERVICE_PORT}"`)

/** Half of the hosts have confirmed a generation before. The new policy leaves out the need of the broken applications. */
async function makePlan(sim: Sim): Promise<ChangePlan> {
  const drafted = []
  for (const [index, host] of sim.hosts.entries()) {
    const base = index % 2
    if (base === 1) await confirmBefore(sim, host)
    const isServed = sim.scenario.judged?.slowness !== undefined || !sim.scenario.broken.some((app) => app % sim.scenario.apps === index % sim.scenario.apps)
    const { ending } = sim.scenario
    const intent: Intent = { ...intentOf(host.name, base + 1, isServed), ...(ending ? { endings: { otherwise: ending, needs: {}, warnSeconds: 30 } } : {}) }
    const text = SIM_RULES.render(intent)
    const draft = draftHost(intent, { host: host.name, confirmedGeneration: base, factsAt: sim.timeline.now(), observations: [], foreignRefusals: [] })
    drafted.push({ draft, findings: [], text, comparison: SIM_RULES.compare(intent, text) })
  }
  const sealed = seal({ hosts: drafted, unchanged: [], findings: [], policy: 'p', cause: { kind: 'change' } }, sim.timeline.now(), undefined, sha256)
  if (!sealed.ok) throw new FaultError(sealed.faults[0] as Fault)
  await sim.store.savePlan(sealed.value)
  return sealed.value
}

async function confirmBefore(sim: Sim, host: SimHost): Promise<void> {
  const intent = { ...intentOf(host.name, 1, true), ping: false }
  const text = SIM_RULES.render(intent)
  host.confirmed = { generation: 1, digest: sha256(text), text }
  host.live = host.confirmed
  await sim.store.addGeneration({ host: host.name, generation: 1, rulesetDigest: sha256(text), plan: 'before', intent: writeIntent(intent), confirmedAt: sim.timeline.now() })
}

interface ControllerRun {
  isOver: boolean
}

/** A controller that is started again whenever it was killed, and drives again whenever a drive ended. */
function startController(sim: Sim, id: string, index: number): ControllerRun {
  const run: ControllerRun = { isOver: false }
  let process = simProcess(sim.timeline)
  const live = (mine: SimProcess): void => void keepDriving(sim, id, index, mine, run)
  for (const kill of sim.scenario.kills.filter(({ controller }) => controller === index)) {
    sim.timeline.after(kill.atMs, () => {
      if (kill.isPause) return process.pause(sim.timeline.now() + kill.downMs)
      process.kill()
      sim.timeline.after(kill.downMs, () => {
        process = simProcess(sim.timeline)
        live(process)
      })
    })
  }
  live(process)
  return run
}

async function keepDriving(sim: Sim, id: string, index: number, process: SimProcess, run: ControllerRun): Promise<void> {
  const world = within(process, worldOf(sim, index))
  for (let count = 0; process.isAlive && !run.isOver; count++) {
    const end = await driveRollout(world, id, { holder: `controller-${index}-${count}`, fleet: sim.fleet })
    if (end.kind === 'over') run.isOver = true
    else await world.clock.sleep(1000)
  }
}

function worldOf(sim: Sim, controller: number): RolloutWorld {
  const { timeline, scenario, pieces } = sim
  const wall = (): number => timeline.now() + scenario.clockJumps.reduce((sum, jump) => (sinceStart(sim) >= jump.atMs ? sum + jump.byMs : sum), 0)
  const clock = {
    ...(pieces.clockOf ?? steadyClock)({ wall, elapsedMs: () => timeline.now() }),
    sleep: (durationMs: number, signal?: Parameters<Timeline['sleep']>[1]) => timeline.sleep(durationMs, signal),
  }
  const world: RolloutWorld = {
    clock, random: sim.random, hosts: networkOf(sim, controller), store: faulty(sim, sim.store),
    rollouts: faulty(sim, noteLeases(sim, controller)),
    probe: { connect: async () => ({ kind: 'silent', durationMs: 1 }) },
    rules: SIM_RULES, facts: QUICK_FACTS, digest: sha256, report: () => undefined,
    gates: { sample: async (gate, { hosts }) => sampleShop(sim, gate, hosts.map(({ name }) => name), clock.now()) },
    judge: scenario.judged ? (pieces.judge ?? judgeGate) : judgeAvailability, alerts: { raise: async (alert) => raise(sim, alert) },
    canceller: simCanceller, reportRollout: () => undefined, pieces,
  }
  const gates = scenario.isWatched ? hostGates(world, world.gates) : world.gates
  return { ...world, gates: pieces.bendGates?.(gates, clock) ?? gates }
}

/** Nobody else has tables on these hosts, and parsing our own is tested elsewhere. */
const QUICK_FACTS = { ...SIM_FACTS, readRuleset: () => succeed({ ruleset: { tables: [], unmodelled: [] }, topology: { interfaces: [], routes: [], isForwarding: { 4: false, 6: false }, unmodelled: [] } }) }

const sinceStart = ({ timeline }: Sim): number => timeline.now() - SIM_EPOCH
const SIM_EPOCH = makeTimeline().now()

const isWithin = (sim: Sim, windows: readonly Window[]): boolean => windows.some(({ fromMs, untilMs }) => sinceStart(sim) >= fromMs && sinceStart(sim) < untilMs)

/** A database that is away answers nobody; one in three of what it was asked when it went was done all the same. */
function faulty<Door extends object>(sim: Sim, door: Door): Door {
  const calls = Object.entries(door).map(([name, call]: [string, unknown]) => {
    if (typeof call !== 'function') return [name, call]
    const asked = async (...args: unknown[]): Promise<unknown> => {
      if (!isWithin(sim, sim.scenario.outages)) return await (call as (...args: unknown[]) => Promise<unknown>)(...args)
      if (sim.random.next() < 1 / 3) await (call as (...args: unknown[]) => Promise<unknown>)(...args)
      throw new FaultError({ code: 'STORE_UNREACHABLE', what: { en: 'the store is away', zh: '存储不可用' } })
    }
    return [name, asked]
  })
  return Object.fromEntries(calls) as Door
}

function noteLeases(sim: Sim, controller: number): Sim['rollouts'] {
  return {
    ...sim.rollouts,
    claim: async (...args) => {
      const lease = (await sim.rollouts.claim(...args)) ?? (sim.pieces.isLeaseShared ? { rollout: args[0], holder: args[1], epoch: sim.newestEpoch } : undefined)
      if (lease) noteEpoch(sim, controller, lease)
      return lease
    },
  }
}

function noteEpoch(sim: Sim, controller: number, lease: Lease): void {
  sim.epochs.set(controller, lease.epoch)
  sim.newestEpoch = Math.max(sim.newestEpoch, lease.epoch)
}

function networkOf(sim: Sim, controller: number): Hosts {
  const byName = new Map(sim.hosts.map((host) => [host.name, host]))
  const travel = (): Promise<void> => sim.timeline.sleep(1 + sim.random.next() * sim.scenario.latencyMsMax)
  const isAway = (name: string): boolean => isWithin(sim, sim.scenario.absences.filter(({ host }) => `host-${host}` === name))
  const isLost = (): boolean => sinceStart(sim) < CHAOS_MS && sim.random.next() * 1000 < sim.scenario.lostPerMille
  const linkTo = (host: Host): HostLink => ({
    host,
    call: async (call) => {
      await travel()
      const target = byName.get(host.name)
      if (!target || isAway(host.name) || isLost()) return fail(unreachable(host.name))
      const isArmed = target.armedUntilMs !== undefined
      const reply = target.answer(call)
      noticeArmed(sim, target)
      const caller = { controller, isStale: (sim.epochs.get(controller) ?? 0) < sim.newestEpoch }
      if (call.verb === 'swap' && reply.exitCode === 0) noteWorse(sim, target)
      if (reply.exitCode === 0) sim.watches.get(host.name)?.did(target, call.verb, caller, isArmed)
      sim.watches.get(host.name)?.looked(target)
      await travel()
      return isAway(host.name) || isLost() ? fail(unreachable(host.name)) : succeed(reply)
    },
    close: async () => undefined,
  })
  return {
    connect: async (host) => {
      await travel()
      return isAway(host.name) || isLost() ? fail(unreachable(host.name)) : succeed(linkTo(host))
    },
    install: async () => fail(unreachable('')),
    close: async () => undefined,
  }
}

function noteWorse({ scenario, hosts, wasWorse }: Sim, host: SimHost): void {
  if (scenario.judged && (!serves(host) || isSlow(scenario, host, hosts.indexOf(host)))) wasWorse.add(host.name)
}

/** The armed revert fires by itself at its time. */
function noticeArmed(sim: Sim, host: SimHost): void {
  if (host.armedUntilMs === undefined) return
  sim.timeline.after(host.armedUntilMs - sim.timeline.now(), () => {
    host.tick()
    sim.watches.get(host.name)?.looked(host)
  })
}

const unreachable = (host: string): Fault => ({ code: 'HOST_UNREACHABLE', what: { en: `${host} does not answer`, zh: `${host} 无应答` } })

/** Clients of the shop: what they get from each host at this moment, dated by the clock of the controller that asks. */
function sampleShop(sim: Sim, gate: Gate, names: readonly string[], at: number): GateReading {
  if (isWithin(sim, sim.scenario.blind)) {
    sim.readings.set(gate.name, 'no-data')
    return { kind: 'no-data', because: { en: 'nobody measures', zh: '没有测量' } }
  }
  sim.readings.set(gate.name, 'samples')
  const wanted = new Set(names)
  const samples = sim.hosts.flatMap((host, index): GateSample[] => (wanted.has(host.name) ? [sampleHost(sim, host, index, at)] : []))
  return { kind: 'samples', samples }
}

const MEDIAN_MS = 20

function sampleHost({ scenario, random }: Sim, host: SimHost, index: number, at: number): GateSample {
  const { judged } = scenario
  if (!judged) return { at, host: host.name, isGood: serves(host) }
  const isGood = serves(host) && random.next() * 1000 >= judged.failsPerMille
  return { at, host: host.name, isGood, value: MEDIAN_MS * (0.9 + random.next() / 5) * (isSlow(scenario, host, index) ? (judged.slowness ?? 1) : 1) }
}

/** The new rules are there, and the service takes longer by them. */
const isSlow = ({ judged, broken, apps }: Scenario, host: SimHost, index: number): boolean =>
  judged?.slowness !== undefined && broken.some((app) => app % apps === index % apps) && host.live?.generation === (index % 2) + 1

/** The outbox: the same id again changes nothing. */
function raise(sim: Sim, alert: Alert): void {
  const isAway = isWithin(sim, sim.scenario.alertFailures)
  if (!isAway || sim.random.next() < 1 / 3) {
    if (!sim.alerts.has(alert.id)) sim.alerts.set(alert.id, alert)
  }
  if (isAway) throw new FaultError({ code: 'ALERT_AWAY', what: { en: 'no outbox', zh: '告警不可用' } })
}

function scheduleCommands(sim: Sim, id: string): void {
  const ask = (command: 'pause' | 'resume' | 'abort' | 'promote' | 'approve' | 'rollback'): void =>
    void sim.rollouts.ask(id, { command, by: 'sim', at: sim.timeline.now() })
  for (const { atMs, command } of sim.scenario.commands) sim.timeline.after(atMs, () => ask(command))
  // Somebody looks after a while, so that what waits for a person does not wait for ever.
  for (let atMs = CHAOS_MS / 2; atMs < PATIENCE_MS; atMs += CHAOS_MS / 2) {
    sim.timeline.after(atMs, () => ask('resume'))
    sim.timeline.after(atMs, () => ask('approve'))
  }
  sim.timeline.after(PATIENCE_MS, () => ask('abort'))
}
