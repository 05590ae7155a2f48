import { parseAddress, type Address, type Family } from '@portcullis/core/net/address.ts'
import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import type { CtState } from '@portcullis/core/ruleset/ruleset.ts'
import { stateOfFirst } from './connection.ts'
import type { Dice } from './dice.ts'
import { ipLength, type FrameContent } from './frame.ts'
import { POOL } from './pool.ts'
import { INTERFACES, TEST_MACS, unwrap, type InterfaceName } from './stage.ts'

/** A packet of the test: what the evaluators are told, and what the frame holds besides. An id of four bytes ends the frame. */
export interface TestPacket extends FrameContent {
  readonly packet: Packet & { readonly iif: InterfaceName }
}

const PROTOCOLS = [6, 6, 6, 6, 17, 17, 17, 1, 58, 47, 132, 50, 33, 136] as const
const FLAG_MIXES = [2, 2, 2, 16, 18, 1, 4, 0, 17, 3, 0x3f, 0x29, 24, 34, 20] as const
const ICMP_TYPES = [8, 8, 0, 3, 5, 9, 11, 13, 17, 128, 128, 129, 133, 135, 136, 137, 143, 1, 2] as const
const MULTICAST_ONLY = new Set(['224.0.0.1', 'ff02::1'])
/** Protocols whose header starts with the ports. */
const OF_PORTS = new Set([6, 17, 33, 132, 136])
export const MACS = TEST_MACS.map((text) => BigInt(`0x${text.replaceAll(':', '')}`))

/** The first packet of a flow that the kernel does not know. */
export function randomPacket(dice: Dice, id: number): TestPacket {
  const family: Family = dice.chance(0.55) ? 4 : 6
  const iif = dice.pick(INTERFACES)
  const protocol = dice.pick(PROTOCOLS)
  const destination = dice.pick(POOL.destinations[family])
  const ports = OF_PORTS.has(protocol) ? { sourcePort: portNear(dice), destinationPort: portNear(dice) } : {}
  const flags = protocol === 6 ? { tcpFlags: dice.pick(FLAG_MIXES) } : {}
  const icmp = protocol === 1 || protocol === 58 ? { icmpType: dice.pick(ICMP_TYPES), icmpCode: dice.below(5) } : {}
  return finish(id, {
    source: address(dice.pick(POOL.sources[family])),
    destination: address(destination),
    protocol,
    ...ports,
    ...flags,
    ...icmp,
    ...(family === 6 && dice.chance(0.12) ? { extension: dice.pick([60, 60, 0]) } : {}),
    iif,
    ct: stateOfFirst({ family, protocol, ...flags, ...icmp }),
    macSource: dice.pick(MACS),
    pkttype: pkttypeFor(dice, destination),
    ttl: dice.pick([1, 2, 64, 64, 255]),
    dscp: dice.pick([0, 0, 8, 46]),
  })
}

/** A piece of a larger packet, on its way through: what is for this host itself waits for the other pieces before the input hook. */
export function randomFragment(dice: Dice, id: number): TestPacket {
  const family: Family = dice.chance(0.6) ? 4 : 6
  const isLater = dice.chance(0.7)
  const protocol = dice.pick([6, 17, 17, 132, 50])
  const header = isLater ? {} : { ...(OF_PORTS.has(protocol) ? { sourcePort: portNear(dice), destinationPort: portNear(dice) } : {}), ...(protocol === 6 ? { tcpFlags: dice.pick(FLAG_MIXES) } : {}) }
  return finish(id, {
    source: address(dice.pick(POOL.sources[family].filter((each) => !each.startsWith('fe80')))),
    destination: address(dice.pick(family === 4 ? ['10.9.0.77', '10.9.4.4', '8.8.4.4', '192.0.2.77'] : ['fd00:9::77', '2001:db8:ffff::1', '2001:db8:1::77'])),
    protocol,
    ...header,
    fragment: isLater ? 'later' : 'first',
    ...(family === 6 ? { extension: 44 } : {}),
    iif: dice.pick(INTERFACES),
    ct: 'untracked' satisfies CtState,
    macSource: dice.pick(MACS),
    pkttype: 0,
    ttl: dice.pick([1, 2, 64, 255]),
    dscp: dice.pick([0, 8]),
  })
}

export const finish = (id: number, packet: TestPacket['packet'], inner?: FrameContent['inner']): TestPacket => {
  const content = { id, packet, ...(inner ? { inner } : {}) }
  return { ...content, packet: { ...packet, length: ipLength(content) } }
}

/** 0 host, 1 broadcast, 2 multicast: of the frame. */
function pkttypeFor(dice: Dice, destination: string): number {
  if (MULTICAST_ONLY.has(destination)) return dice.chance(0.1) ? 1 : 2
  return dice.chance(0.06) ? dice.pick([1, 2]) : 0
}

function portNear(dice: Dice): number {
  const port = dice.pick(POOL.ports) + dice.pick([0, 0, 0, 1, -1])
  return Math.min(65_535, Math.max(0, port))
}

export const address = (text: string): Address => unwrap(parseAddress(text))
