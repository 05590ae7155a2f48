import { ADDRESS_TYPES, CT_STATES, CT_STATUS, TCP_FLAGS } from '../ruleset.ts'

/** The words that nft prints instead of numbers. Each table is nft 1.0.6's own; protocol names are /etc/protocols, as Debian ships it. */
export type Symbols = Readonly<Record<string, number>>

export const PROTOCOL_SYMBOLS: Symbols = {
  ip: 0,
  hopopt: 0,
  icmp: 1,
  igmp: 2,
  ggp: 3,
  ipencap: 4,
  st: 5,
  tcp: 6,
  egp: 8,
  igp: 9,
  pup: 12,
  udp: 17,
  hmp: 20,
  'xns-idp': 22,
  rdp: 27,
  'iso-tp4': 29,
  dccp: 33,
  xtp: 36,
  ddp: 37,
  'idpr-cmtp': 38,
  ipv6: 41,
  'ipv6-route': 43,
  'ipv6-frag': 44,
  idrp: 45,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ah: 51,
  skip: 57,
  'ipv6-icmp': 58,
  icmpv6: 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  rspf: 73,
  vmtp: 81,
  eigrp: 88,
  ospf: 89,
  'ax.25': 93,
  ipip: 94,
  etherip: 97,
  encap: 98,
  pim: 103,
  ipcomp: 108,
  comp: 108,
  vrrp: 112,
  l2tp: 115,
  isis: 124,
  sctp: 132,
  fc: 133,
  'mobility-header': 135,
  udplite: 136,
  'mpls-in-ip': 137,
  manet: 138,
  hip: 139,
  shim6: 140,
  wesp: 141,
  rohc: 142,
  ethernet: 143,
}

export const ICMP_TYPE_SYMBOLS: Symbols = {
  'echo-reply': 0,
  'destination-unreachable': 3,
  'source-quench': 4,
  redirect: 5,
  'echo-request': 8,
  'router-advertisement': 9,
  'router-solicitation': 10,
  'time-exceeded': 11,
  'parameter-problem': 12,
  'timestamp-request': 13,
  'timestamp-reply': 14,
  'info-request': 15,
  'info-reply': 16,
  'address-mask-request': 17,
  'address-mask-reply': 18,
}

export const ICMPV6_TYPE_SYMBOLS: Symbols = {
  'destination-unreachable': 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'parameter-problem': 4,
  'echo-request': 128,
  'echo-reply': 129,
  'mld-listener-query': 130,
  'mld-listener-report': 131,
  'mld-listener-done': 132,
  'mld-listener-reduction': 132,
  'nd-router-solicit': 133,
  'nd-router-advert': 134,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
  'nd-redirect': 137,
  'router-renumbering': 138,
  'ind-neighbor-solicit': 141,
  'ind-neighbor-advert': 142,
  'mld2-listener-report': 143,
}

export const ICMP_CODE_SYMBOLS: Symbols = {
  'net-unreachable': 0,
  'host-unreachable': 1,
  'prot-unreachable': 2,
  'port-unreachable': 3,
  'frag-needed': 4,
  'net-prohibited': 9,
  'host-prohibited': 10,
  'admin-prohibited': 13,
}

export const ICMPV6_CODE_SYMBOLS: Symbols = {
  'no-route': 0,
  'admin-prohibited': 1,
  'addr-unreachable': 3,
  'port-unreachable': 4,
  'policy-fail': 5,
  'reject-route': 6,
}

export const DSCP_SYMBOLS: Symbols = {
  cs0: 0,
  cs1: 8,
  cs2: 16,
  cs3: 24,
  cs4: 32,
  cs5: 40,
  cs6: 48,
  cs7: 56,
  df: 0,
  be: 0,
  lephb: 1,
  af11: 10,
  af12: 12,
  af13: 14,
  af21: 18,
  af22: 20,
  af23: 22,
  af31: 26,
  af32: 28,
  af33: 30,
  af41: 34,
  af42: 36,
  af43: 38,
  va: 44,
  ef: 46,
}

export const FAMILY_SYMBOLS: Symbols = { ipv4: 4, ipv6: 6, ip: 4, ip6: 6 }
export const PKTTYPE_SYMBOLS: Symbols = { host: 0, unicast: 0, broadcast: 1, multicast: 2, other: 3 }
export const DIRECTION_SYMBOLS: Symbols = { original: 0, reply: 1 }
export const IIFTYPE_SYMBOLS: Symbols = { ether: 1, ppp: 512, ipip: 768, ipip6: 769, loopback: 772, sit: 776, ipgre: 778 }
export const CT_STATE_SYMBOLS: Symbols = CT_STATES
export const TCP_FLAG_SYMBOLS: Symbols = { ...TCP_FLAGS, ecn: TCP_FLAGS.ece }
export const ADDRESS_TYPE_SYMBOLS: Symbols = ADDRESS_TYPES
export const CT_STATUS_SYMBOLS: Symbols = {
  expected: CT_STATUS.expected,
  'seen-reply': CT_STATUS.seenReply,
  assured: CT_STATUS.assured,
  confirmed: CT_STATUS.confirmed,
  snat: CT_STATUS.snat,
  dnat: CT_STATUS.dnat,
  dying: CT_STATUS.dying,
}
/** nft(8), CHAINS, and the iptables tables that iptables-nft makes. */
export const PRIORITY_SYMBOLS: Symbols = { raw: -300, mangle: -150, dstnat: -100, filter: 0, security: 50, srcnat: 100 }
