import { simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import type { Mishap } from '@portcullis/sim/hosts.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import { describe, expect, test } from 'vitest'
import { apply, type FleetApplyOptions } from './apply.ts'
import { confirmedApply, type HostOutcome } from './confirmedApply.ts'
import { openJournal } from './journal.ts'
import { planChange } from './planChange.ts'
import type { HostVerb } from './ports.ts'
import { APPLY_STEPS } from './store.ts'
import type { World } from './world.ts'

const OPTIONS: FleetApplyOptions = { concurrency: 4, confirmWithinSeconds: 60 }

/** Kinds of outcome that leave nothing armed on the host. */
const SETTLED: ReadonlySet<HostOutcome['kind']> = new Set(['confirmed', 'refused', 'reverted'])

interface Case {
  readonly at: HostVerb | 'connect'
  readonly mishap: Mishap
  /** Confirmed apply calls some verbs more than once; the mishap strikes this one, counted from 1. */
  readonly nth?: number
  readonly kind: HostOutcome['kind']
  readonly step: HostOutcome['step']
  readonly code?: string
  /** What the host enforces once every armed revert has had its time. */
  readonly ends: 'old' | 'new'
}

const CASES: readonly Case[] = [
  { at: 'connect', mishap: 'lost', kind: 'refused', step: 'connect', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'version', mishap: 'gone', kind: 'refused', step: 'version', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'version', mishap: 127, kind: 'refused', step: 'version', code: 'HOST_SCRIPT_MISSING', ends: 'old' },
  { at: 'version', mishap: 10, kind: 'refused', step: 'version', code: 'HOST_TOOL_MISSING', ends: 'old' },
  { at: 'version', mishap: 20, kind: 'refused', step: 'version', code: 'HOST_NFT_OLD', ends: 'old' },
  { at: 'stage', mishap: 'lost', kind: 'refused', step: 'stage', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'stage', mishap: 'gone-after', kind: 'refused', step: 'stage', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'stage', mishap: 11, kind: 'refused', step: 'stage', code: 'HOST_OLDER_GENERATION', ends: 'old' },
  { at: 'stage', mishap: 13, kind: 'refused', step: 'stage', code: 'HOST_TOO_LARGE', ends: 'old' },
  { at: 'stage', mishap: 14, kind: 'refused', step: 'stage', code: 'HOST_DIGEST', ends: 'old' },
  { at: 'stage', mishap: 15, kind: 'refused', step: 'stage', code: 'HOST_NFT_REFUSED', ends: 'old' },
  { at: 'stage', mishap: 18, kind: 'refused', step: 'stage', code: 'HOST_STATE_UNWRITABLE', ends: 'old' },
  { at: 'stage', mishap: 19, kind: 'refused', step: 'stage', code: 'HOST_BUSY', ends: 'old' },
  { at: 'version', nth: 2, mishap: 'gone', kind: 'refused', step: 'check', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'arm', mishap: 'lost', kind: 'reverted', step: 'arm', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'arm', mishap: 'unanswered', kind: 'reverted', step: 'arm', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'arm', mishap: 18, kind: 'reverted', step: 'arm', code: 'HOST_STATE_UNWRITABLE', ends: 'old' },
  { at: 'arm', mishap: 'gone-after', kind: 'reverting', step: 'arm', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'swap', mishap: 'lost', kind: 'reverted', step: 'swap', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'swap', mishap: 'unanswered', kind: 'reverted', step: 'swap', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'swap', mishap: 15, kind: 'reverted', step: 'swap', code: 'HOST_NFT_REFUSED', ends: 'old' },
  { at: 'swap', mishap: 16, kind: 'reverted', step: 'swap', code: 'HOST_NOT_ARMED', ends: 'old' },
  { at: 'swap', mishap: 'gone', kind: 'reverting', step: 'swap', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'swap', mishap: 'gone-after', kind: 'reverting', step: 'swap', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'facts', mishap: 'lost', kind: 'reverted', step: 'verify', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'facts', mishap: 'gone', kind: 'reverting', step: 'verify', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'connect', nth: 2, mishap: 'lost', kind: 'reverted', step: 'probe', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'connect', nth: 2, mishap: 'gone', kind: 'reverting', step: 'probe', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'confirm', mishap: 'lost', kind: 'reverted', step: 'confirm', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'confirm', mishap: 21, kind: 'reverted', step: 'confirm', code: 'HOST_NOT_SWAPPED', ends: 'old' },
  { at: 'confirm', mishap: 18, kind: 'reverted', step: 'confirm', code: 'HOST_STATE_UNWRITABLE', ends: 'old' },
  { at: 'confirm', mishap: 'gone', kind: 'unknown', step: 'confirm', code: 'HOST_UNREACHABLE', ends: 'old' },
  { at: 'confirm', mishap: 'unanswered', kind: 'confirmed', step: 'confirm', ends: 'new' },
  { at: 'confirm', mishap: 'gone-after', kind: 'unknown', step: 'confirm', code: 'HOST_UNREACHABLE', ends: 'new' },
]

describe.each([
  ['first generation', false],
  ['second generation', true],
] as const)('a mishap in confirmed apply, %s', (_, isSecond) => {
  test.each(CASES.map((one) => ({ nth: 1, ...one })))('$at #$nth $mishap → $kind at $step, $ends ruleset', async ({ at, mishap, nth, kind, step, code, ends }) => {
    const { world, old, next } = await plannedWorld(isSecond)
    world.hosts.strike('web-1', at, mishap, nth)
    const outcome = await applyOne(world, next)
    expect([outcome.kind, outcome.step, outcome.faults[0]?.code]).toEqual([kind, step, code])

    const isArmed = world.sims[0]?.armedUntilMs !== undefined
    expect(isArmed && SETTLED.has(kind)).toBe(false)
    await passTime(world)
    expect(world.sims[0]?.live?.digest).toBe(ends === 'new' ? digestOf(next) : digestOf(old))
    expect(world.sims[0]?.live).toEqual(world.sims[0]?.confirmed)
    await expectJournalTells(world, next, outcome)
  })
})

describe('a controller killed at each event', () => {
  const events = APPLY_STEPS.filter((step) => step !== 'revert').flatMap((step) => [`action ${step}`, `signal ${step}`])

  test.each(events)('%s', async (event) => {
    const { world, old, next } = await plannedWorld(true)
    await killedAt(world, next, event)
    await passTime(world)
    const isNew = event === 'signal confirm'
    expect(world.sims[0]?.live?.digest).toBe(isNew ? digestOf(next) : digestOf(old))
    expect(world.sims[0]?.live).toEqual(world.sims[0]?.confirmed)

    // The next controller finds out what the dead one could not write down.
    const again = await planChange(world, changedPolicy(), SEEN, changedPolicy().hosts, OPTIONS)
    expect(again.ok && again.value.kind).toBe(isNew ? 'nothing' : 'sealed')
  })
})

test('a kernel that enforces something else than the intent is put back', async () => {
  const { world, old, next } = await plannedWorld(true)
  const rules = { ...world.rules, compareLive: () => ({ kind: 'undecided', because: 'a match unknown to us' }) as const }
  const outcome = await applyOne({ ...world, rules }, next)
  expect([outcome.kind, outcome.step, outcome.faults[0]?.code]).toEqual(['reverted', 'verify', 'LIVE_UNDECIDED'])
  expect(world.sims[0]?.live?.digest).toBe(digestOf(old))
})

test('what answered us and is to stay open but falls silent is put back', async () => {
  const { world, next } = await plannedWorld(true)
  world.reachable.set('10.0.1.1 22', () => ({ kind: world.sims[0]?.live?.digest === digestOf(next) ? 'silent' : 'answered', durationMs: 1 }))
  const outcome = await applyOne(world, next)
  expect([outcome.kind, outcome.step, outcome.faults[0]?.code]).toEqual(['reverted', 'probe', 'PROBE_LOST'])
})

test('what the intent closes to us but still answers is put back', async () => {
  const { world, next } = await plannedWorld(true)
  world.reachable.set('10.0.1.1 23', () => ({ kind: 'answered', durationMs: 1 }))
  const outcome = await applyOne(world, next)
  expect([outcome.kind, outcome.step, outcome.faults[0]?.code]).toEqual(['reverted', 'probe', 'PROBE_STILL_OPEN'])
})

test('a proxy on the way that answers for every port proves nothing, and puts nothing back', async () => {
  const { world, next } = await plannedWorld(true)
  const probe: World['probe'] = { ...world.probe, connect: async () => ({ kind: 'answered', durationMs: 1 }) }
  expect((await applyOne({ ...world, probe }, next)).kind).toBe('confirmed')
})

test('checks that outlast the armed time are never confirmed', async () => {
  const { world, next } = await plannedWorld(true)
  const slow = { ...world.probe, connect: async () => (world.clock.pass(61_000), { kind: 'silent' as const, durationMs: 1 }) }
  world.reachable.set('10.0.1.1 22', () => ({ kind: 'answered', durationMs: 1 }))
  let armed = false
  const probe: World['probe'] = { ...world.probe, connect: (target) => (armed ? slow.connect() : world.probe.connect(target)) }
  const outcome = await applyOne({ ...world, probe, report: (entry) => (armed ||= entry.name === 'arm') }, next)
  expect(outcome.kind).toBe('reverted')
  expect(world.sims[0]?.live).toEqual(world.sims[0]?.confirmed)
})

describe('two controllers at once', () => {
  test('the host has moved: the later one is told', async () => {
    const { world, next } = await plannedWorld(true)
    const rival = await planChange(world, rivalPolicy(), SEEN, rivalPolicy().hosts, OPTIONS)
    if (!rival.ok || !rival.value.plan) throw new Error('no rival plan')
    expect((await applyOne(world, rival.value.plan)).kind).toBe('confirmed')
    const outcome = await applyOne(world, next)
    expect([outcome.kind, outcome.faults[0]?.code]).toEqual(['refused', 'HOST_MOVED'])
    expect(world.sims[0]?.live?.digest).toBe(digestOf(rival.value.plan))
  })

  test('the host waits for the other one: it is left alone', async () => {
    const { world, next } = await plannedWorld(true)
    const sim = world.sims[0]
    sim?.answer({ verb: 'arm', args: ['30'], timeoutMs: 1 })
    const outcome = await applyOne(world, next)
    expect([outcome.kind, outcome.faults[0]?.code]).toEqual(['refused', 'HOST_OTHER_APPLY'])
    expect(sim?.armedUntilMs).toBeDefined()
  })

  test('the other one staged in between: what is staged is not ours', async () => {
    const { world, next } = await plannedWorld(true)
    const sim = world.sims[0]
    const restage = (name: string): void => {
      if (name === 'check' && sim?.staged) sim.staged = { ...sim.staged, digest: '0'.repeat(64) }
    }
    const outcome = await applyOne({ ...world, report: (entry) => restage(entry.name) }, next)
    expect([outcome.kind, outcome.step, outcome.faults[0]?.code]).toEqual(['refused', 'check', 'HOST_OTHER_RULESET'])
  })
})

test('the other one staged after our check: the host does not swap, and is left to it', async () => {
  const { world, next } = await plannedWorld(true)
  const sim = world.sims[0]
  const report: World['report'] = ({ kind, name }) => {
    if (kind === 'action' && name === 'swap' && sim?.staged) sim.staged = { ...sim.staged, digest: '0'.repeat(64) }
  }
  const outcome = await applyOne({ ...world, report }, next)
  expect([outcome.kind, outcome.step, outcome.faults[0]?.code]).toEqual(['reverting', 'swap', 'HOST_OTHER_RULESET'])
  expect(sim?.armedUntilMs).toBeDefined()
})

describe('stopping', () => {
  test.each(APPLY_STEPS.filter((step) => step !== 'revert'))('when asked at %s, every host is safe at once', async (step) => {
    const { world, old, next } = await plannedWorld(true)
    const stop = new AbortController()
    const report: World['report'] = (entry) => {
      if (entry.kind === 'action' && entry.name === step) stop.abort(new Error('Ctrl-C'))
    }
    const outcome = await applyOne({ ...world, report }, next, { ...OPTIONS, signal: stop.signal })
    const isNew = step === 'confirm'
    expect(outcome.kind).toBe(isNew ? 'confirmed' : outcome.kind)
    expect(world.sims[0]?.live?.digest).toBe(isNew ? digestOf(next) : digestOf(old))
    expect(world.sims[0]?.armedUntilMs).toBeUndefined()
  })
})

test('a store that is lost half-way puts the host back', async () => {
  const { world, old, next } = await plannedWorld(true)
  let isLost = false
  const store = {
    ...world.store,
    appendJournal: async (entry: Parameters<typeof world.store.appendJournal>[0]) => {
      isLost ||= entry.kind === 'signal' && entry.name === 'swap'
      if (isLost) throw new Error('disk full')
      return world.store.appendJournal(entry)
    },
  }
  const outcome = await applyOne({ ...world, store }, next)
  expect([outcome.kind, outcome.faults[0]?.code]).toEqual(['reverted', 'APPLY_FAILED'])
  expect(world.sims[0]?.live?.digest).toBe(digestOf(old))
})

test('a plan that was edited is refused before any host is asked', async () => {
  const { world, next } = await plannedWorld(false)
  const before = world.hosts.calls.length
  const edited = { ...next, hosts: next.hosts.map((host) => ({ ...host, generation: 7 })) }
  const report = await apply(world, edited, changedPolicy().hosts, OPTIONS)
  expect(report.ok ? undefined : report.faults[0]?.code).toBe('PLAN_BROKEN_SEAL')
  expect(world.hosts.calls.length).toBe(before)
})

test('one host that fails stops no other', async () => {
  const names = ['a', 'b', 'c', 'd', 'e']
  const world = simWorld(names)
  const plan = await planned(world, simPolicy(names))
  world.hosts.strike('c', 'swap', 15)
  const report = await apply(world, plan, simPolicy(names).hosts, { ...OPTIONS, concurrency: 2 })
  if (!report.ok) throw new Error('refused')
  expect(report.value.hosts.map((host) => [host.host, host.kind])).toEqual([
    ['a', 'confirmed'],
    ['b', 'confirmed'],
    ['c', 'reverted'],
    ['d', 'confirmed'],
    ['e', 'confirmed'],
  ])
})

test('what lies on the host already is neither brought nor asked for again, and confirmed all the same', async () => {
  const { world, next } = await plannedWorld(true)
  world.hosts.strike('web-1', 'stage', 'unanswered')
  expect((await applyOne(world, next)).step).toBe('stage')
  const before = world.hosts.calls.length
  expect((await applyOne(world, next)).kind).toBe('confirmed')
  expect(world.hosts.calls.slice(before)).toEqual(['version', 'arm', 'swap', 'facts', 'confirm'].map((verb) => `web-1 ${verb}`))
})

test('to what was brought earlier the host only switches', async () => {
  const { world, next } = await plannedWorld(true)
  world.hosts.strike('web-1', 'stage', 'unanswered')
  await applyOne(world, next)
  const before = world.hosts.calls.length
  expect((await switchOne(world, next)).kind).toBe('confirmed')
  expect(world.hosts.calls.slice(before)).toEqual(['swap', 'facts', 'confirm'].map((verb) => `web-1 ${verb}`))
})

test.each([
  ['nothing', undefined, 'HOST_NOTHING_STAGED'],
  ['something else', { generation: 9, digest: '9'.repeat(64), text: '' }, 'HOST_NOT_SWAPPED'],
])('where %s lies there instead, the host is left as it is', async (_what, staged, code) => {
  const { world, old, next } = await plannedWorld(true)
  const [sim] = world.sims
  if (sim && staged) sim.staged = staged
  const outcome = await switchOne(world, next)
  expect([outcome.kind, outcome.step, outcome.faults[0]?.code]).toEqual(['refused', 'swap', code])
  expect([sim?.live?.digest, sim?.staged, sim?.armedUntilMs]).toEqual([digestOf(old), staged, undefined])
})

const SEEN = { digest: 'd'.repeat(64), file: 'portcullis.yaml', text: '', seenAt: 0 }

const changedPolicy = (): Policy => simPolicy(['web-1'], { defaults: { ...simPolicy([]).defaults, refusal: 'reject' } })
const rivalPolicy = (): Policy => simPolicy(['web-1'], { defaults: { ...simPolicy([]).defaults, ping: false } })

/** A host with nothing confirmed, or with generation 1, and a sealed plan for its next. */
async function plannedWorld(isSecond: boolean): Promise<{ world: SimWorld; old: ChangePlan | undefined; next: ChangePlan }> {
  const world = simWorld(['web-1'])
  const [sim] = world.sims
  if (sim) sim.observations = LISTENERS
  const old = isSecond ? await planned(world, simPolicy(['web-1'])) : undefined
  if (old) await applyOne(world, old)
  expect(sim?.live?.digest).toBe(digestOf(old))
  return { world, old, next: await planned(world, changedPolicy()) }
}

const LISTENERS = [22, 23, 443].map((port) => ({
  kind: 'listener' as const,
  host: 'web-1',
  sensor: 'ss',
  at: 0,
  address: { family: 4 as const, value: 0n },
  protocol: 'tcp' as const,
  port,
  isLoopback: false,
  isEphemeral: false,
}))

async function planned(world: World, policy: Policy): Promise<ChangePlan> {
  const report = await planChange(world, policy, SEEN, policy.hosts, OPTIONS)
  if (!report.ok || !report.value.plan) throw new Error(JSON.stringify(report))
  return report.value.plan
}

async function applyOne(world: World, plan: ChangePlan, options = OPTIONS): Promise<HostOutcome> {
  const report = await apply(world, plan, changedPolicy().hosts, options)
  const outcome = report.ok ? report.value.hosts[0] : undefined
  if (!outcome) throw new Error(JSON.stringify(report))
  return outcome
}

function switchOne(world: World, plan: ChangePlan): Promise<HostOutcome> {
  const [host] = changedPolicy().hosts
  if (!host) throw new Error('no host')
  return confirmedApply(world, openJournal(world), host, plan, { ...OPTIONS, isStaged: true })
}

const digestOf = (plan: ChangePlan | undefined): string | undefined => plan?.hosts[0]?.rulesetDigest

/** Long enough for every armed revert. */
async function passTime(world: SimWorld): Promise<void> {
  world.clock.pass(3_600_000)
  for (const sim of world.sims) sim.tick()
}

/** Each action comes before its signal, the last line names where it ended, and a failure carries its fault. */
async function expectJournalTells(world: SimWorld, plan: ChangePlan, outcome: HostOutcome): Promise<void> {
  const entries = (await world.store.journal({ plan: plan.id, host: 'web-1' })).filter((entry) => entry.name !== 'observe')
  const steps = entries.filter((entry) => entry.kind === 'action').map((entry) => entry.name)
  const expected = APPLY_STEPS.slice(0, APPLY_STEPS.indexOf(outcome.step) + 1)
  const hasReverted = outcome.kind === 'reverted' || outcome.kind === 'reverting'
  expect(steps).toEqual(hasReverted ? [...expected, 'revert'] : expected)
  const told = entries.filter((entry) => entry.fault !== undefined && entry.name === outcome.step)
  const found = entries.some((entry) => entry.detail?.found === true)
  expect(told.map((entry) => entry.fault?.code)).toEqual(found ? ['HOST_UNREACHABLE'] : outcome.faults.slice(0, 1).map((fault) => fault.code))
}

/** Runs until the event is reported, then lets nothing more happen: what SIGKILL leaves behind. */
async function killedAt(world: SimWorld, plan: ChangePlan, event: string): Promise<void> {
  let kill = (): void => undefined
  const killed = new Promise<void>((resolve) => {
    kill = resolve
  })
  let isDead = false
  const never = new Promise<never>(() => undefined)
  const hosts: World['hosts'] = {
    ...world.hosts,
    connect: async (host, signal) => {
      const link = await (isDead ? never : world.hosts.connect(host, signal))
      if (!link.ok) return link
      return { ok: true, value: { ...link.value, call: (call) => (isDead ? never : link.value.call(call)) } }
    },
  }
  const report: World['report'] = (entry) => {
    if (`${entry.kind} ${entry.name}` !== event) return
    isDead = true
    kill()
  }
  const store: World['store'] = {
    ...world.store,
    addGeneration: (generation) => (isDead ? never : world.store.addGeneration(generation)),
    appendJournal: (entry) => (isDead ? never : world.store.appendJournal(entry)),
  }
  void apply({ ...world, hosts, report, store }, plan, changedPolicy().hosts, OPTIONS)
  await killed
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}
