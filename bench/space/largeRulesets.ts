import { Dice } from './dice.ts'
import { addressText, prefixOf } from './hostRules.ts'

const CHAIN_RULES = 100

/**
 * A campus firewall's FORWARD as `iptables-save` prints it: a chain for each department's network, in each of which rules name a source network,
 * a host or a part of the department, and a port; the last one refuses the rest. `changed`: the number of a rule with another port.
 */
export function forwardText(rules: number, changed = -1): string {
  const dice = new Dice(3)
  const chains = Math.ceil(rules / CHAIN_RULES)
  const names = Array.from({ length: chains }, (_, index) => `dept${index}`)
  const jumps = names.map((name, index) => `-A FORWARD -d ${network(index)} -j ${name}`)
  const inside = names.flatMap((name, index) => Array.from({ length: CHAIN_RULES }, (_, rule) => `-A ${name} ${forwardRule(dice, index, index * CHAIN_RULES + rule === changed)}`))
  return ['*filter', ':INPUT ACCEPT [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]', ...names.map((name) => `:${name} - [0:0]`), ESTABLISHED, ...jumps, ...inside, 'COMMIT', ''].join('\n')
}

const ESTABLISHED = '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'
const network = (index: number): string => `10.${index >> 6}.${(index & 63) * 4}.0/22`

function forwardRule(dice: Dice, index: number, isChanged: boolean): string {
  const host = `10.${index >> 6}.${(index & 63) * 4 + dice.upTo(4)}.${dice.upTo(256)}/32`
  const source = prefixOf(dice, 4)
  const port = dice.upTo(3) === 0 ? `${1 + dice.upTo(30_000)}:${30_001 + dice.upTo(30_000)}` : String(1 + dice.upTo(60_000))
  const kind = dice.upTo(10)
  const from = kind < 6 ? `-s ${addressText(source.value, 4)}/${source.length} ` : ''
  const to = kind < 8 ? `-d ${host} ` : ''
  return `${from}${to}-p ${dice.upTo(4) === 0 ? 'udp -m udp' : 'tcp -m tcp'} --dport ${isChanged ? '61001' : port} -j ${dice.upTo(5) === 0 ? 'DROP' : 'ACCEPT'}`
}

/** One named set of prefixes that is dropped, before two open ports; `changed`: the number of a prefix that is left out. */
export function blocklistText(prefixes: number, changed = -1): string {
  const dice = new Dice(5)
  // A /24 in every other one, and a few bits of it, so that none overlap.
  const elements = Array.from({ length: prefixes }, (_, index) => {
    const base = BigInt(0x0100_0000 + index * 512)
    const length = 24 + dice.upTo(9)
    return { prefix: { addr: addressText(base, 4), len: length } }
  }).filter((_, index) => index !== changed)
  const rule = (handle: number, expr: unknown[]): unknown => ({ rule: { family: 'inet', table: 'filter', chain: 'input', handle, expr } })
  const source = { payload: { protocol: 'ip', field: 'saddr' } }
  return JSON.stringify({
    nftables: [
      { table: { family: 'inet', name: 'filter', handle: 1 } },
      { set: { family: 'inet', name: 'blocked', table: 'filter', type: 'ipv4_addr', handle: 2, flags: ['interval'], elem: elements } },
      { chain: { family: 'inet', table: 'filter', name: 'input', handle: 1, type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
      rule(3, [{ match: { op: '==', left: source, right: '@blocked' } }, { drop: null }]),
      rule(4, [{ match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: { set: [80, 443] } } }, { accept: null }]),
    ],
  })
}
