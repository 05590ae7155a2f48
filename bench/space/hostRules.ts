import { Dice } from './dice.ts'

/** A prefix of IPv4 or IPv6: the leading bits of `value` in a field of `bits`. */
export interface RulePrefix {
  readonly value: bigint
  readonly length: number
}

/** A rule without words: what every engine of the benchmark is given. Absent: any. */
export interface RuleSpec {
  readonly protocol?: 'tcp' | 'udp'
  readonly ports?: readonly (readonly [first: number, last: number])[]
  readonly sources?: readonly RulePrefix[]
  readonly interface?: number
  readonly verdict: 'accept' | 'drop'
}

export interface RuleMix {
  readonly rules: number
  readonly seed: number
  readonly family?: 4 | 6
  /** How many different ports, and different prefixes, rules name; absent: any. */
  readonly ports?: number
  readonly prefixes?: number
}

/** 20 % port only, 35 % port and prefix, 14 % prefix only, 8 % port range, 10 % several ports, 8 % a set of sources, 5 % interface and port. */
export function hostRules({ rules, seed, family = 4, ports, prefixes }: RuleMix): RuleSpec[] {
  const dice = new Dice(seed)
  const knownPorts = ports === undefined ? undefined : Array.from({ length: ports }, () => portOf(dice))
  const knownPrefixes = prefixes === undefined ? undefined : Array.from({ length: prefixes }, () => prefixOf(dice, family))
  const port = (): readonly [number, number] => {
    const one = knownPorts?.[dice.upTo(knownPorts.length)] ?? portOf(dice)
    return [one, one]
  }
  const prefix = (): RulePrefix => knownPrefixes?.[dice.upTo(knownPrefixes.length)] ?? prefixOf(dice, family)
  return Array.from({ length: rules }, (): RuleSpec => {
    const verdict = dice.upTo(2) === 0 ? 'accept' : 'drop'
    const protocol = dice.upTo(4) === 0 ? 'udp' : 'tcp'
    const kind = dice.upTo(100)
    if (kind < 20) return { protocol, ports: [port()], verdict }
    if (kind < 55) return { protocol, ports: [port()], sources: [prefix()], verdict }
    if (kind < 69) return { sources: [prefix()], verdict }
    if (kind < 77) return { protocol, ports: [rangeOf(dice)], verdict }
    if (kind < 87) return { protocol, ports: Array.from({ length: 5 }, port), verdict }
    if (kind < 95) return { protocol, ports: [port()], sources: Array.from({ length: 4 }, prefix), verdict }
    return { protocol, ports: [port()], interface: dice.upTo(INTERFACES), verdict }
  })
}

export const INTERFACES = 4

const portOf = (dice: Dice): number => 1 + dice.upTo(65_535)

function rangeOf(dice: Dice): [number, number] {
  const first = 1 + dice.upTo(60_000)
  return [first, first + dice.upTo(1_000)]
}

export const BITS = { 4: 32, 6: 128 } as const

export function prefixOf(dice: Dice, family: 4 | 6): RulePrefix {
  const bits = BITS[family]
  const length = family === 4 ? 8 + dice.upTo(25) : 24 + dice.upTo(105)
  let value = 0n
  for (let word = 0; word < bits / 16; word += 1) value = (value << 16n) | BigInt(dice.upTo(2 ** 16))
  const free = BigInt(bits - length)
  return { value: (value >> free) << free, length }
}

/** As `nft -j list ruleset` prints a host's input chain. */
export function nftJsonOf(rules: readonly RuleSpec[], family: 4 | 6 = 4): string {
  const objects = [
    { table: { family: 'inet', name: 'filter', handle: 1 } },
    { chain: { family: 'inet', table: 'filter', name: 'input', handle: 1, type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
  ].map((object) => JSON.stringify(object))
  const ruleOf = (expr: unknown, handle: number): string => JSON.stringify({ rule: { family: 'inet', table: 'filter', chain: 'input', handle, expr } })
  // One rule at a time: the memory that is measured is not that of making the text.
  return `{"nftables": [${[...objects, ruleOf(ESTABLISHED, 2), ...rules.map((rule, index) => ruleOf(expressionsOf(rule, family), index + 3))].join(', ')}]}`
}

const match = (left: unknown, right: unknown, op = '=='): unknown => ({ match: { op, left, right } })
const ESTABLISHED = [match({ ct: { key: 'state' } }, ['established', 'related'], 'in'), { accept: null }]

function expressionsOf({ protocol, ports, sources, interface: index, verdict }: RuleSpec, family: 4 | 6): unknown[] {
  return [
    ...(index === undefined ? [] : [match({ meta: { key: 'iifname' } }, `eth${index}`)]),
    ...(sources ? [match({ payload: { protocol: family === 4 ? 'ip' : 'ip6', field: 'saddr' } }, oneOrSet(sources.map((prefix) => ({ prefix: { addr: addressText(prefix.value, family), len: prefix.length } }))))] : []),
    ...(ports ? [match({ payload: { protocol: protocol ?? 'tcp', field: 'dport' } }, oneOrSet(ports.map(([first, last]) => (first === last ? first : { range: [first, last] }))))] : []),
    { [verdict]: null },
  ]
}

const oneOrSet = (values: readonly unknown[]): unknown => (values.length === 1 ? values[0] : { set: values })

export function addressText(value: bigint, family: 4 | 6): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.')
  return Array.from({ length: 8 }, (_, word) => ((value >> BigInt(112 - 16 * word)) & 0xffffn).toString(16)).join(':')
}
