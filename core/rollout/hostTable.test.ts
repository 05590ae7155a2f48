import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HostTable } from './hostTable.ts'
import { beginRollout, next } from './next.ts'
import { ROLLOUT_DEFAULTS, type HostPhase, type HostProgress, type Rollout, type RolloutState, type Signal } from './rollout.ts'
import { readRollout, writeRollout } from './rolloutState.ts'
import type { Wave } from './waves.ts'

const PHASES: readonly HostPhase[] = ['waiting', 'applying', 'settling', 'changed', 'failed', 'reverting', 'reverted', 'left']

interface Fleet {
  readonly hosts: Readonly<Record<string, HostProgress>>
  readonly waves: readonly Wave[]
}

const progress = fc.record({ phase: fc.constantFrom(...PHASES), app: fc.constantFrom('a', 'b', 'c', 'd'), attempt: fc.nat(2), since: fc.nat(9), failures: fc.nat(3), isContested: fc.boolean(), notBefore: fc.option(fc.nat(9), { nil: undefined }) })
  .map(({ notBefore, ...rest }): Omit<HostProgress, 'wave'> => ({ ...rest, ...(notBefore === undefined ? {} : { notBefore }) }))

/** Waves of hosts whose names are in no order. */
const fleets = fc.array(fc.array(progress, { maxLength: 60 }), { maxLength: 4 }).map((waves): Fleet => {
  const named = waves.map((hosts, wave) => hosts.map((host, index) => [`h${(index * 7919 + wave * 31) % 997}-${wave}-${index}`, { ...host, wave }] as const))
  return { hosts: Object.fromEntries(named.flat()), waves: named.map((hosts, wave) => ({ name: `wave-${wave}`, kind: 'standard', hosts: hosts.map(([name]) => name) })) }
})

/** What a search finds, and what going through all hosts finds. */
const SEARCHES: readonly (readonly [what: string, table: (table: HostTable) => unknown, all: (hosts: readonly (readonly [string, HostProgress])[]) => unknown])[] = [
  ['by phase', (table) => table.inPhase(['settling', 'changed']), (hosts) => hosts.filter(([, { phase }]) => phase === 'settling' || phase === 'changed').map(([name]) => name)],
  ['by phase in a wave', (table) => table.inPhase(['waiting'], 1), (hosts) => hosts.filter(([, { phase, wave }]) => phase === 'waiting' && wave === 1).map(([name]) => name)],
  ['whether any is in a phase of a wave', (table) => table.isAnyIn(['left'], 2), (hosts) => hosts.some(([, { phase, wave }]) => phase === 'left' && wave === 2)],
  ['how many failed', (table) => table.failed, (hosts) => hosts.filter(([, { phase }]) => phase === 'failed').length],
  ['how many are busy', (table) => table.busy, (hosts) => hosts.filter(([, { phase }]) => phase === 'applying' || phase === 'settling').length],
  ['applications of which one is busy', (table) => [...table.busyApps()].toSorted(), (hosts) => [...new Set(hosts.filter(([, { phase }]) => phase === 'applying' || phase === 'settling').map(([, { app }]) => app))].toSorted()],
  ['whether any was touched', (table) => table.isTouched, (hosts) => hosts.some(([, { attempt }]) => attempt > 0)],
  ['contested', (table) => table.contested(), (hosts) => hosts.filter(([, { isContested, phase }]) => isContested && (phase === 'waiting' || phase === 'failed')).map(([name]) => name)],
  ['due', (table) => table.due('reverting', 4), (hosts) => hosts.filter(([, { phase, notBefore }]) => phase === 'reverting' && notBefore !== undefined && notBefore <= 4).map(([name]) => name)],
  ['when something is due', (table) => table.dueAt, (hosts) => Math.min(...hosts.map(([, { notBefore = Infinity }]) => notBefore))],
  ['whose turn it is', (table) => table.firstWaiting(1, new Set(['a', 'c']), 4), (hosts) => hosts.find(([, { phase, wave, app, notBefore = 0 }]) => phase === 'waiting' && wave === 1 && app !== 'a' && app !== 'c' && notBefore <= 4)?.[0]],
]

describe('a search finds what going through all hosts finds', () => {
  test.each(SEARCHES)('%s', (_, ofTable, ofAll) => {
    fc.assert(fc.property(fleets, fc.array(fc.tuple(fc.nat(240), progress), { maxLength: 12 }), ({ hosts, waves }, changes) => {
      let [table, all] = [HostTable.of(hosts, waves), Object.entries(hosts)]
      for (const [pick, to] of changes) {
        const [name, host] = all[pick % Math.max(1, all.length)] ?? []
        if (name === undefined || !host) continue
        // Wave and application of a host stay what they are.
        const changed = { ...to, wave: host.wave, app: host.app }
        table = table.with([name], () => changed)
        all = all.map(([other, known]) => [other, other === name ? changed : known])
      }
      expect(ofTable(table)).toEqual(ofAll(all))
    }))
  })
})

test('what differs from the table that it was made of is what was replaced, and that one is as it was', () => {
  fc.assert(fc.property(fleets, fc.array(fc.nat(240), { maxLength: 5 }), ({ hosts, waves }, picks) => {
    const before = HostTable.of(hosts, waves)
    const names = new Set(before.names.length === 0 ? [] : picks.map((pick) => before.names[pick % before.names.length] ?? ''))
    const after = before.with([...names], (host) => ({ ...host, since: host.since + 1 }))
    expect(new Set(after.changedFrom(before))).toEqual(names)
    expect(before.names.map((name) => before.get(name))).toEqual(before.names.map((name) => hosts[name]))
  }))
})

test('what is written is what was read', () => {
  fc.assert(fc.property(fleets, (fleet) => {
    const state = { ...fleet, id: 'r' } as unknown as RolloutState
    expect(JSON.stringify(writeRollout(readRollout(state)))).toBe(JSON.stringify(state))
  }))
})

/** A fleet whose hosts count how many of them are looked at. */
function counted(hosts: number, apps: number): { readonly rollout: Rollout; readonly looks: () => number } {
  const seen = new Set<string>()
  const fleet = Array.from({ length: hosts }, (_, index) => ({ name: `h${index}`, tier: 'standard' as const, app: `app-${index % apps}`, zone: '' }))
  const waves: Wave[] = [{ name: 'all', kind: 'canary', hosts: fleet.map(({ name }) => name) }]
  const state = beginRollout({ id: 'r', plan: 'p', options: { ...ROLLOUT_DEFAULTS, baselineSeconds: 0, concurrencyMax: 8 }, gates: [], waves, hosts: fleet }, 0)
  const spies = Object.entries(state.hosts).map(([name, host]) => [name, new Proxy(host, { get: (target, key) => (seen.add(name), Reflect.get(target, key)) })] as const)
  const rollout = readRollout({ ...state, hosts: Object.fromEntries(spies) })
  return {
    rollout,
    looks: () => {
      const { size } = seen
      seen.clear()
      return size
    },
  }
}

/** As many as are begun at a time; each of them may be looked at, and as many that might come next. */
const LOOKS_MAX = 16

test.each([[3_000, 3_000], [3_000, 20], [3_000, 1]])('a signal looks at few of %i hosts of %i applications', (hosts, apps) => {
  const { rollout, looks } = counted(hosts, apps)
  let { state, actions } = next(rollout, { kind: 'measured', at: 1, gates: [] })
  looks()
  const most = { looks: 0 }
  for (let at = 2; actions.length > 0; at++) {
    const answers = actions.flatMap((action): Signal[] => (action.kind === 'apply' ? [{ kind: 'applied', at, host: action.host, attempt: action.attempt, result: 'changed' }] : []))
    const steps = answers.map((answer) => {
      const step = next(state, answer)
      state = step.state
      most.looks = Math.max(most.looks, looks())
      return step
    })
    actions = steps.flatMap((step) => step.actions)
  }
  expect(state.phase).toBe('baking')
  expect(most.looks).toBeLessThanOrEqual(LOOKS_MAX)
})
