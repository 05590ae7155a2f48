import { describe, expect, test } from 'vitest'
import { NO_FLOWS_ENDED, type FlowsEnded } from '../plan/flowEnds.ts'
import type { HostEndings, HostPlan } from '../plan/plan.ts'
import { heldBy } from './promotion.ts'
import { beginRollout, next } from './next.ts'
import { nextDue } from './progress.ts'
import { ROLLOUT_DEFAULTS, type Action, type Rollout, type Signal } from './rollout.ts'
import { readRollout, writeRollout } from './rolloutState.ts'
import { planWaves } from './waves.ts'

const NAMES = ['a', 'b']
const WARN_SECONDS = 60
const ENDED: FlowsEnded = { ...NO_FLOWS_ENDED, before: 3, cut: 3 }

/** Two hosts, a canary and another; every gate passes; time in seconds. Each apply is answered at once. */
class Story {
  state: Rollout
  cuts: Extract<Action, { kind: 'cut' }>[] = []

  constructor(otherwise: HostEndings['otherwise'], granted: HostEndings['granted'] = []) {
    const hosts = NAMES.map((name) => ({ name, tier: 'standard' as const, app: name, zone: '' }))
    const flows = [{ isLive: true, source: '10.1.1.1', protocol: 'tcp', port: 443, end: 'warn-then-cut' }]
    const changes = NAMES.map((host) => ({ host, flows, endings: { otherwise, warnSeconds: WARN_SECONDS, granted } }) as unknown as HostPlan)
    const options = { ...ROLLOUT_DEFAULTS, baselineSeconds: 0, bakeSecondsMin: 10, attemptsMax: 2 }
    this.state = readRollout(beginRollout({ id: 'r', plan: 'p', options, gates: [{ name: 'shop', measure: { kind: 'liveness' }, isCritical: false, samplesMin: 1 }], waves: planWaves(hosts, { canaryShare: 0.5, growth: 1 }), hosts, changes }, 0))
  }

  say(signal: Signal): this {
    const { state, actions } = next(this.state, signal)
    this.state = state
    for (const action of actions) {
      if (action.kind === 'apply') this.say({ kind: 'applied', at: signal.at, host: action.host, attempt: action.attempt, result: 'changed' })
      if (action.kind === 'putBack') this.say({ kind: 'putBack', at: signal.at, host: action.host, attempt: action.attempt, result: 'reverted' })
      if (action.kind === 'cut') this.cuts.push(action)
    }
    return this
  }

  watch(from: number, until: number): this {
    for (let second = from; second <= until; second += 1) this.say({ kind: 'measured', at: second * 1000, gates: [{ gate: 'shop', verdict: { kind: 'pass', because: [{ en: '', zh: '' }] }, isGood: true }] })
    return this
  }

  answer(second: number, ended?: FlowsEnded): this {
    const cut = this.cuts.shift()
    if (!cut) throw new Error('nothing is being cut')
    return this.say({ kind: 'cut', at: second * 1000, host: cut.host, attempt: cut.attempt, ...(ended ? { ended } : { fault: { code: 'HOST_UNREACHABLE', what: { en: 'away', zh: '离线' } } }) })
  }

  get told(): string {
    const { phase, wave, hosts } = this.state
    return `${phase} ${wave} ${NAMES.map((name) => hosts.get(name)?.cut?.steps.join('+') || '-').join(' ')}`
  }
}

describe('cutting within a rollout', () => {
  test('at once: the wave is left only when it is done, and has baked with it', () => {
    const story = new Story('cut-now').watch(0, 5)
    expect(story.cuts).toMatchObject([{ host: 'a', step: 'now' }])
    story.watch(6, 30)
    expect([story.told, heldBy(story.state, 30_000).map(({ en }) => en)]).toEqual(['baking 0 now now', ['flows of 1 host are still to be cut']])
    story.answer(31, ENDED).watch(32, 39)
    expect(story.told).toBe('baking 0 - now')
    story.watch(40, 45).answer(46, ENDED).watch(47, 60)
    expect([story.told, story.state.outcome]).toEqual(['ended 1 - -', 'completed'])
    expect(story.state.hosts.get('a')?.cut?.ended).toEqual(ENDED)
  })

  test('after a warning: it is told before, and cut when its time is over', () => {
    const story = new Story('warn-then-cut').watch(0, WARN_SECONDS - 1)
    expect(Object.values(story.state.alerts).map(({ alert }) => [alert.id, alert.lines[0]?.en])).toEqual([['r/warned/0', 'a: cut 60 s after its new rules: 10.1.1.1 → tcp/443']])
    expect([story.cuts, nextDue(story.state)]).toEqual([[], WARN_SECONDS * 1000])
    story.watch(WARN_SECONDS, WARN_SECONDS)
    expect(story.cuts).toMatchObject([{ host: 'a', step: 'warned' }])
  })

  test('what does not answer is tried again, and then told to be unknown', () => {
    const story = new Story('cut-now').watch(0, 1).answer(1).watch(2, 5)
    expect(story.cuts).toMatchObject([{ host: 'a', attempt: 2 }])
    story.answer(5)
    expect([story.told, story.state.hosts.get('a')?.cut?.ended.left, Object.keys(story.state.alerts)]).toEqual(['baking 0 - now', undefined, ['r/uncut/a']])
  })

  test('flows that are left are told', () => {
    const story = new Story('cut-now').watch(0, 1).answer(1, { ...ENDED, left: 2 })
    expect(Object.values(story.state.alerts)[0]?.alert.title.en).toBe('a: 2 flows that are no longer let in go on')
  })

  test('the next controller cuts again what one that is gone had begun', () => {
    const story = new Story('cut-now').watch(0, 1)
    story.say({ kind: 'taken', at: 2000, by: 'next' })
    expect(story.cuts.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(story.answer(3, ENDED).told).toBe('baking 0 now now')
    expect(story.answer(4, ENDED).told).toBe('baking 0 - now')
  })

  test.each([['rollback', 'reverted'], ['abort', 'aborted']] as const)('nothing more is cut after %s', (command, outcome) => {
    const story = new Story('warn-then-cut').watch(0, 5)
    story.say({ kind: 'asked', at: 6000, by: 'ann', command }).watch(7, 200)
    expect([story.cuts, story.state.outcome]).toEqual([[], outcome])
  })

  test('a rollout that is paused cuts nothing until it goes on', () => {
    const story = new Story('warn-then-cut').watch(0, 5)
    story.say({ kind: 'asked', at: 6000, by: 'ann', command: 'pause' }).watch(7, 100)
    expect(story.cuts).toEqual([])
    expect(story.say({ kind: 'asked', at: 101_000, by: 'ann', command: 'resume' }).cuts).toMatchObject([{ host: 'a' }])
  })

  test('where everything drains there is nothing to do', () => {
    expect(writeRollout(new Story('drain').watch(0, 60).state)).toMatchObject({ outcome: 'completed', hosts: { a: { phase: 'changed' } } })
  })
})
