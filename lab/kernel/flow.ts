import { execFileSync } from 'node:child_process'
import { CT_STATUS, TCP_FLAGS } from '@portcullis/core/ruleset/ruleset.ts'
import type { Dice } from './dice.ts'
import { address, ipLength, type TestPacket } from './packet.ts'
import type { InterfaceName } from './stage.ts'

/** A flow that connection tracking holds from before the test: to this host, or through it. */
interface KnownFlow {
  readonly protocol: 6 | 17
  readonly source: string
  readonly sourcePort: number
  readonly destination: string
  readonly destinationPort: number
  readonly iif: InterfaceName
  /** Where its answers come in; absent for a flow that ends here. */
  readonly answersBy?: InterfaceName
}

export const FLOWS: readonly KnownFlow[] = [
  { protocol: 6, source: '198.51.100.7', sourcePort: 50_001, destination: '192.0.2.1', destinationPort: 22, iif: 'wan0' },
  { protocol: 6, source: '10.9.0.5', sourcePort: 50_002, destination: '10.9.0.1', destinationPort: 443, iif: 'eth1' },
  { protocol: 17, source: '192.0.2.9', sourcePort: 50_003, destination: '192.0.2.1', destinationPort: 53, iif: 'eth0' },
  { protocol: 6, source: '192.0.2.9', sourcePort: 50_004, destination: '10.9.0.77', destinationPort: 80, iif: 'eth0', answersBy: 'eth1' },
  { protocol: 17, source: '8.8.8.8', sourcePort: 50_005, destination: '10.9.4.4', destinationPort: 8080, iif: 'wan0', answersBy: 'eth1' },
  { protocol: 6, source: '2001:db8:7::7', sourcePort: 50_006, destination: '2001:db8:1::1', destinationPort: 22, iif: 'wan0' },
  { protocol: 17, source: 'fd00:9::5', sourcePort: 50_007, destination: 'fd00:9::1', destinationPort: 53, iif: 'eth1' },
  { protocol: 6, source: '2001:db8:1::9', sourcePort: 50_008, destination: 'fd00:9::77', destinationPort: 443, iif: 'eth0', answersBy: 'eth1' },
]

/** Five days, the kernel's own timeout of an established TCP flow. */
const TIMEOUT_SECONDS = 432_000

/** Puts the flows into the kernel as if both sides had been heard (conntrack(8)). */
export function seedFlows(): void {
  for (const flow of FLOWS) {
    const state = flow.protocol === 6 ? ['--state', 'ESTABLISHED'] : []
    const ports = ['--sport', String(flow.sourcePort), '--dport', String(flow.destinationPort)]
    execFileSync('conntrack', ['-I', '-s', flow.source, '-d', flow.destination, '-p', flow.protocol === 6 ? 'tcp' : 'udp', ...ports, ...state, '-u', 'SEEN_REPLY,ASSURED', '-t', String(TIMEOUT_SECONDS)], { stdio: 'ignore' })
  }
}

/** A packet of a known flow, in either direction. Its mark is whatever rules have written there: not stated. */
export function knownFlowPacket(dice: Dice, id: number): TestPacket {
  const flow = dice.pick(FLOWS)
  const isAnswer = flow.answersBy !== undefined && dice.chance(0.4)
  const [from, to] = [
    { address: address(flow.source), port: flow.sourcePort },
    { address: address(flow.destination), port: flow.destinationPort },
  ]
  const [sender, receiver] = isAnswer ? [to, from] : [from, to]
  const packet: TestPacket['packet'] = {
    source: sender.address,
    destination: receiver.address,
    protocol: flow.protocol,
    sourcePort: sender.port,
    destinationPort: receiver.port,
    ...(flow.protocol === 6 ? { tcpFlags: dice.pick([TCP_FLAGS.ack, TCP_FLAGS.ack | TCP_FLAGS.psh]) } : {}),
    iif: isAnswer ? (flow.answersBy ?? flow.iif) : flow.iif,
    ct: 'established',
    ctDirection: isAnswer ? 'reply' : 'original',
    ctStatus: CT_STATUS.seenReply | CT_STATUS.assured | CT_STATUS.confirmed,
    ctOriginal: { source: from.address, destination: to.address, protocol: flow.protocol, sourcePort: from.port, destinationPort: to.port },
    macSource: 0x02_00_00_00_00_01n,
    pkttype: 0,
    ttl: dice.pick([2, 64, 255]),
    dscp: 0,
  }
  return { id, packet: { ...packet, length: ipLength(packet) } }
}
