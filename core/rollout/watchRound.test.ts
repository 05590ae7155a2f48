import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WATCHED_WITHIN_MS, watchRound, type Heard, type HostStanding, type WatchedHost } from './watchRound.ts'

const heard = (round: number, isGood = true, mark = ''): Heard => ({ round, isGood, mark })
const host = (name: string, role: HostStanding['role'], last?: Heard, mark = ''): WatchedHost => ({ name, standing: { role, mark }, ...(last ? { heard: last } : {}) })
const many = (count: number, role: HostStanding['role'], last?: Heard): WatchedHost[] => Array.from({ length: count }, (_, index) => host(`${role}-${index}`, role, last))

const QUICK_MS = 250
const cases: readonly [what: string, hosts: readonly WatchedHost[], sinceLastMs: number, asked: readonly string[]][] = [
  ['all, of whom nothing is known', [...many(1, 'wave'), ...many(2, 'control')], QUICK_MS, ['control-0', 'control-1', 'wave-0']],
  ['a small wave each time, one of the others in turn', [host('w', 'wave', heard(9)), host('e1', 'earlier', heard(8)), host('e2', 'earlier', heard(7)), host('c1', 'control', heard(5)), host('c2', 'control', heard(6))], QUICK_MS, ['c1', 'e2', 'w']],
  ['a silent host again, beside the one whose turn it is', [host('w', 'wave', heard(9)), host('e1', 'earlier', heard(9, false)), host('e2', 'earlier', heard(7))], QUICK_MS, ['e1', 'e2', 'w']],
  ['a host to which something was done', [host('e1', 'earlier', heard(9), 'put back'), host('e2', 'earlier', heard(7))], QUICK_MS, ['e1', 'e2']],
  ['all that are unchanged, once one that was touched is silent', [host('w', 'wave', heard(9, false)), ...many(10, 'control', heard(3))], QUICK_MS, [...many(10, 'control').map(({ name }) => name), 'w']],
  ['not for one that was silent by itself', [host('w', 'wave', heard(9)), host('c1', 'control', heard(9, false)), host('c2', 'control', heard(8)), host('c3', 'control', heard(8))], QUICK_MS, ['c1', 'c2', 'w']],
  ['as many as the time asks for', many(6, 'earlier', heard(1)), WATCHED_WITHIN_MS / 2, ['earlier-0', 'earlier-1', 'earlier-2']],
  ['all, after a long time', many(6, 'earlier', heard(1)), WATCHED_WITHIN_MS * 3, many(6, 'earlier').map(({ name }) => name)],
  ['a turn, though the clock was set back', [host('e1', 'earlier', heard(2)), host('e2', 'earlier', heard(1))], -60_000, ['e2']],
]

test.each(cases)('a round asks %s', (_, hosts, sinceLastMs, asked) => {
  expect(watchRound(hosts, sinceLastMs)).toEqual(asked)
})

test('a large wave: sixteen at least, those that wait longest', () => {
  const wave = many(100, 'wave').map(({ name }, index) => host(name, 'wave', heard(index < 90 ? 5 : 4)))
  expect(watchRound(wave, QUICK_MS)).toHaveLength(16)
  expect(watchRound(wave, QUICK_MS)).toEqual(expect.arrayContaining(wave.slice(90).map(({ name }) => name)))
})

test('law: whatever the fleet and the pace, nobody waits for longer than the bound and a round', () => {
  const pace = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 20, maxLength: 60 })
  const fleet = fc.record({ wave: fc.integer({ min: 0, max: 80 }), earlier: fc.integer({ min: 0, max: 80 }), control: fc.integer({ min: 0, max: 80 }), silent: fc.integer({ min: 0, max: 3 }) })
  fc.assert(
    fc.property(pace, fleet, (pauses, { wave, earlier, control, silent }) => {
      const names = [...many(wave, 'wave'), ...many(earlier, 'earlier'), ...many(control, 'control')]
      const last = new Map<string, Heard>()
      const askedAt = new Map(names.map(({ name }) => [name, 0]))
      let [now, lateMs] = [0, 0]
      for (const [round, pause] of pauses.entries()) {
        now += pause
        const hosts = names.map(({ name, standing }) => host(name, standing.role, last.get(name)))
        for (const name of watchRound(hosts, pause)) {
          last.set(name, heard(round + 1, !name.endsWith(`-${silent}`)))
          askedAt.set(name, now)
        }
        lateMs = Math.max(lateMs, ...Array.from(askedAt.values(), (at) => now - at - pause))
      }
      return lateMs < WATCHED_WITHIN_MS
    }),
  )
})
