import type { Dice } from './dice.ts'
import { POOL } from './packet.ts'

/** A ruleset of random rules, in nft's own words: every construct of the model, over the values that test packets have. */
export function randomNft(dice: Dice): string {
  const families = dice.some(['inet', 'ip', 'ip6', 'inet'], 1, 3)
  return families.map((family, index) => new RandomTable(dice, family, `t${index}`).text()).join('\n')
}

type Make = (dice: Dice) => string

const ADDRESSES = { ip: [...POOL.sources[4], ...POOL.destinations[4]], ip6: [...POOL.sources[6], ...POOL.destinations[6]] }
const PREFIXES = { ip: ['10.0.0.0/8', '10.9.0.0/16', '198.51.100.0/24', '192.0.2.0/24', '0.0.0.0/0', '203.0.113.0/28'], ip6: ['2001:db8::/32', 'fd00::/8', 'fe80::/10', '2001:db8:7::/64', '::/0'] }

const port: Make = (dice) => String(dice.pick(POOL.ports))
const portRange: Make = (dice) => dice.pick(['1-22', '22-80', '80-90', '1024-65535', '8080-8081', '0-1023'])
const interfaceName: Make = (dice) => dice.pick(['"eth0"', '"eth1"', '"wan0"', '"eth*"', '"lo"', '"w*"'])
const not: Make = (dice) => (dice.chance(0.25) ? '!= ' : '')
const prefixOrAddress = (family: 'ip' | 'ip6'): Make => (dice) => (dice.chance(0.5) ? dice.pick(PREFIXES[family]) : dice.pick(ADDRESSES[family]))
const braces = (values: readonly string[]): string => `{ ${values.join(', ')} }`
/** Ports and ranges that do not overlap: the kernel refuses overlapping elements in one set. */
const DISJOINT_PORTS = ['1-21', '22', '23-79', '80', '81-89', '443', '1024-8080', '8081', '65535'] as const
const portSet: Make = (dice) => braces(dice.some(DISJOINT_PORTS, 1, 4))
const DISJOINT = { ip: ['10.0.0.0/8', '198.51.100.7', '198.51.100.8-198.51.100.20', '192.0.2.0/25', '192.0.2.255', '203.0.113.1'], ip6: ['fd00::/8', '2001:db8:7::7', '2001:db8:1::/64', 'fe80::5', 'ff02::1'] }

const ADDRESS_TYPES = ['local', 'unicast', 'broadcast', 'multicast']
const STATES = ['new', 'invalid', 'established', 'related', 'untracked']
const FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg']

/** Matches that any family of table takes. */
const COMMON: readonly Make[] = [
  (dice) => `tcp dport ${not(dice)}${dice.chance(0.4) ? port(dice) : dice.chance(0.5) ? portRange(dice) : portSet(dice)}`,
  (dice) => `tcp sport ${not(dice)}${dice.chance(0.5) ? portRange(dice) : portSet(dice)}`,
  (dice) => `udp dport ${not(dice)}${dice.chance(0.5) ? port(dice) : portSet(dice)}`,
  (dice) => `meta l4proto { tcp, udp } th dport ${not(dice)}${dice.chance(0.5) ? portRange(dice) : portSet(dice)}`,
  (dice) => `meta l4proto ${not(dice)}${dice.pick(['tcp', 'udp', 'icmp', 'ipv6-icmp', '47', '{ tcp, udp, 132 }'])}`,
  (dice) => `tcp flags ${dice.pick(['syn', '== syn', '!= syn', '& (fin | syn | rst | ack) == syn', 'syn,ack', '! fin', '{ syn, ack, syn | ack }', 'syn / syn,ack', '& (fin | syn) == fin | syn', '& (syn | rst) != 0'])}`,
  (dice) => `tcp flags & (${dice.some(FLAGS, 1, 4).join(' | ')}) ${dice.pick(['==', '!='])} ${dice.pick(FLAGS)}`,
  (dice) => `ct state ${dice.some(STATES, 1, 3).join(',')}`,
  (dice) => `ct state ${not(dice)}${braces(dice.some(STATES, 1, 3))}`,
  (dice) => `ct state != ${dice.pick(STATES)}`,
  (dice) => `iifname ${not(dice)}${interfaceName(dice)}`,
  (dice) => `iifname ${not(dice)}${braces(dice.some(['"eth0"', '"wan0"', '"lo"', '"x0"'], 1, 3))}`,
  (dice) => `iif ${not(dice)}${dice.pick(['"lo"', '"eth0"', '"wan0"'])}`,
  (dice) => `iifname . tcp dport ${braces([`"eth0" . ${portRange(dice)}`, `"wan0" . ${port(dice)}`])}`,
  (dice) => `fib daddr type ${not(dice)}${dice.chance(0.5) ? dice.pick(ADDRESS_TYPES) : braces(dice.some(ADDRESS_TYPES, 1, 3))}`,
  (dice) => `fib saddr type ${not(dice)}${dice.pick(ADDRESS_TYPES)}`,
  (dice) => `fib daddr . iif type ${not(dice)}${dice.pick(ADDRESS_TYPES)}`,
  (dice) => `fib saddr . iif oif ${dice.pick(['exists', 'missing'])}`,
  (dice) => `fib saddr oif ${dice.pick(['exists', 'missing'])}`,
  (dice) => `meta mark ${dice.pick(['0x1', '!= 0x1', '& 0xf == 0x3', '{ 0x0, 0x2-0x9 }', '& 0x1 != 0x1'])}`,
  (dice) => `meta pkttype ${not(dice)}${dice.pick(['host', 'multicast', 'broadcast', '{ host, broadcast }'])}`,
  (dice) => `meta length ${dice.pick(['< 50', '> 44', '40-60', '!= 44', '{ 32, 44, 48-64 }'])}`,
  (dice) => `ether saddr ${not(dice)}${dice.pick(['02:00:00:00:00:01', '02:00:00:00:00:02'])}`,
  (dice) => `ct direction ${dice.pick(['original', 'reply'])}`,
  (dice) => `meta l4proto tcp ct original proto-dst ${not(dice)}${port(dice)}`,
  (dice) => `ct status ${dice.pick(['dnat', 'snat', '!= dnat'])}`,
  () => 'meta iiftype ether',
]

const OF_FAMILY: Record<'ip' | 'ip6', readonly Make[]> = {
  ip: [
    (dice) => `ip saddr ${not(dice)}${prefixOrAddress('ip')(dice)}`,
    (dice) => `ip daddr ${not(dice)}${prefixOrAddress('ip')(dice)}`,
    (dice) => `ip saddr ${not(dice)}${braces(dice.some(DISJOINT.ip, 1, 4))}`,
    (dice) => `ip saddr 10.0.0.0-10.9.0.${dice.pick(['4', '5', '6'])}`,
    (dice) => `ip protocol ${not(dice)}${dice.pick(['tcp', 'udp', 'icmp'])}`,
    (dice) => `icmp type ${not(dice)}${dice.pick(['echo-request', 'destination-unreachable', '{ echo-request, time-exceeded, redirect }'])}`,
    (dice) => `icmp type destination-unreachable icmp code ${dice.pick(['host-unreachable', '{ 0, 3-4 }'])}`,
    (dice) => `ip ttl ${dice.pick(['1-64', '255', '!= 2', '< 64'])}`,
    (dice) => `ip dscp ${not(dice)}${dice.pick(['cs1', 'ef', '{ cs0, ef }'])}`,
    () => 'ip frag-off & 0x1fff != 0',
    (dice) => `ip saddr . tcp dport ${braces(dice.some(['198.51.100.0/24 . 20-25', '10.1.2.3 . 80', '10.9.0.0/16 . 1024-65535', '8.8.8.8 . 443'], 1, 4))}`,
    (dice) => `ip saddr . meta l4proto . th dport ${braces(dice.some(['198.51.100.0/24 . tcp . 20-25', '10.0.0.0/8 . udp . 0-1023', '192.0.2.9 . tcp . 80'], 1, 3))}`,
    (dice) => `ct original ip daddr ${dice.pick(['192.0.2.1', '10.9.0.0/16'])}`,
  ],
  ip6: [
    (dice) => `ip6 saddr ${not(dice)}${prefixOrAddress('ip6')(dice)}`,
    (dice) => `ip6 daddr ${not(dice)}${prefixOrAddress('ip6')(dice)}`,
    (dice) => `ip6 daddr ${not(dice)}${braces(dice.some(DISJOINT.ip6, 1, 4))}`,
    (dice) => `ip6 nexthdr ${not(dice)}${dice.pick(['tcp', 'udp', '60', 'ipv6-icmp'])}`,
    (dice) => `icmpv6 type ${not(dice)}${dice.pick(['echo-request', 'nd-neighbor-solicit', '{ nd-router-solicit, packet-too-big, echo-reply }'])}`,
    (dice) => `ip6 hoplimit ${dice.pick(['255', '!= 255', '1-64'])}`,
    (dice) => `ip6 dscp ${not(dice)}${dice.pick(['cs1', 'ef'])}`,
    (dice) => `ip6 saddr . udp dport ${braces(dice.some(['2001:db8:7::/64 . 53-80', 'fd00:9::5 . 443'], 1, 2))}`,
  ],
}

const STATEMENTS: readonly Make[] = [
  () => 'counter',
  () => 'limit rate 1000000/second',
  (dice) => `meta mark set ${dice.pick(['0x1', '0x3', 'meta mark | 0x2', 'meta mark & 0xfffffff0', 'meta mark ^ 0x5'])}`,
  () => 'ct mark set meta mark',
]

const HOOKS = [
  { hook: 'prerouting', priorities: ['-300', '-150', '-120', '0'] },
  { hook: 'input', priorities: ['-10', 'filter', 'filter', '50'] },
  { hook: 'forward', priorities: ['-10', 'filter', '20'] },
] as const

class RandomTable {
  readonly #dice: Dice
  readonly #family: string
  readonly #name: string
  readonly #lower = ['sub0', 'sub1', 'sub2']

  constructor(dice: Dice, family: string, name: string) {
    this.#dice = dice
    this.#family = family
    this.#name = name
  }

  text(): string {
    const bases = HOOKS.flatMap(({ hook, priorities }) => (this.#dice.chance(0.7) ? [this.#base(hook, this.#dice.pick(priorities))] : []))
    const lower = this.#lower.map((name, index) => `  chain ${name} {\n${this.#rules(index + 1)}\n  }`)
    const nat = this.#dice.chance(0.3) ? [this.#nat()] : []
    return [`table ${this.#family} ${this.#name} {`, ...this.#sets(), ...lower.toReversed(), ...bases, ...nat, '}', ''].join('\n')
  }

  #sets(): string[] {
    const four = `  set four { type ipv4_addr; flags interval; elements = ${braces(this.#dice.some(DISJOINT.ip, 1, 5))}; }`
    const six = `  set six { type ipv6_addr; flags interval; elements = ${braces(this.#dice.some(DISJOINT.ip6, 1, 4))}; }`
    const ports = `  set ports { type inet_service; flags interval, timeout; elements = ${braces(this.#dice.some(DISJOINT_PORTS, 1, 5).map((each, at) => (at === 0 ? `${each} timeout 1h` : each)))}; }`
    const pairs = `  set pairs { type inet_proto . inet_service; flags interval; elements = ${braces(this.#dice.some(['tcp . 22', 'tcp . 80-90', 'udp . 53', 'udp . 1024-65535'], 1, 4))}; }`
    const verdicts = `  map verdicts { type inet_service : verdict; elements = ${braces(this.#dice.some(['22 : accept', '53 : drop', '80 : jump sub2', '443 : return'], 1, 4))}; }`
    return [four, six, ports, pairs, verdicts]
  }

  #base(hook: string, priority: string): string {
    const policy = this.#dice.pick(['accept', 'accept', 'drop'])
    return `  chain ${hook}${this.#dice.below(1000)} {\n    type filter hook ${hook} priority ${priority}; policy ${policy};\n${this.#rules(0)}\n  }`
  }

  #nat(): string {
    const families = this.#family === 'inet' ? (['ip', 'ip6'] as const) : [this.#family === 'ip' ? ('ip' as const) : ('ip6' as const)]
    const rules = families.flatMap((family) => Array.from({ length: 2 }, () => `    ${this.#matches(1)} ${this.#natTarget(family)}`))
    return `  chain nat {\n    type nat hook prerouting priority ${this.#dice.pick(['dstnat', '-90'])}; policy accept;\n${rules.join('\n')}\n  }`
  }

  #natTarget(family: 'ip' | 'ip6'): string {
    const word = this.#family === 'inet' ? `${family} ` : ''
    const to = family === 'ip' ? this.#dice.pick(['10.9.0.77', '10.9.0.1', '192.0.2.1', '8.8.4.4']) : this.#dice.pick(['fd00:9::77', 'fd00:9::1'])
    const only = family === 'ip' ? 'meta nfproto ipv4' : 'meta nfproto ipv6'
    const withPort = family === 'ip' ? `${to}:${port(this.#dice)}` : `[${to}]:${port(this.#dice)}`
    return this.#dice.pick([
      `${only} dnat ${word}to ${to}`,
      `${only} tcp dport ${port(this.#dice)} dnat ${word}to ${withPort.replace(/:0$/, ':7')}`,
      `${only} udp dport ${port(this.#dice)} redirect to :${this.#dice.pick(['22', '53', '8080'])}`,
      `${only} tcp dport ${portSet(this.#dice)} redirect to :22`,
      ...(family === 'ip' ? [`dnat ${word}to tcp dport map { 80 : 10.9.0.77, 81 : 192.0.2.1, 443 : 8.8.4.4 }`] : []),
    ])
  }

  #matches(most: number): string {
    const families = this.#family === 'inet' ? (['ip', 'ip6'] as const) : [this.#family === 'ip' ? ('ip' as const) : ('ip6' as const)]
    const own = OF_FAMILY[this.#dice.pick(families)]
    const choices = this.#dice.chance(0.5) ? COMMON : own
    const sets = [own === OF_FAMILY.ip ? 'ip saddr @four' : 'ip6 saddr @six', 'tcp dport @ports', 'udp dport != @ports', 'meta l4proto . th dport @pairs']
    return Array.from({ length: 1 + this.#dice.below(most) }, () => (this.#dice.chance(0.15) ? this.#dice.pick(sets) : this.#dice.pick(choices)(this.#dice))).join(' ')
  }

  /** Rules of a base chain (level 0) or of a chain below; only deeper chains are entered, so there is no loop. */
  #rules(level: number): string {
    return Array.from({ length: 2 + this.#dice.below(7) }, () => `    ${this.#rule(level)}`).join('\n')
  }

  #rule(level: number): string {
    if (this.#dice.chance(0.08)) return this.#vmap(level)
    const statement = this.#dice.chance(0.2) ? `${this.#dice.pick(STATEMENTS)(this.#dice)} ` : ''
    const isLast = this.#dice.chance(0.15)
    const matches = isLast ? '' : `${this.#matches(2)} `
    const text = `${matches}${statement}${this.#verdict(level)}`.trim()
    return text.startsWith('limit') ? `counter ${text}` : text
  }

  #verdict(level: number): string {
    const deeper = this.#lower.slice(level)
    const enter = deeper.length > 0 && this.#dice.chance(0.3) ? `${this.#dice.pick(['jump', 'jump', 'goto'])} ${this.#dice.pick(deeper)}` : undefined
    return enter ?? this.#dice.pick(['accept', 'accept', 'drop', 'drop', 'return', 'continue'])
  }

  #vmap(level: number): string {
    const target = this.#lower[2] !== undefined && level < 3 ? 'jump sub2' : 'drop'
    return this.#dice.pick([
      `tcp dport vmap { 22 : accept, 80-90 : drop, 443 : ${target} }`,
      `meta l4proto . th dport vmap { tcp . 22-53 : drop, udp . 53 : accept }`,
      'ct state vmap { new : continue, invalid : drop, untracked : accept }',
      `iifname vmap { "eth0" : ${target}, "wan0" : drop }`,
      ...(level < 3 ? ['tcp dport vmap @verdicts'] : []),
    ])
  }
}
