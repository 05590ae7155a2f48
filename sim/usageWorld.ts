import { DAY_MS, type Day } from '@portcullis/core/inventory/businessCalendar.ts'
import type { FlowObservation, Observation } from '@portcullis/core/inventory/observation.ts'
import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'

/** Dice of one seed (xorshift32). */
export type Dice = () => number

export function diceOf(seed: number): Dice {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) | 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 8; i += 1) next()
  return next
}

export const between = (dice: Dice, least: number, most: number): number => least + Math.floor(dice() * (most - least + 1))

/** One listener of a simulated host, on the days on which it stands. */
export interface SimListener {
  readonly protocol: TransportProtocol
  readonly port: number
  readonly process: string
  readonly isEphemeral?: boolean
  readonly from?: Day
  /** The last day on which it stands. */
  readonly until?: Day
}

/** One use: at that time, so many connections. */
export interface SimUse {
  readonly at: number
  readonly source: string
  readonly protocol: TransportProtocol
  readonly port: number
  readonly connections: number
}

export interface SimDays {
  readonly host: string
  readonly firstDay: Day
  readonly days: number
  readonly listeners: readonly SimListener[]
  readonly uses: readonly SimUse[]
  /** Hour of the day at which the host is read, and by how many hours that wanders. */
  readonly readAtHour: number
  /** Days on which the controller did not read. */
  readonly unread?: ReadonlySet<Day>
  /** Days on which the host restarts, and its counters begin again. */
  readonly restarts?: ReadonlySet<Day>
  /** Losses that the counting sets tell. */
  readonly losses?: readonly { readonly day: Day; readonly protocol: TransportProtocol; readonly port: number }[]
}

/** What `observe`, run once a day, would have stored: complete readings, counters that only grow until the host restarts. */
export function observationsOf(given: SimDays): Observation[] {
  const observations: Observation[] = []
  const counters = new Map<string, { use: SimUse; connections: number }>()
  const uses = given.uses.toSorted((a, b) => a.at - b.at)
  let next = 0
  for (let day = given.firstDay; day <= given.firstDay + given.days; day += 1) {
    const at = day * DAY_MS + given.readAtHour * 3_600_000
    if (given.restarts?.has(day)) counters.clear()
    for (let use = uses[next]; use && use.at < at; use = uses[(next += 1)]) {
      const key = `${use.source} ${use.protocol} ${use.port}`
      counters.set(key, { use, connections: (counters.get(key)?.connections ?? 0) + use.connections })
    }
    if (!given.unread?.has(day)) observations.push(...readingOf(given, day, at, counters))
  }
  return observations
}

function readingOf(given: SimDays, day: Day, at: number, counters: ReadonlyMap<string, { use: SimUse; connections: number }>): Observation[] {
  const { host } = given
  const standing = given.listeners.filter(({ from = -Infinity, until = Infinity }) => from <= day && day <= until)
  return [
    { kind: 'reading', host, sensor: 'ss', at, covers: 'listeners' },
    ...standing.map(({ protocol, port, process, isEphemeral = false }): Observation => ({ kind: 'listener', host, sensor: 'ss', at, address: ANY, protocol, port, process, unit: `${process}.service`, isLoopback: false, isEphemeral })),
    ...[...counters.values()].map(({ use, connections }): FlowObservation => ({ kind: 'flow', host, sensor: 'nft-counters', at, source: addressOf(use.source), protocol: use.protocol, port: use.port, connections, tally: 'running', lastSeen: at, verdict: 'denied', isLetThrough: true })),
    ...(given.losses ?? []).filter((loss) => loss.day <= day).map(({ protocol, port }): Observation => ({ kind: 'evidence', host, sensor: 'nft-counters', at, lost: 12, because: 'more sources than the gate has room to count each', endpoint: { protocol, port } })),
    { kind: 'reading', host, sensor: 'nft-counters', at, covers: 'flows' },
  ]
}

const ANY: Address = { family: 4, value: 0n }
const known = new Map<string, Address>()

export function addressOf(text: string): Address {
  const before = known.get(text)
  if (before) return before
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(`not an address: ${text}`)
  known.set(text, parsed.value)
  return parsed.value
}

/** Times of day as hours. */
export const atHour = (day: Day, hour: number): number => day * DAY_MS + hour * 3_600_000

