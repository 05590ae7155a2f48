import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseIptablesSave } from '../ruleset/iptables/parse.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { compareDiagrams, compareRulesets } from './compare.ts'
import { composeWay } from './compose.ts'
import { PacketSpace } from './packetSpace.ts'
import { replayed } from './replay.ts'

const forward = (rules: readonly string[], nat: readonly string[]): Ruleset => {
  const text = ['*nat', ':PREROUTING ACCEPT [0:0]', ...nat, 'COMMIT', '*filter', ':FORWARD DROP [0:0]', ':dept - [0:0]', '-A dept -p tcp -m tcp --dport 22 -j ACCEPT', '-A dept -s 10.2.0.0/16 -j REJECT', ...rules, 'COMMIT', ''].join('\n')
  const parsed = parseIptablesSave({ file: 'test', dialect: 'iptables-save', text })
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

const RULES = [
  '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-d 10.1.0.0/22 -j dept',
  '-d 10.1.4.0/22 -p tcp -m tcp --dport 1:30000 -j ACCEPT',
  '-s 10.2.0.0/16 -d 10.1.0.7/32 -p tcp -m tcp --dport 443 -j ACCEPT',
  '! -d 10.1.0.0/16 -p udp -m udp --dport 53 -j ACCEPT',
  '-i eth0 -o eth1 -p tcp -m tcp --dport 80 -j ACCEPT',
  '-d 10.1.0.0/24 -p icmp -m icmp --icmp-type 8 -j ACCEPT',
  '-m limit --limit 5/sec -d 10.1.0.0/24 -j ACCEPT',
  '-d 10.1.9.9/32 -j DROP',
]
const NAT = ['-d 192.0.2.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.7:443', '-p tcp -m tcp --dport 8022 -j DNAT --to-destination 10.1.0.9:22']

const some = (lines: readonly string[], chain: string): fc.Arbitrary<string[]> => fc.array(fc.constantFrom(...lines), { maxLength: 7 }).map((each) => each.map((line) => `-A ${chain} ${line}`))
const rulesets = fc.record({ rules: some(RULES, 'FORWARD'), nat: some(NAT, 'PREROUTING') }).map(({ rules, nat }) => forward(rules, nat))

test('the order of the levels does not show: forwarded packets differ in the same services and sources, and the second evaluator agrees', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(rulesets, rulesets, (a, b) => {
      const usual = new PacketSpace([a, b])
      const expected = replayed(compareDiagrams(usual, composeWay(usual, a, 'forward'), composeWay(usual, b, 'forward')), [], 'forward')
      const compared = compareRulesets(a, b, { way: 'forward' })
      expect(shown(compared)).toEqual(shown(expected))
      if (compared.kind === 'different') for (const each of compared.differences) expect(each.replay).not.toBe('disagrees')
    }),
    { numRuns: 25 },
  )
})

/** Without the packets: which one stands for many may differ. */
const shown = (comparison: ReturnType<typeof compareRulesets>): unknown =>
  comparison.kind === 'different' ? comparison.differences.map(({ change, protocols, ports, sources }) => ({ change, protocols, ports, sources })) : comparison
