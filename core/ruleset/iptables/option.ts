import { ADDRESS_TYPES, CT_STATES, CT_STATUS, TCP_FLAGS, type Field, type FieldName, type Interval, type Match } from '../ruleset.ts'
import type { Family } from '../../net/address.ts'
import { icmpTypeOf } from './icmp.ts'
import type { IpSets } from './ipset.ts'
import type { Word } from './line.ts'
import { notA, readAddress, readAddresses, readMasked, readNumber, readProtocol, readRange } from './number.ts'

/** What a match option needs to know besides its own words. */
export interface OptionContext {
  readonly family: Family
  readonly sets: IpSets
  /** All words of the same match module of the rule, for options that change the meaning of others. */
  readonly flags: ReadonlySet<string>
}

export interface OptionReader {
  readonly words: number
  read(words: readonly Word[], isNegated: boolean, context: OptionContext): Match | undefined
}

const field = (name: FieldName, mask?: bigint): Field => (mask === undefined ? { name } : { name, mask })

const among = (fields: readonly Field[], values: readonly Interval[], isNegated: boolean): Match => ({
  kind: 'lookup',
  fields,
  among: { kind: 'inline', elements: values.map((value) => ({ values: [value] })) },
  isNegated,
})

const one = (value: bigint | number): Interval => ({ first: BigInt(value), last: BigInt(value) })

const option = (words: number, read: (word: Word, isNegated: boolean, context: OptionContext) => Match | undefined): OptionReader => ({
  words,
  read: (all, isNegated, context) => read(all[0] ?? { text: '', column: 1 }, isNegated, context),
})

const ranges = (name: FieldName, max: number, separator?: string): OptionReader =>
  option(1, (word, isNegated) => among([field(name)], [readRange(word, max, separator)], isNegated))

const list = (word: Word): readonly Word[] => word.text.split(',').map((text) => ({ text, column: word.column }))

const ports = (...names: readonly ('sport' | 'dport')[]): OptionReader =>
  option(1, (word, isNegated) => {
    const values = list(word).map((each) => readRange(each, 65_535))
    const [first] = names
    if (names.length === 1 && first) return among([field(first)], values, isNegated)
    return { kind: 'any-of', isNegated, alternatives: names.map((name) => [among([field(name)], values, false)]) }
  })

const interfaces = (name: 'iif' | 'oif'): OptionReader =>
  option(1, (word, isNegated) => ({
    kind: 'lookup',
    fields: [{ name }],
    among: { kind: 'inline', elements: [{ values: [word.text.endsWith('+') ? { name: word.text.slice(0, -1), isPrefix: true } : { name: word.text, isPrefix: false }] }] },
    isNegated,
  }))

const addressField = (side: 'saddr' | 'daddr', family: Family): FieldName => `${side}${family}`

const addresses = (side: 'saddr' | 'daddr'): OptionReader =>
  option(1, (word, isNegated, { family }) => among([field(addressField(side, family))], list(word).map((each) => readAddresses(each, family)), isNegated))

const addressRange = (side: 'saddr' | 'daddr'): OptionReader =>
  option(1, (word, isNegated, { family }) => {
    const [first = '', last = first] = word.text.split('-')
    const value = { first: readAddress({ ...word, text: first }, family).value, last: readAddress({ ...word, text: last }, family).value }
    return among([field(addressField(side, family))], [value], isNegated)
  })

const numbered = (word: Word, table: Readonly<Record<string, number>>, kind: string): number => {
  const name = word.text.toLowerCase()
  const value = Object.hasOwn(table, name) ? table[name] : undefined
  if (value === undefined) throw notA(word, kind, kind)
  return value
}

const masked = (name: 'mark' | 'ctMark'): OptionReader =>
  option(1, (word, isNegated) => {
    const { value, mask } = readMasked(word)
    return among([field(name, mask === 0xffff_ffffn ? undefined : mask)], [one(value)], isNegated)
  })

const TCP_FLAG_SETS: Readonly<Record<string, number>> = { ...TCP_FLAGS, all: 0x3f, none: 0 }

const flagBits = (word: Word): number => list(word).reduce((bits, each) => bits | numbered(each, TCP_FLAG_SETS, 'a TCP flag'), 0)

const tcpFlags: OptionReader = {
  words: 2,
  read: ([mask = { text: '', column: 1 }, set = mask], isNegated) => among([field('tcpFlags', BigInt(flagBits(mask)))], [one(flagBits(set))], isNegated),
}

const syn = option(0, (_, isNegated) => among([field('tcpFlags', 0x17n)], [one(TCP_FLAGS.syn)], isNegated))

// xt_conntrack: SNAT and DNAT ask bits of the status; both stand beside the states in one list.
const ctState = option(1, (word, isNegated) => {
  const names = list(word).map((each) => ({ ...each, text: each.text.toLowerCase() }))
  const states = names.filter((name) => name.text !== 'snat' && name.text !== 'dnat')
  const values = states.map((name) => one(numbered(name, CT_STATES, 'a connection state')))
  const nat = names.filter((name) => name.text === 'snat' || name.text === 'dnat')
  if (nat.length === 0) return among([field('ctState')], values, isNegated)
  const asked = nat.map((name) => [bitSet('ctStatus', CT_STATUS[name.text === 'snat' ? 'snat' : 'dnat'])])
  return { kind: 'any-of', isNegated, alternatives: values.length > 0 ? [[among([field('ctState')], values, false)], ...asked] : asked }
})

const bitSet = (name: FieldName, bits: number): Match => among([field(name, BigInt(bits))], [one(0)], true)

/** NONE asks for none of the bits, and no packet has one of those (xt_conntrack.c). */
const CT_STATUS_NAMES: Readonly<Record<string, number>> = { none: 0, expected: CT_STATUS.expected, seen_reply: CT_STATUS.seenReply, assured: CT_STATUS.assured, confirmed: CT_STATUS.confirmed }

const ctStatus = option(1, (word, isNegated) => {
  const bits = list(word).reduce((all, each) => all | numbered(each, CT_STATUS_NAMES, 'a connection status'), 0)
  return among([field('ctStatus', BigInt(bits))], [one(0)], !isNegated)
})

const RTN: Readonly<Record<string, number>> = { ...ADDRESS_TYPES }

const addressType = (side: 'saddr' | 'daddr'): OptionReader =>
  option(1, (word, isNegated, { family, flags }) => {
    const suffix = flags.has('--limit-iface-in') ? 'Iif' : flags.has('--limit-iface-out') ? 'Oif' : ''
    const types = list(word).map((each) => numbered(each, RTN, 'an address type'))
    if (family === 4) return among([field(`${side}Type${suffix}`)], types.map(one), isNegated)
    return { kind: 'any-of', isNegated, alternatives: [types.map((type) => ipv6Type(side, suffix, type))] }
  })

/**
 * xt_addrtype asks IPv6 addresses differently: several types must all hold, unicast and multicast are about the address itself
 * (a local address is unicast too), and only the rest is looked up (xt_addrtype.c, match_type6).
 */
function ipv6Type(side: 'saddr' | 'daddr', suffix: 'Iif' | 'Oif' | '', type: number): Match {
  const multicast = { first: 0xffn << 120n, last: (1n << 128n) - 1n }
  if (type === ADDRESS_TYPES.unspec) return among([field(`${side}6`)], [one(0)], false)
  if (type === ADDRESS_TYPES.multicast) return among([field(`${side}6`)], [multicast], false)
  if (type === ADDRESS_TYPES.unicast) return among([field(`${side}6`)], [one(0), multicast], true)
  const looked = among([field(`${side}Type${suffix}`)], [one(type)], false)
  if (suffix !== '') return looked
  // On whatever link there is one, which the routes of one link do not tell.
  const unbound: Match = { kind: 'unknown', what: `addrtype ${side} ${type} of a link-local address`, isDeterministic: true, isNegated: false }
  return { kind: 'any-of', isNegated: false, alternatives: [[among([field(`${side}6`)], [LINK_LOCAL], true), looked], [among([field(`${side}6`)], [LINK_LOCAL], false), unbound]] }
}

const LINK_LOCAL: Interval = { first: 0xfe80n << 112n, last: (0xfec0n << 112n) - 1n }

const NEVER: Match = { kind: 'any-of', isNegated: false, alternatives: [] }

const icmp = (protocol: 'icmp' | 'icmpv6'): OptionReader =>
  option(1, (word, isNegated) => {
    const type = icmpTypeOf(word, protocol)
    // icmp_type_code_match of the kernel: any type, and its negation none.
    if (!type) return isNegated ? NEVER : undefined
    if (type.code === undefined) return among([field('icmpType')], [one(type.type)], isNegated)
    const element = { values: [one(type.type), one(type.code)] }
    return { kind: 'lookup', fields: [field('icmpType'), field('icmpCode')], among: { kind: 'inline', elements: [element] }, isNegated }
  })

const mac = option(1, (word, isNegated) => {
  if (!/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(word.text)) throw notA(word, 'a MAC address', 'MAC 地址')
  return among([field('macSaddr')], [one(BigInt(`0x${word.text.replaceAll(':', '')}`))], isNegated)
})

const less = (name: FieldName): OptionReader => option(1, (word, isNegated) => {
  const value = readNumber(word, 255)
  return value === 0n ? among([field(name)], [], isNegated) : among([field(name)], [{ first: 0n, last: value - 1n }], isNegated)
})
const more = (name: FieldName): OptionReader => option(1, (word, isNegated) => {
  const value = readNumber(word, 255)
  return among([field(name)], value === 255n ? [] : [{ first: value + 1n, last: 255n }], isNegated)
})
const equal = (name: FieldName, max: number): OptionReader => option(1, (word, isNegated) => among([field(name)], [one(readNumber(word, max))], isNegated))

const DSCP_CLASSES: Readonly<Record<string, number>> = Object.fromEntries([
  ...Array.from({ length: 8 }, (_, level) => [`cs${level}`, level * 8]),
  ...[1, 2, 3, 4].flatMap((level) => [1, 2, 3].map((drop) => [`af${level}${drop}`, level * 8 + drop * 2])),
  ['be', 0], ['ef', 46],
])

const PACKET_TYPES: Readonly<Record<string, number>> = { unicast: 0, host: 0, broadcast: 1, multicast: 2, otherhost: 3 }

const setMatch: OptionReader = {
  words: 2,
  read: ([name = { text: '', column: 1 }, directions = name], isNegated, { sets, family, flags }) => sets.match(name, { directions, isNegated, family, isOfExceptions: flags.has('--return-nomatch') }),
}

const TRANSPORT: Readonly<Record<string, OptionReader>> = {
  '--sport': ranges('sport', 65_535),
  '--source-port': ranges('sport', 65_535),
  '--dport': ranges('dport', 65_535),
  '--destination-port': ranges('dport', 65_535),
}

/** Options of the rule itself, whatever modules are loaded. */
export const BASIC_OPTIONS: Readonly<Record<string, OptionReader>> = {
  '-p': option(1, (word, isNegated) => (/^(?:all|0)$/.test(word.text) ? undefined : among([field('l4proto')], [one(readProtocol(word))], isNegated))),
  '-s': addresses('saddr'),
  '-d': addresses('daddr'),
  '-i': interfaces('iif'),
  '-o': interfaces('oif'),
  '-f': option(0, (_, isNegated) => among([field('isLaterFragment')], [one(1)], isNegated)),
}

/** Modules whose options are modelled. A module that is not here is one unknown match; an option that is not here is, too. */
export const MODULE_OPTIONS: Readonly<Record<string, Readonly<Record<string, OptionReader>>>> = {
  tcp: { ...TRANSPORT, '--tcp-flags': tcpFlags, '--syn': syn },
  udp: TRANSPORT,
  udplite: TRANSPORT,
  sctp: TRANSPORT,
  dccp: TRANSPORT,
  multiport: { '--sports': ports('sport'), '--source-ports': ports('sport'), '--dports': ports('dport'), '--destination-ports': ports('dport'), '--ports': ports('sport', 'dport') },
  icmp: { '--icmp-type': icmp('icmp') },
  icmp6: { '--icmpv6-type': icmp('icmpv6') },
  icmpv6: { '--icmpv6-type': icmp('icmpv6') },
  state: { '--state': ctState },
  conntrack: {
    '--ctstate': ctState,
    '--ctstatus': ctStatus,
    '--ctproto': option(1, (word, isNegated) => among([field('ctOriginalProtocol')], [one(readProtocol(word))], isNegated)),
    '--ctorigsrc': option(1, (word, isNegated, { family }) => among([field(`ctOriginalSaddr${family}`)], [readAddresses(word, family)], isNegated)),
    '--ctorigdst': option(1, (word, isNegated, { family }) => among([field(`ctOriginalDaddr${family}`)], [readAddresses(word, family)], isNegated)),
    '--ctorigsrcport': ranges('ctOriginalSport', 65_535),
    '--ctorigdstport': ranges('ctOriginalDport', 65_535),
    '--ctdir': option(1, (word, isNegated) => among([field('ctDirection')], [one(word.text.toLowerCase() === 'reply' ? 1 : 0)], isNegated)),
  },
  iprange: { '--src-range': addressRange('saddr'), '--dst-range': addressRange('daddr') },
  addrtype: { '--src-type': addressType('saddr'), '--dst-type': addressType('daddr'), '--limit-iface-in': option(0, () => undefined), '--limit-iface-out': option(0, () => undefined) },
  mac: { '--mac-source': mac },
  mark: { '--mark': masked('mark') },
  connmark: { '--mark': masked('ctMark') },
  pkttype: { '--pkt-type': option(1, (word, isNegated) => among([field('pkttype')], [one(numbered(word, PACKET_TYPES, 'a packet type'))], isNegated)) },
  ttl: { '--ttl-eq': equal('ttl', 255), '--ttl': equal('ttl', 255), '--ttl-lt': less('ttl'), '--ttl-gt': more('ttl') },
  hl: { '--hl-eq': equal('ttl', 255), '--hl-lt': less('ttl'), '--hl-gt': more('ttl') },
  length: { '--length': ranges('length', 65_535) },
  dscp: { '--dscp': equal('dscp', 63), '--dscp-class': option(1, (word, isNegated) => among([field('dscp')], [one(numbered(word, DSCP_CLASSES, 'a DSCP class'))], isNegated)) },
  set: { '--match-set': setMatch, '--return-nomatch': option(0, () => undefined) },
  // Counts bytes and packets, matches always (xt_nfacct).
  nfacct: { '--nfacct-name': option(1, () => undefined) },
}

/** Modules that answer the same for the same packet: correlation is kept between rules. The rest is asked afresh each time. */
export const DETERMINISTIC_MODULES: ReadonlySet<string> = new Set(['owner', 'string', 'u32', 'bpf', 'policy', 'physdev', 'rt', 'ah', 'esp', 'frag', 'hbh', 'dst', 'ipv6header', 'eui64', 'mh', 'tos', 'ecn', 'tcpmss', 'realm', 'devgroup', 'helper', 'cgroup', 'socket', 'osf', 'ipvs', 'l2tp', 'geoip', 'tcp', 'sctp', 'dccp', 'conntrack', 'rpfilter', 'connlabel'])
