import { expect, test } from 'vitest'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import { parsePacketText } from '../ruleset/packetText.ts'
import { evaluateLinear } from './linear.ts'
import { rulePath, type ChainPath } from './rulePath.ts'

const RULES = `table inet first {
  chain gate {
    type filter hook prerouting priority -150; policy accept;
    ct state invalid drop
  }
  chain in {
    type filter hook input priority 0; policy drop;
    meta l4proto tcp jump services
    limit rate 1/second accept
  }
  chain services {
    ip saddr 198.51.100.0/24 jump partners
    tcp dport 443 accept
  }
  chain partners {
    tcp dport 22 accept
    return
  }
}
table inet second {
  chain in {
    type filter hook input priority 10; policy accept;
    tcp dport 22 drop
  }
}`

const lines = ({ chain, steps }: ChainPath, indent = ''): string[] =>
  steps.flatMap(({ rule, effect, isSure, into }) => [
    `${indent}${chain.name}${isSure ? '' : '?'} ${rule?.source.line ?? '-'} ${effect}`,
    ...(into ? lines(into, `${indent}  `) : []),
  ])

const pathOf = (text: string): string[] => {
  const rules = parseNftText(RULES, 'rules.nft')
  const packet = parsePacketText(text)
  if (!rules.ok || !packet.ok) throw new Error('cannot be read')
  const { trace } = evaluateLinear(rules.value, packet.value, { hook: 'input', isTraced: true })
  return rulePath(trace).flatMap(({ hook, chains }) => [hook, ...chains.flatMap((each) => lines(each, '  '))])
}

test('jumps hang under the rule that jumps; an accept leads to the next table', () => {
  expect(pathOf('tcp 198.51.100.7 -> 192.0.2.1:22 ct new')).toEqual([
    'prerouting',
    '  gate - policy accept',
    'input',
    '  in 8 jump services',
    '    services 12 jump partners',
    '      partners 16 accept',
    '  in 23 drop',
  ])
})

test('coming back from a chain goes on behind the jump; what is not sure is marked', () => {
  expect(pathOf('tcp 198.51.100.7 -> 192.0.2.1:80 ct new')).toEqual([
    'prerouting',
    '  gate - policy accept',
    'input',
    '  in 8 jump services',
    '    services 12 jump partners',
    '      partners 17 return',
    '  in? 9 accept',
    '  in - policy drop',
    '  in - policy accept',
  ])
})
