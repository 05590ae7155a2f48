import type { Family } from '@portcullis/core/net/address.ts'
import type { Dice } from './dice.ts'
import { POOL } from './packet.ts'

/** A random ruleset in the words of iptables-save, for iptables-restore or ip6tables-restore. */
export function randomIptables(dice: Dice, family: Family): string {
  const tables = [filterTable(dice, family), ...(dice.chance(0.6) ? [mangleTable(dice, family)] : []), ...(dice.chance(0.6) ? [natTable(dice, family)] : []), ...(dice.chance(0.5) ? [rawTable(dice, family)] : [])]
  return `${tables.join('\n')}\n`
}

type Make = (dice: Dice, family: Family) => string

const not: Make = (dice) => (dice.chance(0.25) ? '! ' : '')
const port = (dice: Dice, _family?: Family): string => String(dice.pick(POOL.ports))
const ports: Make = (dice) => dice.pick(['1:22', '22:80', ':1023', '1024:', '8080:8081', port(dice, 4)])
const PREFIXES: Record<Family, readonly string[]> = { 4: ['10.0.0.0/8', '198.51.100.0/24', '192.0.2.0/24', '10.9.0.0/16'], 6: ['2001:db8::/32', 'fd00::/8', 'fe80::/10'] }
const place: Make = (dice, family) => dice.pick([...PREFIXES[family], ...POOL.sources[family], ...POOL.destinations[family]])

const protocolsOf = (family: Family): readonly string[] => ['tcp', 'udp', family === 4 ? 'icmp' : 'ipv6-icmp', '47']

const MATCHES: readonly Make[] = [
  (dice, family) => `${not(dice, family)}-s ${place(dice, family)}`,
  (dice, family) => `${not(dice, family)}-d ${place(dice, family)}`,
  (dice, family) => `${not(dice, family)}-i ${dice.pick(['eth0', 'eth+', 'wan0', 'lo', '+'])}`,
  (dice, family) => `${not(dice, family)}-p ${dice.pick(protocolsOf(family))}`,
  (dice, family) => `-p tcp -m tcp ${not(dice, family)}--dport ${ports(dice, family)}`,
  (dice, family) => `-p tcp -m tcp ${not(dice, family)}--sport ${ports(dice, family)}`,
  (dice, family) => `-p udp -m udp ${not(dice, family)}--dport ${ports(dice, family)}`,
  (dice, family) => `-p ${dice.pick(['tcp', 'udp'])} -m multiport ${not(dice, family)}${dice.pick(['--dports', '--sports', '--ports'])} ${dice.pick(['22,80,443', '20:25,53', '1024:65535', '80,8080:8081'])}`,
  (dice, family) => `-p tcp -m tcp ${not(dice, family)}--tcp-flags ${dice.pick(['FIN,SYN,RST,ACK SYN', 'ALL NONE', 'SYN,FIN SYN,FIN', 'ALL ALL', 'ACK ACK', 'SYN,RST,ACK SYN'])}`,
  (dice, family) => `-p tcp -m tcp ${not(dice, family)}--syn`,
  (dice, family) => `-m conntrack ${not(dice, family)}--ctstate ${dice.pick(['NEW', 'RELATED,ESTABLISHED', 'INVALID', 'NEW,UNTRACKED', 'DNAT', 'NEW,DNAT', 'INVALID,SNAT'])}`,
  (dice) => `-m state --state ${dice.pick(['NEW', 'RELATED,ESTABLISHED', 'INVALID'])}`,
  (dice, family) => `-m conntrack ${not(dice, family)}--ctorigdstport ${port(dice, family)}`,
  (dice) => `-m conntrack --ctdir ${dice.pick(['ORIGINAL', 'REPLY'])}`,
  (dice, family) => `-m addrtype ${not(dice, family)}${dice.pick(['--dst-type', '--src-type'])} ${dice.pick(['LOCAL', 'UNICAST', 'MULTICAST'])}`,
  (dice, family) => (family === 4 ? `-m iprange ${not(dice, family)}--src-range 10.0.0.0-10.9.0.5` : `-m iprange ${not(dice, family)}--src-range fd00::-fd00:9::5`),
  (dice, family) => `-m mac ${not(dice, family)}--mac-source 02:00:00:00:00:0${dice.pick(['1', '2'])}`,
  (dice, family) => `-m mark ${not(dice, family)}--mark ${dice.pick(['0x1', '0x3/0xf', '0x0'])}`,
  (dice, family) => `-m pkttype ${not(dice, family)}--pkt-type ${dice.pick(['unicast', 'broadcast', 'multicast'])}`,
  (dice, family) => `-m length ${not(dice, family)}--length ${dice.pick(['0:44', '45:200', '44'])}`,
  (dice, family) => `-m dscp ${not(dice, family)}--dscp ${dice.pick(['0x08', '0x2e', '0x00'])}`,
  (dice, family) => (family === 4 ? `-p icmp -m icmp ${not(dice, family)}--icmp-type ${dice.pick(['8', '3', '3/1', 'any', '11'])}` : `-p ipv6-icmp -m icmp6 ${not(dice, family)}--icmpv6-type ${dice.pick(['128', '1', '1/4', '135'])}`),
  (dice, family) => (family === 4 ? `-m ttl ${dice.pick(['--ttl-eq 64', '--ttl-lt 64', '--ttl-gt 64', '! --ttl-eq 2'])}` : `-m hl ${dice.pick(['--hl-eq 255', '--hl-lt 64', '--hl-gt 64', '! --hl-eq 2'])}`),
  () => '-m comment --comment "a b -j DROP"',
  (_dice, family) => (family === 4 ? '-f' : '-p udp'),
]

function rule(dice: Dice, family: Family, chain: string, targets: readonly string[]): string {
  const matches = dice.chance(0.12) ? [] : dice.some(MATCHES, 1, 2).map((make) => make(dice, family))
  return `-A ${chain} ${once(matches)} -j ${dice.pick(targets)}`.replaceAll(/ +/g, ' ').replace('-j -g', '-g')
}

/** iptables takes each basic option once a rule. */
function once(matches: readonly string[]): string {
  const kept: string[] = []
  for (const match of matches) {
    const options = match.match(/(?:^|\s)-[psdim](?=\s)|-m \w+/g) ?? []
    if (!options.some((option) => option.trim() !== '-m' && kept.join(' ').includes(option.trim()))) kept.push(match)
  }
  return kept.join(' ')
}

const rules = (dice: Dice, family: Family, chain: string, targets: readonly string[], most = 7): string[] => Array.from({ length: 1 + dice.below(most) }, () => rule(dice, family, chain, targets))

const VERDICTS = ['ACCEPT', 'ACCEPT', 'DROP', 'DROP', 'REJECT', 'RETURN', 'LOG --log-prefix "x y"', 'NFLOG --nflog-group 99']

function filterTable(dice: Dice, family: Family): string {
  const policy = (): string => dice.pick(['ACCEPT', 'ACCEPT', 'DROP'])
  const enter = ['u0', 'u1', '-g u0', '-g u1']
  return [
    '*filter',
    `:INPUT ${policy()} [0:0]`,
    `:FORWARD ${policy()} [0:0]`,
    ':OUTPUT ACCEPT [0:0]',
    ':u0 - [0:0]',
    ':u1 - [0:0]',
    ...rules(dice, family, 'INPUT', [...VERDICTS, ...enter]),
    ...rules(dice, family, 'FORWARD', [...VERDICTS, ...enter]),
    ...rules(dice, family, 'u0', [...VERDICTS, 'u1', '-g u1']),
    ...rules(dice, family, 'u1', VERDICTS),
    'COMMIT',
  ].join('\n')
}

const MARKS = ['MARK --set-xmark 0x1/0xffffffff', 'MARK --set-xmark 0x3/0xf', 'MARK --set-xmark 0x0/0x1', 'CONNMARK --save-mark', 'CONNMARK --restore-mark', 'CONNMARK --set-xmark 0x3/0xffffffff']

function mangleTable(dice: Dice, family: Family): string {
  return ['*mangle', ':PREROUTING ACCEPT [0:0]', ':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ...rules(dice, family, 'PREROUTING', [...MARKS, 'ACCEPT', 'RETURN', 'DROP']), ...rules(dice, family, 'INPUT', [...MARKS, 'ACCEPT'], 3), 'COMMIT'].join('\n')
}

function rawTable(dice: Dice, family: Family): string {
  const stateless = rules(dice, family, 'PREROUTING', ['NOTRACK', 'CT --notrack', 'ACCEPT', 'DROP'], 4)
  return ['*raw', ':PREROUTING ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', ...stateless, 'COMMIT'].join('\n')
}

function natTable(dice: Dice, family: Family): string {
  const to = family === 4 ? dice.pick(['10.9.0.77', '192.0.2.1', '8.8.4.4']) : dice.pick(['fd00:9::77', '2001:db8:1::1'])
  const withPort = family === 4 ? `${to}:8080` : `[${to}]:8080`
  const plain = rules(dice, family, 'PREROUTING', [`DNAT --to-destination ${to}`, 'ACCEPT', 'RETURN'], 3)
  return [
    '*nat',
    ':PREROUTING ACCEPT [0:0]',
    ':INPUT ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':POSTROUTING ACCEPT [0:0]',
    ...plain,
    `-A PREROUTING -p tcp -m tcp --dport ${port(dice, family)} -j DNAT --to-destination ${withPort}`,
    `-A PREROUTING -p udp -m udp --dport ${port(dice, family)} -j REDIRECT --to-ports 53`,
    'COMMIT',
  ].join('\n')
}
