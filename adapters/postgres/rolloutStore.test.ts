import { beginRollout } from '@portcullis/core/rollout/next.ts'
import { ROLLOUT_DEFAULTS } from '@portcullis/core/rollout/rollout.ts'
import type { Lease, NewRolloutEvent, NewRolloutRecord, RolloutEntry, RolloutStore } from '@portcullis/engine/rolloutStore.ts'
import { simRolloutStore } from '@portcullis/sim/rolloutStore.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

describeRolloutStore('in memory', async () => ({ rollouts: simRolloutStore({ now: () => Date.now() }), close: async () => undefined }))

interface Opened {
  readonly rollouts: RolloutStore
  close(): Promise<void>
}

/** What every RolloutStore does, whatever it is made of. One rollout goes on at a time, so each test ends its own. */
export function describeRolloutStore(where: string, open: () => Promise<Opened>): void {
  describe(`rollouts in a store ${where}`, () => {
    let opened: Opened
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened.close())

    const begun = async (id: string): Promise<Lease> => {
      expect(await opened.rollouts.create(recordOf(id))).toBe(true)
      return (await opened.rollouts.claim(id, 'one', LONG_MS)) as Lease
    }
    const end = async (lease: Lease, since: number): Promise<void> => {
      expect(await opened.rollouts.append(lease, entryOf(since, [], { isOver: true }))).toBe(true)
    }

    test('one at a time is going on', async () => {
      const lease = await begun('one-at-a-time')
      expect(await opened.rollouts.create(recordOf('too-many'))).toBe(false)
      expect((await opened.rollouts.active())?.id).toBe('one-at-a-time')
      await end(lease, 0)
      expect(await opened.rollouts.active()).toBeUndefined()
      await end(await begun('after-it'), 0)
      expect((await opened.rollouts.rollouts(2)).map(({ id }) => id)).toEqual(['after-it', 'one-at-a-time'])
    })

    test('a record comes back as it went in, by the start of its id', async () => {
      const lease = await begun('comes-back')
      const { holder, sequence, isOver, ...made } = (await opened.rollouts.rollout('comes-')) ?? {}
      const wayBack = await opened.rollouts.wayBack('comes-back')
      expect([holder, sequence, isOver, { ...made, wayBack }]).toEqual(['one', 0, false, recordOf('comes-back')])
      expect(await opened.rollouts.rollout('comes')).toBeUndefined()
      await end(lease, 0)
    })

    test('events are appended all or none, by whoever knows the newest', async () => {
      const lease = await begun('appended')
      expect(await opened.rollouts.append(lease, entryOf(0, [tick(1), tick(2)]))).toBe(true)
      expect(await opened.rollouts.append(lease, entryOf(0, [tick(3)]))).toBe(false)
      expect(await opened.rollouts.append(lease, entryOf(2, [tick(3)], { snapshot: { ...recordOf('appended').state, watchedMs: 7 } }))).toBe(true)
      expect((await opened.rollouts.events('appended', 1)).map(({ sequence }) => sequence)).toEqual([2, 3])
      const record = await opened.rollouts.rollout('appended')
      expect([record?.sequence, record?.state.watchedMs]).toEqual([3, 7])
      await end(lease, 3)
    })

    test('of two writers at once one wins', async () => {
      const lease = await begun('at-once')
      const won = await Promise.all(Array.from({ length: 8 }, (_, index) => opened.rollouts.append(lease, entryOf(0, [tick(index)]))))
      expect(won.filter(Boolean)).toHaveLength(1)
      await end(lease, 1)
    })

    test('a lease is one controller’s until it runs out, and then the other’s for good', async () => {
      expect(await opened.rollouts.create(recordOf('leased'))).toBe(true)
      const first = (await opened.rollouts.claim('leased', 'one', 80)) as Lease
      expect(await opened.rollouts.holds(first)).toBe(true)
      expect(await opened.rollouts.claim('leased', 'two', LONG_MS)).toBeUndefined()
      await new Promise((resolve) => setTimeout(resolve, 150))
      expect(await opened.rollouts.holds(first)).toBe(false)
      const second = (await opened.rollouts.claim('leased', 'two', LONG_MS)) as Lease
      expect(second.epoch).toBeGreaterThan(first.epoch)
      expect([await opened.rollouts.renew(first, LONG_MS), await opened.rollouts.append(first, entryOf(0, [tick(1)])), await opened.rollouts.holds(second)]).toEqual([false, false, true])
      await opened.rollouts.release(first)
      expect(await opened.rollouts.holds(second)).toBe(true)
      await end(second, 0)
      await opened.rollouts.release(second)
      expect(await opened.rollouts.claim('leased', 'three', LONG_MS)).toBeDefined()
    })

    test('a lease that ends later than one taken now was taken before the clock was set back', async () => {
      const first = await begun('set-back')
      const second = (await opened.rollouts.claim('set-back', 'two', LONG_MS / 2)) as Lease
      expect([await opened.rollouts.holds(first), await opened.rollouts.holds(second)]).toEqual([false, true])
      await end(second, 0)
    })

    test('what people ask for is there until it is taken', async () => {
      const lease = await begun('asked-for')
      await opened.rollouts.ask('asked-for', { command: 'pause', by: 'ann', at: 1 })
      await opened.rollouts.ask('asked-for', { command: 'resume', by: 'bob', at: 2 })
      const asked = await opened.rollouts.asked('asked-for')
      expect(asked.map(({ command, by, at }) => [command, by, at])).toEqual([['pause', 'ann', 1], ['resume', 'bob', 2]])
      await opened.rollouts.append(lease, entryOf(0, [], { takenUpTo: asked[0]?.sequence ?? 0 }))
      expect((await opened.rollouts.asked('asked-for')).map(({ command }) => command)).toEqual(['resume'])
      await end(lease, 0)
    })

    test('approvals of a plan, each time it is said', async () => {
      const said = [{ plan: 'approved-plan', by: 'ann', at: 1 }, { plan: 'approved-plan', by: 'bob', at: 2 }, { plan: 'approved-plan', by: 'ann', at: 3 }]
      for (const approval of [...said, { plan: 'other-plan', by: 'ann', at: 4 }]) await opened.rollouts.approve(approval)
      expect(await opened.rollouts.approvals('approved-plan')).toEqual(said)
    })

    test('samples of a gate come back in order', async () => {
      const lease = await begun('sampled')
      await opened.rollouts.addSamples('sampled', [])
      await opened.rollouts.addSamples('sampled', [{ gate: 'a', at: 1, host: 'h', isGood: true, value: 1.5 }, { gate: 'b', at: 1, isGood: true }])
      await opened.rollouts.addSamples('sampled', [{ gate: 'a', at: 2, isGood: false, because: { en: 'e', zh: '中' } }])
      expect((await opened.rollouts.samples('sampled', 'a', 10)).map(({ at, host, isGood, value, because }) => [at, host, isGood, value, because])).toEqual([[1, 'h', true, 1.5, undefined], [2, undefined, false, undefined, { en: 'e', zh: '中' }]])
      await end(lease, 0)
    })
  })
}

const LONG_MS = 60_000

const tick = (at: number): NewRolloutEvent => ({ kind: 'signal', signal: { kind: 'tick', at } })

const entryOf = (since: number, events: readonly NewRolloutEvent[], more: Partial<RolloutEntry> = {}): RolloutEntry => ({ since, events, isOver: false, ...more })

export function recordOf(id: string): NewRolloutRecord {
  const state = beginRollout({ id, plan: 'plan', options: ROLLOUT_DEFAULTS, gates: [], waves: [{ name: 'canary', kind: 'canary', hosts: ['h'] }], hosts: [{ name: 'h', tier: 'standard', app: 'a', zone: 'z' }] }, 5)
  return { id, created: 5, by: 'ann', plan: 'plan', wayBack: { format: 1, id: 'back', created: 5, policy: 'p', cause: { kind: 'change' }, hosts: [], unchanged: [], findings: [] }, state }
}
