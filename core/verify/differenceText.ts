import { formatPortRange, type PortRange } from '../net/port.ts'
import { formatPrefix } from '../net/prefix.ts'
import { protocolName } from '../net/protocol.ts'
import { writePacketObject, type PacketObject } from '../ruleset/packetObject.ts'
import { formatPacket } from '../ruleset/packetText.ts'
import type { Change, Difference, OutcomeName } from './compare.ts'
import type { Sources } from './sources.ts'

/** A difference in plain words, free of big numbers: what a store keeps and `--json` prints. Empty lists mean: any. */
export interface DifferenceText {
  readonly change: Change
  /** Names, numbers, or `N-M`. */
  readonly protocols: readonly string[]
  readonly ports: readonly string[]
  readonly sources: SourcesText
  /** As {@link parsePacketText} reads it. */
  readonly packet: string
  readonly fields: PacketObject
  readonly assuming: readonly string[]
  readonly before: readonly OutcomeName[]
  readonly after: readonly OutcomeName[]
  readonly replay: Difference['replay']
}

export interface SourcesText {
  /** `0.0.0.0/0` and `::/0` for all of a family. */
  readonly prefixes: readonly string[]
  /** How many prefixes were left out. */
  readonly more: number
  /** The same said shorter: all addresses but these, of the one family where that is stated. */
  readonly except?: readonly string[]
  readonly family?: 4 | 6
}

export const writeDifference = ({ change, protocols, ports, sources, packet, assuming, before, after, replay }: Difference): DifferenceText => ({
  change,
  protocols: protocols.map(writeProtocol),
  ports: ports.map(formatPortRange),
  sources: writeSources(sources),
  packet: formatPacket(packet),
  fields: writePacketObject(packet),
  assuming,
  before,
  after,
  replay,
})

export function writeSources(sources: Sources): SourcesText {
  if (sources.kind === 'any') return { prefixes: ['0.0.0.0/0', '::/0'], more: 0 }
  if (sources.kind === 'family') return { prefixes: [sources.family === 4 ? '0.0.0.0/0' : '::/0'], more: 0 }
  const { prefixes, more, except, family } = sources
  return { prefixes: prefixes.map(formatPrefix), more, ...(except ? { except: except.map(formatPrefix) } : {}), ...(family ? { family } : {}) }
}

export const writeProtocol = ({ first, last }: PortRange): string => (first === last ? (protocolName(first) ?? String(first)) : `${first}-${last}`)
