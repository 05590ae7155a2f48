import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { containsAddress } from '../net/prefix.ts'
import { parseIptablesSave } from '../ruleset/iptables/parse.ts'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import type { Packet } from '../ruleset/packet.ts'
import type { CtState, Ruleset } from '../ruleset/ruleset.ts'
import { acceptedTable, type AcceptedRow, type AcceptedTable } from './accepts.ts'
import type { Way } from './compose.ts'
import { Decider } from './decide.ts'
import { writeProtocol, writeSources } from './differenceText.ts'
import { formatPortRange } from '../net/port.ts'
import type { Service } from './services.ts'
import type { Sources } from './sources.ts'

vi.setConfig({ testTimeout: 120_000 })

const nft = (text: string): Ruleset => {
  const parsed = parseNftText(text, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}
const chain = (hook: string, rules: string, policy = 'drop'): string => `table inet ${hook} {\nchain c {\ntype filter hook ${hook} priority 0; policy ${policy};\n${rules}\n}\n}\n`

// ───────────────────────────── as it reads ─────────────────────────────

const list = (names: readonly string[]): string => names.join(',') || 'any'
const serviceText = ({ protocols, ports, icmpTypes }: Service): string => [protocols.map(writeProtocol), ports.map(formatPortRange), icmpTypes.map(formatPortRange)].map(list).join(' ').replaceAll(/ any/g, '')
function sourcesText(sources: Sources): string {
  if (sources.kind !== 'prefixes') return sources.kind === 'any' ? 'any' : `IPv${sources.family}`
  const { prefixes, except, family } = writeSources(sources)
  return except ? `not ${except.join('+')}${family ? ` of IPv${family}` : ''}` : prefixes.join('+')
}

function rowText({ states, interfaces, outInterfaces, services, exceptServices, sources, destinations, destinationTypes, conditions, verdict, because }: AcceptedRow): string {
  const of = exceptServices ? `not ${exceptServices.map(serviceText).join(' ')}` : services.map(serviceText).join(' + ') || 'any'
  const limits = [
    states.length > 0 ? `state ${list(states)}` : '',
    interfaces.length > 0 ? `in ${list(interfaces)}` : '',
    outInterfaces.length > 0 ? `out ${list(outInterfaces)}` : '',
    destinationTypes.length > 0 ? `type ${list(destinationTypes)}` : '',
    destinations.kind === 'any' ? '' : `to ${sourcesText(destinations)}`,
    ...conditions.map(({ field, values }) => `${field} ${values.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(',')}`),
    verdict === 'undecided' ? `? ${because.map(({ what }) => what).join()}` : '',
  ]
  return [`${of} from ${sourcesText(sources)}`, ...limits.filter((limit) => limit !== '')].join('; ')
}

const rowsOf = (ruleset: Ruleset, way: Way = 'input'): string[] => acceptedTable(ruleset, way).rows.map(rowText).toSorted()

describe('as an auditor reads it', () => {
  test.each<[title: string, rules: string, rows: string[]]>([
    ['known flows, loopback, services', 'ct state established,related accept\niif lo accept\ntcp dport { 22, 80 } accept\nip saddr 10.0.0.0/8 udp dport 53 accept', [
      'any from any; in lo',
      'any from any; state established,related',
      'tcp 22,80 from any',
      'udp 53 from 10.0.0.0/8',
    ]],
    ['adjacent ports and prefixes are one', 'tcp dport 80 accept\ntcp dport 81-89 accept\nip saddr 10.0.0.0/9 tcp dport 22 accept\nip saddr 10.128.0.0/9 tcp dport 22 accept', ['tcp 22 from 10.0.0.0/8', 'tcp 80-89 from any']],
    ['both families of one need are one', 'ip saddr 10.0.0.0/8 tcp dport 22 accept\nip6 saddr fd00::/8 tcp dport 22 accept', ['tcp 22 from 10.0.0.0/8+fd00::/8']],
    ['states one after the other are one', 'ct state new tcp dport 22 accept\nct state established tcp dport 22 accept\nct state related tcp dport 22 accept\nct state untracked,invalid tcp dport 22 accept', ['tcp 22 from any']],
    ['what holds on every interface, one after the other', 'iifname eth0 tcp dport 22 accept\niifname != eth0 tcp dport 22 accept', ['tcp 22 from any']],
    ['ICMP of both versions', 'icmp type echo-request accept\nicmpv6 type { echo-request, nd-neighbor-solicit } accept', ['icmp 8 + icmpv6 128,135 from any']],
    ['all but a blocklist', 'ip saddr 203.0.113.0/24 drop\nip6 saddr 2001:db8::/32 drop\ntcp dport 443 accept', ['tcp 443 from not 203.0.113.0/24+2001:db8::/32']],
    ['all services but one', 'tcp dport 23 drop\naccept', ['not tcp 23 from any']],
    ['a destination', 'ip daddr 192.0.2.1 tcp dport 22 accept', ['tcp 22 from IPv4; to 192.0.2.1']],
    ['a field without a column', 'meta nfproto ipv4 udp sport 67 udp dport 68 accept\nip6 hoplimit 255 icmpv6 type nd-neighbor-solicit accept', ['icmpv6 135 from any; ttl 255', 'udp 68 from IPv4; sport 67']],
    ['a limit is undecided, and named', 'tcp dport 22 accept\ntcp dport 8080 limit rate 3/second accept', ['tcp 22 from any', 'tcp 8080 from any; ? limit rate 3/second']],
    ['a limit of a log decides nothing', 'tcp dport 22 accept\nlimit rate 3/second log prefix "x"', ['tcp 22 from any']],
  ])('%s', (_title, rules, rows) => {
    expect(rowsOf(nft(chain('input', rules)))).toEqual(rows)
  })

  test('TCP from port 0, which nobody sends, parts no row', () => {
    expect(rowsOf(nft(chain('input', 'tcp sport 0 drop\ntcp dport 22 accept')))).toEqual(['tcp 22 from any'])
  })

  test('forwarded: by which interfaces, to whom', () => {
    expect(rowsOf(nft(chain('forward', 'iifname wan0 oifname lan0 ip daddr 10.0.0.7 tcp dport 443 accept')), 'forward')).toEqual(['tcp 443 from IPv4; in wan0; out lan0; to 10.0.0.7'])
  })

  test('without NAT, forwarded packets are for others and arriving ones for the host: what rules ask of that is settled', () => {
    const rules = nft(chain('prerouting', 'fib daddr type unicast accept\ntcp dport 22 accept'))
    expect([rowsOf(rules, 'forward'), rowsOf(rules, 'input')]).toEqual([['any from any'], ['tcp 22 from any']])
  })

  test('with NAT it is told in the row', () => {
    const rules = nft('table ip t {\nchain n {\ntype nat hook prerouting priority -100;\nfib daddr type local tcp dport 8080 dnat to 10.0.0.7:80\n}\nchain f {\ntype filter hook forward priority 0; policy drop;\nip daddr 10.0.0.7 tcp dport 80 accept\n}\n}\ntable ip6 u {\nchain f {\ntype filter hook forward priority 0; policy drop;\n}\n}')
    expect(rowsOf(rules, 'forward').some((row) => row.startsWith('tcp 8080 from IPv4; state new; type local'))).toBe(true)
  })
})

describe('a check that can only refuse is said once', () => {
  const tableFor = (rules: string): AcceptedTable => acceptedTable(nft(chain('input', rules)), 'input')

  test('the way back to the source', () => {
    const table = tableFor('fib saddr . iif oif missing drop\ntcp dport 22 accept')
    expect([table.rows.map(rowText), table.assuming]).toEqual([['tcp 22 from any'], [{ kind: 'route', field: 'saddrRouteIif' }]])
  })

  test('a match outside the model', () => {
    const parsed = parseIptablesSave({ file: 'test.save', dialect: 'ip6tables-save', text: '*filter\n:INPUT DROP [0:0]\n-A INPUT -m rt --rt-type 0 -j DROP\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n' })
    if (!parsed.ok) throw new Error('faults')
    const table = acceptedTable(parsed.value, 'input')
    expect(table.rows.map(rowText)).toContain('tcp 22 from any')
    expect(table.assuming).toMatchObject([{ kind: 'no match', unknown: { what: 'rt rt-type 0' } }])
  })

  test('not one that accepts', () => {
    expect(tableFor('fib saddr . iif oif exists tcp dport 22 accept').assuming).toEqual([{ kind: 'route', field: 'saddrRouteIif' }])
    const missing = tableFor('fib saddr . iif oif missing tcp dport 22 accept')
    expect(missing.assuming).toEqual([])
    expect(missing.rows.map(rowText).join()).toContain('saddrRouteIif 0')
  })
})

test('a table with more rows than anybody signs says that it is cut', () => {
  const rules = Array.from({ length: 310 }, (_, index) => `ip saddr 10.${index >> 8}.${index & 255}.0/24 tcp dport ${1000 + index * 2} accept`).join('\n')
  const table = acceptedTable(nft(chain('input', rules)), 'input')
  expect([table.rows.length, table.isWhole]).toEqual([300, false])
})

// ───────────────────────────── what it holds ─────────────────────────────

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const MATCHES = [
  'tcp dport 22', 'tcp dport { 80, 443 }', 'tcp dport 20-25', 'udp dport 53', 'udp sport 67', 'meta l4proto tcp', 'meta l4proto != tcp', 'icmp type echo-request', 'icmpv6 type echo-request', 'ip saddr 10.0.0.0/8',
  'ip saddr != 10.0.0.0/8', 'ip saddr { 10.1.0.0/16, 192.0.2.7 }', 'ip6 saddr fd00::/8', 'ip daddr 192.0.2.1', 'ip6 daddr fd00::1', 'iifname "eth0"', 'iifname != "eth0"', 'ct state new', 'ct state established,related',
  'ct state invalid', 'ip ttl 255', 'limit rate 1/second', 'meta nfproto ipv4', 'meta nfproto ipv6',
]
const rule = fc.tuple(fc.subarray(MATCHES, { minLength: 1, maxLength: 2 }), fc.constantFrom('accept', 'accept', 'drop', 'reject')).map(([matches, verdict]) => `${matches.join(' ')} ${verdict}`)
const ruleset = fc.tuple(fc.array(rule, { minLength: 1, maxLength: 8 }), fc.constantFrom('accept', 'drop', 'drop')).map(([rules, policy]) => chain('input', rules.join('\n'), policy))

const ENDS = [['10.1.0.9', '192.0.2.1'], ['10.9.0.9', '192.0.2.2'], ['192.0.2.7', '192.0.2.1'], ['8.8.8.8', '192.0.2.1'], ['fd00::9', 'fd00::1'], ['2001:db8::9', 'fd00::2']] as const
const STATES: readonly CtState[] = ['new', 'established', 'related', 'invalid', 'untracked']
const packet: fc.Arbitrary<Packet> = fc.record({ ends: fc.constantFrom(...ENDS), protocol: fc.constantFrom(6, 17, 1, 58, 47), port: fc.constantFrom(21, 22, 53, 80, 443, 5000), sourcePort: fc.constantFrom(67, 40_000), ct: fc.constantFrom(...STATES), iif: fc.constantFrom('eth0', 'eth1'), ttl: fc.constantFrom(64, 255) }).map(({ ends: [from, to], protocol, port, sourcePort, ct, iif, ttl }) => {
  const family = from.includes(':') ? 6 : 4
  const icmp = protocol === 1 || protocol === 58
  const own = icmp ? (family === 4 ? 1 : 58) : protocol
  const isKnown = ct === 'established' || ct === 'related'
  return {
    source: address(from), destination: address(to), protocol: own, iif, ct, ttl,
    ...(own === 6 || own === 17 ? { sourcePort, destinationPort: port } : {}),
    ...(own === 6 ? { tcpFlags: isKnown ? 16 : 2 } : {}),
    ...(icmp ? { icmpType: family === 4 ? 8 : 128, icmpCode: 0 } : {}),
  }
})

const isIn = (ranges: readonly { readonly first: number; readonly last: number }[], value: number | undefined): boolean => ranges.length === 0 || (value !== undefined && ranges.some((range) => range.first <= value && value <= range.last))
const isAmong = (sources: Sources, from: Address): boolean => sources.kind === 'any' || (sources.kind === 'family' ? sources.family === from.family : sources.prefixes.some((prefix) => containsAddress(prefix, from)))
const FIELDS = { sport: 'sourcePort', ttl: 'ttl' } as const

const holds = (row: AcceptedRow, each: Packet): boolean =>
  (row.states.length === 0 || row.states.includes(each.ct ?? 'new')) &&
  (row.interfaces.length === 0 || row.interfaces.includes(each.iif === 'eth1' && !row.interfaces.includes('eth1') ? 'other' : (each.iif ?? ''))) &&
  (row.services.length === 0 || row.services.some(({ protocols, ports, icmpTypes }) => isIn(protocols, each.protocol) && isIn(ports, each.destinationPort) && isIn(icmpTypes, each.icmpType))) &&
  isAmong(row.sources, each.source) &&
  isAmong(row.destinations, each.destination) &&
  row.conditions.every(({ field, values }) => values.some(({ first, last }) => {
    const value = each[FIELDS[field as keyof typeof FIELDS]]
    return value !== undefined && first <= BigInt(value) && BigInt(value) <= last
  }))

test('the table holds exactly what the rules accept, and what they may accept', () => {
  fc.assert(
    fc.property(ruleset, fc.array(packet, { minLength: 20, maxLength: 40 }), (text, packets) => {
      const rules = nft(text)
      const { rows } = acceptedTable(rules, 'input')
      const decider = new Decider(rules, { way: 'input' })
      for (const each of packets) {
        const verdict = decider.decide(each)
        const kind = verdict.kind === 'undecided' && !verdict.outcomes.includes('accept') ? 'dropped' : verdict.kind
        const isAccepted = rows.some((row) => row.verdict === 'accepted' && holds(row, each))
        const isOpen = rows.some((row) => row.verdict === 'undecided' && holds(row, each))
        expect({ each, said: isAccepted ? 'accepted' : isOpen ? 'undecided' : 'refused' }).toEqual({ each, said: kind === 'accepted' ? 'accepted' : kind === 'undecided' ? 'undecided' : 'refused' })
      }
    }),
    { numRuns: 60 },
  )
})
