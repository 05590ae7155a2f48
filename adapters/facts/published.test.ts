import { formatAddress, parseAddress } from '@portcullis/core/net/address.ts'
import { formatPortRange } from '@portcullis/core/net/port.ts'
import { parseIptablesSave } from '@portcullis/core/ruleset/iptables/parse.ts'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import type { Result } from '@portcullis/core/fault/fault.ts'
import { describe, expect, test } from 'vitest'
import { readPublished } from './published.ts'

const own = ['192.0.2.1', '2001:db8::1', '127.0.0.1'].flatMap((text) => {
  const address = parseAddress(text)
  return address.ok ? [address.value] : []
})

function told(ruleset: Result<Ruleset>): string[] {
  if (!ruleset.ok) throw new Error(ruleset.faults[0]?.what.en)
  return readPublished({ host: 'web-1', at: 1, sensor: 'nft', ruleset: ruleset.value, addresses: own }).flatMap((each) => {
    if (each.kind === 'published') return [`${each.protocol} ${each.address ? formatAddress(each.address) : ''} ${formatPortRange(each.ports)} → ${each.target}`]
    return each.kind === 'evidence' ? [each.because] : []
  })
}

describe('iptables', () => {
  const save = (...rules: string[]): string[] => {
    const chains = new Set(rules.map((rule) => rule.split(' ')[1] ?? '').filter((name) => name !== 'PREROUTING' && name !== 'OUTPUT'))
    const text = ['*nat', ':PREROUTING ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', ...[...chains].map((name) => `:${name} - [0:0]`), ...rules, 'COMMIT', ''].join('\n')
    return told(parseIptablesSave({ file: 'x', dialect: 'iptables-save', text }))
  }
  const dnat = (match: string): string => `-A PREROUTING ${match} -j DNAT --to-destination 172.17.0.2:80`

  test.each<[string, string[], string[]]>([
    ['one port', [dnat('-p tcp -m tcp --dport 8080')], ['tcp 0.0.0.0 8080 → 172.17.0.2:80']],
    ['a range of UDP', ['-A PREROUTING -p udp -m udp --dport 5000:5005 -j DNAT --to-destination 172.17.0.2'], ['udp 0.0.0.0 5000-5005 → 172.17.0.2']],
    ['multiport', [dnat('-p tcp -m multiport --dports 81,90:95')], ['tcp 0.0.0.0 81 → 172.17.0.2:80', 'tcp 0.0.0.0 90-95 → 172.17.0.2:80']],
    ['an address of the host', [dnat('-d 192.0.2.1/32 -p tcp -m tcp --dport 80')], ['tcp 192.0.2.1 80 → 172.17.0.2:80']],
    ['an address that is not the host’s is routed, not published', [dnat('-d 198.51.100.1/32 -p tcp -m tcp --dport 80')], []],
    ['Docker’s way', ['-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER', '-A DOCKER ! -i docker0 -p tcp -m tcp --dport 5000 -j DNAT --to-destination 172.17.0.4:5000'], ['tcp 0.0.0.0 5000 → 172.17.0.4:5000']],
    ['kube-proxy’s way: the port stands in one chain, the target in another',
      ['-A PREROUTING -j KUBE-SERVICES', '-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS', '-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SEP',
        '-A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-SEP', '-A KUBE-SEP -p tcp -m tcp -j DNAT --to-destination 10.244.0.5:8080'],
      ['tcp 0.0.0.0 30080 → 10.244.0.5:8080']],
    ['redirect', ['-A PREROUTING -p tcp -m tcp --dport 31000 -j REDIRECT --to-ports 80'], ['tcp 0.0.0.0 31000 → this host:80']],
    ['all but one port', [dnat('-p tcp -m tcp ! --dport 22')], ['tcp 0.0.0.0 1-21 → 172.17.0.2:80', 'tcp 0.0.0.0 23-65535 → 172.17.0.2:80']],
    ['what the host itself sends is not published', ['-A OUTPUT -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80'], []],
    ['returned before', ['-A PREROUTING -p tcp -m tcp --dport 8080 -j RETURN'], []],
    ['a chain that calls itself ends', ['-A PREROUTING -j A', '-A A -j A', '-A A -p tcp -m tcp --dport 1 -j DNAT --to-destination 10.0.0.1'], ['tcp 0.0.0.0 1 → 10.0.0.1']],
  ])('%s', (_, rules, expected) => {
    expect(save(...rules)).toEqual(expected)
  })
})

describe('nft', () => {
  const match = (protocol: string, field: string, right: unknown) => ({ match: { op: '==', left: { payload: { protocol, field } }, right } })
  const nft = (family: string, chains: Record<string, unknown[][]>, more: unknown[] = []): string[] => {
    const table = { family, table: 't' }
    const items = Object.entries(chains).flatMap(([name, rules]) => [
      { chain: { ...table, name, handle: 1, ...(name === 'pre' ? { type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' } : {}) } },
      ...rules.map((expr, index) => ({ rule: { ...table, chain: name, handle: index + 2, expr } })),
    ])
    return told(parseNftJson(JSON.stringify({ nftables: [{ table: { family, name: 't', handle: 1 } }, ...more, ...items] }), 'x'))
  }
  const dport = match('tcp', 'dport', 8080)

  test.each<[string, () => string[], string[]]>([
    ['IPv6', () => nft('ip6', { pre: [[dport, { dnat: { addr: 'fd00::2', port: 80 } }]] }), ['tcp :: 8080 → [fd00::2]:80']],
    ['an inet table has both families', () => nft('inet', { pre: [[dport, { redirect: { port: 80 } }]] }), ['tcp 0.0.0.0 8080 → this host:80', 'tcp :: 8080 → this host:80']],
    ['a verdict map', () => nft('ip', { k: [[{ dnat: { addr: '10.0.0.9' } }]], pre: [[{ vmap: { key: { payload: { protocol: 'tcp', field: 'dport' } }, data: { set: [[32000, { jump: { target: 'k' } }]] } } }]] }), ['tcp 0.0.0.0 32000 → 10.0.0.9']],
    ['an opaque iptables-nft target behind a clear port', () => nft('ip', { pre: [[dport, { xt: { type: 'target', name: 'DNAT' } }]] }), ['tcp 0.0.0.0 8080 → a target that only iptables-nft-save shows']],
    ['an opaque iptables-nft match is not taken for every port', () => nft('ip', { pre: [[{ xt: { type: 'match', name: 'multiport' } }, { xt: { type: 'target', name: 'REDIRECT' } }]] }), ['published ports that cannot be told: an iptables-nft REDIRECT rule']],
    ['other opaque targets publish nothing', () => nft('ip', { pre: [[dport, { xt: { type: 'target', name: 'LOG' } }]] }), []],
    ['every port of an address', () => nft('ip', { pre: [[match('ip', 'daddr', '192.0.2.1'), { dnat: { addr: '10.0.0.9' } }]] }), ['tcp', 'udp', 'sctp'].toSorted().map((protocol) => `${protocol} 192.0.2.1 1-65535 → 10.0.0.9`)],
  ])('%s', (_, read, expected) => {
    expect(read()).toEqual(expected)
  })
})
