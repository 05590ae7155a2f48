import type { Family } from '@portcullis/core/net/address.ts'
import type { Dice } from './dice.ts'
import { POOL } from './pool.ts'
import { IPSETS, type AskedSet } from './randomIpsets.ts'

/** What a kernel has of that rules may ask for. */
export interface IptablesWishes {
  readonly sets: Readonly<Record<Family, readonly AskedSet[]>>
  /** An accounting object of the name `seen` (nfacct(8)). */
  readonly hasAccounting: boolean
}

const ALL: IptablesWishes = { sets: IPSETS, hasAccounting: true }

/** A random ruleset in the words of iptables-save, for iptables-restore or ip6tables-restore. Every table, so that loading replaces all. */
export function randomIptables(dice: Dice, family: Family, wishes: IptablesWishes = ALL): string {
  const tables = [rawTable, mangleTable, natTable, filterTable, securityTable].map((make) => make(dice, family, wishes))
  return `${tables.join('\n')}\n`
}

/** Where a rule stands, as far as options are refused there. */
interface Place {
  readonly table: string
  /** Undefined: a user chain of the filter table, entered from INPUT and FORWARD. */
  readonly hook: 'PREROUTING' | 'INPUT' | 'FORWARD' | 'POSTROUTING' | undefined
  readonly wishes: IptablesWishes
}

type Make = (dice: Dice, family: Family, wishes?: IptablesWishes) => string

const not: Make = (dice) => (dice.chance(0.25) ? '! ' : '')
const port = (dice: Dice): string => String(dice.pick(POOL.ports))
const ports: Make = (dice) => dice.pick(['1:22', '22:80', ':1023', '1024:', '8080:8081', port(dice)])
const PREFIXES: Record<Family, readonly string[]> = { 4: ['10.0.0.0/8', '198.51.100.0/24', '192.0.2.0/24', '10.9.0.0/16', '0.0.0.0/1'], 6: ['2001:db8::/32', 'fd00::/8', 'fe80::/10'] }
const place: Make = (dice, family) => dice.pick([...PREFIXES[family], ...POOL.sources[family], ...POOL.destinations[family]])
const typesOf: Make = (dice, family) => dice.pick(family === 4 ? ['LOCAL', 'UNICAST', 'MULTICAST', 'BROADCAST', 'LOCAL,BROADCAST'] : ['LOCAL', 'UNICAST', 'MULTICAST'])

const protocolsOf = (family: Family): readonly string[] => ['tcp', 'udp', family === 4 ? 'icmp' : 'ipv6-icmp', '47', 'sctp', 'dccp', 'udplite', 'all']

const MATCHES: readonly Make[] = [
  (dice, family) => `${not(dice, family)}-s ${place(dice, family)}`,
  (dice, family) => `${not(dice, family)}-d ${place(dice, family)}`,
  (dice, family) => `${not(dice, family)}-p ${dice.pick(protocolsOf(family))}`.replace('! -p all', '-p all'),
  (dice, family) => `-p tcp -m tcp ${not(dice, family)}--dport ${ports(dice, family)}`,
  (dice, family) => `-p tcp -m tcp ${not(dice, family)}--sport ${ports(dice, family)}`,
  (dice, family) => `-p udp -m udp ${not(dice, family)}--dport ${ports(dice, family)}`,
  (dice, family) => `-p sctp -m sctp ${not(dice, family)}--dport ${ports(dice, family)}`,
  (dice, family) => `-p dccp -m dccp ${not(dice, family)}${dice.pick(['--dport', '--sport'])} ${ports(dice, family)}`,
  (dice, family) => `-p udp -m udp ${not(dice, family)}--sport ${ports(dice, family)}`,
  (dice, family) => `-p sctp -m sctp ${not(dice, family)}--sport ${ports(dice, family)}`,
  (dice, family) => `-p ${dice.pick(['tcp', 'udp', 'sctp', 'dccp', 'udplite'])} -m multiport ${not(dice, family)}${dice.pick(['--dports', '--sports', '--ports'])} ${dice.pick(['22,80,443', '20:25,53', '1024:65535', '80,8080:8081'])}`,
  (dice, family) => `-p tcp -m tcp ${not(dice, family)}--tcp-flags ${dice.pick(['FIN,SYN,RST,ACK SYN', 'ALL NONE', 'SYN,FIN SYN,FIN', 'ALL ALL', 'ACK ACK', 'SYN,RST,ACK SYN'])}`,
  (dice, family) => `-p tcp -m tcp ${not(dice, family)}--syn`,
  (dice, family) => `-m conntrack ${not(dice, family)}--ctstate ${dice.pick(['NEW', 'RELATED,ESTABLISHED', 'INVALID', 'NEW,UNTRACKED', 'DNAT', 'NEW,DNAT', 'INVALID,SNAT'])}`,
  (dice, family) => `-m conntrack ${not(dice, family)}--ctstatus ${dice.pick(['NONE', 'ASSURED', 'SEEN_REPLY,CONFIRMED', 'EXPECTED'])}`,
  (dice, family) => `-m conntrack ${not(dice, family)}--ctproto ${dice.pick(['6', '17'])}`,
  (dice, family) => `-m conntrack ${not(dice, family)}${dice.pick(['--ctorigsrc', '--ctorigdst'])} ${place(dice, family)}`,
  (dice) => `-m state --state ${dice.pick(['NEW', 'RELATED,ESTABLISHED', 'INVALID'])}`,
  (dice, family) => `-p ${dice.pick(['tcp', 'udp'])} -m conntrack ${not(dice, family)}${dice.pick(['--ctorigdstport', '--ctorigsrcport'])} ${dice.pick([port(dice), '22:80', '50001:50004'])}`,
  (dice) => `-m conntrack --ctdir ${dice.pick(['ORIGINAL', 'REPLY'])}`,
  (dice, family) => `-m addrtype ${not(dice, family)}${dice.pick(['--dst-type', '--src-type'])} ${typesOf(dice, family)}`,
  (dice, family) => `-m iprange ${not(dice, family)}${dice.pick(['--src-range', '--dst-range'])} ${family === 4 ? '10.0.0.0-10.9.0.5' : 'fd00::-fd00:9::5'}`,
  (dice, family) => `-m mark ${not(dice, family)}--mark ${dice.pick(['0x1', '0x3/0xf', '0x0'])}`,
  (dice, family) => `-m connmark ${not(dice, family)}--mark ${dice.pick(['0x0', '0x3/0xf', '0x3'])}`,
  (dice, family) => `-m pkttype ${not(dice, family)}--pkt-type ${dice.pick(['unicast', 'broadcast', 'multicast'])}`,
  (dice, family) => `-m length ${not(dice, family)}--length ${dice.pick(['0:44', '45:200', '44'])}`,
  (dice, family) => `-m dscp ${not(dice, family)}${dice.pick(['--dscp 0x08', '--dscp 0x2e', '--dscp 0x00', '--dscp-class CS1'])}`,
  (dice, family) => (family === 4 ? `-p icmp -m icmp ${not(dice, family)}--icmp-type ${dice.pick(['8', '3', '3/1', 'any', '11'])}` : `-p ipv6-icmp -m icmp6 ${not(dice, family)}--icmpv6-type ${dice.pick(['128', '1', '1/4', '135'])}`),
  (dice, family) => (family === 4 ? `-m ttl ${dice.pick(['--ttl-eq 64', '--ttl-lt 64', '--ttl-gt 64', '! --ttl-eq 2'])}` : `-m hl ${dice.pick(['--hl-eq 255', '--hl-lt 64', '--hl-gt 64', '! --hl-eq 2'])}`),
  () => '-m comment --comment "a b -j DROP"',
  (_dice, family) => (family === 4 ? '-f' : '-p udp'),
  ipset,
  ipset,
  (_dice, _family, { hasAccounting } = ALL) => (hasAccounting ? '-m nfacct --nfacct-name seen' : '-m comment --comment "counted"'),
]

/** What the model cannot answer. */
const OPEN: readonly Make[] = [
  () => '-m limit --limit 10000/sec --limit-burst 10000',
  (dice) => `-m statistic --mode ${dice.pick(['random --probability 0.5', 'nth --every 3 --packet 0'])}`,
  (dice, family) => `-m string ${not(dice, family)}--string "xyz" --algo bm --to 65535`,
  () => '-m u32 --u32 "0x0&0xf=0x5"',
  () => '-m time --timestart 00:00:00 --timestop 12:00:00',
  () => '-m recent --name seen --update --seconds 60',
  (dice, family) => `-m tos ${not(dice, family)}--tos 0x20/0x3f`,
  (dice) => `-m policy --dir in --pol ${dice.pick(['none', 'ipsec'])}`,
  () => '-m hashlimit --hashlimit-upto 10000/sec --hashlimit-name h',
  (dice, family) => `-m devgroup ${not(dice, family)}--src-group 0x0`,
]

/** Those that only the first hooks take. */
const ARRIVING: readonly Make[] = [
  (dice, family) => `${not(dice, family)}-i ${dice.pick(['eth0', 'eth+', 'wan0', 'lo'])}`,
  // Negated, iptables-legacy-save leaves it out: what it prints is not what the kernel does.
  () => '-i +',
  (dice, family) => `-m mac ${not(dice, family)}--mac-source 02:00:00:00:00:0${dice.pick(['1', '2'])}`,
  (dice, family) => `-m addrtype ${dice.pick(['--dst-type', '--src-type'])} ${dice.pick(['LOCAL', 'UNICAST'])} --limit-iface-in`.replace('addrtype ', `addrtype ${not(dice, family)}`),
]
const LEAVING: readonly Make[] = [
  (dice, family) => `${not(dice, family)}-o ${dice.pick(['eth0', 'eth1', 'wan0', 'eth+'])}`,
  (dice, family) => `-m addrtype ${not(dice, family)}${dice.pick(['--dst-type', '--src-type'])} ${dice.pick(['LOCAL', 'UNICAST'])} --limit-iface-out`,
]
const REVERSE: readonly Make[] = [(dice) => `-m rpfilter ${dice.pick(['', '--loose', '--invert'])}`]

function ipset(dice: Dice, family: Family, { sets } = ALL): string {
  const { name, sides } = dice.pick(sets[family])
  const directions = name.startsWith('links') || name === 'cards4' || name === 'leases4' ? 'src,src' : Array.from({ length: sides }, () => dice.pick(['src', 'dst'])).join(',')
  const exceptions = dice.chance(0.15) ? ' --return-nomatch' : ''
  return `-m set ${not(dice, family)}--match-set ${name} ${directions}${exceptions}`
}

function matchesAt({ table, hook }: Place): readonly Make[] {
  if (hook === 'POSTROUTING') return [...MATCHES, ...LEAVING]
  if (hook === 'FORWARD') return [...MATCHES, ...ARRIVING, ...LEAVING]
  return hook === 'PREROUTING' && table !== 'nat' ? [...MATCHES, ...ARRIVING, ...REVERSE] : [...MATCHES, ...ARRIVING]
}

function rule(dice: Dice, family: Family, at: Place, chain: string, targets: readonly string[]): string {
  const makes = dice.chance(0.1) ? [dice.pick(OPEN)] : []
  const matches = dice.chance(0.12) ? [] : [...dice.some(matchesAt(at), 1, 2), ...makes].map((make) => make(dice, family, at.wishes))
  return `-A ${chain} ${once(matches)} -j ${dice.pick(targets)}`.replaceAll(/ +/g, ' ').replace('-j -g', '-g')
}

/** iptables takes each basic option once a rule. */
function once(matches: readonly string[]): string {
  const kept: string[] = []
  for (const match of matches) {
    const options = match.match(/(?:^|\s)-[psdio](?=\s)|-m \w+/g) ?? []
    if (!options.some((option) => option.trim() !== '-m' && kept.join(' ').includes(option.trim()))) kept.push(match)
  }
  return kept.join(' ')
}

const rules = (dice: Dice, family: Family, at: Place, chain: string, targets: readonly string[], most = 7): string[] =>
  Array.from({ length: 1 + dice.below(most) }, () => rule(dice, family, at, chain, targets))

/** A table that may as well be empty. */
const tableOf = (name: string, chains: readonly string[], lines: readonly string[]): string => [`*${name}`, ...chains, ...lines, 'COMMIT'].join('\n')
const open = (...names: readonly string[]): string[] => names.map((name) => `:${name} ACCEPT [0:0]`)

const VERDICTS: readonly string[] = ['ACCEPT', 'ACCEPT', 'DROP', 'DROP', 'REJECT', 'RETURN', 'LOG --log-prefix "x y"', 'NFLOG --nflog-group 99', 'NFQUEUE --queue-num 5', 'NFQUEUE --queue-num 5 --queue-bypass']
const USER_CHAINS = ['u0', 'u1', 'u2', 'u3'] as const

function filterTable(dice: Dice, family: Family, wishes: IptablesWishes): string {
  const policy = (): string => dice.pick(['ACCEPT', 'ACCEPT', 'DROP'])
  const verdicts = family === 4 && dice.chance(0.1) ? [...VERDICTS, 'SET --add-set filled4 src'] : VERDICTS
  const enter = (from: number): string[] => USER_CHAINS.slice(from).flatMap((name) => [name, `-g ${name}`])
  return tableOf(
    'filter',
    [`:INPUT ${policy()} [0:0]`, `:FORWARD ${policy()} [0:0]`, ':OUTPUT ACCEPT [0:0]', ...USER_CHAINS.map((name) => `:${name} - [0:0]`)],
    [
      ...rules(dice, family, { table: 'filter', hook: 'INPUT', wishes }, 'INPUT', [...verdicts, ...enter(0)]),
      ...rules(dice, family, { table: 'filter', hook: 'FORWARD', wishes }, 'FORWARD', [...verdicts, ...enter(0)]),
      ...USER_CHAINS.flatMap((name, index) => rules(dice, family, { table: 'filter', hook: undefined, wishes }, name, [...verdicts, ...enter(index + 1)], 4)),
    ],
  )
}

const MARKS = [
  'MARK --set-xmark 0x1/0xffffffff', 'MARK --set-xmark 0x3/0xf', 'MARK --set-xmark 0x0/0x1', 'MARK --or-mark 0x8', 'MARK --and-mark 0x3', 'MARK --xor-mark 0x5',
  'CONNMARK --save-mark', 'CONNMARK --restore-mark', 'CONNMARK --set-xmark 0x3/0xffffffff', 'CONNMARK --save-mark --nfmask 0x1 --ctmask 0x1', 'CONNMARK --restore-mark --nfmask 0xf --ctmask 0xffffffff',
]

function mangleTable(dice: Dice, family: Family, wishes: IptablesWishes): string {
  const at = (hook: Place['hook']): Place => ({ table: 'mangle', hook, wishes })
  const lines = dice.chance(0.4)
    ? []
    : [
        ...rules(dice, family, at('PREROUTING'), 'PREROUTING', [...MARKS, 'ACCEPT', 'RETURN', 'DROP']),
        ...rules(dice, family, at('INPUT'), 'INPUT', [...MARKS, 'ACCEPT', 'DROP'], 3),
        ...rules(dice, family, at('FORWARD'), 'FORWARD', [...MARKS, 'ACCEPT', 'DROP'], 2),
        ...rules(dice, family, at('POSTROUTING'), 'POSTROUTING', [...MARKS, 'ACCEPT', 'DROP'], 2),
      ]
  return tableOf('mangle', open('PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'), lines)
}

function rawTable(dice: Dice, family: Family, wishes: IptablesWishes): string {
  const lines = dice.chance(0.5) ? [] : rules(dice, family, { table: 'raw', hook: 'PREROUTING', wishes }, 'PREROUTING', ['NOTRACK', 'CT --notrack', 'ACCEPT', 'DROP', 'MARK --set-xmark 0x3/0xffffffff'], 4)
  return tableOf('raw', open('PREROUTING', 'OUTPUT'), lines)
}

function securityTable(dice: Dice, family: Family, wishes: IptablesWishes): string {
  const lines = dice.chance(0.8) ? [] : [...rules(dice, family, { table: 'security', hook: 'INPUT', wishes }, 'INPUT', ['ACCEPT', 'DROP', 'RETURN'], 2), ...rules(dice, family, { table: 'security', hook: 'FORWARD', wishes }, 'FORWARD', ['ACCEPT', 'DROP'], 2)]
  return tableOf('security', open('INPUT', 'FORWARD', 'OUTPUT'), lines)
}

function natTable(dice: Dice, family: Family, wishes: IptablesWishes): string {
  const to = family === 4 ? dice.pick(['10.9.0.77', '192.0.2.1', '8.8.4.4']) : dice.pick(['fd00:9::77', '2001:db8:1::1'])
  const withPort = family === 4 ? `${to}:8080` : `[${to}]:8080`
  const own = family === 4 ? '203.0.113.1' : '2001:db8:f::1'
  const lines = dice.chance(0.4)
    ? []
    : [
        ...rules(dice, family, { table: 'nat', hook: 'PREROUTING', wishes }, 'PREROUTING', [`DNAT --to-destination ${to}`, 'ACCEPT', 'RETURN', 'REDIRECT', 'MARK --or-mark 0x8'], 3),
        `-A PREROUTING -p tcp -m tcp --dport ${port(dice)} -j DNAT --to-destination ${withPort}`,
        `-A PREROUTING -p udp -m udp --dport ${port(dice)} -j REDIRECT --to-ports 53`,
        ...(family === 4 && dice.chance(0.3) ? ['-A PREROUTING -p tcp -m tcp --dport 1:79 -j DNAT --to-destination 10.9.0.76-10.9.0.77:80-81'] : []),
        ...(dice.chance(0.5) ? rules(dice, family, { table: 'nat', hook: 'POSTROUTING', wishes }, 'POSTROUTING', ['MASQUERADE', `SNAT --to-source ${own}`, 'ACCEPT', 'RETURN'], 3) : []),
      ]
  return tableOf('nat', open('PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'), lines)
}
