import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress } from '../../net/address.ts'
import { evaluateLinear } from '../../verify/linear.ts'
import type { Packet } from '../packet.ts'
import type { Rule, Ruleset } from '../ruleset.ts'
import { parseIptablesSave, type SaveText } from './parse.ts'

const address = (text: string): Packet['source'] => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const save = (rules: readonly string[], extra: Partial<SaveText> = {}): SaveText => ({
  file: 'rules.v4',
  dialect: 'iptables-save',
  text: ['*filter', ':INPUT ACCEPT [0:0]', ':user - [0:0]', ...rules, 'COMMIT', ''].join('\n'),
  ...extra,
})

const parsed = (text: SaveText): Ruleset => {
  const result = parseIptablesSave(text)
  if (!result.ok) throw new Error(JSON.stringify(result.faults))
  return result.value
}

const ruleOf = (rule: string): Rule | undefined => parsed(save([rule])).tables[0]?.chains[0]?.rules[0]

const ssh: Packet = { source: address('198.51.100.7'), destination: address('192.0.2.1'), protocol: 6, sourcePort: 40_000, destinationPort: 22, tcpFlags: 2, iif: 'eth0', ct: 'new' }
const udp: Packet = { ...ssh, protocol: 17 }

const verdict = (rules: readonly string[], packet: Packet, extra: Partial<SaveText> = {}): string =>
  [...evaluateLinear(parsed(save(rules, extra)), packet, { hook: 'input' }).outcomes].toSorted().join('|')

/** Each rule drops; `drop` says that it matched, `accept` that it did not. */
describe('what a rule of iptables-save matches', () => {
  test.each<[string, Packet, string]>([
    ['-p tcp -m tcp --dport 22', ssh, 'drop'],
    ['-p tcp --dport 22', ssh, 'drop'],
    ['-p tcp -m tcp --dport 20:21', ssh, 'accept'],
    ['-p tcp -m tcp ! --dport 22', ssh, 'accept'],
    ['! -p tcp', udp, 'drop'],
    ['-p all', udp, 'drop'],
    ['-s 198.51.100.0/24', ssh, 'drop'],
    ['-s 198.51.100.0/255.255.255.0', ssh, 'drop'],
    ['! -s 198.51.100.7/32', ssh, 'accept'],
    ['-s ! 198.51.100.7', ssh, 'accept'],
    ['-i eth+', ssh, 'drop'],
    ['-i eth', ssh, 'accept'],
    ['! -i lo', ssh, 'drop'],
    ['-p tcp -m multiport --dports 80,20:25', ssh, 'drop'],
    ['-p tcp -m multiport ! --dports 80,22', ssh, 'accept'],
    ['-p tcp -m multiport --ports 40000', ssh, 'drop'],
    ['-m state --state NEW,RELATED', ssh, 'drop'],
    ['-m conntrack ! --ctstate NEW', ssh, 'accept'],
    ['-m conntrack --ctstate DNAT', ssh, 'accept'],
    ['-m conntrack --ctstate INVALID,DNAT', { ...ssh, ctStatus: 32 }, 'drop'],
    ['-m conntrack --ctstatus NONE', { ...ssh, ctStatus: 0 }, 'accept'],
    ['-m conntrack ! --ctstatus NONE', { ...ssh, ctStatus: 0 }, 'drop'],
    ['-m conntrack --ctorigdstport 22 --ctdir ORIGINAL', ssh, 'drop'],
    ['-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN', ssh, 'drop'],
    ['-p tcp -m tcp --syn', { ...ssh, tcpFlags: 18 }, 'accept'],
    ['-p tcp -m tcp ! --tcp-flags ALL NONE', ssh, 'drop'],
    ['-p icmp -m icmp --icmp-type 8', { ...ssh, protocol: 1, icmpType: 8, icmpCode: 0 }, 'drop'],
    ['-p icmp -m icmp --icmp-type 3/4', { ...ssh, protocol: 1, icmpType: 3, icmpCode: 3 }, 'accept'],
    ['-p icmp -m icmp --icmp-type fragmentation-needed', { ...ssh, protocol: 1, icmpType: 3, icmpCode: 4 }, 'drop'],
    ['-p icmp -m icmp ! --icmp-type any', { ...ssh, protocol: 1, icmpType: 13, icmpCode: 0 }, 'accept'],
    ['-p icmp -m icmp ! --icmp-type 255', { ...ssh, protocol: 1, icmpType: 255, icmpCode: 0 }, 'accept'],
    ['-p icmp -m icmp --icmp-type any', { ...ssh, protocol: 1, icmpType: 13, icmpCode: 0 }, 'drop'],
    ['-m iprange --src-range 198.51.100.1-198.51.100.9', ssh, 'drop'],
    ['-m mac --mac-source 02:00:00:00:00:01', { ...ssh, macSource: 0x02_00_00_00_00_01n }, 'drop'],
    ['-m mac --mac-source 02:00:00:00:00:01', ssh, 'accept|drop'],
    ['-m mark --mark 0x1/0xff', { ...ssh, mark: 0x101 }, 'drop'],
    ['-f', { ...ssh, fragment: 'later' }, 'drop'],
    ['-p tcp -m tcp --dport 22', { ...ssh, fragment: 'later' }, 'accept'],
    ['-m ttl --ttl-lt 5', { ...ssh, ttl: 4 }, 'drop'],
    ['-m length --length 0:100', { ...ssh, length: 101 }, 'accept'],
    ['-m comment --comment "--dport 22 ! -j"', ssh, 'drop'],
    ['-m limit --limit 5/min', ssh, 'accept|drop'],
    ['-m owner --uid-owner 0', ssh, 'accept|drop'],
    ['-m nosuchmatch --frobnicate 7', ssh, 'accept|drop'],
    ['-m set --match-set gone src', ssh, 'accept|drop'],
  ])('%s', (match, packet, expected) => {
    expect(verdict([`-A INPUT ${match} -j DROP`], packet)).toBe(expected)
  })
})

describe('targets', () => {
  test.each<[string, string[], string]>([
    ['goto a user chain does not come back', ['-A INPUT -g user', '-A INPUT -j DROP'], 'accept'],
    ['jump comes back', ['-A INPUT -j user', '-A INPUT -j DROP'], 'drop'],
    ['RETURN in a user chain', ['-A INPUT -j user', '-A user -j RETURN', '-A user -j DROP'], 'accept'],
    ['REJECT', ['-A INPUT -j REJECT --reject-with tcp-reset'], 'reject'],
    ['LOG and NFLOG let pass', ['-A INPUT -j LOG --log-prefix "-j DROP "', '-A INPUT -j NFLOG --nflog-group 7'], 'accept'],
    ['NFQUEUE may do either', ['-A INPUT -j NFQUEUE --queue-num 0'], 'accept|drop'],
    ['MARK is read by a later rule', ['-A INPUT -j MARK --set-xmark 0x5/0xffffffff', '-A INPUT -m mark --mark 0x5 -j DROP'], 'drop'],
    ['an unknown target may do anything', ['-A INPUT -j FROBNICATE'], 'accept|drop|reject'],
    ['a rule without a target goes on', ['-A INPUT -p tcp', '-A INPUT -j DROP'], 'drop'],
  ])('%s', (_, rules, expected) => {
    expect(verdict(rules, ssh)).toBe(expected)
  })
})

describe('ipset', () => {
  const sets = (text: string): Partial<SaveText> => ({ ipsets: { file: 'sets', text } })
  test.each<[string, string, string, string]>([
    ['hash:net', 'create s hash:net family inet\nadd s 198.51.100.0/24', 'src', 'drop'],
    ['hash:ip,port', 'create s hash:ip,port family inet\nadd s 198.51.100.7,tcp:22 timeout 30', 'src,dst', 'drop'],
    ['hash:ip,port of the other protocol', 'create s hash:ip,port family inet\nadd s 198.51.100.7,udp:22', 'src,dst', 'accept'],
    ['bitmap:port', 'create s bitmap:port range 0-65535\nadd s 22-25', 'dst', 'drop'],
    ['an empty set', 'create s hash:ip', 'src', 'accept'],
    ['hash:ip,port,ip', 'create s hash:ip,port,ip\nadd s 198.51.100.7,tcp:22,192.0.2.1', 'src,dst,dst', 'drop'],
    ['hash:ip,port,net', 'create s hash:ip,port,net\nadd s 198.51.100.7,tcp:22,192.0.2.0/24', 'src,dst,dst', 'drop'],
    ['hash:net,port,net', 'create s hash:net,port,net\nadd s 198.51.100.0/24,tcp:20-30,192.0.2.0/24', 'src,dst,dst', 'drop'],
    ['bitmap:ip', 'create s bitmap:ip range 198.51.100.0/24\nadd s 198.51.100.4-198.51.100.9', 'src', 'drop'],
    ['fewer directions than dimensions', 'create s hash:ip,port\nadd s 198.51.100.7,tcp:22', 'src', 'accept'],
    ['a set of the other family', 'create s hash:ip family inet6\nadd s 2001:db8::1', 'src', 'accept'],
    ['list:set', 'create a hash:ip\nadd a 198.51.100.7\ncreate b hash:ip family inet6\ncreate s list:set size 8\nadd s a\nadd s b', 'src', 'drop'],
    ['an empty list:set', 'create s list:set size 8', 'src', 'accept'],
    ['an exception inside makes it unknown', 'create s hash:net\nadd s 198.51.100.0/24\nadd s 198.51.100.7 nomatch', 'src', 'accept|drop'],
  ])('%s', (_, text, directions, expected) => {
    expect(verdict([`-A INPUT -m set --match-set s ${directions} -j DROP`], ssh, sets(text))).toBe(expected)
  })

  test.each<[string, string, string, string]>([
    ['of the other family: not in the set', 'create s hash:ip family inet6', 'src', 'drop'],
    ['of another protocol: not in the set', 'create s hash:ip,port\nadd s 198.51.100.7,icmp:echo-request', 'src,dst', 'drop'],
    ['of an empty list', 'create s list:set size 8', 'src', 'drop'],
  ])('negated, %s', (_, text, directions, expected) => {
    expect(verdict([`-A INPUT -m set ! --match-set s ${directions} -j DROP`], ssh, sets(text))).toBe(expected)
  })

  test('--return-nomatch: only exceptions match', () => {
    const asked = (text: string): string => verdict(['-A INPUT -m set --match-set s src --return-nomatch -j DROP'], ssh, sets(text))
    expect([asked('create s hash:net\nadd s 198.51.100.0/24'), asked('create s hash:net\nadd s 198.51.100.0/24 nomatch'), asked('create s hash:ip\nadd s 198.51.100.7')]).toEqual(['accept', 'accept|drop', 'drop'])
  })

  test('ICMP and protocols without ports stand beside ports in one set', () => {
    const text = 'create s hash:ip,port\nadd s 198.51.100.7,icmp:echo-request\nadd s 198.51.100.7,47:0\nadd s 198.51.100.7,tcp:22'
    const icmp = { ...ssh, protocol: 1, icmpType: 8, icmpCode: 0 }
    const gre = { ...ssh, protocol: 47 }
    for (const packet of [ssh, icmp, gre]) expect(verdict(['-A INPUT -m set --match-set s src,dst -j DROP'], packet, sets(text))).toBe('drop')
    expect(verdict(['-A INPUT -m set --match-set s src,dst -j DROP'], { ...icmp, icmpType: 3 }, sets(text))).toBe('accept')
  })

  test('bitmap:ip,mac whose hardware address the first packet will tell is unknown', () => {
    expect(verdict(['-A INPUT -m set --match-set s src,src -j DROP'], ssh, sets('create s bitmap:ip,mac range 198.51.100.0/24\nadd s 198.51.100.7'))).toBe('accept|drop')
  })

  test('a set that rules fill is unknown', () => {
    expect(verdict(['-A INPUT -m set --match-set s src -j DROP', '-A user -j SET --add-set s src'], ssh, sets('create s hash:ip'))).toBe('accept|drop')
  })
})

describe('faults have a place', () => {
  test.each<[string, string, number, number]>([
    ['-A INPUT -p tcp -m tcp --dport 99999 -j DROP', 'at most 65535', 4, 32],
    ['-A INPUT -s 300.1.1.1 -j DROP', 'IPv4 address', 4, 13],
    ['-A NOWHERE -j DROP', 'not declared', 4, 4],
    ['-A INPUT stray -j DROP', 'not an option', 4, 10],
    ['-A INPUT -m comment --comment "open', 'not closed', 4, 31],
    ['-I INPUT -j DROP', 'only "-A CHAIN', 4, 1],
  ])('%s', (rule, words, line, column) => {
    const result = parseIptablesSave(save([rule]))
    const fault = result.ok ? undefined : result.faults[0]
    expect(fault?.what.en).toContain(words)
    expect(fault?.place).toEqual({ file: 'rules.v4', line, column })
  })

  test('a text that is cut off', () => {
    const result = parseIptablesSave({ ...save([]), text: '*filter\n:INPUT ACCEPT [0:0]\n' })
    expect(result.ok ? '' : result.faults[0]?.what.en).toContain('COMMIT')
  })
})

test('a comment is kept as the user wrote it', () => {
  expect(ruleOf('-A INPUT -m comment --comment "it\\\'s \\"q\\"" -j DROP')?.comment).toBe('it\'s "q"')
})

test('bytes of any kind give a ruleset or faults with places, never an exception', () => {
  const words = fc.constantFrom('*filter', ':INPUT ACCEPT', 'COMMIT', '-A INPUT', '-p', 'tcp', '!', '-m', 'set', '--dport', '"', '\\', '1:', '-j', 'DROP', '--match-set', 'conntrack', '--ctstate', 'NEW,', '\n', ' ')
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(fc.oneof(words, fc.string({ maxLength: 3 }))).map((parts) => parts.join(' '))), (text) => {
      const result = parseIptablesSave({ file: 'f', dialect: 'iptables-save', text })
      if (!result.ok) expect(result.faults.every((fault) => fault.place !== undefined)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

describe('words that name properties of every object are not in any table', () => {
  test.each(['-m conntrack --ctstate constructor', '-p constructor', '-p icmp --icmp-type toString', '-p tcp --tcp-flags constructor SYN', '-m addrtype --src-type valueOf'])('%s', (matches) => {
    const parsed = parseIptablesSave({ file: 'save', dialect: 'iptables-save', text: `*filter\n:INPUT DROP [0:0]\n-A INPUT ${matches} -j ACCEPT\nCOMMIT\n` })
    expect(parsed.ok ? [] : parsed.faults.map(({ place }) => place?.line)).toEqual([3])
  })
})
