import { execFileSync } from 'node:child_process'
import type { Address } from '@portcullis/core/net/address.ts'
import type { FlowEnds, Packet } from '@portcullis/core/ruleset/packet.ts'
import { CT_STATUS, TCP_FLAGS } from '@portcullis/core/ruleset/ruleset.ts'
import type { Dice } from './dice.ts'
import { address, finish, MACS, type TestPacket } from './packet.ts'
import { INTERFACES, type InterfaceName } from './stage.ts'

/** A flow that connection tracking holds from before the test: to this host, or through it, mapped by NAT or not. */
interface KnownFlow {
  readonly protocol: 6 | 17
  readonly source: string
  readonly sourcePort: number
  readonly destination: string
  readonly destinationPort: number
  readonly iif: InterfaceName
  /** Where its answers come in; absent for a flow that ends here. */
  readonly answersBy?: InterfaceName
  /** Another destination, or another source, that NAT has given it. */
  readonly dnat?: { readonly address: string; readonly port: number }
  readonly snat?: { readonly address: string; readonly port: number }
}

const FLOWS: readonly KnownFlow[] = [
  { protocol: 6, source: '198.51.100.7', sourcePort: 50_001, destination: '192.0.2.1', destinationPort: 22, iif: 'wan0' },
  { protocol: 6, source: '10.9.0.5', sourcePort: 50_002, destination: '10.9.0.1', destinationPort: 443, iif: 'eth1' },
  { protocol: 17, source: '192.0.2.9', sourcePort: 50_003, destination: '192.0.2.1', destinationPort: 53, iif: 'eth0' },
  { protocol: 6, source: '192.0.2.9', sourcePort: 50_004, destination: '10.9.0.77', destinationPort: 80, iif: 'eth0', answersBy: 'eth1' },
  { protocol: 17, source: '8.8.8.8', sourcePort: 50_005, destination: '10.9.4.4', destinationPort: 8080, iif: 'wan0', answersBy: 'eth1' },
  { protocol: 6, source: '2001:db8:7::7', sourcePort: 50_006, destination: '2001:db8:1::1', destinationPort: 22, iif: 'wan0' },
  { protocol: 17, source: 'fd00:9::5', sourcePort: 50_007, destination: 'fd00:9::1', destinationPort: 53, iif: 'eth1' },
  { protocol: 6, source: '2001:db8:1::9', sourcePort: 50_008, destination: 'fd00:9::77', destinationPort: 443, iif: 'eth0', answersBy: 'eth1' },
  { protocol: 6, source: '198.51.100.8', sourcePort: 50_009, destination: '203.0.113.1', destinationPort: 8443, iif: 'wan0', answersBy: 'eth1', dnat: { address: '10.9.0.77', port: 443 } },
  { protocol: 17, source: '10.9.0.5', sourcePort: 50_010, destination: '8.8.4.4', destinationPort: 53, iif: 'eth1', answersBy: 'wan0', snat: { address: '203.0.113.1', port: 50_010 } },
  { protocol: 6, source: '2001:db8:7::8', sourcePort: 50_011, destination: '2001:db8:f::1', destinationPort: 80, iif: 'wan0', answersBy: 'eth1', dnat: { address: 'fd00:9::77', port: 8080 } },
  { protocol: 6, source: 'fd00:9::5', sourcePort: 50_012, destination: '2001:db8:ffff::1', destinationPort: 22, iif: 'eth1', answersBy: 'wan0', snat: { address: '2001:db8:f::1', port: 50_012 } },
  { protocol: 6, source: '10.9.0.5', sourcePort: 50_013, destination: '203.0.113.1', destinationPort: 80, iif: 'eth1', answersBy: 'eth0', dnat: { address: '192.0.2.77', port: 81 }, snat: { address: '192.0.2.1', port: 50_013 } },
]

/** Five days, the kernel's own timeout of an established TCP flow. */
const TIMEOUT_SECONDS = 432_000

/** Puts the flows into the kernel as if both sides had been heard (conntrack(8)). */
export function seedFlows(): void {
  for (const flow of FLOWS) {
    const state = flow.protocol === 6 ? ['--state', 'ESTABLISHED'] : []
    const ports = ['--sport', String(flow.sourcePort), '--dport', String(flow.destinationPort)]
    const place = ({ address: host, port }: { readonly address: string; readonly port: number }): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
    const nat = [...(flow.dnat ? ['--dst-nat', place(flow.dnat)] : []), ...(flow.snat ? ['--src-nat', place(flow.snat)] : [])]
    const args = ['-I', '-s', flow.source, '-d', flow.destination, '-p', flow.protocol === 6 ? 'tcp' : 'udp', ...ports, ...state, '-u', 'SEEN_REPLY,ASSURED', '-t', String(TIMEOUT_SECONDS), ...nat]
    execFileSync('conntrack', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  }
}

interface Ends {
  readonly original: FlowEnds
  readonly reply: FlowEnds
}

function endsOf(flow: KnownFlow): Ends {
  const [from, to] = [address(flow.source), address(flow.destination)]
  return {
    original: { source: from, destination: to, protocol: flow.protocol, sourcePort: flow.sourcePort, destinationPort: flow.destinationPort },
    reply: {
      source: flow.dnat ? address(flow.dnat.address) : to,
      destination: flow.snat ? address(flow.snat.address) : from,
      protocol: flow.protocol,
      sourcePort: flow.dnat?.port ?? flow.destinationPort,
      destinationPort: flow.snat?.port ?? flow.sourcePort,
    },
  }
}

/** A packet of a known flow, in either direction. The flow's mark is whatever rules have written there: not stated. */
export function knownFlowPacket(dice: Dice, id: number): TestPacket {
  const flow = dice.pick(FLOWS)
  const ends = endsOf(flow)
  const isAnswer = flow.answersBy !== undefined && dice.chance(0.4)
  return finish(id, {
    ...(isAnswer ? ends.reply : ends.original),
    ...(flow.protocol === 6 ? { tcpFlags: dice.pick([TCP_FLAGS.ack, TCP_FLAGS.ack | TCP_FLAGS.psh]) } : {}),
    iif: isAnswer ? (flow.answersBy ?? flow.iif) : flow.iif,
    ct: 'established',
    ...trackedAs(flow, ends, isAnswer),
    ...frameFields(dice),
  })
}

/** An ICMP error about a packet of a known flow, from somewhere on the way: to whoever has sent that packet (nf_conntrack_proto_icmp.c). */
export function relatedPacket(dice: Dice, id: number): TestPacket {
  const flow = dice.pick(FLOWS)
  const ends = endsOf(flow)
  const isAnswer = flow.answersBy !== undefined && dice.chance(0.4)
  const { source, destination, sourcePort, destinationPort } = isAnswer ? ends.reply : ends.original
  // What it is about went the other way.
  const inner = { source: destination, destination: source, protocol: flow.protocol, ...swapped(destinationPort, sourcePort) }
  const isIPv4 = source.family === 4
  const packet: TestPacket['packet'] = {
    source: router(dice, source),
    destination,
    protocol: isIPv4 ? 1 : 58,
    icmpType: dice.pick(isIPv4 ? [3, 3, 11, 12] : [1, 1, 3, 4]),
    icmpCode: dice.below(3),
    iif: dice.pick(INTERFACES),
    ct: 'related',
    ...trackedAs(flow, ends, isAnswer),
    ...frameFields(dice),
  }
  return finish(id, packet, inner)
}

const router = (dice: Dice, near: Address): Address => address(dice.pick(near.family === 4 ? ['203.0.113.3', '10.9.0.9', '198.51.100.9'] : ['2001:db8:f::3', 'fd00:9::9', '2001:db8:7::9']))

const swapped = (sourcePort: number | undefined, destinationPort: number | undefined): { sourcePort: number; destinationPort: number } => ({ sourcePort: sourcePort ?? 0, destinationPort: destinationPort ?? 0 })

const trackedAs = (flow: KnownFlow, ends: Ends, isAnswer: boolean): Pick<Packet, 'ctDirection' | 'ctStatus' | 'ctOriginal' | 'ctReply'> => ({
  ctDirection: isAnswer ? 'reply' : 'original',
  ctStatus: CT_STATUS.seenReply | CT_STATUS.assured | CT_STATUS.confirmed | (flow.dnat ? CT_STATUS.dnat : 0) | (flow.snat ? CT_STATUS.snat : 0),
  ctOriginal: ends.original,
  ctReply: ends.reply,
})

const frameFields = (dice: Dice): Pick<Packet, 'macSource' | 'pkttype' | 'ttl' | 'dscp'> => ({ macSource: dice.pick(MACS), pkttype: 0, ttl: dice.pick([1, 2, 64, 255]), dscp: 0 })
