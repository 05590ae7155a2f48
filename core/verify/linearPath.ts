import type { Address } from '../net/address.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Packet } from '../ruleset/packet.ts'
import type { CtState, Hook, Interval } from '../ruleset/ruleset.ts'

/**
 * One way that a packet may take, with all that rules can change on it. A question that cannot be answered splits a path in two.
 * Values that may be any of several are closed intervals; absent means not known at all.
 */
export interface Path {
  readonly destination: { readonly first: bigint; readonly last: bigint } | undefined
  readonly destinationPort: Interval | undefined
  readonly mark: bigint | undefined
  readonly ctMark: bigint | undefined
  /** Set by a notrack statement before connection tracking looked at the packet. */
  readonly isUntracked: boolean
  /** A NAT chain of this hook has set a mapping. */
  readonly isMapped: boolean
  readonly isDnat: boolean
  readonly isSnat: boolean
  /** Source NAT has written another source, which is not kept. */
  readonly isSourceNew: boolean
  /** A redirect without host facts: the address is unknown, but it is one of the host's. */
  readonly isRedirected: boolean
  /** Answers already assumed on this way for questions that have one answer per packet. */
  readonly assumed: ReadonlyMap<string, boolean>
}

/** Where on its way through the stack the packet is. */
export interface Station {
  readonly hook: Hook
  readonly oif: string | undefined
  /** In forward, and in postrouting behind it. */
  readonly isForwarded: boolean
  /** Connection tracking has not looked at the packet yet. */
  readonly isBeforeTracking: boolean
}

/** What stays the same on every way of one packet. */
export interface Scene {
  readonly packet: Packet
  readonly facts: HostFacts | undefined
  /** Where routing sends the packet, where that was stated. */
  readonly hook: 'input' | 'forward' | 'output' | undefined
}

export function startPath(packet: Packet): Path {
  return {
    destination: { first: packet.destination.value, last: packet.destination.value },
    destinationPort: single(packet.destinationPort),
    mark: BigInt(packet.mark ?? 0),
    // The entry of a new flow starts without a mark; that of a related one takes its parent's.
    ctMark: packet.ctMark === undefined ? (packet.ct === 'new' ? 0n : undefined) : BigInt(packet.ctMark),
    isUntracked: false,
    isMapped: false,
    isDnat: false,
    isSnat: false,
    isSourceNew: false,
    isRedirected: false,
    assumed: new Map(),
  }
}

/** Equal keys: nothing that follows can tell the two ways apart. */
export function pathKey(path: Path): string {
  const parts = [range(path.destination), range(path.destinationPort), path.mark, path.ctMark, path.isUntracked, path.isMapped, path.isDnat, path.isSnat, path.isSourceNew, path.isRedirected]
  return `${parts.join('|')}|${assumedKey(path.assumed)}`
}

const assumedKeys = new WeakMap<Path['assumed'], string>()

/** Most ways are compared again after every rule, with what was answered on them unchanged. */
function assumedKey(assumed: Path['assumed']): string {
  if (assumed.size === 0) return ''
  const known = assumedKeys.get(assumed)
  if (known !== undefined) return known
  const key = [...assumed].map(([what, answer]) => `${answer ? '+' : '-'}${what}`).toSorted().join('|')
  assumedKeys.set(assumed, key)
  return key
}

export function mergePaths(paths: readonly Path[]): readonly Path[] {
  if (paths.length < 2) return paths
  return [...new Map(paths.map((path) => [pathKey(path), path])).values()]
}

/** Before connection tracking has seen it, a packet has no entry and reads invalid, or untracked once so marked. */
export function ctStateAt(scene: Scene, path: Path, station: Station): CtState {
  if (path.isUntracked) return 'untracked'
  return station.isBeforeTracking ? 'invalid' : scene.packet.ct
}

export const hasEntry = (state: CtState): boolean => state !== 'invalid' && state !== 'untracked'

/** The destination as one address, when it is known to be one. */
export function destinationOf(scene: Scene, path: Path): Address | undefined {
  const interval = path.destination
  if (!interval || interval.first !== interval.last) return undefined
  return { family: scene.packet.destination.family, value: interval.first }
}

export const single = (value: number | bigint | undefined): Interval | undefined =>
  value === undefined ? undefined : { first: BigInt(value), last: BigInt(value) }

const range = (interval: Interval | undefined): string => (interval ? `${interval.first}-${interval.last}` : '?')
