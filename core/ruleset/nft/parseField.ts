import { NUMBER_FIELD_BITS, type Field, type FieldName } from '../ruleset.ts'
import { entryOf, type JsonNode } from './jsonNode.ts'
import type { DataType } from './parseValue.ts'

/** What an nft expression reads, and what nft silently tests before it (`nft --debug=netlink` shows them). */
export interface ReadField {
  readonly field: Field
  /** The field as a list of its own: rules share it. */
  readonly alone: readonly Field[]
  readonly type: DataType
  readonly family?: 4 | 6
  readonly protocol?: number
}

/** Undefined: the model has no such field. */
export function parseField(node: JsonNode, tableFamily: string): ReadField | undefined {
  const { key, node: body } = node.sole ?? {}
  if (!body) return undefined
  if (key === 'payload') return payloadField(body)
  if (key === 'meta') return entryOf(META_FIELDS, body.require('key').text())
  if (key === 'ct') return ctField(body, tableFamily)
  if (key === 'fib') return fibField(body)
  return undefined
}

function read(name: FieldName, type: DataType, needs: { family?: 4 | 6; protocol?: number } = {}): ReadField {
  const field = { name }
  return { field, alone: [field], type, ...needs }
}

const portsOf = (protocol: number | undefined): Record<string, ReadField> => ({
  sport: read('sport', 'port', protocol === undefined ? {} : { protocol }),
  dport: read('dport', 'port', protocol === undefined ? {} : { protocol }),
})

/** Bits of `ip frag-off` that hold the offset; the model tells fragments apart by whether it is zero. */
export const FRAGMENT_OFFSET_MASK = 0x1fffn

const PAYLOAD_FIELDS: Readonly<Record<string, Readonly<Record<string, ReadField>>>> = {
  ip: {
    saddr: read('saddr4', 'ipv4', { family: 4 }),
    daddr: read('daddr4', 'ipv4', { family: 4 }),
    protocol: read('l4proto', 'protocol', { family: 4 }),
    ttl: read('ttl', 'number', { family: 4 }),
    dscp: read('dscp', 'dscp', { family: 4 }),
    length: read('length', 'number', { family: 4 }),
    'frag-off': read('isLaterFragment', 'fragment', { family: 4 }),
  },
  ip6: {
    saddr: read('saddr6', 'ipv6', { family: 6 }),
    daddr: read('daddr6', 'ipv6', { family: 6 }),
    nexthdr: read('nexthdr', 'protocol', { family: 6 }),
    hoplimit: read('ttl', 'number', { family: 6 }),
    dscp: read('dscp', 'dscp', { family: 6 }),
  },
  icmp: {
    type: read('icmpType', 'icmp-type', { family: 4, protocol: 1 }),
    code: read('icmpCode', 'icmp-code', { family: 4, protocol: 1 }),
  },
  icmpv6: {
    type: read('icmpType', 'icmpv6-type', { family: 6, protocol: 58 }),
    code: read('icmpCode', 'icmpv6-code', { family: 6, protocol: 58 }),
  },
  tcp: { ...portsOf(6), flags: read('tcpFlags', 'tcp-flags', { protocol: 6 }) },
  udp: portsOf(17),
  dccp: portsOf(33),
  sctp: portsOf(132),
  udplite: portsOf(136),
  th: portsOf(undefined),
  ether: { saddr: read('macSaddr', 'mac') },
}

const META_FIELDS: Readonly<Record<string, ReadField>> = {
  nfproto: read('family', 'family'),
  l4proto: read('l4proto', 'protocol'),
  iifname: read('iif', 'name'),
  oifname: read('oif', 'name'),
  // nft prints the index as a name where the interface exists; a bare number is an interface that is gone.
  iif: read('iif', 'index'),
  oif: read('oif', 'index'),
  iiftype: read('iifType', 'iiftype'),
  pkttype: read('pkttype', 'pkttype'),
  mark: read('mark', 'number'),
  length: read('length', 'number'),
}

const CT_FIELDS: Readonly<Record<string, ReadField>> = {
  state: read('ctState', 'ct-state'),
  status: read('ctStatus', 'ct-status'),
  direction: read('ctDirection', 'direction'),
  mark: read('ctMark', 'number'),
}

const CT_ORIGINAL_FIELDS: Readonly<Record<string, ReadField>> = {
  protocol: read('ctOriginalProtocol', 'protocol'),
  'proto-src': read('ctOriginalSport', 'port'),
  'proto-dst': read('ctOriginalDport', 'port'),
  'ip saddr': read('ctOriginalSaddr4', 'ipv4'),
  'ip daddr': read('ctOriginalDaddr4', 'ipv4'),
  'ip6 saddr': read('ctOriginalSaddr6', 'ipv6'),
  'ip6 daddr': read('ctOriginalDaddr6', 'ipv6'),
}

function payloadField(body: JsonNode): ReadField | undefined {
  const protocol = body.member('protocol')?.text()
  return protocol === undefined ? undefined : entryOf(entryOf(PAYLOAD_FIELDS, protocol) ?? {}, body.require('field').text())
}

function ctField(body: JsonNode, tableFamily: string): ReadField | undefined {
  const key = body.require('key').text()
  const direction = body.member('dir')?.text()
  if (direction === undefined) return entryOf(CT_FIELDS, key)
  if (direction !== 'original') return undefined
  // `ct original saddr` without a family is only written in tables of one family.
  const isBare = key === 'saddr' || key === 'daddr'
  return entryOf(CT_ORIGINAL_FIELDS, isBare ? `${tableFamily} ${key}` : key)
}

function fibField(body: JsonNode): ReadField | undefined {
  const flags = body
    .require('flags')
    .oneOrMore()
    .map((flag) => flag.text())
  const result = body.require('result').text()
  const names = FIB_FIELDS[`${result} ${flags.toSorted().join('.')}`]
  return names && read(names, result === 'type' ? 'address-type' : 'exists')
}

const FIB_FIELDS: Readonly<Record<string, FieldName>> = {
  'type saddr': 'saddrType',
  'type daddr': 'daddrType',
  'type iif.saddr': 'saddrTypeIif',
  'type daddr.iif': 'daddrTypeIif',
  'type oif.saddr': 'saddrTypeOif',
  'type daddr.oif': 'daddrTypeOif',
  'oif saddr': 'saddrRoute',
  'oif iif.saddr': 'saddrRouteIif',
  // A packet mark only takes part where policy routing looks at it, which the host facts tell as unmodelled.
  'oif iif.mark.saddr': 'saddrRouteIif',
}

export const bitsOfField = (field: Field): number =>
  field.name === 'iif' || field.name === 'oif' ? 0 : NUMBER_FIELD_BITS[field.name]

/** What is modelled, by the words of nft: for tests that everything is tried. */
export const PAYLOAD_NAMES: Readonly<Record<string, readonly string[]>> = Object.fromEntries(Object.entries(PAYLOAD_FIELDS).map(([protocol, fields]) => [protocol, Object.keys(fields)]))
export const META_NAMES: readonly string[] = Object.keys(META_FIELDS)
export const CT_NAMES: readonly string[] = Object.keys(CT_FIELDS)
export const CT_ORIGINAL_NAMES: readonly string[] = Object.keys(CT_ORIGINAL_FIELDS)
/** Result and sorted flags. */
export const FIB_NAMES: readonly string[] = Object.keys(FIB_FIELDS)
