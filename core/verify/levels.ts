import type { Chunks } from '../space/ranges.ts'

/**
 * The fields of a packet class and the order in which diagrams test them, the first at the top. Connection state, interfaces and protocol first,
 * then destination port, then addresses: source-first made diagrams of host rulesets six to seven times larger.
 * `dport` and `daddr…` are those that the packet arrived with, `new…` those that destination NAT has given it. `ctOriginal…`: of the first
 * packet of a flow, where that is not this packet itself. They stand right behind one another, so that one can take another's place.
 */
const FIELDS = [
  ['isLaterFragment', 1, 2],
  // A rule has untracked the packet; before connection tracking nothing else is known of its state.
  ['isUntracked', 1, 2],
  ['ctState', 1, 5],
  ['ctDirection', 1, 2],
  ['ctStatus', 1, 64],
  ['iif', 1, 0],
  ['oif', 1, 0],
  ['iifType', 1, 65_536],
  ['iifIndex', 2, 65_536],
  ['oifIndex', 2, 65_536],
  ['pkttype', 1, 256],
  ['daddrType', 1, 16],
  ['daddrTypeIif', 1, 16],
  ['daddrTypeOif', 1, 16],
  ['saddrType', 1, 16],
  ['saddrTypeIif', 1, 16],
  ['saddrTypeOif', 1, 16],
  ['saddrRoute', 1, 2],
  ['saddrRouteIif', 1, 2],
  ['mark', 4, 256],
  ['ctMark', 4, 256],
  ['extension', 1, 257],
  ['l4proto', 1, 256],
  ['ctOriginalProtocol', 1, 256],
  ['dport', 1, 65_536],
  ['ctOriginalDport', 1, 65_536],
  ['newDport', 1, 65_536],
  ['family', 1, 2],
  ['saddr4', 8, 16],
  ['ctOriginalSaddr4', 8, 16],
  ['saddr6', 16, 256],
  ['ctOriginalSaddr6', 16, 256],
  ['daddr4', 8, 16],
  ['ctOriginalDaddr4', 8, 16],
  ['newDaddr4', 8, 16],
  ['daddr6', 16, 256],
  ['ctOriginalDaddr6', 16, 256],
  ['newDaddr6', 16, 256],
  ['sport', 1, 65_536],
  ['ctOriginalSport', 1, 65_536],
  ['tcpFlags', 1, 256],
  ['icmpType', 1, 256],
  ['icmpCode', 1, 256],
  ['ttl', 1, 256],
  ['dscp', 1, 64],
  ['length', 1, 65_536],
  ['macSaddr', 6, 256],
  // Deterministic unknown matches, one level each.
  ['boolean', 16, 2],
] as const

export type LevelField = (typeof FIELDS)[number][0]

export const BOOLEANS_MAX = 16

/** `extension` where the IPv6 header is followed by the upper layer at once. */
export const NO_EXTENSION = 256

/** The bits of a flow's status that the model knows (CT_STATUS: expected to dnat). */
export const STATUS_BITS_KNOWN = 63

export interface Levels {
  readonly sizes: readonly number[]
  readonly of: Readonly<Record<LevelField, Chunks>>
  /** The largest value of each field. */
  readonly maxima: Readonly<Record<LevelField, bigint>>
  /** From the top. */
  readonly fields: readonly LevelField[]
  /** The same for levels that are laid alike. */
  readonly key: string
}

/**
 * Rules for forwarded packets say first to whom: with the destinations on top the rules of each network stay among themselves, where otherwise
 * every port would hold all of them (20 times fewer edges for 5,000 rules in 50 chains). Only where all rules are of one family: above the level
 * `family` each destination of IPv4 would be told apart for every one of IPv6.
 */
const DESTINATION_FIRST = destinationFirst()

function destinationFirst(): typeof FIELDS[number][] {
  const isDestination = ([field]: typeof FIELDS[number]): boolean => /^(daddr|ctOriginalDaddr|newDaddr)[46]$/.test(field)
  const others = FIELDS.filter((each) => !isDestination(each))
  return others.toSpliced(others.findIndex(([field]) => field === 'l4proto'), 0, ...FIELDS.filter(isDestination))
}

/** The levels of one analysis; `names`: how many interface name classes it tells apart. */
export function layLevels(names: number, isDestinationFirst = false): Levels {
  const sizes: number[] = []
  const of = new Map<LevelField, Chunks>()
  const maxima = new Map<LevelField, bigint>()
  const order = isDestinationFirst ? DESTINATION_FIRST : FIELDS
  for (const [field, count, stated] of order) {
    const size = stated === 0 ? names : stated
    of.set(field, { firstLevel: sizes.length, count, bits: Math.ceil(Math.log2(size)) })
    maxima.set(field, BigInt(size) ** BigInt(count) - 1n)
    for (let chunk = 0; chunk < count; chunk += 1) sizes.push(size)
  }
  return {
    sizes,
    of: Object.fromEntries(of) as Record<LevelField, Chunks>,
    maxima: Object.fromEntries(maxima) as Record<LevelField, bigint>,
    fields: order.map(([field]) => field),
    key: `${names} ${isDestinationFirst}`,
  }
}
