import { assemble, type Instruction } from '../rawsocket/packetFilter.ts'
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTOCOL_TCP } from './frame.ts'

/** The probes of one scan leave from these ports: the upper byte is the scan's, the lower one tells which attempt it was. */
export const PORTS_PER_SCAN = 256

const PROTOCOL_ICMP = 1
const PROTOCOL_ICMPV6 = 58
const WHOLE_FRAME = 0x40000
const FRAGMENT_OFFSET = 0x1fff

/**
 * Lets through what can be an answer, so that no other traffic of the machine is copied: TCP to our ports, ICMP "unreachable" and
 * "time exceeded", ARP replies and neighbour advertisements. Fragments and IPv6 extension headers are not answers to a SYN.
 */
export function answerFilter(sourcePortBase: number): Instruction[] {
  return assemble([
    { load: 'half', at: 12 },
    { test: '==', value: ETHERTYPE_IPV6, ifYes: 'ipv6' },
    { test: '==', value: ETHERTYPE_ARP, ifYes: 'arp' },
    { test: '==', value: ETHERTYPE_IPV4, ifNo: 'refuse' },
    { load: 'half', at: 20 },
    { test: '&', value: FRAGMENT_OFFSET, ifYes: 'refuse' },
    { loadHeaderLength: 14 },
    { load: 'byte', at: 23 },
    { test: '==', value: PROTOCOL_ICMP, ifYes: 'icmp' },
    { test: '==', value: PROTOCOL_TCP, ifNo: 'refuse' },
    { load: 'half', at: 16, plusIndex: true },
    { and: 0xff00 },
    { test: '==', value: sourcePortBase, ifYes: 'take', ifNo: 'refuse' },
    { label: 'icmp' },
    { load: 'byte', at: 14, plusIndex: true },
    { test: '==', value: 3, ifYes: 'take' },
    { test: '==', value: 11, ifYes: 'take', ifNo: 'refuse' },
    { label: 'arp' },
    { load: 'half', at: 20 },
    { test: '==', value: 2, ifYes: 'take', ifNo: 'refuse' },
    { label: 'ipv6' },
    { load: 'byte', at: 20 },
    { test: '==', value: PROTOCOL_ICMPV6, ifYes: 'icmpv6' },
    { test: '==', value: PROTOCOL_TCP, ifNo: 'refuse' },
    { load: 'half', at: 56 },
    { and: 0xff00 },
    { test: '==', value: sourcePortBase, ifYes: 'take', ifNo: 'refuse' },
    { label: 'icmpv6' },
    { load: 'byte', at: 54 },
    { test: '==', value: 1, ifYes: 'take' },
    { test: '==', value: 3, ifYes: 'take' },
    { test: '==', value: 136, ifYes: 'take' },
    { label: 'refuse' },
    { give: 0 },
    { label: 'take' },
    { give: WHOLE_FRAME },
  ])
}
