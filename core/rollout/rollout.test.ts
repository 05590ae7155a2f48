import { describe, expect, test } from 'vitest'
import type { Gate, GateVerdict } from './gate.ts'
import type { ChangePlan, EndpointChange, HostPlan } from '../plan/plan.ts'
import { figuresOf } from './figures.ts'
import { beginRollout, next } from './next.ts'
import { ROLLOUT_DEFAULTS, type Action, type GateMeasured, type Rollout, type RolloutOptions, type Signal } from './rollout.ts'
import { readRollout, writeRollout } from './rolloutState.ts'
import { planWaves, type WaveHost } from './waves.ts'

const host = (name: string, more: Partial<WaveHost> = {}): WaveHost => ({ name, tier: 'standard', app: name, zone: '', ...more })
const fleet = (count: number, more: Partial<WaveHost> = {}): WaveHost[] => Array.from({ length: count }, (_, index) => host(`h${String(index).padStart(3, '0')}`, more))

describe('waves', () => {
  const sizes = (hosts: readonly WaveHost[], options = {}): string => planWaves(hosts, { canaryShare: 0.1, growth: 2, ...options }).map(({ kind, hosts: names }) => `${kind} ${names.length}`).join(', ')
  const core = (count: number): WaveHost[] => Array.from({ length: count }, (_, index) => host(`core-${index}`, { tier: 'core' }))

  test.each<[what: string, hosts: readonly WaveHost[], options: object, expected: string]>([
    ['nothing', [], {}, ''],
    ['one host is the canary', fleet(1), {}, 'canary 1'],
    ['rounded up', fleet(11), {}, 'canary 2, standard 4, standard 5'],
    ['ten per cent of thirty is three', fleet(30), {}, 'canary 3, standard 6, standard 12, standard 9'],
    ['core is not counted, and comes last', [...fleet(10), ...core(4)], {}, 'canary 1, standard 2, standard 4, standard 3, core 1, core 2, core 1'],
    ['core alone has no canary', core(2), {}, 'core 1, core 1'],
    ['no growth still grows', fleet(4), { growth: 1 }, 'canary 1, standard 2, standard 1'],
    ['by shares, and what is left', fleet(10), { shares: [0.2, 0.5] }, 'canary 2, standard 5, standard 3'],
  ])('%s', (_, hosts, options, expected) => {
    expect(sizes(hosts, options)).toBe(expected)
  })

  test('the canary is spread over applications and zones', () => {
    const hosts = ['a', 'b', 'c'].flatMap((app) => ['east', 'west'].flatMap((zone) => fleet(5, { app, zone }).map((one) => ({ ...one, name: `${app}-${zone}-${one.name}` }))))
    const [canary] = planWaves(hosts, { canaryShare: 0.1, growth: 2 })
    expect(canary?.hosts.map((name) => name.split('-').slice(0, 2).join(' '))).toEqual(['a east', 'b west', 'c east'])
  })

  test('every host is in exactly one wave, whatever comes first', () => {
    const waves = planWaves(fleet(37), { canaryShare: 0.1, growth: 3, first: ['h020', 'h007', 'no such host'] })
    expect(waves.flatMap(({ hosts }) => hosts).toSorted()).toEqual(fleet(37).map(({ name }) => name))
    expect(waves[0]?.hosts.slice(0, 2)).toEqual(['h020', 'h007'])
  })
})

const GATE: Gate = { name: 'shop', measure: { kind: 'liveness' }, isCritical: true, samplesMin: 1 }
const verdict = (kind: GateVerdict['kind']): GateVerdict => ({ kind, because: [{ en: kind, zh: kind }] })
const PASS: GateMeasured = { gate: 'shop', verdict: verdict('pass'), isGood: true }
const HOLD: GateMeasured = { gate: 'shop', verdict: verdict('hold') }
const BAD: GateMeasured = { gate: 'shop', verdict: verdict('hold'), isGood: false }
const TRIP: GateMeasured = { gate: 'shop', verdict: verdict('trip'), isGood: false }

/** A rollout that is driven by hand: time in seconds, and every apply answered at once unless it is told otherwise. */
class Story {
  state: Rollout
  actions: Action[] = []
  #at = 0

  constructor(hosts: readonly WaveHost[], options: Partial<RolloutOptions> = {}, gates: readonly Gate[] = [GATE]) {
    const settings = { ...ROLLOUT_DEFAULTS, baselineSeconds: 0, bakeSecondsMin: 20, ...options }
    this.state = readRollout(beginRollout({ id: 'r', plan: 'p', options: settings, gates, waves: planWaves(hosts, { canaryShare: 0.1, growth: 2 }), hosts }, 0))
  }

  say(signal: Signal): this {
    const step = next(this.state, signal)
    this.state = step.state
    this.actions.push(...step.actions)
    return this
  }

  measure(gate: GateMeasured, seconds = 0): this {
    const [from, step] = [this.#at, 5000]
    do {
      this.#at = Math.min(this.#at + step, from + seconds * 1000)
      this.say({ kind: 'measured', at: this.#at, gates: [gate] })
    } while (this.#at < from + seconds * 1000)
    return this
  }

  /** Answers what is being applied or put back. */
  answer(result: 'changed' | 'kept' = 'changed'): this {
    for (const action of this.actions.splice(0)) {
      if (action.kind === 'apply') this.say({ kind: 'applied', at: this.#at, host: action.host, attempt: action.attempt, result })
      if (action.kind === 'putBack') this.say({ kind: 'putBack', at: this.#at, host: action.host, attempt: action.attempt, result: 'reverted' })
      if (action.kind === 'settle') this.say({ kind: 'settled', at: this.#at, host: action.host, attempt: action.attempt, result })
    }
    return this
  }

  ask(command: Extract<Signal, { kind: 'asked' }>['command']): this {
    return this.say({ kind: 'asked', at: this.#at, by: 'ann', command })
  }

  get now(): string {
    return this.state.outcome ?? `${this.state.phase} ${this.state.waves[this.state.wave]?.name}`
  }

  get phases(): string[] {
    return [...new Set(this.state.hosts.names.map((name) => this.state.hosts.get(name)?.phase ?? ''))].toSorted()
  }
}

const begun = (options: Partial<RolloutOptions> = {}): Story => new Story(fleet(10), options).measure(PASS).answer()

describe('a wave', () => {
  const cases: readonly [what: string, story: () => Story, now: string][] = [
    ['bakes when its hosts have the new rules', () => begun(), 'baking canary'],
    ['is left when it has baked and its gates pass', () => begun().measure(PASS, 25).measure(PASS), 'applying standard-1'],
    ['is not left early', () => begun().measure(PASS, 15), 'baking canary'],
    ['is held without data, however long', () => begun().measure(HOLD, 10_000), 'baking canary'],
    ['is held by its newest verdict', () => begun().measure(PASS, 15).measure(HOLD, 30), 'baking canary'],
    ['is held while a service is interrupted', () => begun().measure(BAD, 50), 'baking canary'],
    ['is held while paused', () => begun().ask('pause').measure(PASS, 100), 'baking canary'],
    ['goes on when resumed', () => begun().ask('pause').measure(PASS, 100).ask('resume').measure(PASS), 'applying standard-1'],
    ['is left by hand', () => begun().measure(HOLD).ask('promote'), 'applying standard-1'],
    ['is put back when a gate trips', () => begun().measure(TRIP).answer(), 'reverted'],
    ['is put back when a critical service is interrupted for too long', () => begun().measure(BAD, 65).answer(), 'reverted'],
    ['is put back when a host fails and none may', () => new Story(fleet(10)).measure(PASS).answer('kept'), 'reverted'],
    ['may lose a host that the budget allows', () => new Story(fleet(10), { failuresMax: 1 }).measure(PASS).answer('kept'), 'baking canary'],
    ['is put back as asked', () => begun().ask('rollback').answer(), 'reverted'],
    ['keeps its new rules when aborted', () => begun().ask('abort'), 'aborted'],
    ['does not begin while a service fails by itself', () => new Story(fleet(10)).measure(BAD, 100), 'baseline canary'],
    ['is never left where no gate watches', () => new Story(fleet(10), {}, []).measure(PASS).answer().measure(PASS, 10_000), 'baking canary'],
  ]
  test.each(cases)('%s', (_, story, now) => {
    expect(story().now).toBe(now)
  })
})

describe('core hosts', () => {
  const one = (): Story => new Story([host('web'), host('db', { tier: 'core' })]).measure(PASS).answer().measure(PASS, 25)

  test('wait for approval, and say so once', () => {
    const story = one().measure(PASS, 100)
    expect(story.now).toBe('approval core-1')
    expect(story.actions.filter((action) => action.kind === 'tell').map((action) => action.alert.id)).toEqual(['r/approval'])
    expect(story.ask('approve').answer().measure(PASS, 25).now).toBe('completed')
  })

  test('are not approved by promoting a wave', () => {
    expect(one().ask('promote').measure(PASS, 25).now).toBe('approval core-1')
  })
})

test('of one application one host at a time is changed', () => {
  const story = new Story(fleet(40, { app: 'shop' }), { baselineSeconds: 0 }).measure(PASS)
  expect(story.actions.filter((action) => action.kind === 'apply')).toHaveLength(1)
})

test('a wave that is put back alone leaves earlier waves, unless that does not help', () => {
  const second = (): Story => begun({ revertScope: 'wave' }).measure(PASS, 25).measure(PASS).answer()
  expect(second().measure(TRIP).answer().measure(PASS).phases).toEqual(['changed', 'reverted', 'waiting'])
  expect(second().measure(TRIP).answer().measure(BAD, 5).answer().measure(PASS).phases).toEqual(['reverted', 'waiting'])
})

test('a controller that takes over asks every host that something was being done to', () => {
  const story = new Story(fleet(10)).measure(PASS)
  story.actions = []
  story.say({ kind: 'taken', at: 1, by: 'other' })
  expect(story.actions).toEqual([{ kind: 'settle', host: 'h000', attempt: 2 }])
  expect(story.state.hosts.get('h000')?.isContested).toBe(true)
})

test('an answer to an earlier attempt changes nothing', () => {
  const story = new Story(fleet(10)).measure(PASS).say({ kind: 'taken', at: 1, by: 'other' })
  const before = story.state
  expect(story.say({ kind: 'applied', at: 2, host: 'h000', attempt: 1, result: 'changed' }).state.hosts.changedFrom(before.hosts)).toEqual([])
})

test('what it has brought and cost', () => {
  const change = (kind: EndpointChange['kind'], before: readonly string[], after: readonly string[]): EndpointChange => ({ kind, protocol: 'tcp', ports: '1', before, after, needs: [] })
  const changes = [change('closes', ['0.0.0.0/0', '::/0'], []), change('narrows', ['0.0.0.0/0'], ['10.0.0.0/8']), change('stays', ['10.0.0.0/8'], ['10.0.0.0/8'])]
  const hosts = fleet(10).map(({ name }) => ({ host: name, changes }) as unknown as HostPlan)
  const plan = { format: 1, id: 'p', created: 0, policy: 'p', cause: { kind: 'change' }, hosts, unchanged: [], findings: [] } satisfies ChangePlan
  const figures = figuresOf(writeRollout(begun().measure(BAD, 10).measure(PASS).state), plan)
  expect(figures).toMatchObject({
    hosts: { changed: 1, failed: 0, reverted: 0, left: 0, untouched: 9 },
    endpoints: { closed: 1, narrowed: 1, opened: 0 },
    openToAnyone: { before: 20, after: 18 },
    interruptedMs: { shop: 5000 },
  })
  expect(figuresOf(writeRollout(begun().measure(TRIP).answer().state), plan)).toMatchObject({ hosts: { changed: 0, reverted: 1, untouched: 9 }, endpoints: { closed: 0 }, openToAnyone: { before: 20, after: 20 } })
})
