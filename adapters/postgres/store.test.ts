import { FaultError } from '@portcullis/core/fault/fault.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { recordedUsageOf, type RecordedUsage, type UsageSpan } from '@portcullis/core/inventory/usageDays.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { ConfirmedGeneration, NewJournalEntry, Store } from '@portcullis/engine/store.ts'
import { simStore } from '@portcullis/sim/store.ts'
import { addressOf, atHour } from '@portcullis/sim/usageWorld.ts'
import { FIRST_DAY, allOf, inOneOrder, watchedHost } from '@portcullis/sim/watchedHost.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

describeStore('in memory', async () => simStore())

/** What every Store does, whatever it is made of. Each test uses hosts and runs of its own, so that one store serves all. */
export function describeStore(where: string, open: () => Promise<Store>): void {
  describe(`a store ${where}`, () => {
    let store: Store
    beforeAll(async () => {
      store = await open()
    })
    afterAll(async () => {
      await store.close()
    })

    describe('observations', () => {
      test('come back as they went in, of every kind', async () => {
        const given = observationsOf('every-kind')
        await store.addObservations(given)
        expect(await store.observations({ host: 'every-kind' })).toEqual(given)
      })

      test('oldest first, those of one time in the order of adding', async () => {
        const at = (time: number, lost: number): Observation => ({ kind: 'evidence', host: 'order', sensor: 's', at: time, lost, because: 'b' })
        await store.addObservations([at(3, 0), at(1, 1), at(2, 2)])
        await store.addObservations([at(2, 3), at(1, 4)])
        expect((await store.observations({ host: 'order' })).map((each) => `${each.at}:${each.kind === 'evidence' ? each.lost : ''}`)).toEqual(['1:1', '1:4', '2:2', '2:3', '3:0'])
      })

      test('are chosen by host, kind, sensor and time together', async () => {
        await store.addObservations(observationsOf('chosen'))
        await store.addObservations(observationsOf('not-chosen'))
        const kinds = async (filter: object): Promise<string[]> => (await store.observations({ host: 'chosen', ...filter })).map((each) => each.kind)
        expect(await kinds({ kinds: ['flow', 'scan'] })).toEqual(['flow', 'flow', 'scan'])
        expect(await kinds({ sensors: ['nmap'] })).toEqual(['scan', 'scan-rest'])
        expect(await kinds({ kinds: ['flow'], sensors: ['nmap'] })).toEqual([])
        expect(await kinds({ kinds: [] })).toEqual([])
        expect(await kinds({ since: 1006 })).toEqual(['reading', 'evidence'])
      })

      test('none are added without harm, and many at once', async () => {
        await store.addObservations([])
        const many = Array.from({ length: 25_000 }, (_, index): Observation => ({ kind: 'evidence', host: 'many', sensor: 's', at: index, lost: index, because: 'b' }))
        await store.addObservations(many)
        expect(await store.observations({ host: 'many', since: 24_999 })).toEqual(many.slice(-1))
      })

      test('of a stream, all are added or none', async () => {
        const each = (lost: number): Observation => ({ kind: 'evidence', host: 'stream', sensor: 's', at: lost, lost, because: 'b' })
        async function* stream(isBroken: boolean): AsyncGenerator<Observation[]> {
          yield [each(1), each(2)]
          if (isBroken) throw new FaultError({ code: 'BROKEN', what: { en: 'broken', zh: '损坏' } })
          yield [each(3)]
        }
        await expect(store.addObservations(stream(true))).rejects.toThrow('BROKEN')
        expect(await store.observations({ host: 'stream' })).toEqual([])
        await store.addObservations(stream(false))
        expect(await store.observations({ host: 'stream' })).toEqual([each(1), each(2), each(3)])
      })

      test('hold whatever a host says', async () => {
        const strange: Observation = { kind: 'evidence', host: 'strange', sensor: "a'b\"c\\d", at: 1, lost: 1, because: 'nul \u0000, quote \', {"json": [1]}, 端口, \u{1F512}' }
        await store.addObservations([strange])
        expect(await store.observations({ host: 'strange' })).toEqual([strange])
      })
    })

    describe('use', () => {
      test.each([1, 2, 3, 4])('recorded reading by reading is what all readings together tell: seed %i', async (seed) => {
        const host = `use-${seed}`
        const observations = watchedHost(host, seed)
        for (const reading of Map.groupBy(observations, ({ at }) => at).values()) await store.addObservations(reading)
        for (const utcOffsetMinutes of [0, 330, -480]) {
          for (const since of [0, atHour(FIRST_DAY + 12, 7)]) {
            const span = { since, utcOffsetMinutes }
            expect(inOneOrder(await read([host], span))).toEqual(inOneOrder([recordedUsageOf(host, observations, span)]))
          }
        }
      })

      test('of a stream adds up with what was there, day by day', async () => {
        const flow = (connections: number, hour: number): Observation => ({ kind: 'flow', host: 'use-log', sensor: 'zeek', at: atHour(FIRST_DAY, hour), source: addressOf('10.0.0.9'), protocol: 'tcp', port: 443, connections, tally: 'events', firstSeen: atHour(FIRST_DAY, hour - 2), lastSeen: atHour(FIRST_DAY, hour), verdict: 'accepted', service: 'tls' })
        async function* log(...batches: readonly Observation[][]): AsyncGenerator<Observation[]> {
          yield* batches
        }
        await store.addObservations([flow(1, 5)])
        await store.addObservations(log([flow(2, 6), flow(3, 20)], [flow(4, 25)]))
        const [usage] = await read(['use-log'], { since: 0, utcOffsetMinutes: 0 })
        expect(usage?.uses.map(({ connections, days }) => [connections, days.toSorted((a, b) => a - b)])).toEqual([[10, [FIRST_DAY, FIRST_DAY + 1]]])
        expect(usage?.claims).toEqual([flow(4, 25)])
      })

      test('of a stream that breaks is not kept', async () => {
        async function* broken(): AsyncGenerator<Observation[]> {
          yield watchedHost('use-broken', 1)
          throw new FaultError({ code: 'BROKEN', what: { en: 'broken', zh: '损坏' } })
        }
        await expect(store.addObservations(broken())).rejects.toThrow('BROKEN')
        expect(await read(['use-broken'], { since: 0, utcOffsetMinutes: 0 })).toEqual([{ host: 'use-broken', claims: [], watches: [], uses: [] }])
      })

      test('comes in the order that was asked for, also of hosts that nobody knows', async () => {
        await store.addObservations(watchedHost('use-order', 5))
        const hosts = [...Array.from({ length: 450 }, (_, index) => `nobody-${index}`), 'use-order', 'nobody']
        expect((await read(hosts, { since: 0, utcOffsetMinutes: 0 })).map(({ host, uses }) => `${host} ${uses.length > 0}`)).toEqual(hosts.map((host) => `${host} ${host === 'use-order'}`))
      })

      const read = (hosts: readonly string[], span: UsageSpan): Promise<RecordedUsage[]> => allOf(store.usage(hosts, span))
    })

    describe('facts', () => {
      test('the newest by time, and of one time the last saved', async () => {
        const save = (at: number, text: string): Promise<void> => store.saveFacts({ host: 'facts', at, durationMs: 1.5, text })
        await save(5, 'old')
        await save(9, 'new')
        await save(7, 'between')
        expect(await store.latestFacts('facts')).toEqual({ host: 'facts', at: 9, durationMs: 1.5, text: 'new' })
        await save(9, 'newer')
        expect((await store.latestFacts('facts'))?.text).toBe('newer')
        expect(await store.latestFacts('unknown')).toBeUndefined()
      })

      test('large ones, word for word', async () => {
        const text = '@section a\u0000 端口\n'.repeat(400_000)
        await store.saveFacts({ host: 'large', at: 1, durationMs: 1, text })
        expect((await store.latestFacts('large'))?.text === text).toBe(true)
      })
    })

    test('a policy keeps the time at which it was first seen', async () => {
      await store.savePolicy({ digest: 'd1', file: 'portcullis.yaml', text: 'hosts: []\n', seenAt: 5 })
      await store.savePolicy({ digest: 'd1', file: 'other.yaml', text: 'hosts: []\n', seenAt: 9 })
      expect(await store.policy('d1')).toEqual({ digest: 'd1', file: 'portcullis.yaml', text: 'hosts: []\n', seenAt: 5 })
      expect(await store.policy('d2')).toBeUndefined()
    })

    describe('plans', () => {
      test('are found by id or by an unambiguous start of 6 characters', async () => {
        const [one, two] = [planOf('abcdef11', 1), planOf('abcdef22', 2)]
        await store.savePlan(one)
        await store.savePlan(two)
        expect(await store.plan('abcdef11')).toEqual(one)
        expect(await store.plan('abcdef2')).toEqual(two)
        expect(await store.plan('abcdef')).toBeUndefined()
        expect(await store.plan('abcde')).toBeUndefined()
        expect(await store.plan('%bcdef22')).toBeUndefined()
        expect(await store.plan('abcdef3')).toBeUndefined()
      })

      test('the same id again changes nothing', async () => {
        await store.savePlan(planOf('same-id', 3))
        await store.savePlan({ ...planOf('same-id', 3), policy: 'other' })
        expect((await store.plan('same-id'))?.policy).toBe('policy')
      })

      test('newest first by time, then by order of saving', async () => {
        for (const [id, created] of [['plans-a', 1000], ['plans-b', 1002], ['plans-c', 1001], ['plans-d', 1002]] as const) await store.savePlan(planOf(id, created))
        expect((await store.plans(3)).map((plan) => plan.id)).toEqual(['plans-d', 'plans-b', 'plans-c'])
        expect(await store.plans(0)).toEqual([])
      })
    })

    describe('generations', () => {
      test('only grow', async () => {
        expect(await store.addGeneration(generationOf('grows', 3))).toBe(true)
        expect(await store.addGeneration(generationOf('grows', 3))).toBe(false)
        expect(await store.addGeneration(generationOf('grows', 2))).toBe(false)
        expect(await store.addGeneration(generationOf('grows', 7))).toBe(true)
        expect(await store.generations('grows', 9)).toEqual([generationOf('grows', 7), generationOf('grows', 3)])
        expect((await store.generations('grows', 1)).map((one) => one.generation)).toEqual([7])
        expect(await store.generations('unknown', 9)).toEqual([])
      })

      test('of two at once one wins', async () => {
        const won = await Promise.all(Array.from({ length: 8 }, () => store.addGeneration(generationOf('race', 1))))
        expect(won.filter(Boolean)).toHaveLength(1)
        await Promise.all([5, 4, 6, 3].map((generation) => store.addGeneration(generationOf('race', generation))))
        const kept = (await store.generations('race', 9)).map((one) => one.generation)
        expect(kept[0]).toBe(6)
        expect(kept).toEqual(kept.toSorted((a, b) => b - a))
      })

      test('the newest of every host, by name', async () => {
        for (const [host, generation] of [['zz-b', 1], ['zz-a', 2], ['zz-B', 1], ['zz-a', 3]] as const) await store.addGeneration(generationOf(host, generation))
        const latest = (await store.latestGenerations()).filter(({ host }) => host.startsWith('zz-'))
        expect(latest.map(({ host, generation }) => `${host} ${generation}`)).toEqual(['zz-B 1', 'zz-a 3', 'zz-b 1'])
      })
    })

    describe('journal', () => {
      const entry = (run: string, name: string, more: Partial<NewJournalEntry> = {}): NewJournalEntry => ({ run, at: 1, kind: 'action', name, ...more })

      test('entries come back as they went in, numbered in order', async () => {
        const full = entry('full', 'stage', { host: 'h', plan: 'p', generation: 4, detail: { port: 22, isOk: true, because: 'b' }, fault: { code: 'X', what: { en: 'e', zh: '中' } } })
        const first = await store.appendJournal(full)
        const second = await store.appendJournal(entry('full', 'arm'))
        expect(first).toEqual({ ...full, sequence: first.sequence })
        expect(second.sequence).toBeGreaterThan(first.sequence)
        expect(await store.journal({ run: 'full' })).toEqual([first, second])
      })

      test('is chosen by run, plan and host together; the newest so many, oldest first', async () => {
        for (const [index, host] of ['a', 'b', 'a', 'a'].entries()) await store.appendJournal(entry('chosen', `step-${index}`, { host, plan: 'chosen-plan' }))
        const names = async (filter: object): Promise<string[]> => (await store.journal(filter)).map((each) => each.name)
        expect(await names({ plan: 'chosen-plan' })).toEqual(['step-0', 'step-1', 'step-2', 'step-3'])
        expect(await names({ run: 'chosen', host: 'a' })).toEqual(['step-0', 'step-2', 'step-3'])
        expect(await names({ run: 'chosen', host: 'a', limit: 2 })).toEqual(['step-2', 'step-3'])
        expect(await names({ run: 'other', host: 'a' })).toEqual([])
      })

      test('entries written at once each have their own number', async () => {
        const written = await Promise.all(Array.from({ length: 20 }, (_, index) => store.appendJournal(entry('at-once', `n${index}`))))
        expect(new Set(written.map(({ sequence }) => sequence)).size).toBe(20)
        expect((await store.journal({ run: 'at-once' })).map(({ sequence }) => sequence)).toEqual(written.map(({ sequence }) => sequence).toSorted((a, b) => a - b))
      })
    })
  })
}

function observationsOf(host: string): Observation[] {
  const v4 = { family: 4, value: 0xc0000201n } as const
  const v6 = { family: 6, value: 0x20010db8n << 96n } as const
  const endpoint = { protocol: 'tcp', port: 443 } as const
  return [
    { kind: 'listener', host, sensor: 'ss', at: 1001, address: v6, ...endpoint, process: 'nginx', unit: 'nginx.service', activatedBy: 'nginx.socket', user: 'root', interface: 'eth0', isLoopback: false, isEphemeral: true },
    { kind: 'flow', host, sensor: 'nft-counters', at: 1002, source: v4, ...endpoint, connections: 2 ** 40, bytes: Number.MAX_SAFE_INTEGER, tally: 'running', firstSeen: 1, lastSeen: 2, verdict: 'denied', isLetThrough: true },
    { kind: 'flow', host, sensor: 'conntrack', at: 1003, source: v6, ...endpoint, connections: 1, tally: 'snapshot', isAnswered: false, lastSeen: 2, verdict: 'accepted' },
    { kind: 'scan', host, sensor: 'nmap', at: 1004, address: v4, ...endpoint, state: 'open|filtered', from: 'office', service: 'nginx 1.22' },
    { kind: 'scan-rest', host, sensor: 'nmap', at: 1004, address: v6, protocol: 'tcp', ports: [{ first: 1, last: 442 }, { first: 444, last: 444 }], state: 'filtered', from: 'office' },
    { kind: 'published', host, sensor: 'nft', at: 1005, protocol: 'udp', ports: { first: 1, last: 9 }, address: { family: 4, value: 0n }, target: '172.17.0.2:80' },
    { kind: 'documented', host, sensor: 'netbox', at: 1005, protocol: 'tcp', ports: { first: 1, last: 9 }, name: 'sql', address: v4 },
    { kind: 'reading', host, sensor: 'ss', at: 1006, covers: 'listeners' },
    { kind: 'evidence', host, sensor: 'nft-counters', at: 1007, lost: 4, because: 'full', endpoint },
  ]
}

const planOf = (id: string, created: number): ChangePlan => ({ format: 1, id, created, policy: 'policy', cause: { kind: 'change' }, hosts: [], unchanged: ['b', 'a'], findings: [] })

const generationOf = (host: string, generation: number): ConfirmedGeneration => ({
  host,
  generation,
  rulesetDigest: 'r',
  plan: 'p',
  intent: { host, generation, mode: 'enforce', refusal: 'drop', ping: true, management: [{ protocol: 'tcp', ports: '22', from: '10.0.0.0/8', needs: [] }], grants: [] },
  confirmedAt: 12,
})
