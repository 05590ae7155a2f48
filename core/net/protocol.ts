/** The transport protocols that have ports and that a need can name. */
export const TRANSPORT_PROTOCOLS = ['tcp', 'udp', 'sctp'] as const
export type TransportProtocol = (typeof TRANSPORT_PROTOCOLS)[number]

/** IANA protocol numbers (https://www.iana.org/assignments/protocol-numbers) of every protocol the product names. */
export const PROTOCOL_NUMBERS = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  ospf: 89,
  vrrp: 112,
  sctp: 132,
  udplite: 136,
} as const satisfies Record<string, number>

export type ProtocolName = keyof typeof PROTOCOL_NUMBERS

export const isTransportProtocol = (name: string): name is TransportProtocol =>
  (TRANSPORT_PROTOCOLS as readonly string[]).includes(name)

export const protocolName = (number: number): ProtocolName | undefined =>
  (Object.keys(PROTOCOL_NUMBERS) as ProtocolName[]).find((name) => PROTOCOL_NUMBERS[name] === number)

/** By the product's name, or by that of /etc/protocols where iptables and nft print it. */
export const protocolNumber = (name: string): number | undefined =>
  name === 'ipv6-icmp' ? PROTOCOL_NUMBERS.icmpv6 : Object.hasOwn(PROTOCOL_NUMBERS, name) ? PROTOCOL_NUMBERS[name as ProtocolName] : undefined
