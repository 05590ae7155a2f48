import { compareAddresses, type Address } from '../net/address.ts'
import type { Holder, InnerListenerObservation, Instant, ListenerObservation } from './observation.ts'

/** Whether anything listens on an endpoint. `absent` is said only when a complete reading did not show it. */
export type Listening =
  | { readonly kind: 'seen'; readonly listeners: readonly Listener[] }
  /** Seen before, no longer there at the newest reading. */
  | { readonly kind: 'gone'; readonly listeners: readonly Listener[]; readonly lastSeen: Instant }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }

export interface Listener extends Holder {
  /** What the socket is bound to; value 0 stands for every address of the family. */
  readonly address: Address
  /** The network namespace of the host that it is in, where that is another than the host's own. */
  readonly namespace?: string
  readonly interface?: string
  readonly isEphemeral: boolean
  readonly lastSeen: Instant
  readonly sensor: string
}

export type AnyListener = ListenerObservation | InnerListenerObservation

/** `newestBySensor`: when each sensor last read the host's listeners completely. */
export function foldListeners(observations: readonly AnyListener[], newestBySensor: ReadonlyMap<string, Instant>): Listening {
  if (observations.length === 0) return newestBySensor.size > 0 ? ABSENT : UNKNOWN
  const current = observations.filter((observation) => observation.at >= (newestBySensor.get(observation.sensor) ?? observation.at))
  if (current.length > 0) return { kind: 'seen', listeners: mergeListeners(current) }
  const listeners = mergeListeners(observations)
  return { kind: 'gone', listeners, lastSeen: Math.max(...listeners.map((listener) => listener.lastSeen)) }
}

const ABSENT: Listening = { kind: 'absent' }
const UNKNOWN: Listening = { kind: 'unknown' }

const HOLDER_KEYS = ['process', 'unit', 'user', 'activatedBy', 'executable', 'digest', 'package', 'container', 'program', 'untold'] as const satisfies readonly (keyof Holder)[]

function mergeListeners(observations: readonly AnyListener[]): Listener[] {
  const newest = new Map<string, Listener>()
  for (const observation of observations) {
    const key = [observation.address.family, observation.address.value, ...HOLDER_KEYS.map((each) => observation[each]), observation.interface, observation.isEphemeral, observation.sensor, observation.kind === 'listener' ? '' : observation.namespace].join('\0')
    const before = newest.get(key)
    if (before === undefined || before.lastSeen < observation.at) newest.set(key, listenerOf(observation))
  }
  return [...newest.entries()]
    .toSorted(([keyA, a], [keyB, b]) => compareAddresses(a.address, b.address) || (keyA < keyB ? -1 : 1))
    .map(([, listener]) => listener)
}

function listenerOf({ kind: _kind, host: _host, at, protocol: _protocol, port: _port, isLoopback: _isLoopback, ...rest }: AnyListener): Listener {
  return { ...rest, lastSeen: at }
}
