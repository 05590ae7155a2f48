import { succeed } from '@portcullis/core/fault/fault.ts'
import type { FlowObservation } from '@portcullis/core/inventory/observation.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Gate } from '@portcullis/core/rollout/gate.ts'
import { WATCHED_WITHIN_MS, type HostStanding } from '@portcullis/core/rollout/watchRound.ts'
import { simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import { expect, test } from 'vitest'
import type { Gates, GateWindow } from './gates.ts'
import { hostGates } from './hostGates.ts'

const LIVENESS: Gate = { name: 'liveness', measure: { kind: 'liveness' }, isCritical: true, samplesMin: 3 }
const DENIED: Gate = { name: 'denied', measure: { kind: 'denied' }, isCritical: false, samplesMin: 3 }
const NOTHING: Gates = { sample: async () => ({ kind: 'no-data', because: { en: 'none', zh: '无' } }) }
const ROUND_MS = 1_000

/** Two hosts of the present wave, six of earlier ones, twenty that are not changed yet. */
const ROLES: readonly [HostStanding['role'], number][] = [['wave', 2], ['earlier', 6], ['control', 20]]
const NAMES = ROLES.flatMap(([role, count]) => Array.from({ length: count }, (_, index) => `${role}-${index}`))
const standingOf = (host: string): HostStanding => ({ role: host.split('-')[0] as HostStanding['role'], mark: '' })

class Watch {
  readonly world: SimWorld = simWorld(NAMES)
  readonly logins: string[] = []
  readonly hosts = simPolicy(NAMES).hosts
  readonly #gates: Gates

  constructor() {
    const { world } = this
    const connect: SimWorld['hosts']['connect'] = (host) => {
      this.logins.push(host.name)
      return world.hosts.connect(host)
    }
    this.#gates = hostGates({ ...world, hosts: { ...world.hosts, connect } }, NOTHING)
  }

  /** Who was asked, and which of them was bad. */
  async round(gate: Gate = LIVENESS): Promise<{ asked: string[]; bad: string[] }> {
    await this.world.clock.sleep(ROUND_MS)
    const until = this.world.clock.now()
    const window: GateWindow = { since: until - ROUND_MS, until, hosts: this.hosts, standingOf, timeoutMs: 3_000 }
    const reading = await this.#gates.sample(gate, window)
    const samples = reading.kind === 'samples' ? reading.samples : []
    return { asked: samples.map(({ host }) => host ?? ''), bad: samples.filter(({ isGood }) => !isGood).map(({ host }) => host ?? '') }
  }
}

test('liveness asks all at first, then those of the wave and a few of the others in turn', async () => {
  const watch = new Watch()
  expect((await watch.round()).asked).toHaveLength(NAMES.length)
  const asked: string[] = []
  for (let ms = 0; ms < WATCHED_WITHIN_MS; ms += ROUND_MS) {
    watch.logins.length = 0
    asked.push(...(await watch.round()).asked)
    expect(watch.logins.filter((name) => name.startsWith('wave'))).toHaveLength(2)
    expect(watch.logins.length).toBeLessThanOrEqual(2 + 1 + 2)
  }
  expect(new Set(asked)).toEqual(new Set(NAMES))
})

test.each(NAMES.filter((name) => !name.startsWith('control')))('%s dies: seen within the bound, and then in each round until it answers', async (name) => {
  const watch = new Watch()
  await watch.round()
  watch.world.hosts.strike(name, 'connect', 'gone')
  let rounds = 1
  while (!(await watch.round()).bad.includes(name)) rounds += 1
  expect(rounds * ROUND_MS).toBeLessThanOrEqual(WATCHED_WITHIN_MS)
  for (let round = 0; round < 5; round += 1) {
    const { asked, bad } = await watch.round()
    expect(bad).toEqual([name])
    // What it is compared with: the most of them, so that a bad day shows at once.
    expect(asked.filter((one) => one.startsWith('control'))).toHaveLength(10)
  }
})

test('denied is read of hosts that the rollout touches, each time', async () => {
  const watch = new Watch()
  for (let round = 0; round < 2; round += 1) expect((await watch.round(DENIED)).asked.toSorted()).toEqual(NAMES.filter((name) => !name.startsWith('control')).toSorted())
})

test.each<[what: string, waitedMs: number, openingMs: number | undefined, isGood: boolean]>([
  ['a host that waits for our own turn is not slow', 60_000, 200, true],
  ['one that takes long to let us in is', 0, 16_000, false],
  ['where nobody says how long it took, all of the time counts', 16_000, undefined, false],
  ['and a short one is good', 2_000, undefined, true],
])('%s', async (_, waitedMs, openingMs, isGood) => {
  const world = simWorld(['web-1'])
  const connect: SimWorld['hosts']['connect'] = async (host) => {
    await world.clock.sleep(waitedMs)
    const link = await world.hosts.connect(host)
    return link.ok ? { ...link, value: { ...link.value, ...(openingMs === undefined ? {} : { openingMs }) } } : link
  }
  const gates = hostGates({ ...world, hosts: { ...world.hosts, connect } }, NOTHING)
  const reading = await gates.sample(LIVENESS, { since: 0, until: world.clock.now(), hosts: simPolicy(['web-1']).hosts, timeoutMs: 3_000 })
  expect(reading).toMatchObject({ kind: 'samples', samples: [{ isGood }] })
})

/** The controller stands at 10.0.0.9. */
test.each<[what: string, source: string, isGood: boolean]>([
  ['a client that was served and is denied', '10.7.7.7', false],
  ['the controller itself, which knocks to see that what is closed is closed', '10.0.0.9', true],
])('%s', async (_, from, isGood) => {
  const world = simWorld(['web-1'])
  const source = parseAddress(from)
  if (!source.ok) throw new Error(from)
  const flow = (verdict: 'accepted' | 'denied'): FlowObservation => ({ kind: 'flow', host: 'web-1', sensor: 'nft-counters', at: 1, lastSeen: 1, tally: 'running', source: source.value, protocol: 'tcp', port: 8080, connections: 2, bytes: 0, verdict })
  const seen = { ...world, store: { ...world.store, observations: async () => [flow('accepted')] }, facts: { ...world.facts, readCounters: () => succeed([flow('denied')]) } }
  const reading = await hostGates(seen, NOTHING).sample(DENIED, { since: 0, until: 1, hosts: simPolicy(['web-1']).hosts, timeoutMs: 3_000 })
  expect(reading).toMatchObject({ kind: 'samples', samples: [{ isGood }] })
})
