import type { EvidenceObservation, Holder, Instant, ListenerObservation, Observation } from '@portcullis/core/inventory/observation.ts'
import { isLoopback } from '@portcullis/core/inventory/loopback.ts'
import { sameAddress, type Address } from '@portcullis/core/net/address.ts'
import { containsPort, type PortRange } from '@portcullis/core/net/port.ts'
import { holderOf, type Holders } from './holders.ts'
import { readListenerLine, type ListenerLine } from './listenerLine.ts'
import { printable } from './printable.ts'
import type { Section } from './section.ts'
import { readSocketUnits, unitOfCgroup, type SocketUnit } from './socketUnit.ts'

export interface ListenerInput {
  readonly host: string
  readonly at: Instant
  readonly listeners: Section
  /** Sockets that systemd holds; absent where there is no systemd. */
  readonly sockets?: Section
  /** From which the kernel takes ports that nobody asked for; without reserved ones. */
  readonly ephemeral: readonly PortRange[]
  /** Absent where the host was not asked for them. */
  readonly holders?: Holders
}

/** A server has some hundred; a runaway of sockets must not fill the memory. */
const LISTENERS_MAX = 100_000

/** Listeners, then the word that they are all; or, where a line was not understood, how many are missing. */
export function readListeners(input: ListenerInput): Observation[] {
  const units = readSocketUnits(input.sockets?.text ?? '')
  const seen = new Map<string, ListenerObservation>()
  const unread: number[] = []
  for (const [index, line] of input.listeners.text.split('\n').entries()) {
    if (line.trim() === '') continue
    const socket = seen.size < LISTENERS_MAX ? readListenerLine(line) : undefined
    if (socket === undefined) unread.push(input.listeners.line + index)
    if (socket === undefined || socket === 'other') continue
    for (const address of socket.addresses) addListener(seen, listenerOf(input, units, socket, address))
  }
  const claim = { host: input.host, sensor: 'ss', at: input.at }
  return [...seen.values(), unread.length === 0 ? { kind: 'reading', ...claim, covers: 'listeners' } : missing(claim, unread)]
}

/** Several sockets of one program share a port by SO_REUSEPORT: that is one listener. */
function addListener(seen: Map<string, ListenerObservation>, listener: ListenerObservation): void {
  const { address, protocol, port, process, unit, activatedBy, user, executable, container } = listener
  seen.set([protocol, address.family, address.value, port, listener.interface, process, unit, activatedBy, user, executable, container].join('\0'), listener)
}

function listenerOf(input: ListenerInput, units: readonly SocketUnit[], socket: ListenerLine, address: Address): ListenerObservation {
  const owner = ownerOf(units, socket, address)
  return {
    kind: 'listener',
    host: input.host,
    sensor: 'ss',
    at: input.at,
    address,
    protocol: socket.protocol,
    port: socket.port,
    ...owner,
    ...(input.holders ? programOf(input.holders, socket, owner) : {}),
    user: socket.uid === 0 ? 'root' : `uid ${socket.uid}`,
    ...(socket.interface === undefined ? {} : { interface: socket.interface }),
    isLoopback: isLoopback(address),
    isEphemeral: input.ephemeral.some((range) => containsPort(range, socket.port)),
  }
}

/** What systemd holds for a unit is that unit's, once it has started. */
function programOf(holders: Holders, socket: ListenerLine, { activatedBy }: Owner): Holder {
  if (activatedBy === undefined) return holderOf(holders, socket)
  const started = socket.holders.filter(({ pid }) => pid !== 1)
  return started.length > 0 ? holderOf(holders, { ...socket, holders: started }) : { untold: 'program: systemd starts it at the first connection' }
}

type Owner = Pick<ListenerObservation, 'process' | 'unit' | 'activatedBy'>

/** A socket that systemd holds belongs to the unit that it starts, not to process 1. */
function ownerOf(units: readonly SocketUnit[], socket: ListenerLine, address: Address): Owner {
  const isHeld = socket.holders.some((holder) => holder.pid === 1 && holder.name === 'systemd')
  const names = [...new Set(socket.holders.filter((holder) => !isHeld || holder.pid !== 1).map((holder) => holder.name))]
  const held = isHeld ? units.filter((unit) => unit.port === socket.port && isBoundTo(unit.address, address)) : []
  const unit = held.length > 0 ? listed(held.map(({ activates }) => activates)) : unitOfCgroup(socket.cgroup)
  return {
    ...(names.length > 0 ? { process: names.toSorted().join(', ') } : {}),
    ...(unit === undefined ? {} : { unit }),
    ...(held.length > 0 ? { activatedBy: listed(held.map((each) => each.socket)) } : {}),
  }
}

/** systemd writes `[::]` for a socket that takes IPv4 as well. */
const isBoundTo = (listed: Address, bound: Address): boolean =>
  sameAddress(listed, bound) || (listed.family === 6 && listed.value === 0n && bound.value === 0n)

const listed = (names: readonly string[]): string => [...new Set(names)].toSorted().join(', ')

const missing = (claim: { host: string; sensor: string; at: Instant }, lines: readonly number[]): EvidenceObservation => ({
  kind: 'evidence',
  ...claim,
  lost: lines.length,
  because: printable(`listeners not understood, the first in line ${lines[0]} of the answer`),
})
