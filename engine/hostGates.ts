import type { Result } from '@portcullis/core/fault/fault.ts'
import type { FlowObservation } from '@portcullis/core/inventory/observation.ts'
import { sameAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { Gate, GateReading, GateSample } from '@portcullis/core/rollout/gate.ts'
import { deniedSample, deniedServed } from '@portcullis/core/rollout/judgement/deniedServed.ts'
import { watchRound, type Heard, type HostStanding, type WatchedHost } from '@portcullis/core/rollout/watchRound.ts'
import { fanOut } from './fanOut.ts'
import type { Gates, GateWindow } from './gates.ts'
import type { HostSession } from './hostSession.ts'
import { ownAddress } from './ownAddress.ts'
import type { Cancellation, HostLink } from './ports.ts'
import { overLink, reachHost } from './reachHost.ts'
import type { World } from './world.ts'

const HOSTS_AT_ONCE = 64
const FLOWS_REMEMBERED_MS = 62 * 24 * 3600 * 1000

/** Gates that ask the hosts themselves: whether they still let the controller in, and whom they deny. All others are handed on. */
export function hostGates(world: World, others: Gates): Gates {
  const flowsBefore = new Map<string, readonly FlowObservation[]>()
  const remembered = async (host: Host, since: number): Promise<readonly FlowObservation[]> => {
    const known = flowsBefore.get(host.name)
    if (known) return known
    const seen = await world.store.observations({ host: host.name, kinds: ['flow'], since: since - FLOWS_REMEMBERED_MS })
    // Before and after each change we knock at its ports ourselves: that one of them lets us in no longer is what was wanted.
    const own = await Promise.all(host.addresses.map((address) => ownAddress(world, address)))
    const isOwn = ({ source }: FlowObservation): boolean => own.some((address) => address !== undefined && sameAddress(address, source))
    const flows = seen.filter((one) => one.kind === 'flow').filter((flow) => !isOwn(flow))
    flowsBefore.set(host.name, flows)
    return flows
  }
  const watch = watchLiveness(world)
  return {
    sample: async (gate: Gate, window, signal) => {
      if (gate.measure.kind === 'liveness') return readingOf(await watch(window, signal))
      if (gate.measure.kind !== 'denied') return others.sample(gate, window, signal)
      return readingOf(await fanOut(touchedOf(window), HOSTS_AT_ONCE, async (host) => denied(world, host, (await remembered(host, window.since)).filter((flow) => window.isMeant?.(flow) !== true)), signal))
    },
  }
}

/** What others deny says nothing about a change: it is compared with what the same host served before. */
const touchedOf = ({ hosts, standingOf = inWave }: GateWindow): readonly Host[] => hosts.filter(({ name }) => standingOf(name).role !== 'control')

const inWave = (): HostStanding => ({ role: 'wave', mark: '' })

/** Remembers whom it asked when. Whoever takes a rollout over remembers nothing, and begins by asking all. */
function watchLiveness(world: World): (window: GateWindow, signal?: Cancellation) => Promise<readonly GateSample[]> {
  const heard = new Map<string, Heard>()
  let round = 0
  let lastAt = Number.NEGATIVE_INFINITY
  return async ({ hosts, until, timeoutMs, standingOf = inWave }, signal) => {
    round += 1
    const now = round
    const sinceLastMs = until - lastAt
    lastAt = until
    const byName = new Map(hosts.map((host) => [host.name, host]))
    const watched = hosts.map(({ name }): WatchedHost => {
      const last = heard.get(name)
      return { name, standing: standingOf(name), ...(last ? { heard: last } : {}) }
    })
    const asked = watchRound(watched, sinceLastMs).flatMap((name) => byName.get(name) ?? [])
    return fanOut(asked, HOSTS_AT_ONCE, async (host) => {
      const { mark } = standingOf(host.name)
      const sample = await liveness(world, host, timeoutMs)
      heard.set(host.name, { round: now, isGood: sample.isGood, mark })
      return sample
    }, signal)
  }
}

const readingOf = (samples: readonly (GateSample | undefined)[]): GateReading => ({ kind: 'samples', samples: samples.filter((sample) => sample !== undefined) })

/**
 * A new handshake each time, because it is new connections that a gate refuses; and a whole login, because whatever guards
 * an sshd takes a connection that ends before it for the beginning of an attack, and would shut the controller out.
 */
async function liveness(world: World, host: Host, timeoutMs: number): Promise<GateSample> {
  const at = world.clock.now()
  const openingMs = await opening(world, host)
  const isIn = openingMs !== undefined
  const because = isIn ? {} : { because: { en: 'the controller does not get in', zh: '控制端无法登录' } }
  return { at, host: host.name, isGood: isIn && openingMs <= timeoutMs * LIVENESS_PATIENCE, ...because }
}

/** A link is open when the script at its other end has said what it is; nothing more has to be asked. Waiting for our own turn says nothing of the host. */
async function opening(world: World, host: Host): Promise<number | undefined> {
  const startedMs = world.clock.now()
  try {
    const link = await world.hosts.connect(host)
    if (!link.ok) return undefined
    const tookMs = link.value.openingMs ?? world.clock.now() - startedMs
    await link.value.close().catch(() => undefined)
    return tookMs
  } catch {
    return undefined
  }
}

/** Opening a connection over a slow link takes several round trips. */
const LIVENESS_PATIENCE = 5

/** Nothing where the host does not answer: that is another gate's matter. */
async function denied(world: World, host: Host, before: readonly FlowObservation[]): Promise<GateSample | undefined> {
  const at = world.clock.now()
  const text = await ask(reachHost(world.hosts, host), (session) => session.counters())
  if (text === undefined) return undefined
  const read = world.facts.readCounters(host.name, at, text)
  if (!read.ok) return undefined
  return deniedSample(host.name, at, deniedServed(before, read.value.filter((one) => one.kind === 'flow')))
}

async function ask<T>(opening: Promise<Result<HostLink>>, question: (session: HostSession) => Promise<Result<T>>): Promise<T | undefined> {
  try {
    const answered = await overLink(opening, question)
    return answered.ok ? answered.value : undefined
  } catch {
    return undefined
  }
}
