import type { Dice } from './dice.ts'
import { DISJOINT, DISJOINT_PORTS, POOL } from './pool.ts'

/** A match in nft's words, and what it makes certain of family and protocol: nft refuses a rule that says two. */
export interface Match {
  readonly text: string
  readonly family?: 'ip' | 'ip6'
  readonly protocol?: string
}

export type Make = (dice: Dice) => Match

export function clashes(match: Match, before: readonly Match[], table: string): boolean {
  const families = [match, ...before].map((each) => each.family).filter((each) => each !== undefined)
  const protocols = [match, ...before].map((each) => each.protocol).filter((each) => each !== undefined)
  return new Set(table === 'inet' ? families : [table, ...families]).size > 1 || new Set(protocols).size > 1
}

/** `family` any: matches that every table takes. */
export function matchesOf(family: 'any' | 'ip' | 'ip6', hook: string, isStateless: boolean): readonly Make[] {
  if (family !== 'any') return isStateless ? OF_FAMILY[family].filter((make) => !TRACKED.has(make)) : OF_FAMILY[family]
  const common = isStateless ? STATELESS : [...STATELESS, ...STATEFUL]
  if (hook === 'postrouting') return [...common.filter((make) => !REVERSE_PATH.includes(make)), ...LEAVING]
  return hook === 'forward' ? [...common, ...LEAVING] : common
}

const text = (make: (dice: Dice) => string, pins: Omit<Match, 'text'> = {}): Make => (dice) => ({ text: make(dice), ...pins })

const port = (dice: Dice): string => String(dice.pick(POOL.ports))
const portRange = (dice: Dice): string => dice.pick(['1-22', '22-80', '80-90', '1024-65535', '8080-8081', '0-1023'])
const interfaceName = (dice: Dice): string => dice.pick(['"eth0"', '"eth1"', '"wan0"', '"eth*"', '"lo"', '"w*"'])
const not = (dice: Dice): string => (dice.chance(0.25) ? '!= ' : '')
const braces = (values: readonly string[]): string => `{ ${values.join(', ')} }`
const portSet = (dice: Dice): string => braces(dice.some(DISJOINT_PORTS, 1, 4))
const ports = (dice: Dice): string => dice.pick([port(dice), portRange(dice), portSet(dice), `${dice.pick(['<', '>', '<=', '>='])} ${dice.pick(['22', '80', '1024'])}`])
const unorderedPorts = (dice: Dice): string => `${not(dice)}${dice.pick([port(dice), portRange(dice), portSet(dice)])}`

const ADDRESSES = { ip: [...POOL.sources[4], ...POOL.destinations[4]], ip6: [...POOL.sources[6], ...POOL.destinations[6]] }
const PREFIXES = { ip: ['10.0.0.0/8', '10.9.0.0/16', '198.51.100.0/24', '192.0.2.0/24', '0.0.0.0/0', '203.0.113.0/28'], ip6: ['2001:db8::/32', 'fd00::/8', 'fe80::/10', '2001:db8:7::/64', '::/0'] }
const place = (family: 'ip' | 'ip6') => (dice: Dice): string => `${not(dice)}${dice.chance(0.5) ? dice.pick(PREFIXES[family]) : dice.pick(ADDRESSES[family])}`

const ADDRESS_TYPES = ['local', 'unicast', 'broadcast', 'multicast', 'anycast', 'unreachable', 'blackhole']
const addressTypes = (dice: Dice): string => `${not(dice)}${dice.chance(0.6) ? dice.pick(ADDRESS_TYPES) : braces(dice.some(ADDRESS_TYPES, 1, 3))}`
const STATES = ['new', 'invalid', 'established', 'related', 'untracked']
const FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg']
const tcp = { protocol: 'tcp' }
const udp = { protocol: 'udp' }

/** Valid in prerouting, input and forward alone (nft_fib.c, nft_fib_validate). */
const REVERSE_PATH: readonly Make[] = [
  text((dice) => `fib saddr . iif oif ${dice.pick(['exists', 'missing'])}`),
  text((dice) => `fib saddr oif ${dice.pick(['exists', 'missing'])}`),
  text((dice) => `fib daddr . iif type ${addressTypes(dice)}`),
  text((dice) => `fib saddr . iif type ${addressTypes(dice)}`),
  text((dice) => `fib saddr . mark . iif oif ${dice.pick(['exists', 'missing'])}`),
]

const LEAVING: readonly Make[] = [
  text((dice) => `oifname ${not(dice)}${interfaceName(dice)}`),
  text((dice) => `oif ${not(dice)}${dice.pick(['"eth0"', '"eth1"', '"wan0"'])}`),
  text((dice) => `iifname . oifname { "eth0" . "eth1", "wan0" . "eth1" }`.replace('"eth1"', dice.pick(['"eth1"', '"wan0"']))),
  text((dice) => `fib daddr . oif type ${addressTypes(dice)}`),
  text((dice) => `fib saddr . oif type ${addressTypes(dice)}`),
]

const STATELESS: readonly Make[] = [
  text((dice) => `tcp dport ${not(dice)}${ports(dice)}`.replace(/!= ([<>])/, '$1'), tcp),
  text((dice) => `tcp sport ${unorderedPorts(dice)}`, tcp),
  text((dice) => `udp dport ${unorderedPorts(dice)}`, udp),
  text((dice) => `sctp ${dice.pick(['dport', 'sport'])} ${unorderedPorts(dice)}`, { protocol: 'sctp' }),
  text((dice) => `dccp ${dice.pick(['dport', 'sport'])} ${unorderedPorts(dice)}`, { protocol: 'dccp' }),
  text((dice) => `udplite ${dice.pick(['dport', 'sport'])} ${unorderedPorts(dice)}`, { protocol: 'udplite' }),
  text((dice) => `udp sport ${unorderedPorts(dice)}`, udp),
  text((dice) => `th sport ${unorderedPorts(dice)}`, { protocol: 'any' }),
  text((dice) => `meta l4proto { tcp, udp } th dport ${unorderedPorts(dice)}`, { protocol: 'tcp or udp' }),
  text((dice) => `th dport ${unorderedPorts(dice)}`, { protocol: 'any' }),
  text((dice) => `meta l4proto ${not(dice)}${dice.pick(['47', '{ tcp, udp, 132 }', '{ 47, 50 }', '1-6'])}`, { protocol: 'some' }),
  text((dice) => `meta l4proto ${dice.pick(['!= tcp', '!= udp', '!= icmp'])}`, { protocol: 'not one' }),
  text(() => 'meta l4proto tcp', tcp),
  text(() => 'meta l4proto udp', udp),
  text((dice) => `meta nfproto ${dice.pick(['ipv4', 'ipv6'])}`, { family: 'ip' }),
  text((dice) => `tcp flags ${dice.pick(['syn', '== syn', '!= syn', '& (fin | syn | rst | ack) == syn', 'syn,ack', '! fin', '{ syn, ack, syn | ack }', 'syn / syn,ack', '& (fin | syn) == fin | syn', '& (syn | rst) != 0'])}`, tcp),
  text((dice) => `tcp flags & (${dice.some(FLAGS, 1, 4).join(' | ')}) ${dice.pick(['==', '!='])} ${dice.pick(FLAGS)}`, tcp),
  text((dice) => `iifname ${not(dice)}${interfaceName(dice)}`),
  text((dice) => `iifname ${not(dice)}${braces(dice.some(['"eth0"', '"wan0"', '"lo"', '"x0"'], 1, 3))}`),
  text((dice) => `iif ${not(dice)}${dice.pick(['"lo"', '"eth0"', '"wan0"', '{ "eth0", "eth1" }'])}`),
  text((dice) => `iifname . tcp dport ${braces([`"eth0" . ${portRange(dice)}`, `"wan0" . ${port(dice)}`])}`, tcp),
  text((dice) => `fib daddr type ${addressTypes(dice)}`),
  text((dice) => `fib saddr type ${addressTypes(dice)}`),
  ...REVERSE_PATH,
  text((dice) => `meta mark ${dice.pick(['0x1', '!= 0x1', '& 0xf == 0x3', '{ 0x0, 0x2-0x9 }', '& 0x1 != 0x1', '< 0x4'])}`),
  text((dice) => `meta pkttype ${not(dice)}${dice.pick(['host', 'multicast', 'broadcast', '{ host, broadcast }'])}`),
  text((dice) => `meta length ${dice.pick(['< 50', '> 44', '40-60', '!= 44', '{ 32, 44, 48-64 }'])}`),
  text((dice) => `ether saddr ${not(dice)}${dice.pick(['02:00:00:00:00:01', '02:00:00:00:00:02'])}`),
  text(() => 'meta iiftype ether'),
  text((dice) => `meta protocol ${dice.pick(['ip', 'ip6', '!= ip', '{ ip, ip6 }'])}`, { family: 'ip' }),
]

const STATEFUL: readonly Make[] = [
  text((dice) => `ct state ${dice.some(STATES, 1, 3).join(',')}`),
  text((dice) => `ct state ${not(dice)}${braces(dice.some(STATES, 1, 3))}`),
  text((dice) => `ct state != ${dice.pick(STATES)}`),
  text((dice) => `ct direction ${dice.pick(['original', 'reply'])}`),
  text((dice) => `ct status ${dice.pick(['dnat', 'snat', '!= dnat', 'assured', 'seen-reply,dnat', '== snat', '{ dnat, snat }'])}`),
  text((dice) => `ct mark ${dice.pick(['0x0', '0x3', '& 0x1 == 0x1', '!= 0x0', '{ 0x1, 0x3-0x9 }'])}`),
  text((dice) => `meta l4proto tcp ct original proto-dst ${not(dice)}${port(dice)}`, tcp),
  text((dice) => `meta l4proto udp ct original proto-src ${portRange(dice)}`, udp),
  text((dice) => `ct original protocol ${not(dice)}${dice.pick(['tcp', 'udp'])}`),
]

const TRACKED = new Set<Make>([
  text((dice) => `ct original ip daddr ${dice.pick(['192.0.2.1', '10.9.0.0/16', '203.0.113.1'])}`, { family: 'ip' }),
  text((dice) => `ct original ip saddr ${dice.pick(['198.51.100.0/24', '10.9.0.0/16', '!= 10.9.0.5'])}`, { family: 'ip' }),
  text((dice) => `ct original ip6 daddr ${dice.pick(['2001:db8:1::1', 'fd00:9::/64'])}`, { family: 'ip6' }),
  text((dice) => `ct original ip6 saddr ${dice.pick(['2001:db8:7::/64', 'fd00:9::5'])}`, { family: 'ip6' }),
])

const OF_FAMILY: Record<'ip' | 'ip6', readonly Make[]> = {
  ip: [
    text((dice) => `ip saddr ${place('ip')(dice)}`, { family: 'ip' }),
    text((dice) => `ip daddr ${place('ip')(dice)}`, { family: 'ip' }),
    text((dice) => `ip saddr ${not(dice)}${braces(dice.some(DISJOINT.ip, 1, 4))}`, { family: 'ip' }),
    text((dice) => `ip saddr 10.0.0.0-10.9.0.${dice.pick(['4', '5', '6'])}`, { family: 'ip' }),
    text((dice) => `ip daddr & 255.255.0.255 == 10.9.0.${dice.pick(['1', '77', '4'])}`, { family: 'ip' }),
    text((dice) => `ip protocol ${not(dice)}${dice.pick(['tcp', 'udp', 'icmp', '{ tcp, icmp }'])}`, { family: 'ip', protocol: 'by header' }),
    text((dice) => `icmp type ${not(dice)}${dice.pick(['echo-request', 'destination-unreachable', '{ echo-request, time-exceeded, redirect }'])}`, { family: 'ip', protocol: 'icmp' }),
    text((dice) => `icmp type destination-unreachable icmp code ${dice.pick(['host-unreachable', '{ 0, 3-4 }'])}`, { family: 'ip', protocol: 'icmp' }),
    text((dice) => `ip ttl ${dice.pick(['1-64', '255', '!= 2', '< 64', '1'])}`, { family: 'ip' }),
    text((dice) => `ip dscp ${not(dice)}${dice.pick(['cs1', 'ef', '{ cs0, ef }'])}`, { family: 'ip' }),
    text((dice) => `ip length ${dice.pick(['44', '< 48', '!= 44'])}`, { family: 'ip' }),
    text((dice) => `ip frag-off & 0x1fff ${dice.pick(['!=', '=='])} 0`, { family: 'ip' }),
    text((dice) => `ip saddr . tcp dport ${braces(dice.some(['198.51.100.0/24 . 20-25', '10.1.2.3 . 80', '10.9.0.0/16 . 1024-65535', '8.8.8.8 . 443'], 1, 4))}`, { family: 'ip', ...tcp }),
    text((dice) => `ip saddr . ip daddr ${braces(dice.some(['198.51.100.0/24 . 192.0.2.1', '10.0.0.0/8 . 10.9.0.1-10.9.0.80', '192.0.2.9 . 0.0.0.0/0'], 1, 3))}`, { family: 'ip' }),
    text((dice) => `ip saddr . meta l4proto . th dport ${braces(dice.some(['198.51.100.0/24 . tcp . 20-25', '10.0.0.0/8 . udp . 0-1023', '192.0.2.9 . tcp . 80'], 1, 3))}`, { family: 'ip', protocol: 'concatenated' }),
    ...[...TRACKED].slice(0, 2),
  ],
  ip6: [
    text((dice) => `ip6 saddr ${place('ip6')(dice)}`, { family: 'ip6' }),
    text((dice) => `ip6 daddr ${place('ip6')(dice)}`, { family: 'ip6' }),
    text((dice) => `ip6 daddr ${not(dice)}${braces(dice.some(DISJOINT.ip6, 1, 4))}`, { family: 'ip6' }),
    text((dice) => `ip6 nexthdr ${not(dice)}${dice.pick(['tcp', 'udp', '60', 'ipv6-icmp', '0'])}`, { family: 'ip6', protocol: 'by header' }),
    text((dice) => `icmpv6 type ${not(dice)}${dice.pick(['echo-request', 'nd-neighbor-solicit', '{ nd-router-solicit, packet-too-big, echo-reply }'])}`, { family: 'ip6', protocol: 'icmpv6' }),
    text((dice) => `icmpv6 code ${dice.pick(['1', '!= 0', '{ 0, 2 }'])}`, { family: 'ip6', protocol: 'icmpv6' }),
    text((dice) => `ip6 hoplimit ${dice.pick(['255', '!= 255', '1-64', '1'])}`, { family: 'ip6' }),
    text((dice) => `ip6 dscp ${not(dice)}${dice.pick(['cs1', 'ef'])}`, { family: 'ip6' }),
    text((dice) => `ip6 saddr . udp dport ${braces(dice.some(['2001:db8:7::/64 . 53-80', 'fd00:9::5 . 443'], 1, 2))}`, { family: 'ip6', ...udp }),
    ...[...TRACKED].slice(2),
  ],
}

/** Lookups in the named sets of a table. */
export const setMatches = (family: 'ip' | 'ip6'): readonly Make[] => [
  ...(family === 'ip'
    ? [text((dice) => `ip saddr ${not(dice)}@four`, { family }), text(() => 'ip daddr @four', { family }), text((dice) => `ip saddr ${not(dice)}@filled`, { family }), text(() => 'ip saddr . meta l4proto . th dport @triples', { family, protocol: 'concatenated' })]
    : [text((dice) => `ip6 saddr ${not(dice)}@six`, { family }), text(() => 'ip6 daddr @six', { family })]),
  text((dice) => `tcp dport ${not(dice)}@ports`, tcp),
  text((dice) => `udp dport ${not(dice)}@ports`, udp),
  text(() => 'meta l4proto . th dport @pairs', { protocol: 'concatenated' }),
  text((dice) => `iifname ${not(dice)}@names`),
  text((dice) => `meta mark ${not(dice)}@marks`),
]

/** What the model cannot answer: whatever the kernel says, both are possible. */
export const freshReadings = (isStateless: boolean): readonly Make[] => [
  text((dice) => `numgen ${dice.pick(['random', 'inc'])} mod 3 ${dice.pick(['0', '!= 1'])}`),
  text((dice) => `meta cpu ${dice.pick(['0', '!= 0'])}`),
  text(() => 'meta hour "00:00"-"12:00"'),
  text(() => 'meta skuid 0'),
  text((dice) => `meta priority ${dice.pick(['0:0', '1:2'])}`),
  text((dice) => `@th,16,16 ${dice.pick(['22', '!= 80'])}`, { protocol: 'raw' }),
  text((dice) => `ip version ${dice.pick(['4', '!= 4'])}`, { family: 'ip' }),
  text((dice) => `ip id ${dice.pick(['0', '!= 0'])}`, { family: 'ip' }),
  text((dice) => `exthdr dst ${dice.pick(['exists', 'missing'])}`, { family: 'ip6' }),
  text(() => 'tcp option maxseg size 1-1000', tcp),
  text((dice) => `tcp window ${dice.pick(['1024', '!= 1024'])}`, tcp),
  text((dice) => `udp length ${dice.pick(['12', '!= 12'])}`, udp),
  ...(isStateless ? [] : [text((dice) => `ct bytes ${dice.pick(['> 100', '< 100'])}`), text((dice) => `ct expiration ${dice.pick(['< 1h', '> 1h'])}`), text(() => 'ct count 10')]),
]
