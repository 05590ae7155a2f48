import { formatAddress } from '@portcullis/core/net/address.ts'
import type { Endpoint } from '../peers/endpoint.ts'
import { sourceAt, type Tuple } from '../cable/frames.ts'

/** What a policy with N endpoints looks like: ports for everyone, single addresses with a port each, or ports for networks. */
export type Form = 'ports' | 'pairs' | 'networks'

/** N open endpoints, and a sample of them spread evenly over the list, which is where the frames go. */
export interface Scene {
  readonly form: Form
  readonly endpoints: readonly Endpoint[]
  readonly targets: Readonly<Record<'tcp' | 'udp', readonly Target[]>>
}

export interface Target {
  readonly source: number
  readonly port: number
}

/** Where flows come from, as numbers for `sourceAt`: no two of them make a prefix, so that a policy has to name each. */
export const CLIENT_SOURCES: readonly number[] = Array.from({ length: 16 }, (_, index) => 2 * index + 1)
const NETWORKS_COUNT = 20
/** Enough that caches do not make the sample look better than all, few enough for a socket each. */
const TARGETS_MAX = 250
const PORT_FIRST = 1_024
/** Ports from which hosts start connections themselves are left alone. */
const PORT_LAST = 32_767

export function sceneOf(form: Form, count: number): Scene {
  const sourcesPerPort = form === 'pairs' ? CLIENT_SOURCES.length : 1
  const ports = spreadPorts(Math.max(1, Math.ceil(count / 2 / sourcesPerPort)))
  const all = (['tcp', 'udp'] as const).map((protocol) => ({ protocol, targets: targetsOf(form, ports).slice(0, Math.ceil(count / 2)) }))
  const endpoints = all.flatMap(({ protocol, targets }) => targets.flatMap(({ source, port }) => endpointsOf(form, { protocol, source, port })))
  const [tcp = [], udp = []] = all.map(({ targets }) => sampleOf(targets))
  return { form, endpoints, targets: { tcp, udp } }
}

/** The nth of many flows to a scene's targets: no two alike. */
export function tupleAt(targets: readonly Target[], index: number): Tuple {
  const [turn, at] = [Math.floor(index / targets.length), index % targets.length]
  const target = targets[at]
  if (!target) throw new Error('a scene without targets')
  return { source: sourceAt(target.source), sourcePort: 1_024 + ((turn + at * 61) % 60_000), port: target.port }
}

function targetsOf(form: Form, ports: readonly number[]): Target[] {
  if (form === 'pairs') return ports.flatMap((port) => CLIENT_SOURCES.map((source) => ({ source, port })))
  return ports.map((port, index) => ({ source: CLIENT_SOURCES[index % CLIENT_SOURCES.length] ?? 1, port }))
}

function endpointsOf(form: Form, { protocol, source, port }: Target & Pick<Endpoint, 'protocol'>): Endpoint[] {
  if (form === 'ports') return [{ protocol, port, from: 'any' }]
  if (form === 'pairs') return [{ protocol, port, from: formatAddress(sourceAt(source)) }]
  return ['198.18.0.0/16', `10.${port % NETWORKS_COUNT}.0.0/16`].map((from) => ({ protocol, port, from }))
}

/** Never neighbours, which would be one range. */
function spreadPorts(count: number): number[] {
  const step = (PORT_LAST - PORT_FIRST) / count
  if (step < 2) throw new Error(`${count} ports do not fit without being neighbours`)
  return Array.from({ length: count }, (_, index) => PORT_FIRST + Math.floor(index * step))
}

function sampleOf(targets: readonly Target[]): Target[] {
  const count = Math.min(targets.length, TARGETS_MAX)
  return Array.from({ length: count }, (_, index) => targets[Math.floor(((index + 0.5) * targets.length) / count)]).filter((target) => target !== undefined)
}
